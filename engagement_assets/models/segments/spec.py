"""The segments' declaration.

Belongs here: names, columns, gates and texts. Does not belong here: what it does (`adapter.py`).
"""

from engagement_assets.features.catalogue import CUSTOMER_FEATURES
from engagement_assets.lifecycle.dates import CHURN_WINDOW_DAYS
from engagement_assets.lifecycle.gates import QualityGate
from engagement_assets.lifecycle.spec import ModelSpec, Unified
from resources.tables import Column

LEAST_JACCARD = 0.75
LEAST_AGREEMENT = 0.95
MOST_CHANGED = 0.02

SPEC = ModelSpec(
    name="segments",
    subject="segments",
    code_version="1",
    implementation="engagement_assets.models.segments.adapter:SegmentsAdapter",
    kinds=frozenset({"scikitlearn"}),
    learns_from=(CUSTOMER_FEATURES,),
    predicts_from=(CUSTOMER_FEATURES,),
    required=("source/sessions",),
    window_days=CHURN_WINDOW_DAYS,
    snapshots=1,
    # a segment is a description; what is done by it is judged where it is decided
    without=frozenset({"fairness"}),
    fairness=None,
    additive=False,
    gates=(
        QualityGate(
            check="stable_segments",
            metric="least_jaccard",
            words="mean Jaccard index of the least stable segment",
            description="Each segment comes out again in resamples of the customers: its mean "
            f"Jaccard index is at least {LEAST_JACCARD}.",
            at_least=LEAST_JACCARD,
            exact=True,
        ),
        QualityGate(
            check="same_by_another_seed",
            metric="seeds_agreement",
            words="adjusted Rand index of two seeds",
            description="Another seed puts other people into the same segments: the adjusted Rand "
            f"index is at least {LEAST_AGREEMENT}.",
            at_least=LEAST_AGREEMENT,
            exact=True,
        ),
        QualityGate(
            check="unchanged_by_retraining",
            metric="changed_by_retraining",
            words="share in another segment by another seed alone",
            description="Training again on the same customers moves at most "
            f"{MOST_CHANGED:.0%} of other people.",
            at_most=MOST_CHANGED,
            exact=True,
        ),
    ),
    comparison_metric="silhouette width",
    columns=(
        Column("segment_id", "string", "The segment, whatever it is called", nullable=False),
        Column("segment", "string", "What the segment is called", nullable=False),
        Column("kind", "string", "Known kind that the segment is of, or null"),
        Column(
            "distance",
            "float64",
            "Distance to the middle of the segment",
            "standard deviations",
            nullable=False,
            minimum=0,
        ),
        Column("second_segment", "string", "The second nearest segment", nullable=False),
        Column(
            "second_distance",
            "float64",
            "Distance to the middle of the second nearest",
            "standard deviations",
            nullable=False,
            minimum=0,
        ),
        Column(
            "since",
            "date",
            "First of the predicted days in a row with this segment; null where it is scored alone",
        ),
    ),
    unified=(
        Unified("segment_id"),
        Unified("segment", compared=True, breaks_down=True),
        Unified("since", "segment_since"),
    ),
    score="distance",
    parameters=("segment_names",),
    texts={
        "model": "Candidate that puts every customer into a segment by what they do: K-Means with "
        "as many segments as come out again in resamples, and HDBSCAN beside it. Ids and names go "
        "on from the champion's, by the customers in common.",
        "evaluation": "How stable the segments are, how large, what sets each apart (with a "
        "picture), how many there are and why, and what they tell of age and gender.",
        "champion": "The segments that serve. It moves only when the candidate passes the checks "
        "and the champion does not tell the candidate's test customers apart better.",
        "predictions": "Each customer's segment, how far its middle is, the second nearest, and "
        "since when.",
        "explanations": "The segments of the day and their sizes.",
    },
    purpose="Describes which customers are alike, so that product and marketing speak of the same "
    "groups. It must not be used to refuse a customer anything, nor for prices or credit.",
    limits=(
        "Segments pass into each other: who is near the second nearest may move by little.",
        "A name says what sets a segment apart from the others, not that each customer is so.",
        "Numbers of behaviour alone are looked at; no age, gender, location or moods.",
        "Where nothing separates customers more than one cloud would, there are no segments.",
    ),
)
