"""The ensemble's declaration.

Belongs here: names, columns, limits and texts. Does not belong here: what it does (`adapter.py`).
"""

from collections.abc import Mapping

from engagement_assets.features.catalogue import CUSTOMER_FEATURES
from engagement_assets.features.labels import LABELS
from engagement_assets.lifecycle.dates import CHURN_WINDOW_DAYS
from engagement_assets.lifecycle.gates import QualityGate
from engagement_assets.lifecycle.spec import (
    LEAST_CHANGE,
    REASONS_TEXT,
    FairnessSpec,
    ModelSpec,
    Unified,
    reason_columns,
    share_column,
)
from engagement_assets.models.anomaly.spec import SPEC as ANOMALY_SPEC
from engagement_assets.models.churn.spec import SPEC as CHURN_SPEC
from engagement_assets.models.engagement.spec import SPEC as ENGAGEMENT_SPEC
from engagement_assets.models.lifetime_value.spec import SPEC as VALUE_SPEC
from resources.tables import Column

CHURN, ENGAGEMENT, VALUE = (
    LABELS[name] for name in ("churn_30_day", "engagement_score", "lifetime_value_usd")
)
# Columns of the base predictions that health and corrections are made from.
BASE_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "engagement": ("engagement_score",),
    "churn": ("churn_probability",),
    "lifetime_value": ("future_revenue_usd", "lifetime_value_usd"),
    "anomaly": ("anomaly_score",),
}
BASES = tuple(BASE_COLUMNS)
STACKED = {spec.name: spec for spec in (ENGAGEMENT_SPEC, CHURN_SPEC, VALUE_SPEC, ANOMALY_SPEC)}
# Parts of health, which add up to it; null where no model predicts what a part is made of.
POINTS = ("points_stays", "points_engagement", "points_value", "points_ordinary")
AUC_FLOOR = 0.7
# What a correction may look at besides the base predictions: how long, how much, how lately.
FEATURES = (
    "tenure_days",
    "active_days_month",
    "days_since_last_login",
    "session_minutes_month",
    "last_7_day_engagement_trend",
    "transaction_revenue_month",
    "connection_count",
    "avg_sentiment_score",
)

SPEC = ModelSpec(
    name="ensemble",
    subject="customer health",
    code_version="1",
    implementation="engagement_assets.models.ensemble.adapter:EnsembleAdapter",
    kinds=frozenset({"xgboost"}),
    learns_from=(CUSTOMER_FEATURES, CHURN.key, ENGAGEMENT.key),
    lineage=(VALUE.key, *(f"{name}/champion" for name in BASES)),
    predicts_from=(CUSTOMER_FEATURES, *(f"{name}/predictions" for name in BASES)),
    required=("source/sessions",),
    window_days=CHURN_WINDOW_DAYS,
    gates=(
        QualityGate(
            check="quality_floor",
            metric="auc",
            words="AUC of the refined churn probability",
            description="AUC of the refined churn probability on other people at a later time is "
            f"at least {AUC_FLOOR}.",
            at_least=AUC_FLOOR,
            customers="churn_test_customers",
        ),
    ),
    comparison_metric="log loss of the refined churn probability",
    fairness=FairnessSpec(
        rule="No group is among the tenth of lowest health at less than 80 % of the rate of the "
        "group most often there, given how many of each truly leave, beyond chance.",
        selection="benefit",
        selected_are="the tenth of lowest health among those whom the churn model scores, whom "
        "care goes to first",
        words={
            "base_rate": "truly leave",
            "with_label": "leavers selected",
            "without_label": "others selected",
        },
    ),
    columns=(
        share_column(
            "refined_churn_probability",
            "Churn probability (0-1); the base model's where the correction was not "
            "adopted, null where it does not score",
            nullable=True,
        ),
        share_column(
            "refined_engagement_score",
            f"Engagement of the next {ENGAGEMENT.window_days} days (0-1); the base model's where "
            "not adopted",
            nullable=True,
        ),
        Column(
            "refined_future_revenue_usd",
            "float64",
            meaning=f"Expected revenue of {VALUE.window_days} days (USD); the base model's where "
            "not adopted",
        ),
        Column(
            "customer_health",
            "float64",
            nullable=False,
            meaning="Weighted sum of staying, engagement, value and being ordinary (0-100)",
            minimum=0,
            maximum=100,
        ),
        *(
            Column(name, "float64", meaning=f"Part of the health: {name[7:]} (points)")
            for name in POINTS
        ),
        *reason_columns("points"),
    ),
    unified=(
        Unified("refined_churn_probability"),
        Unified("refined_engagement_score"),
        Unified("refined_future_revenue_usd"),
        Unified("customer_health", change="health_change", least_change=100 * LEAST_CHANGE),
        Unified(REASONS_TEXT, "health_reasons"),
    ),
    score="customer_health",
    listens_to=BASES,
    builds_on=("churn", "engagement"),
    placed_by_day=True,
    additive_parts=POINTS,
    texts={
        "model": "Corrections on top of the base models, learnt from what these say of customers "
        "they did not see; each is adopted only where it is better beyond chance.",
        "evaluation": "Base model against correction for churn, engagement and value on the same "
        "test customers, and which of them is adopted.",
        "fairness": "Who is among the tenth of lowest health, by gender, age band and location, "
        "with the 80 % rule.",
        "champion": "The ensemble that predicts. It moves only when the candidate passes the "
        "blocking checks and does not lose to the present champion on the same test rows.",
        "predictions": "Refined churn, engagement and value of every customer, and one score of "
        "health with the parts that set it apart.",
        "explanations": "What customer health is made of: points of each part over all customers; "
        "the parts add up to the health.",
    },
    purpose="Refines what the single models say where that is shown to be better, and sums it up "
    "in one score of health for those who look after customers. It must not be used to refuse a "
    "customer anything, nor for prices or credit.",
    limits=(
        "The weights of customer health are a choice, written down in `health.py`, not learnt.",
        "The recommender is not among the base models: it has seen the days that the labels of "
        "the training snapshots look at, so what it says of them is not out of fold.",
        "A correction is judged at one later snapshot; what it gained there need not last.",
    ),
)
