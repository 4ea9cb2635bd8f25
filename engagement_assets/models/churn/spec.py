"""The churn model's declaration.

Belongs here: names, columns, limits and texts. Does not belong here: what it does (`adapter.py`).
"""

from engagement_assets.features.catalogue import CUSTOMER_FEATURES
from engagement_assets.features.labels import LABELS
from engagement_assets.lifecycle.gates import QualityGate
from engagement_assets.lifecycle.spec import (
    LEAST_CHANGE,
    REASONS_TEXT,
    FairnessSpec,
    Goal,
    ModelSpec,
    Unified,
    reason_columns,
    share_column,
)
from resources.tables import Column

NAME = "churn"
LABEL = LABELS["churn_30_day"]
AUC_FLOOR = 0.7
CALIBRATION_CEILING = 0.05

SPEC = ModelSpec(
    name=NAME,
    subject="churn scores",
    code_version="3",
    implementation="engagement_assets.models.churn.adapter:ChurnAdapter",
    kinds=frozenset({"xgboost"}),
    learns_from=(CUSTOMER_FEATURES, LABEL.key),
    predicts_from=(CUSTOMER_FEATURES,),
    required=LABEL.required_tables,
    window_days=LABEL.window_days,
    gates=(
        QualityGate(
            check="quality_floor",
            metric="auc",
            words="AUC",
            description=f"AUC on other people at a later time is at least {AUC_FLOOR}.",
            at_least=AUC_FLOOR,
        ),
        QualityGate(
            check="calibration",
            metric="calibration_error",
            words="calibration error",
            description=f"The expected calibration error is at most {CALIBRATION_CEILING}, or no "
            "more than a perfectly calibrated model would show on so few customers.",
            at_most=CALIBRATION_CEILING,
            by_chance="calibration_error_by_chance",
        ),
    ),
    comparison_metric="AUC",
    fairness=FairnessSpec(
        rule="No group is flagged at less than 80 % of the rate of the most flagged group, given "
        "how many of each truly leave, beyond chance.",
        selection="benefit",
        mitigations=("parity", "reweighing"),
        selected_are="those whom contacting pays at the stated costs, flagged for an offer to stay",
        words={
            "base_rate": "churn rate",
            "selected": "flagged",
            "with_label": "churners flagged",
            "without_label": "stayers flagged",
        },
    ),
    columns=(
        share_column(
            "churn_probability",
            f"Calibrated probability of no session in the {LABEL.window_days} days after (0-1)",
        ),
        share_column(
            "evened_churn_probability",
            "What thresholds are asked of (0-1): the churn probability, moved by gender and age "
            "where FAIRNESS_MITIGATION evens out who is selected",
        ),
        Column(
            "above_cost_threshold",
            "bool",
            nullable=False,
            meaning="Whether contacting pays at the stated costs, asked of the evened probability",
        ),
        *reason_columns("log-odds"),
    ),
    unified=(
        Unified("churn_probability", change="churn_change", least_change=LEAST_CHANGE),
        Unified("above_cost_threshold"),
        Unified(REASONS_TEXT, "churn_reasons", compared=True),
    ),
    unscored=f"no session in the {LABEL.window_days} days before",
    score="churn_probability",
    # more likely to stay than to leave
    goal=Goal("below", at=0.5, at_risk=True),
    parameters=("cost_lost_customer", "cost_intervention", "save_rate"),
    tuned=True,
    texts={
        "model": "Candidate churn model: XGBoost on 80 % of the customers at up to four snapshots "
        "a window apart, calibrated on out-of-fold scores, measured on the other 20 % at a later "
        "snapshot.",
        "evaluation": "How good the candidate is on other people at a later time: metrics with "
        "intervals, reliability, lift by decile, and the cost threshold.",
        "fairness": "Who the candidate flags, by gender, age band and location, with the 80 % "
        "rule; where a group fails, per-group thresholds and their price.",
        "champion": "The churn model that predicts. It moves only when the candidate passes the "
        "blocking checks and does not lose to the present champion on the same test rows.",
        "predictions": "Churn of every active customer: calibrated probability, band, action, "
        "top three reasons, model version.",
        "explanations": "What moves the scores: SHAP values of every prediction, exact for "
        "trees, summed up over all customers. The reasons of each customer stand with the "
        "predictions.",
    },
    purpose=f"Says how likely an active customer is to have no session in the {LABEL.window_days} "
    "days after the snapshot, so that retention offers reach those who may leave. It must not be "
    "used to refuse a customer anything, nor for prices or credit.",
    limits=(
        "A probability holds for customers like those of the training snapshot; the drift checks "
        "say when they no longer are.",
        "Reasons say what moved this model's score, not what would change the customer's mind.",
        "The cost threshold rests on a stated save rate, which an experiment must confirm.",
        f"Customers without a session in the {LABEL.window_days} days before the snapshot are not "
        "scored.",
    ),
)
