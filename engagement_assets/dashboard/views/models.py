"""Which versions serve, how good they are, and what became of earlier ones."""

import pandas as pd

from engagement_assets.dashboard.pictures import Drawing, Picture, intervals
from engagement_assets.dashboard.reading import Reader
from engagement_assets.decisions.specs import LEARNT
from engagement_assets.lifecycle.spec import UseCaseSpec
from engagement_assets.models.specs import EVERY_MODEL

SPECS: dict[str, UseCaseSpec] = {
    spec.name: spec for spec in (*EVERY_MODEL, *LEARNT) if "champion" in spec.training_parts
}


def pictures(reader: Reader, model: str) -> list[Picture]:
    """Return the page of a model."""
    return [evaluation(reader, model), gates(reader, model), versions(reader, model)]


def evaluation(reader: Reader, model: str) -> Picture:
    """Return the metrics of the champion on customers or days that it did not see."""
    version = reader.registry.champion(model)
    card = reader.registry.card(model, version) if version else {}
    made = [
        {"metric": name.replace("_", " "), **{end: float(given[end]) for end in _ENDS}}
        for name, given in card.get("metrics", {}).items()
        if isinstance(given, dict) and all(given.get(end) is not None for end in _ENDS)
    ]
    rows = pd.DataFrame(made, columns=["metric", *_ENDS])
    people = card.get("test_customers")
    return _picture(
        "How good it is",
        rows,
        model,
        card,
        "No version serves: the gates below say why."
        if not version
        else "The card has no metrics.",
        chart=None
        if rows.empty
        else intervals(rows, of="metric", value="value", low="low", high="high", label="Value"),
        note=f"Version {version}, on {people:,} customers it did not see, with 95 % intervals."
        if people
        else f"Version {version}, on days or customers it did not see, with 95 % intervals.",
    )


def gates(reader: Reader, model: str) -> Picture:
    """Return how the gates judge the champion, or why the last candidate was refused."""
    version = reader.registry.champion(model)
    card = reader.registry.card(model, version) if version else {}
    judged = [gate.judge(card) for gate in SPECS[model].gates] if version else []
    made = [{"version": version, "state": one.state, "why": one.text} for one in judged]
    refusal = reader.registry.refused(model)
    if refusal is not None:
        made += [
            {"version": refusal.version, "state": "refused", "why": why} for why in refusal.reasons
        ]
    return _picture("What its gates say", pd.DataFrame(made), model, card, "It was not trained.")


def versions(reader: Reader, model: str) -> Picture:
    """Return what happened to its versions, the latest first."""
    rows = pd.DataFrame(reader.registry.history(model)[::-1])
    of = {} if rows.empty else {"test_snapshots": [rows["at"].iloc[0][:10]]}
    return _picture("Versions", rows, model, of, "No version has served.")


_ENDS = ("value", "low", "high")


def _picture(
    title: str,
    rows: pd.DataFrame,
    model: str,
    card: dict,
    empty: str,
    *,
    chart: Drawing | None = None,
    note: str = "",
) -> Picture:
    day = max(card.get("test_snapshots") or card.get("training_snapshots") or [""])
    return Picture(
        title,
        rows,
        f"{model}/{SPECS[model].candidate}",
        pd.Timestamp(day).date() if day else None,
        chart,
        note,
        empty,
    )
