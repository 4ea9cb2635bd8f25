"""The segments' actions, declared.

Belongs here: the action of each kind, and texts. Does not belong here: who is of which kind
(`models.segments`) and the rule (`policy.py`).
"""

from engagement_assets.lifecycle.spec import NO_ACTION, Action, DecisionSpec
from engagement_assets.models.segments import personas


def _action(name: str, channel: str) -> Action:
    return Action(name=name, channel=channel, consent="notifications", cooldown_days=30)


BY_PERSONA = {
    personas.POWER_USERS: _action("VIP treatment and early access", "in_app"),
    personas.CASUAL_BROWSERS: _action("onboarding optimisation", "in_app"),
    personas.GIG_WORKERS: _action("freelance marketplace features", "in_app"),
    personas.SOCIAL_BUTTERFLIES: _action("community features and events", "in_app"),
    personas.AT_RISK: _action("retention campaign", "email"),
    personas.NEW_USERS: _action("onboarding and first-week incentives", "in_app"),
}

SPEC = DecisionSpec(
    name="segment_actions",
    subject="what is done for each segment",
    code_version="1",
    baseline="engagement_assets.decisions.segment_actions.policy:SegmentRule",
    actions=(*BY_PERSONA.values(), NO_ACTION),
    # what is decided of a customer alone comes before what is done for all of a kind
    priority=80,
    listens_to=("segments",),
    predicts_from=("segments/predictions",),
    columns=(),
    texts={
        "choices": "What is done for each customer by the kind of their segment; nothing for a "
        "segment of no known kind."
    },
    purpose="Speaks to each kind of customers of what they use. It must not be used to refuse a "
    "customer anything, nor for prices or credit.",
    limits=(
        "That an action suits its kind is the product's choice until an experiment confirms it.",
        "Other decisions come first where several would contact a customer.",
    ),
)
