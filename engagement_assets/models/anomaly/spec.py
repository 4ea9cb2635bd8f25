"""The anomaly model's declaration.

Belongs here: names, columns, limits and texts. Does not belong here: what it does (`adapter.py`).
"""

from engagement_assets.features.catalogue import CUSTOMER_FEATURES
from engagement_assets.lifecycle.dates import CHURN_WINDOW_DAYS
from engagement_assets.lifecycle.gates import QualityGate
from engagement_assets.lifecycle.spec import (
    LEAST_CHANGE,
    REASONS_TEXT,
    FairnessSpec,
    ModelSpec,
    Unified,
    reason_columns,
)
from resources.tables import Column

EXPLAINED_ABOVE = 0.9
STABILITY_FLOOR = 0.7
REVIEW_CEILING = 0.05


def _component(name: str, words: str) -> Column:
    return Column(f"{name}_score", "float64", meaning=f"{words} alone, on the same scale (0-1)")


SPEC = ModelSpec(
    name="anomaly",
    subject="anomaly scores",
    code_version="1",
    implementation="engagement_assets.models.anomaly.adapter:AnomalyAdapter",
    kinds=frozenset({"scikitlearn", "pytorch"}),
    learns_from=(CUSTOMER_FEATURES, "source/reviews"),
    predicts_from=(CUSTOMER_FEATURES,),
    required=("source/sessions",),
    window_days=CHURN_WINDOW_DAYS,
    snapshots=1,
    gates=(
        QualityGate(
            check="quality_floor",
            metric="seed_rank_correlation",
            words="rank correlation of two seeds",
            description="The scores of other people by two seeds rank them alike: the correlation "
            f"is at least {STABILITY_FLOOR}.",
            at_least=STABILITY_FLOOR,
        ),
        QualityGate(
            check="review_share",
            metric="share_for_review",
            words="share for review",
            description="Of other people at a later time, not many more are sent to review than "
            f"the detector is set to: at most {REVIEW_CEILING:.0%}.",
            at_most=REVIEW_CEILING,
        ),
    ),
    comparison_metric="average precision on reviewed customers",
    fairness=FairnessSpec(
        rule="No group is sent to review at less than 80 % of the rate of the group most often "
        "sent there, beyond chance.",
        selection="harm",
        selected_are="those whom the detector sends to a person for review; nobody knows who of "
        "them is fraud",
        words={"selected": "sent to review"},
    ),
    columns=(
        Column(
            "anomaly_score",
            "float64",
            nullable=False,
            meaning="How unlike the others: 0.9 is passed by about one in a hundred (0-1)",
            minimum=0,
            maximum=1,
        ),
        _component("neighbours", "Distance to neighbours"),
        _component("tails", "Tails of single features"),
        _component("traces", "Traces that fraud is known to leave"),
        _component("verdicts", "What reviewers' verdicts taught; null without enough of them"),
        Column(
            "kind",
            "string",
            meaning="Of those over the mark: unusual, sudden_drop, data_error or fraud_like",
        ),
        *reason_columns("share of the surprise"),
    ),
    unified=(
        Unified("anomaly_score", change="anomaly_change", least_change=LEAST_CHANGE),
        Unified("kind", "anomaly_kind"),
        Unified(REASONS_TEXT, "anomaly_reasons"),
    ),
    score="anomaly_score",
    parameters=("review_share",),
    texts={
        "model": "Candidate anomaly detector: distance to neighbours and tails "
        "on calibrated ranks, and reviewers' verdicts where there are enough.",
        "evaluation": "How the candidate scores other people at a later time: share for review, "
        "stability between seeds, and where verdicts exist AUROC and average precision.",
        "fairness": "Whom the candidate sends to review, by gender, age band and location, with "
        "the 80 % rule.",
        "champion": "The anomaly detector that scores. It moves only when the candidate passes the "
        "blocking checks and does not lose to the champion on reviewed customers.",
        "predictions": "Anomaly score of every customer who used the app in the month; kind and "
        "three reasons of those who need a review.",
        "explanations": "What sends customers to review: the reasons of those over the mark, by "
        "kind and feature.",
    },
    purpose="Finds customers unlike the others, so that a person looks whether they are bots, "
    "fraud or an error in the data. It decides nothing: a score is no proof, and nobody may be "
    "barred or charged because of it without a review.",
    limits=(
        "Unusual is not wrong: new and very active customers score higher than others.",
        "Customers without a session in the 30 days before the snapshot are not scored.",
        "Until reviewers' verdicts come back, nothing tells how many of those found are fraud.",
        "It looks for declared traces of bots (many short sessions at any hour, nothing read); "
        "payment fraud without them is hardly found before reviewers have confirmed some.",
    ),
    additive=False,
    memory_mib=6_144,
)
