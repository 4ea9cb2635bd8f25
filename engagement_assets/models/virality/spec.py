"""Virality's declaration.

Belongs here: names, columns, limits and texts. Does not belong here: what it does (`adapter.py`).
"""

from engagement_assets.lifecycle.gates import QualityGate
from engagement_assets.lifecycle.spec import ModelSpec
from engagement_assets.signals.tables import NETWORK_METRICS
from resources.tables import Column

# Reach is known in rank well before it is known in number.
LEAST_RANK_CORRELATION = 0.3
EVENTS = ("source/posts", "source/interactions", "source/connections")

SPEC = ModelSpec(
    name="virality",
    subject="posts' reach",
    code_version="2",
    implementation="engagement_assets.models.virality.adapter:ViralityAdapter",
    kinds=frozenset({"pytorch", "xgboost"}),
    learns_from=(*EVENTS, NETWORK_METRICS.key),
    predicts_from=(*EVENTS, NETWORK_METRICS.key),
    required=EVENTS,
    # learnt from the posts up to the last day, of which the latest are the test
    window_days=0,
    snapshots=1,
    reads_snapshots=False,
    cadence="weekly",
    made_each="weekly",
    without=frozenset({"fairness", "explanations"}),
    online=False,
    parameters=("virality_estimator",),
    gates=(
        QualityGate(
            check="quality_floor",
            metric="spearman",
            words="rank correlation",
            description="Predicted and true reach of later posts have a rank correlation of at "
            f"least {LEAST_RANK_CORRELATION}.",
            at_least=LEAST_RANK_CORRELATION,
        ),
    ),
    comparison_metric="log MAE",
    fairness=None,
    columns=(
        Column("post_id", "string", nullable=False, meaning="The post"),
        Column("occurred_at", "timestamp", nullable=False, meaning="When it was made (UTC)"),
        Column(
            "early_reach",
            "float64",
            nullable=False,
            meaning="People it reached in its first six hours",
            minimum=0,
        ),
        Column(
            "predicted_reach",
            "float64",
            nullable=False,
            meaning="People it is predicted to reach in three days",
            minimum=0,
        ),
        Column("estimator", "string", nullable=False, meaning="The method"),
    ),
    key=("post_id",),
    score="predicted_reach",
    texts={
        "model": "Candidate that predicts how many people a post reaches in three days from its "
        "first six hours: linear, boosted trees or LSTM, whichever is set or best on earlier posts "
        "set aside.",
        "evaluation": "The three methods beside one another on later posts.",
        "champion": "The method that predicts reach. It moves only when the candidate passes the "
        "checks and the present champion's method is not better on the candidate's later posts.",
        "predictions": "The final reach predicted for the posts of the last three days whose first "
        "six hours have passed.",
    },
    purpose="Says how far a post will spread, so that a team sees early what will be seen by many. "
    "It must not be used to hold a post back.",
    limits=(
        "Posts are alike those of the last 60 days; a new kind of post is not foreseen.",
        "It says how many a post reaches, not whether that is good.",
    ),
)
