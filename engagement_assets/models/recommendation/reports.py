"""The recommender's reports as Markdown: the methods beside each other, and a day's lists.

Belongs here: wording and layout. Does not belong here: the figures of a version (`training.py`).
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from engagement_assets.models.recommendation.training import methods_markdown


def evaluation_markdown(card: Mapping[str, Any]) -> str:
    """All methods on a window that none has seen."""
    return "\n".join(
        [
            f"## Recommender {card.get('version', '')} on later days",
            "",
            methods_markdown(card),
            "",
            " ".join([_windows(card["windows"]), *_blend(card)]),
            "",
            f"Protocol: {card['protocol']}.",
        ]
    )


def _windows(windows: Mapping[str, Any]) -> str:
    item = windows["item_days"]
    life = "at any age" if item is None else f"for {item} days after publication"
    return (
        f"Learnt from {windows['history_days']} days; items are recommended {life}; judged on "
        f"{windows['test_days']} days."
    )


def _blend(card: Mapping[str, Any]) -> list[str]:
    """Return what a blend's parts and a bound on memory make worth saying."""
    lines = []
    if parts := card["held_out_ndcg"]:
        figures = ", ".join(f"{name} {value:.4f}" for name, value in parts.items())
        lines.append(f"NDCG@10 on interactions set aside to blend by: {figures}.")
    if card["learnt_share"] < 1:
        lines.append(f"Items of {card['learnt_share']:.1%} of the uses are learnt, for memory.")
    return lines


def lists_report(table: pd.DataFrame, figures: Mapping[str, float]) -> tuple[dict[str, Any], str]:
    """Describe a day's lists.

    Args:
        table: The predictions of a day.
        figures: Coverage and number of candidates.

    Returns:
        Sources, lengths and categories as JSON data, and as Markdown.
    """
    by_source = {str(name): int(count) for name, count in table["source"].value_counts().items()}
    categories = {
        str(name): int(count)
        for name, count in table["categories_shown"].value_counts().sort_index().items()
    }
    lines = [
        "## What customers are shown",
        "",
        f"{len(table):,} lists from {int(figures['candidates']):,} posts that could be shown; "
        f"{figures['coverage']:.1%} of these are in at least one list.",
        "",
        "| what brought most of a list in | customers |",
        "|---|---:|",
        *(f"| {name} | {count:,} |" for name, count in by_source.items()),
        "",
        "| categories in a list | customers |",
        "|---:|---:|",
        *(f"| {name} | {count:,} |" for name, count in categories.items()),
    ]
    return {"sources": by_source, "categories": categories, **figures}, "\n".join(lines)
