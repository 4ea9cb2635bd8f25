"""The lifetime value model's declaration.

Belongs here: names, columns, limits and texts. Does not belong here: what it does (`adapter.py`).
"""

from engagement_assets.features.catalogue import CUSTOMER_FEATURES
from engagement_assets.features.labels import LABELS
from engagement_assets.lifecycle.gates import QualityGate
from engagement_assets.lifecycle.spec import (
    REASONS_TEXT,
    TOP_WORDS,
    FairnessSpec,
    ModelSpec,
    Unified,
    reason_columns,
    share_column,
)
from resources.tables import Column

LABEL = LABELS["lifetime_value_usd"]
GINI_FLOOR = 0.2
# How much the interval from P10 to P90 is to cover, and how far it may lie from that.
COVERAGE = 0.8
COVERAGE_CEILING = 0.05

SPEC = ModelSpec(
    name="lifetime_value",
    subject="lifetime value",
    code_version="3",
    implementation="engagement_assets.models.lifetime_value.adapter:LifetimeValueAdapter",
    kinds=frozenset({"xgboost"}),
    learns_from=(CUSTOMER_FEATURES, LABEL.key),
    predicts_from=(CUSTOMER_FEATURES, "engagement/predictions"),
    required=LABEL.required_tables,
    window_days=LABEL.window_days,
    gates=(
        QualityGate(
            check="quality_floor",
            metric="normalised_gini",
            words="normalised Gini",
            description="The future revenue of other people at a later time is ranked with a "
            f"normalised Gini of at least {GINI_FLOOR}.",
            at_least=GINI_FLOOR,
        ),
        QualityGate(
            check="calibration",
            metric="coverage_error",
            words="coverage error",
            description="The interval from P10 to P90 covers 80 % of other people at a later time "
            f"within {COVERAGE_CEILING:.0%}, or within what chance gives on so few customers.",
            at_most=COVERAGE_CEILING,
            by_chance="coverage_error_by_chance",
        ),
    ),
    comparison_metric="squared error of future revenue",
    fairness=FairnessSpec(
        rule="No group is among the tenth of highest value at less than 80 % of the rate of the "
        "group most often there, given what it truly brings, beyond chance.",
        selection="benefit",
        selected_are="the tenth with the highest predicted future revenue, who are looked after "
        "and kept first",
        words=TOP_WORDS,
    ),
    columns=(
        Column(
            "future_revenue_usd",
            "float64",
            nullable=False,
            meaning=f"Expected revenue of the next {LABEL.window_days} days (USD)",
        ),
        Column("future_revenue_usd_p10", "float64", nullable=False, meaning="Its 10 % quantile"),
        Column("future_revenue_usd_p50", "float64", nullable=False, meaning="Its median"),
        Column("future_revenue_usd_p90", "float64", nullable=False, meaning="Its 90 % quantile"),
        share_column("payment_chance", "Chance of any of it (0-1)"),
        Column(
            "lifetime_value_usd",
            "float64",
            nullable=False,
            meaning="Revenue to date plus what is expected, within 0 to 10,000 (USD)",
            minimum=0,
            maximum=10_000,
        ),
        *reason_columns("USD, or what the explanations say"),
    ),
    unified=(
        Unified("future_revenue_usd"),
        Unified("future_revenue_usd_p10"),
        Unified("future_revenue_usd_p50"),
        Unified("future_revenue_usd_p90"),
        Unified("lifetime_value_usd", change="lifetime_value_change_usd"),
        Unified(REASONS_TEXT, "value_reasons"),
    ),
    score="future_revenue_usd",
    tuned=True,
    texts={
        "model": f"Candidate value model: expected revenue of {LABEL.window_days} days with "
        "quantiles that never cross, made honest by conformal calibration, on 80 % of the "
        "customers; measured on the other 20 % at a later snapshot.",
        "evaluation": "How good the candidate is on the future revenue of other people at a later "
        "time: RMSE, R2, Gini, pinball loss, coverage by decile, and the methods that were tried.",
        "fairness": "Whom the candidate counts as most valuable, by gender, age band and location, "
        "with the 80 % rule and the mitigation where a group fails.",
        "champion": "The value model that predicts. It moves only when the candidate passes the "
        "blocking checks and does not lose to the present champion on the same test rows.",
        "predictions": "Value of every customer with quantiles, what acquiring one like them may "
        "cost, whom to keep first, the tenth of highest value, and three reasons.",
        "explanations": "What moves expected revenue: SHAP values of every customer, exact for "
        "trees, summed up over all.",
    },
    purpose=f"Says what a customer will bring in the {LABEL.window_days} days after the snapshot, "
    "so that spending on winning and keeping customers has a measure. It must not be used to "
    "refuse a customer anything, nor for prices or credit.",
    limits=(
        "A value holds for customers like those of the training snapshot, which lies "
        f"{LABEL.window_days} days or more before the test snapshot; the drift checks say when "
        "they no longer are.",
        "There is one training snapshot unless the data reach over more than three windows.",
        "Where fewer than a tenth of a kind of customer pay, the 80 % interval is from 0 to 0 and "
        "covers more than 80 %: no interval covers less.",
        "A few accounts pay many times what others do; the errors in USD are mostly theirs.",
        "Reasons say what moved this model's value, not what would make a customer pay.",
    ),
)
