"""The targeting's declaration.

Belongs here: cost, budget, the action and texts. Does not belong here: the rule (`policy.py`) and
its value, which the evaluation of `models.treatment_effects` has.
"""

from engagement_assets.lifecycle.spec import NO_ACTION, Action, DecisionSpec
from engagement_assets.settings.installation import Settings, current_home
from resources.tables import Column

_HOME = Settings.load(current_home())
BUDGET_USD = _HOME.targeting_budget
TREAT = Action(name="treat", cost_usd=_HOME.targeting_cost)

SPEC = DecisionSpec(
    name="targeting",
    subject="whom the treatment is given to",
    # another cost or budget is another policy
    code_version=f"1 of {BUDGET_USD:g} USD at {TREAT.cost_usd:g}",
    baseline="engagement_assets.decisions.targeting.policy:TargetingRule",
    actions=(TREAT, NO_ACTION),
    listens_to=("treatment_effects",),
    predicts_from=("treatment_effects/predictions",),
    columns=(
        Column("effect", "float64", "What the treatment would add", "score units", nullable=False),
        Column("cost_usd", "float64", "What the choice costs", "USD", nullable=False, minimum=0),
    ),
    texts={
        "choices": "Whom the treatment is given to: the highest effects that the day's budget pays "
        "for, without those whom it harms."
    },
    purpose="Spends a budget where it does the most. It must not be used to set prices by age or "
    "to withhold what everybody is due.",
    limits=(
        "Groups that the treatment is shown to harm are left out; one too small to tell is not.",
        "Where effects are not shown to differ, the budget goes to customers in an order without "
        "meaning.",
        "An effect that is not from an experiment may be none; the choice says where it is from.",
    ),
)
