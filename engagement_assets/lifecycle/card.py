"""The model card: what a version is, for people.

Belongs here: writing a registered card (JSON data) as Markdown. Does not belong here: gathering
what stands in it (the model's assets). Sections follow Mitchell et al., Model Cards for Model
Reporting (FAT* 2019).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from engagement_assets.learning import markdown
from engagement_assets.lifecycle.reports import baselines_markdown


def model_card(
    card: Mapping[str, Any], *, purpose: str, limits: Sequence[str], rollback: str
) -> str:
    """Write a version's card as Markdown.

    A part of the card that is not there is said to be missing, never left out silently.

    Args:
        card: As `ModelRegistry.card` returns it. Read are `name`, `version`, `registered_at`,
            `training_snapshots`, `test_snapshot`, `training_customers`, `test_customers`,
            `features`, `metrics` (name to value, low, high), `baselines` (where there are some),
            `thresholds`, `fairness` (verdict, failures, notes), `mitigation` (as
            `Mitigation.summary`, where one is applied), `explanation` (as
            `Explanation.summary`), `code_version`, `data_versions`, `seeds`, `judged` (a
            list of state and text), and `accepted`, where somebody answers for a version that was
            refused.
        purpose: What the model is for and what it must not be used for.
        limits: Known limits, one sentence each.
        rollback: How to go back to an earlier version: a command.
    """
    parts = [
        f"# {card.get('name', 'model')} {card.get('version', '')}".rstrip(),
        "## Purpose",
        purpose,
        "## Data",
        _facts(card, _DATA),
        "## Quality on test customers",
        _metrics(card.get("metrics")),
        *baselines_markdown(card),
        "## Judged",
        _judged(card),
        "## Thresholds and costs",
        _mapping(card.get("thresholds")),
        "## Fairness",
        _fairness(card.get("fairness")),
        *_applied(card.get("mitigation")),
        "## Explanations",
        _mapping(card.get("explanation")),
        "## Limits",
        "\n".join(f"- {limit}" for limit in limits) or "None are known, which is not to say none.",
        "## Going back",
        rollback,
    ]
    return "\n\n".join(parts) + "\n"


_DATA = (
    "registered_at",
    "training_snapshots",
    "test_snapshot",
    "training_customers",
    "test_customers",
    "features",
    "code_version",
    "data_versions",
    "seeds",
)


def _facts(card: Mapping[str, Any], names: Sequence[str]) -> str:
    return "\n".join(
        f"- {_words(name)}: "
        f"{markdown.inline(_text(card[name])) if name in card else 'not recorded'}"
        for name in names
    )


def _metrics(metrics: Mapping[str, Any] | None) -> str:
    if not metrics:
        return "Not recorded."
    rows = []
    for name, metric in metrics.items():
        if isinstance(metric, Mapping):
            span = f"{_text(metric.get('low'))} to {_text(metric.get('high'))}"
            rows.append((_words(name), _text(metric.get("value")), span))
        else:
            rows.append((_words(name), _text(metric), "–"))
    align = [markdown.LEFT, markdown.RIGHT, markdown.RIGHT]
    return markdown.table(["metric", "value", "95 % interval"], rows, align=align)


def _judged(card: Mapping[str, Any]) -> str:
    lines = [f"- {one['state']}: {one['text']}" for one in card.get("judged", [])]
    if "accepted" in card:
        lines.append(f"- refused, and {markdown.inline(card['accepted'])}")
    return "\n".join(lines) or "Not recorded."


def _mapping(values: Mapping[str, Any] | None) -> str:
    if not values:
        return "Not recorded."
    return "\n".join(
        f"- {markdown.inline(_words(name))}: {markdown.inline(_text(value))}"
        for name, value in values.items()
    )


def _fairness(fairness: Mapping[str, Any] | None) -> str:
    if not fairness:
        return "Not recorded."
    details = [
        f"- {markdown.inline(text)}"
        for key in ("failures", "notes")
        for text in fairness.get(key, [])
    ]
    return "\n".join([f"The 80 % rule: **{fairness['verdict']}**.", *details])


def _applied(mitigation: Mapping[str, Any] | None) -> list[str]:
    """What is done so that groups are treated alike, and what it costs."""
    if mitigation is None:
        return []
    lines = [f"Applied, {mitigation['method']}: {mitigation['words']} It changes:"]
    for name, by_time in mitigation["price"].items():
        change = by_time["change"]
        if change is not None:
            ends = f"{change['low']:+.4g} to {change['high']:+.4g}"
            lines.append(f"- {_words(name)}: {change['value']:+.4g} ({ends})")
    return ["\n".join([lines[0], "", *lines[1:]])]


def _words(name: str) -> str:
    return name.replace("_", " ")


def _text(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{_words(str(k))} {_text(v)}" for k, v in value.items())
    if isinstance(value, (list, tuple)):
        return f"{len(value)}: " + ", ".join(_text(item) for item in value)
    return str(value)
