"""The reviews' declaration.

Belongs here: the action and texts. Does not belong here: the rule (`policy.py`).
"""

from engagement_assets.lifecycle.spec import NO_ACTION, Action, DecisionSpec

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
    columns=(),
    texts={"choices": "Whom a person looks at: those whom the anomaly detector flags."},
    purpose="Has a person look at what is unlike the others. Nobody may be barred or charged "
    "because of it without that look.",
    limits=("A flag says that a customer is unlike the others, not that anything is wrong.",),
)
