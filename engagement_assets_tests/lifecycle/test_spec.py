"""What a use case declares."""

from typing import Any

import pytest

from engagement_assets.lifecycle.spec import NO_ACTION, Action, DecisionSpec, FairnessSpec, Reward
from engagement_assets.models.specs import EVERY_MODEL
from resources.tables import Column


def decision(**changes: Any) -> DecisionSpec:
    """A decision with some fields changed."""
    told: dict[str, Any] = {
        "name": "greeting",
        "subject": "greetings",
        "code_version": "1",
        "implementation": "nowhere:Nothing",
        "kinds": frozenset(),
        "learns_from": ("features/customer_features",),
        "predicts_from": ("churn/predictions", "features/customer_features"),
        "required": (),
        "window_days": 7,
        "gates": (),
        "comparison_metric": "value",
        "fairness": FairnessSpec(rule="nobody is greeted less", selection="benefit"),
        "columns": (Column("greeting", "string"),),
        "score": "propensity",
        "texts": {"choices": "Who is greeted."},
        "purpose": "greets",
        "limits": (),
        "actions": (Action(name="hello", channel="email"), NO_ACTION),
        "reward": Reward(table="source/sessions", column="duration_seconds", window_days=7),
        "baseline": "nowhere:Rule",
    }
    return DecisionSpec(**told | changes)


def test_a_decision_writes_its_choices_with_the_version_of_its_policy() -> None:
    spec = decision()
    assert spec.choices == "greeting/choices"
    assert spec.table.names == (
        "customer_id",
        "snapshot_date",
        "action",
        "propensity",
        "reason",
        "greeting",
        "policy_version",
    )


@pytest.mark.parametrize(
    "actions",
    [(Action(name="hello"),), (NO_ACTION, Action(name="hello"), Action(name="hello"))],
    ids=["it must act", "two of one name"],
)
def test_a_decision_that_must_act_or_whose_actions_are_alike_is_refused(
    actions: tuple[Action, ...],
) -> None:
    with pytest.raises(ValueError, match="greeting"):
        decision(actions=actions)


@pytest.mark.parametrize("spec", EVERY_MODEL, ids=lambda spec: spec.name)
def test_every_part_of_a_model_has_its_text(spec: Any) -> None:
    assert set(spec.texts) == set(spec.training_parts) | set(spec.daily_parts)
