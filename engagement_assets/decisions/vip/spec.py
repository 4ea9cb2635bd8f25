"""The VIPs' declaration.

Belongs here: the share, the action and texts. Does not belong here: the rule (`policy.py`).
"""

from engagement_assets.lifecycle.spec import NO_ACTION, Action, DecisionSpec, Unified
from resources.tables import Column

VIP_SHARE = 0.1
CARE = Action(name="VIP care")

SPEC = DecisionSpec(
    name="vip",
    subject="VIP care",
    code_version="1",
    baseline="engagement_assets.decisions.vip.policy:VipRule",
    actions=(CARE, NO_ACTION),
    listens_to=("lifetime_value",),
    predicts_from=("lifetime_value/predictions",),
    columns=(Column("is_vip", "bool", nullable=False, meaning="Among the tenth of highest value"),),
    unified=(Unified("is_vip"),),
    texts={"choices": "Who is looked after as a VIP: the tenth of highest lifetime value."},
    purpose="Looks after those of highest value. It must not be used to refuse a customer "
    "anything, nor for prices or credit.",
    limits=("A value that nobody exceeds, such as 0 where hardly anybody pays, makes no VIP.",),
)
