"""Model cards, policies' cards and data sheets, made from declarations and the registry.

Belongs here: which there are and what stands in each. Does not belong here: the layout of a model's
card (`engagement_assets.lifecycle.card`).
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from engagement_assets.governance.dictionary import section
from engagement_assets.learning import markdown
from engagement_assets.lifecycle.card import model_card
from engagement_assets.lifecycle.spec import DecisionSpec, UseCaseSpec
from resources.registry import ModelRegistry
from resources.tables import Table

MODEL, POLICY, TABLE = "model card", "policy card", "data sheet"
Documents = dict[str, dict[str, str]]


def documents(
    models: Iterable[UseCaseSpec],
    decisions: Iterable[DecisionSpec],
    tables: Iterable[Table],
    registry: ModelRegistry,
) -> Documents:
    """Return every card and data sheet as Markdown, by kind and name."""
    return {
        MODEL: {spec.name: _model(spec, registry) for spec in models},
        POLICY: {spec.name: _policy(spec, registry) for spec in decisions},
        TABLE: {table.key: _sheet(table) for table in tables},
    }


def fingerprints(made: Documents) -> dict[str, dict[str, str]]:
    """Return what tells a stale document from a current one, by kind and name."""
    return {
        kind: {name: hashlib.sha256(text.encode()).hexdigest()[:16] for name, text in own.items()}
        for kind, own in made.items()
    }


def compared(
    wanted: Mapping[str, Mapping[str, str]], stored: Mapping[str, Mapping[str, str]] | None
) -> dict[str, tuple[int, dict[str, str]]]:
    """Return by kind how many documents there are to be, and what is wrong with which.

    Args:
        wanted: Fingerprints of what the documents should say now.
        stored: Those of the documents that were made; None where none were.
    """
    return {
        kind: (
            len(names),
            {
                name: "is stale" if name in (stored or {}).get(kind, {}) else "is missing"
                for name, print_ in names.items()
                if (stored or {}).get(kind, {}).get(name) != print_
            },
        )
        for kind, names in wanted.items()
    }


def page(made: Documents) -> str:
    """Return all documents as one page."""
    titles = {MODEL: "Model cards", POLICY: "Policy cards", TABLE: "Data sheets"}
    parts = [f"# {titles[kind]}\n\n" + "\n\n".join(own.values()) for kind, own in made.items()]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _model(spec: UseCaseSpec, registry: ModelRegistry) -> str:
    version = registry.champion(spec.name) if "champion" in spec.training_parts else None
    if version is None:
        return _declared(spec, "Nothing serves, so that no quality is known.")
    card: dict[str, Any] = {"name": spec.name, **registry.card(spec.name, version)}
    accepted = registry.acceptance(spec.name, version)
    if accepted is not None:
        card["accepted"] = str(accepted)
    text = model_card(
        card,
        purpose=spec.purpose,
        limits=spec.limits,
        rollback=f"`make rollback MODEL={spec.name}`",
    )
    return text.replace("\n## ", "\n### ").replace("# ", "## ", 1)


def _policy(spec: DecisionSpec, registry: ModelRegistry) -> str:
    if spec.learnt:
        served = _model(spec, registry)
    else:
        served = _declared(spec, f"A rule decides, version {spec.code_version}.")
    rows = [
        (
            action.name,
            action.channel or "none",
            f"{action.cost_usd:.2f}",
            action.consent or "none",
            action.cooldown_days,
        )
        for action in spec.actions
    ]
    head = ("action", "channel", "cost (USD)", "consent", "days before it may come again")
    return "\n\n".join([served.strip(), "### Actions", markdown.table(head, rows)])


def _declared(spec: UseCaseSpec, quality: str) -> str:
    limits = "\n".join(f"- {limit}" for limit in spec.limits) or "- None are known."
    reads = ", ".join(f"`{name}`" for name in (*spec.learns_from, *spec.predicts_from)) or "nothing"
    parts = (f"## {spec.name}", spec.purpose, quality, f"Reads {reads}.", "### Limits", limits)
    return "\n\n".join(parts)


def _sheet(table: Table) -> str:
    personal = [column.name for column in table.columns if column.personal or column.names_customer]
    about = f"no, {table.without_customer}" if table.without_customer else "yes"
    facts = [
        f"- owner: {table.owner}",
        f"- a row is named by: {', '.join(table.unique)}",
        f"- personal columns: {', '.join(personal) or 'none'}",
        f"- about customers: {about}",
    ]
    return section(table) + "\n\n" + "\n".join(facts)
