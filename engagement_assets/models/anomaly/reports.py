"""The anomaly model's reports as Markdown: evaluation, and what sends customers to review.

Belongs here: wording and layout. Does not belong here: the figures of a version (`training.py`).
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from engagement_assets.lifecycle.reports import metrics_markdown, table_markdown
from engagement_assets.lifecycle.spec import REASONS
from engagement_assets.lifecycle.training import records

METRIC_NAMES = {
    "share_for_review": "Share for review",
    "seed_rank_correlation": "Rank correlation of two seeds",
    "verdicts_auroc": "AUROC on reviewed customers",
    "verdicts_average_precision": "Average precision on reviewed customers",
}
SHOWN = 15


def evaluation_markdown(card: Mapping[str, Any]) -> str:
    """The evaluation of a version: what it does with other people at a later time."""
    statements = [f"- {text}" for text in card["statements"]] or ["- Nothing out of the ordinary."]
    return "\n".join(
        [
            f"## Anomaly detector {card.get('version', '')} on other people at a later time",
            "",
            f"Learnt from {card['training_customers']:,} customers at {card['training_snapshot']}; "
            f"scored on {card['test_customers']:,} other customers at {card['test_snapshot']}. "
            "Nothing here says how many of those found are fraud: only reviewers do.",
            "",
            metrics_markdown(card, METRIC_NAMES),
            "",
            "What the detector says of its training:",
            "",
            *statements,
        ]
    )


def review_report(table: pd.DataFrame) -> tuple[dict[str, Any], str]:
    """Why customers of a day go to review.

    Args:
        table: The predictions of a day.

    Returns:
        Kinds and reasons as JSON data, and as Markdown.
    """
    flagged = table[table["kind"].notna()]
    kinds = flagged["kind"].value_counts().rename_axis("kind").reset_index(name="customers")
    names = pd.concat([flagged[f"reason_{n}_feature"] for n in range(1, REASONS + 1)])
    reasons = names.value_counts().rename_axis("feature").reset_index(name="customers")
    figures = {
        "scored": len(table),
        "for_review": len(flagged),
        "kinds": records(kinds),
        "reasons": records(reasons),
    }
    lines = [
        "## What sends customers to review",
        "",
        f"{len(flagged):,} of {len(table):,} customers score over the mark. A score says that a "
        "customer is unlike the others, not that anything is wrong.",
        "",
        table_markdown(kinds),
        "",
        "How often each feature is among a customer's three reasons:",
        "",
        table_markdown(reasons.head(SHOWN)),
    ]
    return figures, "\n".join(lines)
