"""The retention offers' declaration.

Belongs here: bands, actions and texts. Does not belong here: the rule (`policy.py`).
"""

from dataclasses import dataclass

from engagement_assets.lifecycle.spec import NO_ACTION, Action, DecisionSpec, Unified
from resources.tables import Column


@dataclass(frozen=True)
class Band:
    """A range of churn probabilities, those greater than `above`, and what is done."""

    name: str
    above: float
    action: Action


DISCOUNT = Action(
    name="retention e-mail with 20 % discount",
    channel="email",
    consent="notifications",
    cooldown_days=30,
)
NUDGE = Action(name="in-app nudge", channel="in_app", consent="notifications", cooldown_days=7)
BANDS = (
    Band("high", 0.7, DISCOUNT),
    Band("medium", 0.5, NUDGE),
    Band("low", -1.0, NO_ACTION),
)

SPEC = DecisionSpec(
    name="retention",
    subject="retention offers",
    code_version="1",
    baseline="engagement_assets.decisions.retention.policy:RetentionRule",
    actions=tuple(band.action for band in BANDS),
    due=True,
    priority=20,
    listens_to=("churn",),
    predicts_from=("churn/predictions",),
    columns=(
        Column("band", "string", nullable=False, meaning="high over 0.7, medium over 0.5, low"),
    ),
    unified=(Unified("band", "churn_band", compared=True),),
    texts={
        "choices": "What each customer who may leave is offered, by the band of the probability."
    },
    purpose="Offers those who may leave a reason to stay. It must not be used to refuse a customer "
    "anything, nor for prices or credit.",
    limits=("That an offer keeps anybody is a stated save rate until an experiment confirms it.",),
)
