"""The dummy decision's declaration."""

from engagement_assets.lifecycle.spec import NO_ACTION, Action, DecisionSpec, Unified
from resources.tables import Column

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
    columns=(Column("warmth", "float64", "How warm", nullable=False, minimum=0, maximum=1),),
    unified=(Unified("warmth", "hello_warmth"), Unified("action", "hello_action", compared=True)),
    texts={"choices": "To whom hello is said."},
    purpose="Says hello.",
    limits=("It knows no other word.",),
)
