"""BG/NBD with Gamma-Gamma on buyers who buy and stop as it says."""

import numpy as np
import pandas as pd
import pytest

from engagement_assets.learning.errors import TooLittleDataError
from engagement_assets.learning.purchases import BuyerModel

DAYS, AHEAD = 300.0, 100.0


def buyers(seed, count=3000, *, alpha=20.0, stops=(1.0, 3.0)):
    """Rates of mean 1 / 20 a day, a chance to stop of mean 1 / 4, orders of mean 50."""
    rng = np.random.default_rng(seed)
    rate, stop = rng.gamma(1.0, 1.0 / alpha, count), rng.beta(*stops, count)
    mean = 6.0 / rng.gamma(4.0, 1.0 / 25.0, count)
    rows = []
    for i in range(count):
        start = rng.uniform(0.0, DAYS - 1.0)
        at, times = start, [start]
        while True:
            if len(times) > 1 and rng.random() < stop[i]:
                break
            at += rng.exponential(1.0 / rate[i])
            if at > DAYS + AHEAD:
                break
            times.append(at)
        worth = rng.gamma(6.0, mean[i] / 6.0, len(times))
        known = np.array(times) <= DAYS
        rows.append(
            {
                "orders": known.sum(),
                "recency_days": np.array(times)[known][-1] - start,
                "age_days": DAYS - start,
                "mean_order": worth[known].mean(),
                "later": (~known).sum(),
                "spent": worth[~known].sum(),
            }
        )
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def some():
    return buyers(0)


@pytest.fixture(scope="module")
def model(some):
    return BuyerModel.fit(some)


def test_the_parameters_of_simulated_buyers_come_back(model):
    assert model.r == pytest.approx(1.0, rel=0.2)
    assert model.alpha * model.unit == pytest.approx(20.0, rel=0.25)
    assert model.a / (model.a + model.b) == pytest.approx(0.25, abs=0.05)
    assert model.p == pytest.approx(6.0, rel=0.2)
    assert model.q == pytest.approx(4.0, rel=0.2)


def test_orders_and_spend_of_other_buyers_are_right_on_average_and_by_group(model):
    others = buyers(1)
    expected = model.predict_orders(others, days=AHEAD)
    assert expected.sum() == pytest.approx(others["later"].sum(), rel=0.1)
    spend = model.predict(others, days=AHEAD)
    assert spend.sum() == pytest.approx(others["spent"].sum(), rel=0.15)
    thirds = pd.qcut(expected, 3, labels=False)
    for third in (1, 2):
        group = thirds == third
        assert expected[group].mean() == pytest.approx(others["later"][group].mean(), rel=0.2)


def test_who_has_long_been_away_is_expected_less_and_time_adds(model):
    two = pd.DataFrame(
        {"orders": 6, "recency_days": [50.0, 195.0], "age_days": 200.0, "mean_order": 40.0}
    )
    away, here = model.predict_orders(two, days=30)
    assert away < 0.3 * here
    assert (model.predict_orders(two, days=90) > model.predict_orders(two, days=30)).all()


def test_one_order_says_little_of_the_mean(model):
    rich = pd.DataFrame(
        {"orders": [1, 20], "recency_days": [0.0, 90.0], "age_days": 100.0, "mean_order": 500.0}
    )
    once, often = model.predict_mean_order(rich)
    assert 50.0 < once < often < 500.0


def test_what_cannot_be_is_refused(some):
    with pytest.raises(ValueError, match=r"columns are missing: \['orders'\]"):
        BuyerModel.fit(some.drop(columns="orders"))
    with pytest.raises(ValueError, match="1 rows cannot be"):
        BuyerModel.fit(some.assign(recency_days=some["recency_days"].where(some.index > 0, -1.0)))
    with pytest.raises(TooLittleDataError, match="second order"):
        BuyerModel.fit(some[some["orders"] == 1])


def test_whole_weights_are_buyers_that_stand_there_so_often(some):
    few = some.head(800).reset_index(drop=True)
    times = np.random.default_rng(2).choice([0, 1, 3], len(few))
    weighed = BuyerModel.fit(few, sample_weight=times)
    again = BuyerModel.fit(few.loc[np.repeat(few.index, times)])
    left_out = BuyerModel.fit(few[times > 0], sample_weight=times[times > 0])
    assert left_out == weighed
    others = some.tail(200)
    spend = weighed.predict(others, days=AHEAD)
    np.testing.assert_allclose(spend, again.predict(others, days=AHEAD), rtol=1e-3)
    assert np.abs(spend / BuyerModel.fit(few).predict(others, days=AHEAD) - 1.0).max() > 0.01


def test_bad_weights_of_buyers_are_refused(some):
    ones = np.ones(len(some))
    for weights, words in (
        (np.r_[-1.0, ones[1:]], "Negative values"),
        (np.r_[np.nan, ones[1:]], "contains NaN"),
        (0 * ones, "at least one non-zero"),
        (ones[1:], "expected"),
    ):
        with pytest.raises(ValueError, match=words):
            BuyerModel.fit(some, sample_weight=weights)
    with pytest.raises(TooLittleDataError, match="second order"):
        BuyerModel.fit(some, sample_weight=some["orders"] == 1)
