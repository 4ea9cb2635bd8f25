"""The churn model's evaluation as Markdown.

Belongs here: wording and layout. Does not belong here: the
figures themselves (`adapter.py`, `learning.evaluation`).
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from engagement_assets.learning.evaluation.plots import lift_plot, reliability_plot
from engagement_assets.lifecycle.reports import TUNING, evaluation_report, table_markdown

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
    """Return the evaluation of a version: metrics with intervals, reliability and lift."""
    choice = card["thresholds"]
    lift = pd.DataFrame(card["lift"])
    return evaluation_report(
        card,
        "Churn model",
        METRIC_NAMES,
        f"**Served: {card['estimator']}.** Out-of-fold log loss: "
        + "; ".join(f"{name} {loss:.4f}" for name, loss in card["out_of_fold_log_loss"].items())
        + "."
        + (
            ""
            if TUNING in card
            else " A random forest of recency, frequency and volume alone is served where it is "
            "better there beyond chance."
        ),
        f"**Threshold {choice['threshold']:.3f}** has the least cost on out-of-fold "
        f"predictions: {choice['cost_per_row']:.2f} USD a customer, against "
        f"{choice['cost_of_nothing']:.2f} for contacting nobody and "
        f"{choice['cost_of_all']:.2f} for contacting all (a lost customer costs "
        f"{choice['cost_lost_customer_usd']:.0f} USD, an intervention "
        f"{choice['cost_intervention_usd']:.0f} USD, and keeps {choice['save_rate']:.0%} of "
        f"the churners it reaches). 80 % of the churners lie at or above "
        f"{choice['threshold_at_80_percent_recall']:.3f}.",
        reliability_plot(pd.DataFrame(card["reliability"])),
        *(
            (lift_plot(lift), table_markdown(lift))
            if len(lift)
            else ("No lift: all test customers stayed, or all left.",)
        ),
    )
