"""What the models' reports share: tables and explanations as Markdown.

Belongs here: wording and layout that several models use. Does not belong here: a model's own report
(each model's `reports.py`) or its figures.
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from engagement_assets.learning import markdown
from engagement_assets.learning.explanations.explanation import Explanation, importance_table

# Key of a card: how a search chose learner and hyperparameters.
TUNING = "tuning"
_STRONGEST = 20


def table_markdown(table: pd.DataFrame) -> str:
    """Return a small table as Markdown, numbers to four significant digits."""

    def text(value: Any) -> str:
        if isinstance(value, float):
            return f"{value:.4g}"
        return f"{value:,}" if isinstance(value, int) else str(value)

    head = [str(name).replace("_", " ") for name in table.columns]
    rows = table.itertuples(index=False, name=None)
    return markdown.table(head, [[text(value) for value in row] for row in rows])


def metrics_markdown(card: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """Write the metrics of a card with their intervals, each by its name or else its key."""
    rows = []
    for name, figure in card["metrics"].items():
        words = names.get(name, name.replace("_", " "))
        if isinstance(figure, Mapping):
            span = f"{_shown(figure['low'])} – {_shown(figure['high'])}"
            rows.append((words, _shown(figure["value"]), span))
        else:
            rows.append((words, _shown(figure), "–"))
    align = [markdown.LEFT, markdown.RIGHT, markdown.RIGHT]
    return markdown.table(["metric", "value", "interval"], rows, align=align)


def _shown(figure: float | None) -> str:
    return "unknown" if figure is None else f"{figure:.4g}"


def learnt_from(card: Mapping[str, Any]) -> str:
    """Return who was learnt from and who was scored, in a sentence."""
    return (
        f"Learnt from {card['training_customers']:,} customers at "
        f"{', '.join(card['training_snapshots'])}; "
        f"scored on {card['test_customers']:,} other customers at "
        f"{', '.join(card.get('test_snapshots', [card['test_snapshot']]))}. "
        "Intervals: 95 %, bootstrap over customers."
    )


def evaluation_report(
    card: Mapping[str, Any], title: str, names: Mapping[str, str], *paragraphs: str, note: str = ""
) -> str:
    """Write the evaluation of a version: its people, metrics, and further paragraphs."""
    return "\n\n".join(
        [
            f"## {title} {card.get('version', '')} on other people at a later time",
            learnt_from(card) + note,
            metrics_markdown(card, names),
            *baselines_markdown(card),
            *paragraphs,
            *_tuning_markdown(card),
        ]
    )


def _tuning_markdown(card: Mapping[str, Any]) -> list[str]:
    if TUNING not in card:
        return []
    from engagement_assets.learning.tuning.report import (  # noqa: PLC0415 - heavy imports
        tuning_markdown,
    )

    return [tuning_markdown(card[TUNING])]


def baseline_lines(card: Mapping[str, Any]) -> list[str]:
    """Return a line with the quality of each baseline and one of each that is better; or []."""
    baselines = card.get("baselines")
    if baselines is None:
        return []
    figures = [f"{name} {own['quality']:.4f}" for name, own in baselines["models"].items()]
    return [
        f"baselines, {baselines['quality']}: {', '.join(figures)}",
        *(f"! {text}" for text in better_baselines(card)),
    ]


def better_baselines(card: Mapping[str, Any]) -> list[str]:
    """Return the baselines that are better than the model beyond chance, a sentence each."""
    baselines = card.get("baselines")
    if baselines is None:
        return []
    return [
        f"{name} on recency, frequency and volume is better than this version: "
        f"{baselines['quality']} {_shown(figures['quality'])}, {baselines['of']} "
        f"{_span(figures['advantage'])} beside it"
        for name, figures in baselines["models"].items()
        if (high := figures["advantage"]["high"]) is not None and high < 0.0
    ]


def baselines_markdown(card: Mapping[str, Any]) -> list[str]:
    """Return the table of the baselines beside the model, and which are better; [] without."""
    baselines = card.get("baselines")
    if baselines is None:
        return []
    rows = [
        (name, _shown(figures["quality"]), _span(figures["advantage"]))
        for name, figures in baselines["models"].items()
    ]
    better = better_baselines(card)
    return [
        "**Baselines**: scikit-learn's own on recency, frequency and volume, learnt from the same "
        "people and judged on the same test people. "
        + (
            f"**Beyond chance, {'; '.join(better)}.**"
            if better
            else "None is better beyond chance."
        ),
        markdown.table(
            ["baseline", baselines["quality"], f"advantage of this version ({baselines['of']})"],
            rows,
        ),
    ]


def _span(figure: Mapping[str, float | None]) -> str:
    value, low, high = (_shown(figure[name]) for name in ("value", "low", "high"))
    return f"{value} ({low} to {high})"


def explanation_markdown(
    explanation: Explanation,
    *,
    title: str,
    meanings: Mapping[str, str],
    categories: list[str],
    unit: str = "log-odds",
) -> str:
    """Return what moves the scores of one day's predictions, over all customers."""
    table = importance_table(explanation, categories=categories)
    shown = table.head(_STRONGEST).copy()
    shown["meaning"] = [meanings.get(name, "") for name in shown["feature"]]
    exactness = (
        f"SHAP values of all {len(explanation.contributions):,} customers by "
        f"{explanation.method}; base plus contributions equals the score within "
        f"{explanation.additivity_error:.1e} on {explanation.rows_checked:,} of them."
    )
    if explanation.fallback_reason:
        exactness += f" **The fast method was not used: {explanation.fallback_reason}**"
    return "\n".join(
        [
            f"## {title}",
            "",
            exactness,
            "",
            *explanation_pictures(explanation, unit=unit),
            "",
            table_markdown(shown[["feature", "mean_abs_contribution", "direction", "meaning"]]),
        ]
    )


def explanation_pictures(explanation: Explanation, *, unit: str) -> list[str]:
    """Draw contributions over all rows, and to the row with the highest score, as Markdown."""
    from engagement_assets.learning.explanations.pictures import (  # noqa: PLC0415 - loads matplotlib
        beeswarm,
        waterfall,
    )

    if not len(explanation.contributions):
        return []
    highest = int(explanation.contributions.sum(axis=1).argmax())
    title = "Contributions to the highest score"
    return [
        beeswarm(explanation, unit=unit),
        "",
        waterfall(explanation, highest, unit=unit, title=title),
    ]
