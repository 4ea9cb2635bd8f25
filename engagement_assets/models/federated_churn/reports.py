"""The federated churn model's evaluation as Markdown.

Belongs here: wording and layout. Does not belong here: the figures (`adapter.py`).
"""

from collections.abc import Mapping
from typing import Any

from engagement_assets.learning import markdown
from engagement_assets.learning.evaluation.bootstrap import Interval
from engagement_assets.lifecycle.reports import evaluation_report

METRIC_NAMES = {
    "auc": "AUC",
    "log_loss": "Log loss (nats)",
    "base_rate": "Churn rate",
    "epsilon": "Epsilon spent in the quarter",
    "share_of_central": "AUC as a share of the same net's in one place",
}


def evaluation_markdown(card: Mapping[str, Any]) -> str:
    """Return the evaluation of a version: quality beside others, and the privacy that was spent."""
    rows = [
        (name, f"{value:.4f}", Interval.from_dict(card["beside"][name]) if beside else "–")
        for name, value in card["methods"].items()
        for beside in [name in card["beside"]]
    ]
    spent, own = card["privacy"], card["own_later"]
    kind = "logistic regression" if card["hidden"] == 0 else f"net of {card['hidden']} units"
    clipped = "none" if spent["clipped"] is None else f"{spent['clipped']:.0%}"
    alone = " ".join(
        f"{name}: AUC {value:.4f}." for name, value in own.items() if isinstance(value, float)
    )
    return evaluation_report(
        card,
        "Federated churn model",
        METRIC_NAMES,
        f"**Beside others** on the same test people; the {kind} is learnt from those who agree to "
        "federated learning, XGBoost from all training people.",
        markdown.table(
            ("method", "AUC", "federated AUC less its AUC (95 %)"),
            rows,
            align=[markdown.LEFT, markdown.RIGHT, markdown.RIGHT],
        ),
        f"**Without others.** On {own['customers']:,} clients' own rows at the later time. {alone}",
        f"**Privacy.** Epsilon {spent['spent']:.3f} of {spent['epsilon']:g} at delta "
        f"{spent['delta']:.2g} is spent in the quarter, by {spent['releases']:,} rounds with "
        f"retries, failed ones ({spent['failed_rounds']} of this training) and tuning. Each round "
        f"asked {spent['asked']:,.0f} of {spent['clients']:,} clients, {spent['answered']:,.0f} "
        f"answered; noise is {spent['noise_multiplier']:.2f} times the clip of {spent['clip']:g}. "
        f"Updates that were clipped: {clipped}, which a real server would not see.",
    )
