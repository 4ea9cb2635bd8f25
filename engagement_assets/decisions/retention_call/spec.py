"""The retention calls' declaration.

Belongs here: shares, actions and texts. Does not belong here: the rule (`policy.py`).
"""

from engagement_assets.lifecycle.spec import NO_ACTION, Action, DecisionSpec, Unified
from resources.tables import Column

WORTH_SHARE = 0.2
LOW_ENGAGEMENT = 0.5
CALL = Action(
    name="retention call (high value, low engagement)",
    channel="phone",
    consent="notifications",
    cooldown_days=90,
)

SPEC = DecisionSpec(
    name="retention_call",
    subject="retention calls",
    code_version="1",
    baseline="engagement_assets.decisions.retention_call.policy:RetentionCallRule",
    actions=(CALL, NO_ACTION),
    due=True,
    priority=10,
    listens_to=("engagement", "lifetime_value"),
    predicts_from=("engagement/predictions", "lifetime_value/predictions"),
    columns=(
        Column(
            "retention_priority",
            "bool",
            nullable=False,
            meaning="High value and low engagement: whom to keep first",
        ),
    ),
    unified=(Unified("retention_priority"),),
    texts={
        "choices": "Who is called: the fifth of highest future revenue, where predicted "
        "engagement is below the median of that fifth."
    },
    purpose="Keeps customers who are worth much and use the app little. It must not be used to "
    "refuse a customer anything, nor for prices or credit.",
    limits=("Whom a call keeps is not known before an experiment.",),
)
