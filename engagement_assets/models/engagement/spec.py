"""The engagement model's declaration.

Belongs here: names, columns, limits and texts. Does not belong here: what it does (`adapter.py`).
"""

from engagement_assets.features.catalogue import CUSTOMER_FEATURES
from engagement_assets.features.labels import LABELS
from engagement_assets.lifecycle.dates import CHURN_WINDOW_DAYS, ENGAGEMENT_SNAPSHOTS
from engagement_assets.lifecycle.gates import QualityGate
from engagement_assets.lifecycle.spec import (
    LEAST_CHANGE,
    REASONS_TEXT,
    TOP_WORDS,
    FairnessSpec,
    Goal,
    ModelSpec,
    Unified,
    reason_columns,
    share_column,
)

LABEL = LABELS["engagement_score"]
R2_FLOOR = 0.3
# What a season moves between two snapshots, which no customer's chance explains.
BIAS_CEILING = 0.1

SPEC = ModelSpec(
    name="engagement",
    subject="engagement scores",
    code_version="2",
    implementation="engagement_assets.models.engagement.adapter:EngagementAdapter",
    kinds=frozenset({"xgboost"}),
    learns_from=(CUSTOMER_FEATURES, LABEL.key),
    predicts_from=(CUSTOMER_FEATURES,),
    required=LABEL.required_tables,
    # its label closes sooner; it is learnt at the snapshots that churn needs anyway, since
    # a snapshot with its signals is the dearest part of a training
    window_days=max(CHURN_WINDOW_DAYS, LABEL.window_days),
    snapshots=ENGAGEMENT_SNAPSHOTS,
    gates=(
        QualityGate(
            check="quality_floor",
            metric="r2",
            words="R2",
            description=f"R2 on other people at a later time is at least {R2_FLOOR}.",
            at_least=R2_FLOOR,
        ),
        *(
            QualityGate(
                check=f"{prefix}bias",
                metric=f"{prefix}bias",
                words=f"bias of the mean prediction{whose}",
                description=f"The mean prediction{whose} lies within {BIAS_CEILING:.0%} of the "
                "mean engagement of other people at a later time, or within what chance gives.",
                at_most=BIAS_CEILING,
                by_chance=f"{prefix}bias_by_chance",
                customers=f"{prefix}test_customers",
            )
            for prefix, whose in (
                ("", ""),
                ("active_", f" for customers active in the last {CHURN_WINDOW_DAYS} days"),
            )
        ),
    ),
    comparison_metric="mean squared error",
    fairness=FairnessSpec(
        rule="No group is among the most engaged at less than 80 % of the rate of the group most "
        "often there, given how engaged they truly are, beyond chance.",
        selection="benefit",
        selected_are="the tenth with the highest predicted engagement, whom the product counts as "
        "engaged",
        words=TOP_WORDS,
    ),
    columns=(
        share_column(
            "engagement_score",
            f"Expected mean daily engagement of the next {LABEL.window_days} days (0-1)",
        ),
        *reason_columns("log-odds or score, as the explanations say"),
    ),
    unified=(
        Unified("engagement_score", change="engagement_change", least_change=LEAST_CHANGE),
        Unified(REASONS_TEXT, "engagement_reasons", compared=True),
    ),
    score="engagement_score",
    goal=Goal("above"),
    tuned=True,
    texts={
        "model": "Candidate engagement model: XGBoost on 80 % of the customers at up to two "
        "snapshots, measured on the other 20 % at a later one.",
        "evaluation": "How good the candidate is on other people at a later time: RMSE, MAE, R2 "
        "with intervals, and predicted against true engagement by decile.",
        "fairness": "Whom the candidate counts as engaged and how far it errs, by gender, age band "
        "and location, with the 80 % rule and the mitigation where a group fails.",
        "champion": "The engagement model that predicts. It moves only when the candidate passes "
        "the blocking checks and does not lose to the present champion on the same test rows.",
        "predictions": f"Engagement of every customer over the next {LABEL.window_days} days, with "
        "three reasons.",
        "explanations": "What goes with engagement, for product teams: SHAP values of every "
        "customer, exact for trees, by group of features and feature, and how the strongest ones "
        "bend.",
    },
    purpose=f"Says how much a customer will use the app in the {LABEL.window_days} days after the "
    "snapshot, from 0 to 1, so that product teams see what goes with use and retention work goes "
    "to those who use it less. It must not be used to refuse a customer anything, nor for prices "
    "or credit.",
    limits=(
        "A score holds for customers like those of the training snapshots; the drift checks say "
        "when they no longer are.",
        "What moves the score goes with engagement and need not cause it; an experiment says what "
        "a change of the product would do.",
        "A customer who has stopped coming is predicted near 0, whatever might bring them back.",
    ),
)
