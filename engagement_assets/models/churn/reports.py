"""The churn model's reports as Markdown.

Belongs here: wording and layout of evaluation and explanation reports. Does not belong here: the
figures themselves (`training.py`, `engagement_assets.evaluation`).
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from engagement_assets.evaluation.explanations import Explanation, importance_table
from engagement_assets.evaluation.plots import importance_plot, lift_plot, reliability_plot
from engagement_assets.models.card import model_card

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
            f"Learnt from {card['training_customers']:,} customers at "
            f"{', '.join(card['training_snapshots'])}; "
            f"scored on {card['test_customers']:,} other customers at {card['test_snapshot']}. "
            "Intervals: 95 %, bootstrap over customers.",
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
    table = importance_table(explanation, categories=categories)
    shown = table.head(20).copy()
    shown["meaning"] = [meanings.get(name, "") for name in shown["feature"]]
    said = (
        f"Exact SHAP values of all {len(explanation.contributions):,} customers by "
        f"{explanation.method}; base plus contributions equals the score within "
        f"{explanation.additivity_error:.1e} on {explanation.rows_checked:,} of them."
    )
    if explanation.fallback_reason:
        said += f" **The fast method was not used: {explanation.fallback_reason}**"
    return "\n".join(
        [
            "## What moves churn scores",
            "",
            said,
            "",
            importance_plot(table),
            "",
            table_markdown(shown[["feature", "mean_abs_contribution", "direction", "meaning"]]),
        ]
    )


def card_markdown(card: Mapping[str, Any]) -> str:
    """The model card of a version."""
    return model_card(card, purpose=PURPOSE, limits=LIMITS, rollback=ROLLBACK)


def table_markdown(table: pd.DataFrame) -> str:
    """A small table as Markdown, numbers to four significant digits."""

    def text(value: Any) -> str:
        if isinstance(value, float):
            return f"{value:.4g}"
        return f"{value:,}" if isinstance(value, int) else str(value)

    head = [str(name).replace("_", " ") for name in table.columns]
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    lines += [
        "| " + " | ".join(text(value) for value in row) + " |"
        for row in table.itertuples(index=False, name=None)
    ]
    return "\n".join(lines)
