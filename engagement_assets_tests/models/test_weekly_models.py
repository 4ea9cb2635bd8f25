"""Models not about customers: parts they lack, and a champion without a fairness report."""

from datetime import date

import pytest

from engagement_assets.learning.evaluation.bootstrap import Interval
from engagement_assets.lifecycle.assets import _at_hand
from engagement_assets.lifecycle.champion import judge
from engagement_assets.lifecycle.dates import Snapshots
from engagement_assets.lifecycle.errors import NotTrainableError
from engagement_assets.models.assets import ASSETS
from engagement_assets.models.specs import EVERY_MODEL, MODELS
from engagement_assets.models.virality.adapter import ViralityAdapter
from engagement_assets.models.virality.spec import SPEC as VIRALITY
from resources.registry import RegisteredModel

NOUNS = {
    "virality": {"model", "evaluation", "champion", "predictions"},
    "graph_engagement": {"model", "evaluation"},
    "federated_churn": {"model", "evaluation"},
    "forecast": {"model", "evaluation", "champion", "predictions", "accuracy", "hours", "report"},
}


@pytest.mark.parametrize("name", NOUNS)
def test_a_model_has_the_parts_that_its_spec_declares(name):
    made = {key.path[1] for asset in ASSETS for key in asset.keys if key.path[0] == name}
    assert made == NOUNS[name]


def test_what_scores_no_customers_is_not_unified_or_served():
    assert {spec.name for spec in EVERY_MODEL} - {spec.name for spec in MODELS} == set(NOUNS)


@pytest.mark.parametrize(("correlation", "promoted"), [(0.8, True), (0.1, False)])
def test_a_candidate_without_fairness_is_judged_by_its_gates(correlation, promoted):
    verdict = judge(
        {"metrics": {"spearman": correlation}, "test_customers": 500},
        gates=VIRALITY.gates,
        champion_advantage=None,
        comparison_metric=VIRALITY.comparison_metric,
        fairness=None,
    )
    assert verdict.promote is promoted


def version(name, **card):
    return RegisteredModel("virality", name, None, card)


@pytest.mark.parametrize(("low", "stays"), [(0.01, False), (-0.03, True)])
def test_a_champion_stays_where_its_method_errs_less_beyond_chance(low, stays):
    """`differences` are a method's error less that of the candidate's: below 0 it is better."""
    candidate = version(
        "b",
        estimator="lstm",
        differences={"linear": {"value": low + 0.01, "low": low, "high": low + 0.02}},
    )
    lead = ViralityAdapter().champion_advantage(None, version("a", estimator="linear"), candidate)
    verdict = judge(
        {"metrics": {"spearman": 0.9}, "test_customers": 500},
        gates=VIRALITY.gates,
        champion_advantage=lead,
        comparison_metric=VIRALITY.comparison_metric,
        fairness=None,
    )
    assert verdict.promote is not stays


def test_a_champion_of_the_same_method_gives_way_to_newer_data():
    same = version("a", estimator="linear"), version("b", estimator="linear")
    assert ViralityAdapter().champion_advantage(None, *same) == Interval(0.0, 0.0, 0.0)


def test_the_latest_snapshots_at_hand_are_learnt_from():
    """No snapshot is made for a comparison: those of the other models do."""
    spec = next(spec for spec in EVERY_MODEL if spec.name == "graph_engagement")
    last = date(2026, 3, 31)
    wanted = spec.dates(last, first_day=date(2026, 1, 1))
    there = {date(2026, 1, 20), date(2026, 2, 20), date(2026, 3, 22), date(2026, 3, 27)}
    # the labels of the 27th were not known on the 31st
    assert _at_hand(spec, there, wanted) == Snapshots((date(2026, 2, 20),), date(2026, 3, 22))
    with pytest.raises(NotTrainableError, match="two snapshots"):
        _at_hand(spec, {date(2026, 3, 22)}, wanted)
