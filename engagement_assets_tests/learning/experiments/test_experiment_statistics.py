"""Statistics of experiments against known truths, and against tea-tasting as a reference."""

import math

import numpy as np
import pandas as pd
import pytest
import tea_tasting as tt

from engagement_assets.learning.errors import TooLittleDataError
from engagement_assets.learning.experiments.assignment import assign, assign_exclusive
from engagement_assets.learning.experiments.estimates import Sample, compare
from engagement_assets.learning.experiments.power import (
    least_detectable,
    power_of,
    shrunk_winner,
    standard_error_of,
    units_needed,
)
from engagement_assets.learning.experiments.sequences import (
    sequence_factor,
    sequence_p_value,
)

UNITS = [f"unit {i}" for i in range(20_000)]


def test_an_assignment_has_its_shares_and_does_not_depend_on_the_other_units():
    shares = {"control": 0.7, "red": 0.2, "blue": 0.1}
    variants = assign(UNITS, salt="colour", shares=shares)
    for name, share in shares.items():
        assert np.mean(variants == name) == pytest.approx(share, abs=0.012)
    assert (assign(UNITS[::-7], salt="colour", shares=shares) == variants[::-7]).all()


def test_experiments_with_other_salts_are_independent():
    half = {"control": 0.5, "treatment": 0.5}
    one, two = (assign(UNITS, salt=salt, shares=half) for salt in ("one", "two"))
    assert np.mean(one == two) == pytest.approx(0.5, abs=0.015)


def test_a_variant_that_grows_at_the_cost_of_the_last_moves_nobody_else():
    before = assign(UNITS, salt="s", shares={"treatment": 0.1, "control": 0.9})
    after = assign(UNITS, salt="s", shares={"treatment": 0.3, "control": 0.7})
    assert (after[before == "treatment"] == "treatment").all()
    assert np.mean(after == "treatment") == pytest.approx(0.3, abs=0.015)


def test_experiments_of_a_group_exclude_each_other_and_what_is_free_has_no_variant():
    rows = assign_exclusive(
        UNITS,
        group="feed",
        experiments={"ranking": 0.5, "layout": 0.3, "free": 0.2},
        shares={
            "ranking": {"control": 0.5, "treatment": 0.5},
            "layout": {"control": 0.5, "treatment": 0.5},
        },
    )
    assert rows["unit"].is_unique
    assert rows["variant"].isna().equals(rows["experiment"] == "free")
    treated = rows.dropna().groupby("experiment")["variant"].value_counts(normalize=True)
    assert treated.to_numpy() == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize(
    ("shares", "salt"),
    [({"a": 0.5, "b": 0.4}, "s"), ({"a": 1.2, "b": -0.2}, "s"), ({"a": 0.5, "b": 0.5}, "")],
)
def test_shares_that_do_not_sum_to_one_and_an_empty_salt_are_refused(shares, salt):
    with pytest.raises(ValueError, match=r"sum to 1|salt"):
        assign(UNITS[:3], salt=salt, shares=shares)


@pytest.fixture(scope="module")
def visits():
    rng = np.random.default_rng(0)
    n = 2_000
    before = rng.gamma(2.0, 2.0, n)
    sessions = 1.0 + rng.poisson(before)
    treated = rng.random(n) < 0.4
    minutes = sessions * rng.gamma(3.0, 2.0 + 0.2 * treated, n)
    return pd.DataFrame(
        {
            "variant": treated.astype(int),
            "minutes": minutes,
            "sessions": sessions,
            "before": before,
        }
    )


def _arms(rows, denominators=None, covariates=None):
    return [
        Sample(
            part["minutes"],
            None if denominators is None else part[denominators],
            None if covariates is None else part[covariates],
        )
        for part in (rows[rows["variant"] == 0], rows[rows["variant"] == 1])
    ]


@pytest.mark.parametrize("denominator", [None, "sessions"])
@pytest.mark.parametrize("covariate", [None, "before"])
def test_estimates_are_those_of_tea_tasting(visits, denominator, covariate):
    metric = (
        tt.Mean("minutes", covariate=covariate)
        if denominator is None
        else tt.RatioOfMeans("minutes", "sessions", numer_covariate=covariate)
    )
    reference = tt.Experiment(m=metric).analyze(visits)["m"]
    ours = compare(*_arms(visits, denominator, covariate))
    # a covariate's coefficients differ: ours are those of the least variance of the difference
    near = 1e-9 if covariate is None else 0.02
    width = reference.effect_size_ci_upper - reference.effect_size_ci_lower
    assert ours.difference.value == pytest.approx(reference.effect_size, abs=near * width)
    assert ours.difference.low == pytest.approx(reference.effect_size_ci_lower, abs=near * width)
    assert ours.p_value == pytest.approx(reference.pvalue, rel=max(near, 1e-9), abs=near)
    assert ours.relative.value == pytest.approx(reference.rel_effect_size, abs=near)
    assert ours.relative.high == pytest.approx(reference.rel_effect_size_ci_upper, abs=3e-2)


def test_covariates_take_variance_away_and_never_add_any():
    rng = np.random.default_rng(1)
    covered, reductions = 0, []
    for _ in range(300):
        before = rng.normal(size=(500, 2))
        treated = rng.random(500) < 0.1
        after = 2.0 * before[:, 0] + 0.3 * treated + rng.normal(size=500)
        arms = [Sample(after[treated == t], covariates=before[treated == t]) for t in (0, 1)]
        result = compare(*arms)
        covered += result.difference.low <= 0.3 <= result.difference.high
        reductions.append(result.variance_reduction)
    assert min(reductions) > 0.5
    assert covered / 300 > 0.92


def test_so_few_units_that_covariates_give_each_exactly_are_compared_without_them():
    rng = np.random.default_rng(0)
    arms = [rng.normal(size=3) for _ in range(2)]
    few = [Sample(values, covariates=rng.normal(size=(3, 6))) for values in arms]
    assert compare(*few) == compare(*(Sample(values) for values in arms))


def test_a_covariate_that_is_the_metric_itself_is_refused():
    rng = np.random.default_rng(0)
    arms = [rng.normal(size=200) for _ in range(2)]
    with pytest.raises(TooLittleDataError, match="exactly"):
        compare(*(Sample(values, covariates=2.0 * values) for values in arms))


def test_the_lift_is_withheld_where_the_control_is_near_zero():
    rng = np.random.default_rng(2)
    result = compare(Sample(rng.normal(0.1, 1.0, 100)), Sample(rng.normal(0.2, 1.0, 100)))
    assert result.relative is None


@pytest.mark.parametrize("control", [[1.0, 1.0, 1.0], [1.0], []])
def test_no_variation_and_single_units_are_too_little(control):
    with pytest.raises(TooLittleDataError):
        compare(Sample(control), Sample([1.0, 1.0]))


def test_missing_values_are_refused_with_what_to_do():
    with pytest.raises(ValueError, match="leave those units out"):
        compare(Sample([1.0, np.nan]), Sample([1.0, 2.0]))


def test_a_sequence_is_wider_than_one_look_and_its_p_value_inverts_it():
    for n in (100, 5_000, 1_000_000):
        reach = sequence_factor(n)
        assert reach > 2.8
        assert sequence_p_value(reach, n) == pytest.approx(0.05)
    # narrowest near the size that it is tuned for
    assert sequence_factor(1_000, tuned_for=1_000) < sequence_factor(1_000, tuned_for=100_000)


def test_looking_at_every_unit_raises_no_false_alarms():
    rng = np.random.default_rng(3)
    looks = np.arange(200, 5_000, 10)
    sums = np.cumsum(rng.normal(size=(400, 5_000)), axis=1)[:, looks]
    z = np.abs(sums) / np.sqrt(looks + 1)
    any_time = (z > [sequence_factor(int(n) + 1) for n in looks]).any(axis=1)
    assert any_time.mean() <= 0.05
    # and the interval of one look does not stand it
    assert (z > 1.96).any(axis=1).mean() > 0.25


def test_power_least_effect_and_size_agree():
    units = units_needed(0.1, 1.0, treated_share=0.3)
    error = standard_error_of(1.0, units=units, treated_share=0.3)
    assert power_of(0.1, error) == pytest.approx(0.8, abs=0.001)
    assert least_detectable(error) == pytest.approx(0.1, rel=1e-3)
    # the one in use elsewhere
    assert units_needed(0.5, 1.0) == pytest.approx(2 * 62.8, abs=1)


def test_a_winner_is_shrunk_to_the_truth_on_average():
    rng = np.random.default_rng(4)
    drawn = rng.normal(1.5, 1.0, 4_000)
    winners = drawn[drawn > 2.5]
    shrunk = [shrunk_winner(float(x), 1.0, reach=2.5) for x in winners]
    assert winners.mean() > 2.8
    assert abs(np.mean(shrunk) - 1.5) < abs(winners.mean() - 1.5) / 2
    assert shrunk_winner(-9.0, 1.0, reach=2.5) == pytest.approx(-9.0, abs=1e-3)


@pytest.mark.parametrize(
    "asked",
    [
        lambda: units_needed(math.nan, 1.0),
        lambda: units_needed(math.inf, 1.0),
        lambda: units_needed(1e-300, 1.0),
        lambda: units_needed(0.1, math.nan),
        lambda: units_needed(0.1, 1.0, power=1.0),
        lambda: units_needed(0.1, 1.0, alpha=2.0),
        lambda: power_of(1.0, math.nan),
        lambda: power_of(math.nan, 1.0),
        lambda: standard_error_of(math.nan, units=10),
        lambda: shrunk_winner(math.nan, 1.0, reach=2.0),
        lambda: shrunk_winner(1.0, 0.0, reach=2.0),
    ],
    ids=range(11),
)
def test_a_number_that_is_none_is_refused_in_words(asked):
    with pytest.raises(ValueError, match=r"\w+ \w+ \w+") as error:
        asked()
    assert "cannot convert" not in str(error.value)
    assert "solver" not in str(error.value)
