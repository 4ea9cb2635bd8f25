"""The dummy decision's declaration."""

from engagement_assets.lifecycle.spec import NO_ACTION, Action, DecisionSpec, Unified
from resources.schema import Column

HELLO = Action(name="say hello", channel="in_app")

SPEC = DecisionSpec(
    name="hello",
    subject="hellos",
    code_version="1",
    baseline="engagement_assets_tests.decisions.dummy.policy:HelloRule",
    actions=(HELLO, NO_ACTION),
    due=True,
    listens_to=("engagement",),
    predicts_from=("engagement/predictions",),
    columns=(Column("warmth", "float64", nullable=False, description="How warm (0-1)"),),
    unified=(Unified("warmth", "hello_warmth"), Unified("action", "hello_action", compared=True)),
    bounds={"propensity": (0, 1), "warmth": (0, 1)},
    texts={"choices": "To whom hello is said."},
    purpose="Says hello.",
    limits=("It knows no other word.",),
)
