"""The decisions of the platform, as declared.

Belongs here: which decisions there are, in the order in which their actions are told. Does not
belong here: what a decision is (its folder) and the assets made of it (`assets.py`).
"""

from collections.abc import Mapping
from typing import Any

from engagement_assets.decisions.acquisition.spec import SPEC as ACQUISITION
from engagement_assets.decisions.next_best_action.spec import SPEC as NEXT_BEST_ACTION
from engagement_assets.decisions.notification_timing.spec import SPEC as NOTIFICATION_TIMING
from engagement_assets.decisions.retention.spec import SPEC as RETENTION
from engagement_assets.decisions.retention_call.spec import SPEC as RETENTION_CALL
from engagement_assets.decisions.review.spec import SPEC as REVIEW
from engagement_assets.decisions.segment_actions.spec import SPEC as SEGMENT_ACTIONS
from engagement_assets.decisions.targeting.spec import SPEC as TARGETING
from engagement_assets.decisions.vip.spec import SPEC as VIP
from engagement_assets.lifecycle.spec import NO_ACTION, UseCaseSpec
from engagement_assets.models.specs import MODELS, OF_NO_CUSTOMER, SPENDING_PRIVACY

__all__ = ["ALONE", "DECISIONS", "LEARNT", "REVIEW", "TRAINED", "actions_due"]

DECISIONS = (
    RETENTION,
    RETENTION_CALL,
    VIP,
    ACQUISITION,
    REVIEW,
    TARGETING,
    NOTIFICATION_TIMING,
    NEXT_BEST_ACTION,
    SEGMENT_ACTIONS,
)
# Those with a policy that is trained, judged and promoted as a model is.
LEARNT = tuple(spec for spec in DECISIONS if spec.learnt)
# Trained by a schedule of its own each.
ALONE: tuple[UseCaseSpec, ...] = (*OF_NO_CUSTOMER, *LEARNT, *SPENDING_PRIVACY)
TRAINED: tuple[UseCaseSpec, ...] = (*MODELS, *OF_NO_CUSTOMER, *LEARNT)


def actions_due(choices: Mapping[str, Mapping[str, Any] | None]) -> list[str]:
    """Return the actions due of one customer, in the order of the decisions.

    Args:
        choices: The customer's choice by decision, None where a decision does not judge them.
    """
    chosen = [choices.get(spec.name) or {} for spec in DECISIONS if spec.due]
    actions = [choice.get("action", NO_ACTION.name) for choice in chosen]
    return [action for action in actions if action != NO_ACTION.name]
