"""The value model's reports as Markdown.

Belongs here: wording and layout. Does not belong here: the figures themselves (`adapter.py`,
`learning.evaluation`).
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from engagement_assets.learning.evaluation.plots import decile_plot
from engagement_assets.lifecycle.reports import evaluation_report, table_markdown

METRIC_NAMES = {
    "r2": "R² of future revenue",
    "rmse": "RMSE (USD)",
    "mae": "MAE (USD)",
    "mean_target": "Mean future revenue (USD)",
    "mean_prediction": "Mean prediction (USD)",
    "calibration_ratio": "Mean prediction over mean revenue",
    "mape_of_payers": "MAPE of those who paid",
    "normalised_gini": "Normalised Gini",
    "pinball_p10": "Pinball loss at 0.1 (USD)",
    "pinball_p50": "Pinball loss at 0.5 (USD)",
    "pinball_p90": "Pinball loss at 0.9 (USD)",
    "coverage": "Covered by P10 to P90, ends included",
    "coverage_atom_in_part": "Covered, zeros counted in part",
    "below_interval": "Under P10",
    "above_interval": "Over P90",
    "mean_interval_width": "Mean width of the interval (USD)",
}


def evaluation_markdown(card: Mapping[str, Any]) -> str:
    """Report the evaluation of a version: metrics with intervals, deciles, coverage, methods."""
    deciles = pd.DataFrame(card["deciles"])
    compared = "; ".join(
        f"{name} {loss:.2f} USD" for name, loss in card["out_of_fold_rmse"].items()
    )
    return evaluation_report(
        card,
        "Value model",
        METRIC_NAMES,
        f"**Mean: {card['mean']}** had the least out-of-fold root mean squared error "
        f"({compared}). A rate of revenue is believed by half after {card['prior_days']:.0f} "
        "days of history.",
        f"**Coverage.** {card['zero_share']:.1%} of these customers paid exactly 0. Where more "
        "than 90 % of a kind do, P10 and P90 are both 0 and the interval covers them all, "
        "which no honest interval can help; so a zero at an end of the interval is also "
        "counted in part, by the predicted chance of it (Czado, Gneiting and Held 2009). That "
        "share should be 80 %.",
        decile_plot(deciles, unit="mean future revenue (USD)"),
        table_markdown(deciles),
        table_markdown(pd.DataFrame(card["coverage_by_decile"])),
        note=" All figures are of the future part: revenue to date is known.",
    )
