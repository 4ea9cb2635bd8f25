"""The federated churn model's declaration.

Belongs here: names, limits and texts. Does not belong here: what it does (`adapter.py`).
"""

from engagement_assets.features.catalogue import CUSTOMER_FEATURES
from engagement_assets.features.labels import LABELS
from engagement_assets.lifecycle.gates import QualityGate
from engagement_assets.lifecycle.spec import ModelSpec

NAME = "federated_churn"
LABEL = LABELS["churn_30_day"]
PURPOSE = "federated"
LEAST_SHARE = 0.95

SPEC = ModelSpec(
    name=NAME,
    subject="churn that devices learn together",
    code_version="2",
    implementation="engagement_assets.models.federated_churn.adapter:FederatedChurnAdapter",
    kinds=frozenset({"pytorch"}),
    learns_from=(CUSTOMER_FEATURES, LABEL.key),
    predicts_from=(),
    lineage=("source/consents",),
    required=LABEL.required_tables,
    window_days=LABEL.window_days,
    spends_privacy=True,
    # customers are treated by `churn`; what this says stays on their devices
    without=frozenset({"fairness", "champion", "predictions", "explanations"}),
    online=False,
    gates=(
        QualityGate(
            check="within_the_budget",
            metric="epsilon",
            words="epsilon",
            description="All trainings of the quarter, retries and failed rounds included, spent "
            "at most an epsilon of 1 of each customer.",
            at_most=1.0,
            exact=True,
        ),
        QualityGate(
            check="near_central_training",
            metric="share_of_central",
            words="AUC as a share of the same net's trained in one place",
            description="On other people at a later time its AUC is at least "
            f"{LEAST_SHARE:.0%} of that of the same net trained on the same rows in one place.",
            at_least=LEAST_SHARE,
        ),
    ),
    comparison_metric="AUC",
    fairness=None,
    columns=(),
    score="",
    parameters=("federated_epsilon", "federated_hidden"),
    texts={
        "model": f"Churn in the next {LABEL.window_days} days, learnt by federated averaging of "
        "the customers who agree to it, each a client, under differential privacy; the quarter's "
        "ledger stops it when its budget is spent.",
        "evaluation": "How good it is on other people at a later time, beside XGBoost and the same "
        "net on all rows in one place and each customer alone; and what privacy was spent.",
    },
    purpose="Says what churn can be learnt where rows never leave the customers' devices. Nobody "
    "is treated by it.",
    limits=(
        "Devices are simulated: the platform has the rows, and an app that keeps them would speak "
        "the protocol of docs/federated.md.",
        "Numbers alone are learnt from, up to stated limits; categories are left out.",
        "The evaluation is of test customers' rows as they are, and no part of the claim of "
        "privacy.",
        "The claim is one of each quarter: who is a client in several is covered by the sum.",
    ),
)
