"""The reviews' declaration.

Belongs here: the action and texts. Does not belong here: the rule (`policy.py`).
"""

from engagement_assets.lifecycle.spec import NO_ACTION, Action, DecisionSpec, Unified
from engagement_assets.models.anomaly.spec import EXPLAINED_ABOVE
from resources.tables import Column

# at least the mark above which the detector gives the reasons that a reviewer needs
REVIEW_ABOVE = EXPLAINED_ABOVE
REVIEW = Action(name="human review")

SPEC = DecisionSpec(
    name="review",
    subject="human reviews",
    code_version="1",
    baseline="engagement_assets.decisions.review.policy:ReviewRule",
    actions=(REVIEW, NO_ACTION),
    due=True,
    listens_to=("anomaly",),
    predicts_from=("anomaly/predictions",),
    columns=(
        Column(
            "needs_review",
            "bool",
            nullable=False,
            meaning=f"Whether a person should look: the score is over {REVIEW_ABOVE}, or a "
            "value cannot be",
        ),
    ),
    unified=(Unified("needs_review", compared=True),),
    texts={"choices": "Whom a person looks at: those whom the anomaly detector flags."},
    purpose="Has a person look at what is unlike the others. Nobody may be barred or charged "
    "because of it without that look.",
    limits=("A flag says that a customer is unlike the others, not that anything is wrong.",),
)
