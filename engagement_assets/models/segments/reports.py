"""The segments' reports as Markdown: evaluation, and the segments of a day.

Belongs here: wording and layout. Does not belong here: the figures of a version (`training.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from engagement_assets.learning import markdown
from engagement_assets.lifecycle.reports import learnt_from, metrics_markdown
from engagement_assets.models.segments.pictures import profile_picture

METRIC_NAMES = {
    "least_jaccard": "Mean Jaccard index of the least stable segment over resamples",
    "seeds_agreement": "Adjusted Rand index of two seeds",
    "changed_by_retraining": "Share in another segment by another seed alone",
    "silhouette": "Mean silhouette width",
    "clusters": "Segments",
}


def evaluation_markdown(card: Mapping[str, Any]) -> str:
    """Return the evaluation of a version on other people at a later time."""
    rows = [
        (
            one["segment_id"],
            one["name"],
            f"{one['customers']:,} ({one['share']:.1%})",
            f"{one['jaccard']:.2f}",
            _number(one["silhouette"]),
            "; ".join(_telling(each) for each in one["sets_apart"]),
        )
        for one in card["segments"]
    ]
    head = ["id", "segment", "test customers", "Jaccard", "silhouette", "what sets it apart"]
    names = [one["name"] for one in card["segments"]]
    unnamed = [one["segment_id"] for one in card["segments"] if one["kind"] is None]
    lines = [
        f"## Segments {card.get('version', '')} on other people at a later time",
        "",
        learnt_from(card),
        "",
        metrics_markdown(card, METRIC_NAMES),
        "",
        markdown.table(head, rows),
        "",
        *(
            [
                f"No known kind describes {', '.join(unnamed)}: give a name in the file that "
                "`SEGMENT_NAMES` sets.",
                "",
            ]
            if unnamed
            else []
        ),
        profile_picture(pd.DataFrame(card["standings"], index=names)),
        "",
        *_number_of_segments(card),
        *_density(card["density"]),
        *_beside(card["beside_age_and_gender"]),
    ]
    return "\n".join(lines)


def _telling(one: Mapping[str, Any]) -> str:
    side = "high" if one["standing"] > 0 else "low"
    figures = f"{_number(one['mean'])}, all {_number(one['mean_of_all'])}"
    return f"{one['feature']} {side} ({figures})"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"


def _number_of_segments(card: Mapping[str, Any]) -> list[str]:
    rows = [
        (
            one["clusters"],
            f"{one['silhouette']:.3f}",
            f"{one['cloud']:.3f}",
            f"{one['cloud_highest']:.3f}",
            f"{one['least_jaccard']:.2f}",
        )
        for one in card["trials"]
    ]
    head = ["segments", "silhouette", "one cloud's mean", "its highest", "least Jaccard"]
    return [
        "### How many there are",
        "",
        "One Gaussian cloud of the same covariance looks as clustered with a chance of "
        f"{card['p_value']:.2f}.",
        "",
        markdown.table(head, rows),
        "",
    ]


def _density(seen: Mapping[str, Any]) -> list[str]:
    agreement = seen["agreement"]
    beside = "" if agreement is None else f"; the segments agree with them by {agreement:.2f}"
    return [
        f"HDBSCAN on {seen['rows']:,} customers finds {seen['clusters']} dense places{beside} "
        f"(adjusted Rand index). {seen['outliers']:.0%} of the customers lie in none: there "
        "segments pass into each other.",
        "",
    ]


def _beside(fairness: list[dict[str, Any]]) -> list[str]:
    if not fairness:
        return ["Age, gender and location are not known, so nothing is said of them."]
    rows = [(one["attribute"], f"{one['adjusted']:.3f}") for one in fairness]
    return [
        "### Beside age and gender",
        "",
        "Adjusted mutual information of the segments with groups of people, none of which is "
        "looked at: 0 where a segment says nothing of them, 1 where it is the same.",
        "",
        markdown.table(["groups", "adjusted mutual information"], rows),
    ]


def day_report(table: pd.DataFrame) -> tuple[dict[str, Any], str]:
    """Return the segments of a day as JSON data, and as Markdown."""
    counts = table["segment_id"].value_counts().sort_index()
    names = dict(zip(table["segment_id"], table["segment"], strict=True))
    rows = [
        (one, names[one], f"{count:,}", f"{count / len(table):.1%}")
        for one, count in zip(counts.index, counts, strict=True)
    ]
    head = ["id", "segment", "customers", "share"]
    text = "\n".join(["## Segments of the day", "", markdown.table(head, rows)])
    return {"sizes": dict(zip(counts.index, map(int, counts), strict=True))}, text
