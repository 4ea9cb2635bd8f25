"""The graph's engagement model's declaration.

Belongs here: names, limits and texts. Does not belong here: what it does (`adapter.py`).
"""

from engagement_assets.features.catalogue import CUSTOMER_FEATURES
from engagement_assets.features.labels import LABELS
from engagement_assets.lifecycle.gates import QualityGate
from engagement_assets.lifecycle.spec import ModelSpec

LABEL = LABELS["engagement_score"]

SPEC = ModelSpec(
    name="graph_engagement",
    subject="what the graph adds to engagement scores",
    code_version="2",
    implementation="engagement_assets.models.graph_engagement.adapter:GraphEngagementAdapter",
    kinds=frozenset({"pytorch"}),
    learns_from=(CUSTOMER_FEATURES, LABEL.key, "source/connections"),
    predicts_from=(),
    required=(*LABEL.required_tables, "source/connections"),
    window_days=LABEL.window_days,
    snapshots=1,
    # other models' snapshots do: each costs a day's signals
    at_hand=True,
    cadence="weekly",
    # a comparison: nothing is predicted by it, so nothing is promoted and nobody is treated by it
    without=frozenset({"fairness", "champion", "predictions", "explanations"}),
    online=False,
    gates=(
        QualityGate(
            check="quality_floor",
            metric="r2",
            words="R2",
            description="R2 on other people at a later time is above that of the mean.",
            at_least=0.0,
        ),
    ),
    comparison_metric="R2",
    fairness=None,
    columns=(),
    score="",
    texts={
        "model": f"GraphSAGE: a customer's engagement in the next {LABEL.window_days} days from "
        "the features of them and of their connections, beside the same network without the graph.",
        "evaluation": "What the graph adds, on customers who were not learnt from.",
    },
    purpose="Says whether connections tell more of a customer's engagement than the features do.",
    limits=("A gain of the graph need not be an effect of it: friends are alike.",),
)
