"""The chosen threshold is the cheapest, by brute force and by theory."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engagement_assets.learning.evaluation.binary import OneClassError
from engagement_assets.learning.evaluation.thresholds import (
    CostModel,
    ThresholdChoice,
    cost_threshold,
    describe_threshold,
    threshold_at_recall,
)

COSTS = CostModel(cost_miss=100.0, cost_action=5.0, success_rate=0.3)


def choose(y, p, costs=COSTS):
    return cost_threshold(y, p, costs=costs)


def calibrated(n=200_000, seed=0):
    rng = np.random.default_rng(seed)
    p = rng.beta(1, 5, n)
    return (rng.random(n) < p).astype(int), p


@settings(deadline=None)  # a busy machine is no failure
@given(
    st.lists(st.tuples(st.booleans(), st.floats(0.01, 0.99)), min_size=2, max_size=40).filter(
        lambda rows: len({y for y, _ in rows}) == 2
    ),
    st.floats(0, 60),
    st.floats(0.05, 1),
)
def test_no_threshold_is_cheaper_than_the_chosen_one(rows, cost, success_rate):
    y, p = (np.array(part) for part in zip(*rows, strict=True))
    costs = CostModel(100.0, cost, success_rate)
    chosen = choose(y, p, costs)
    every = [costs.per_row(y, p >= t) for t in [*p, 0.0, 1.0]]
    assert chosen.cost_per_row == pytest.approx(min(every))
    assert chosen.cost_per_row == pytest.approx(costs.per_row(y, p >= chosen.threshold))


def test_calibrated_probabilities_lead_to_the_break_even():
    y, p = calibrated()
    chosen = choose(y, p)
    assert COSTS.break_even == pytest.approx(1 / 6)
    assert chosen.threshold == pytest.approx(1 / 6, abs=0.03)
    at_break_even = COSTS.per_row(y, p >= COSTS.break_even)
    assert chosen.cost_per_row == pytest.approx(at_break_even, rel=0.001)
    assert chosen.cost_per_row < min(chosen.cost_of_nothing, chosen.cost_of_all)


def test_a_free_intervention_goes_to_every_churner_and_a_dear_one_to_nobody():
    y, p = calibrated(5000)
    assert choose(y, p, CostModel(100, 0, 0.3)).recall == 1.0
    dear = choose(y, p, CostModel(100, 31, 0.3))
    assert (dear.threshold, dear.treated_share, dear.precision) == (1.0, 0.0, None)
    assert dear.cost_per_row == dear.cost_of_nothing


def test_costs_by_hand():
    y, contacted = [1, 1, 0, 0], [True, False, True, False]
    # one churner lost for sure, one at 70 %, two contacts
    assert COSTS.per_row(y, contacted) == pytest.approx((100 + 70 + 10) / 4)
    told = describe_threshold(y, [0.9, 0.1, 0.8, 0.2], threshold=0.5, costs=COSTS)
    assert (told.precision, told.recall, told.treated_share) == (0.5, 0.5, 0.5)
    assert (told.cost_of_nothing, told.cost_of_all) == (50.0, 40.0)


def test_the_threshold_at_a_recall_is_the_highest_that_reaches_it():
    y, p = calibrated(5000)
    threshold = threshold_at_recall(y, p, recall=0.8)
    assert y[p >= threshold].sum() >= 0.8 * y.sum()
    assert y[p > threshold].sum() < 0.8 * y.sum()
    assert threshold_at_recall([0, 1, 1], [0.2, 0.5, 0.5], recall=0.1) == 0.5


def test_a_choice_survives_json():
    chosen = choose(*calibrated(500))
    assert ThresholdChoice.from_dict(chosen.to_dict()) == chosen


def test_bad_input_is_named():
    with pytest.raises(OneClassError):
        choose([1, 1], [0.5, 0.5])
    for arguments, name in [
        ((0, 1, 0.5), "cost_miss"),
        ((1, -1, 0.5), "cost_action"),
        ((1, 1, 0), "success_rate"),
        ((1, 1, 1.1), "success_rate"),
    ]:
        with pytest.raises(ValueError, match=name):
            CostModel(*arguments)
    with pytest.raises(ValueError, match="recall must"):
        threshold_at_recall([0, 1], [0.1, 0.2], recall=0)
    with pytest.raises(ValueError, match="probabilities of shape"):
        threshold_at_recall([0, 1], [0.1])


def test_a_weight_is_as_many_rows():
    y, p = calibrated(2000)
    weights = np.random.default_rng(1).integers(0, 4, len(y))
    many, at = np.repeat(y, weights), np.repeat(p, weights)
    costs = CostModel(cost_miss=100.0, cost_action=20.0, success_rate=0.5)
    weighed = cost_threshold(y, p, costs=costs, weights=weights)
    repeated = cost_threshold(many, at, costs=costs)
    assert weighed.to_dict() == pytest.approx(repeated.to_dict())
    assert weighed.cost_per_row != pytest.approx(cost_threshold(y, p, costs=costs).cost_per_row)
    heavy = np.where(p > 0.4, 9, 1)
    threshold = threshold_at_recall(y, p, weights=heavy)
    assert threshold == threshold_at_recall(np.repeat(y, heavy), np.repeat(p, heavy))
    assert threshold > threshold_at_recall(y, p)
