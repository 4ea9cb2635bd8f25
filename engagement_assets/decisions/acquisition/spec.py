"""The acquisition channels' declaration.

Belongs here: the share, columns and texts. Does not belong here: the rule (`policy.py`).
"""

from engagement_assets.lifecycle.spec import NO_ACTION, Action, DecisionSpec, Unified
from resources.tables import Column

CAC_SHARE = 0.33
ACQUIRE = Action(name="acquire customers alike")

SPEC = DecisionSpec(
    name="acquisition",
    subject="acquisition channels",
    code_version="1",
    baseline="engagement_assets.decisions.acquisition.policy:AcquisitionRule",
    actions=(ACQUIRE, NO_ACTION),
    parameters=("channel_cac",),
    listens_to=("lifetime_value",),
    predicts_from=("lifetime_value/predictions",),
    columns=(
        Column(
            "max_cac_usd",
            "float64",
            nullable=False,
            meaning="What acquiring such a customer may cost: a third of the value (USD)",
            minimum=0,
        ),
        Column(
            "acquire_channels",
            "string",
            meaning="Channels whose stated cost is below that, by comma",
        ),
    ),
    unified=(Unified("acquire_channels"),),
    texts={"choices": "By which channels a customer like this is worth winning at stated costs."},
    purpose="Says up to which cost a channel pays. Nothing is done to the customer.",
    limits=("The value is of customers who are here; read it as that of customers alike.",),
)
