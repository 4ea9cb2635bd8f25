"""The churn model's reports as Markdown.

Belongs here: wording and layout of evaluation and explanation reports. Does not belong here: the
figures themselves (`training.py`, `engagement_assets.evaluation`).
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from engagement_assets.evaluation.explanations import Explanation
from engagement_assets.evaluation.plots import lift_plot, reliability_plot
from engagement_assets.models import reports
from engagement_assets.models.card import model_card
from engagement_assets.models.reports import learnt_from, table_markdown

PURPOSE = (
    "Says how likely an active customer is to have no session in the 30 days after the snapshot, "
    "so that retention offers reach those who may leave. It must not be used to refuse a customer "
    "anything, nor for prices or credit."
)
LIMITS = (
    "A probability holds for customers like those of the training snapshot; the drift checks say "
    "when they no longer are.",
    "Reasons say what moved this model's score, not what would change the customer's mind.",
    "The cost threshold rests on a stated save rate, which an experiment must confirm.",
    "Customers without a session in the 30 days before the snapshot are not scored.",
)
ROLLBACK = "`make rollback MODEL=churn` goes back to the champion before this one."
METRIC_NAMES = {
    "auc": "AUC",
    "precision_at_recall": "Precision at 80 % recall",
    "f1": "F1 at the cost threshold",
    "log_loss": "Log loss (nats)",
    "calibration_error": "Expected calibration error",
    "brier": "Brier score",
    "base_rate": "Churn rate",
}


def evaluation_markdown(card: Mapping[str, Any]) -> str:
    """The evaluation of a version: metrics with intervals, reliability and lift."""
    rows = [
        f"| {METRIC_NAMES[name]} | {found['value']:.4f} | "
        f"{found['low']:.4f} – {found['high']:.4f} |"
        for name, found in card["metrics"].items()
    ]
    choice = card["thresholds"]
    lift = pd.DataFrame(card["lift"])
    return "\n".join(
        [
            f"## Churn model {card.get('version', '')} on other people at a later time",
            "",
            learnt_from(card),
            "",
            "| metric | value | interval |",
            "|---|---:|---:|",
            *rows,
            "",
            f"**Threshold {choice['threshold']:.3f}** has the least cost on out-of-fold "
            f"predictions: {choice['cost_per_customer']:.2f} USD a customer, against "
            f"{choice['cost_of_nothing']:.2f} for contacting nobody and "
            f"{choice['cost_of_all']:.2f} for contacting all (a lost customer costs "
            f"{choice['cost_lost_customer_usd']:.0f} USD, an intervention "
            f"{choice['cost_intervention_usd']:.0f} USD, and keeps {choice['save_rate']:.0%} of "
            f"the churners it reaches). 80 % of the churners lie at or above "
            f"{choice['threshold_at_80_percent_recall']:.3f}.",
            "",
            reliability_plot(pd.DataFrame(card["reliability"])),
            "",
            lift_plot(lift),
            "",
            table_markdown(lift),
        ]
    )


def explanation_markdown(
    explanation: Explanation, *, meanings: Mapping[str, str], categories: list[str]
) -> str:
    """What moves the scores of one day's predictions, over all customers."""
    return reports.explanation_markdown(
        explanation, title="What moves churn scores", meanings=meanings, categories=categories
    )


def card_markdown(card: Mapping[str, Any]) -> str:
    """The model card of a version."""
    return model_card(card, purpose=PURPOSE, limits=LIMITS, rollback=ROLLBACK)
