"""The engagement model's reports as Markdown: evaluation, explanations, and for product teams.

Belongs here: wording and layout. Does not belong here: the figures themselves (`adapter.py`,
`product.py`, `learning.evaluation`).
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from engagement_assets.features.catalogue import CATEGORY_FEATURES, FEATURES
from engagement_assets.learning.evaluation.plots import decile_plot
from engagement_assets.learning.explanations.explanation import Explanation, importance_table
from engagement_assets.lifecycle.reports import (
    evaluation_report,
    explanation_pictures,
    table_markdown,
)
from engagement_assets.lifecycle.training import records
from engagement_assets.models.engagement.product import dependence_table, group_table

METRIC_NAMES = {
    "r2": "R²",
    "rmse": "RMSE",
    "mae": "MAE",
    "mean_target": "Mean engagement",
    "mean_prediction": "Mean prediction",
    "calibration_ratio": "Mean prediction over mean engagement",
    "bias": "Bias of the mean prediction",
    "active_r2": "R² of active customers",
    "active_rmse": "RMSE of active customers",
    "active_mae": "MAE of active customers",
    "active_mean_target": "Mean engagement of active customers",
    "active_mean_prediction": "Mean prediction for active customers",
    "active_calibration_ratio": "Mean prediction over mean engagement, active customers",
    "active_bias": "Bias of the mean prediction for active customers",
}
DEPENDENCES = 8


def evaluation_markdown(card: Mapping[str, Any]) -> str:
    """Return the evaluation of a version: metrics with intervals and deciles."""
    deciles = pd.DataFrame(card["deciles"])
    return evaluation_report(
        card,
        "Engagement model",
        METRIC_NAMES,
        *(
            [
                f"Objective {card['objective']} with {card['trees']} trees had the least squared "
                "error out of fold."
            ]
            if "objective" in card
            else []
        ),
        decile_plot(deciles, unit="mean engagement score"),
        table_markdown(deciles),
    )


def product_report(
    explanation: Explanation, inputs: pd.DataFrame, score: pd.Series, *, margin_unit: str
) -> tuple[dict[str, Any], str]:
    """Report which features and behaviours matter, over all n customers of a snapshot.

    `inputs` are their features before encoding, `score` their predicted scores.

    Returns:
        The tables as JSON data, and the report as Markdown.
    """
    groups = {feature.name: feature.group for feature in FEATURES.values()}
    by_group = group_table(explanation, groups)
    by_feature = importance_table(explanation, categories=tuple(CATEGORY_FEATURES))
    by_feature.insert(1, "group", [groups.get(name, "other") for name in by_feature["feature"]])
    strongest = [name for name in by_feature["feature"] if name in inputs.columns][:DEPENDENCES]
    bends = {name: dependence_table(explanation, inputs[name], score) for name in strongest}
    figures = {
        "customers": len(inputs),
        "unit": margin_unit,
        "groups": records(by_group),
        "features": records(by_feature),
        "dependence": {name: records(table) for name, table in bends.items()},
    }
    shown = by_feature[["feature", "group", "mean_abs_contribution", "share", "direction"]].copy()
    shown["meaning"] = [_meaning(name) for name in shown["feature"]]
    lines = [
        "## What goes with engagement",
        "",
        f"SHAP contributions of all {len(inputs):,} customers, in {margin_unit} of the "
        "score. **They say what goes with engagement, not what causes it**: customers who use a "
        "feature may do so because they like the app already. What a change of the product would "
        "do, an experiment says.",
        "",
        "### Groups of features",
        "",
        "The contributions of a group's features are summed up for each customer before they are "
        "averaged, so features that say the same thing are counted once.",
        "",
        table_markdown(by_group),
        "",
        "### Features",
        "",
        *explanation_pictures(explanation, unit=margin_unit),
        "",
        table_markdown(shown),
        "",
        "### How the strongest ones bend",
        "",
        "Above 0 a value raises the score against a customer of whom nothing is known.",
    ]
    for name, table in bends.items():
        lines += ["", f"**{name}**: {_meaning(name)}", "", table_markdown(table)]
    return figures, "\n".join(lines)


def _meaning(name: str) -> str:
    return FEATURES[name].meaning if name in FEATURES else ""
