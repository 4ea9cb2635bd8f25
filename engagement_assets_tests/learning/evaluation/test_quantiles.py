"""Quantiles are scored rightly and made honest, also where most targets are exactly 0."""

import numpy as np
import pytest
from scipy.stats import norm

from engagement_assets.learning.evaluation.quantiles import (
    ConformalShift,
    coverage_table,
    covered,
    covered_with_atom,
    evaluate_quantiles,
    fit_conformal_shift,
    pinball_loss,
)

LEVELS = (0.1, 0.5, 0.9)
ONE_GROUP = "all"


def groups_of(n, name=ONE_GROUP):
    return np.array([name] * n, dtype=object)


def with_atom(n=40_000, seed=0):
    """Amounts that are 0 with a known chance, and their true quantiles."""
    rng = np.random.default_rng(seed)
    none = rng.choice([0.02, 0.4, 0.95], n)
    y = np.where(rng.random(n) < none, 0.0, rng.exponential(10.0, n))
    levels = np.array(LEVELS)
    rest = np.clip((levels - none[:, None]) / (1.0 - none[:, None]), 0.0, None)
    return y, -10.0 * np.log1p(-rest), none


def test_the_true_quantile_has_the_least_pinball_loss():
    y = np.random.default_rng(0).normal(size=20_000)
    for level in LEVELS:
        best = pinball_loss(y, np.full_like(y, norm.ppf(level)), level=level)
        for off in (-0.3, 0.3):
            worse = np.full_like(y, norm.ppf(level) + off)
            assert pinball_loss(y, worse, level=level) > best


def test_pinball_loss_of_the_median_is_half_the_absolute_error():
    assert pinball_loss([0.0, 10.0], [4.0, 4.0], level=0.5) == pytest.approx(2.5)


def test_with_an_atom_true_quantiles_cover_too_much_yet_just_80_percent_in_part():
    y, quantiles, none = with_atom()
    actual = evaluate_quantiles(y, quantiles, levels=LEVELS, atom_chance=none, n_bootstrap=20)
    assert actual["coverage"].value > 0.86
    assert actual["coverage_atom_in_part"].value == pytest.approx(0.8, abs=0.01)
    assert actual["above_interval"].value == pytest.approx(0.1 - 0.05 / 3, abs=0.01)
    for chance in (0.02, 0.4, 0.95):
        rows = none == chance
        part = covered_with_atom(
            y[rows],
            quantiles[rows, 0],
            quantiles[rows, -1],
            levels=(0.1, 0.9),
            atom_chance=none[rows],
        )
        assert part.mean() == pytest.approx(0.8, abs=0.015)


def test_coverage_in_part_sees_wrong_chances_and_wrong_quantiles():
    y, quantiles, none = with_atom()
    ends = {"levels": (0.1, 0.9)}
    wrong = np.clip(none - 0.2, 0.0, 1.0)
    low, high = quantiles[:, 0], quantiles[:, -1]
    part = covered_with_atom(y, low, high, atom_chance=wrong, **ends)
    assert part[none == 0.95].mean() > 0.81
    assert part[none == 0.4].mean() < 0.75
    assert covered_with_atom(y, low, high / 2, atom_chance=none, **ends).mean() < 0.76


def test_the_shift_makes_dishonest_quantiles_honest_on_other_rows():
    rng = np.random.default_rng(1)
    scale = rng.lognormal(1.0, 1.0, 8000)
    y = scale * rng.normal(1.0, 1.0, 8000)
    narrow = scale[:, None] * np.array([0.8, 1.0, 1.2])
    learn, new = slice(0, 4000), slice(4000, None)
    shift = fit_conformal_shift(
        y[learn], narrow[learn], levels=LEVELS, groups=groups_of(4000), scale=scale[learn]
    )
    honest = shift(narrow[new], groups=groups_of(4000), scale=scale[new])
    assert covered(y[new], narrow[new][:, 0], narrow[new][:, -1]).mean() < 0.2
    assert covered(y[new], honest[:, 0], honest[:, -1]).mean() == pytest.approx(0.8, abs=0.02)
    assert (y[new] <= honest[:, 1]).mean() == pytest.approx(0.5, abs=0.03)


def test_each_group_gets_a_shift_of_its_own_and_a_tiny_one_none():
    rng = np.random.default_rng(2)
    y = np.r_[rng.normal(0, 1, 2000), rng.normal(0, 5, 2000), rng.normal(0, 9, 20)]
    groups = np.array(["calm"] * 2000 + ["wild"] * 2000 + ["few"] * 20, dtype=object)
    zeros, ones = np.zeros((4020, 3)), np.ones(4020)
    shift = fit_conformal_shift(y, zeros, levels=LEVELS, groups=groups, scale=ones)
    assert shift.rows == {"calm": 2000, "few": 20, "wild": 2000}
    assert shift.shifts["wild"][2] == pytest.approx(5 * norm.ppf(0.9), abs=0.5)
    assert shift.shifts["calm"][2] == pytest.approx(norm.ppf(0.9), abs=0.15)
    moved = shift(zeros, groups=groups, scale=ones)
    assert (moved[groups == "few"] == 0.0).all()
    assert ConformalShift.from_dict(shift.to_dict()) == shift


def test_the_promise_is_kept_on_few_rows():
    # over many draws of 60 calibration rows the upper quantile covers at least 90 %
    rng = np.random.default_rng(3)
    shares = []
    for _ in range(300):
        y = rng.normal(size=60)
        shift = fit_conformal_shift(
            y, np.zeros((60, 3)), levels=LEVELS, groups=groups_of(60), scale=np.ones(60)
        )
        shares.append(norm.cdf(shift.shifts[ONE_GROUP][2]))
    assert np.mean(shares) >= 0.9


def test_the_coverage_table_tells_of_the_atom_in_each_decile():
    y, quantiles, none = with_atom(20_000)
    table = coverage_table(
        y, quantiles, levels=LEVELS, atom_chance=none, by=1.0 - none, n_bootstrap=10
    )
    assert table["rows"].sum() == len(y)
    assert table["atom_share"].iloc[-1] == pytest.approx(0.95, abs=0.02)
    assert table["coverage"].iloc[-1] > 0.93
    assert (table["coverage_atom_in_part"] - 0.8).abs().max() < 0.02


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="level must lie"):
        pinball_loss([1.0], [1.0], level=1.0)
    with pytest.raises(ValueError, match="quantiles of shape"):
        fit_conformal_shift(
            [1.0], np.zeros((1, 2)), levels=LEVELS, groups=groups_of(1), scale=np.ones(1)
        )
    with pytest.raises(ValueError, match="scales must be"):
        fit_conformal_shift(
            [1.0], np.zeros((1, 3)), levels=LEVELS, groups=groups_of(1), scale=np.zeros(1)
        )
    with pytest.raises(ValueError, match="atom chances"):
        covered_with_atom([0.0], [0.0], [1.0], levels=(0.1, 0.9), atom_chance=[1.5])


def test_whole_weights_shift_as_repeated_rows_do():
    rng = np.random.default_rng(6)
    y, times = rng.gamma(1.0, 5.0, 400), rng.integers(1, 5, 400)
    rows = np.repeat(np.arange(400), times)
    groups = np.array(["few", "many"], dtype=object)[(np.arange(400) % 4 > 0).astype(int)]
    quantiles, scale = np.tile([1.0, 3.0, 9.0], (400, 1)), rng.uniform(0.5, 2.0, 400)

    def shifts(rows, weights=None):
        return fit_conformal_shift(
            y[rows],
            quantiles[rows],
            levels=LEVELS,
            groups=groups[rows],
            scale=scale[rows],
            weights=weights,
        ).shifts

    every = np.arange(400)
    assert shifts(every, times) == shifts(rows) != shifts(every)
    assert shifts(every, np.ones(400)) == shifts(every)
    repeated = pinball_loss(y[rows], np.full(len(rows), 4.0), level=0.9)
    weighed = pinball_loss(y, np.full(400, 4.0), level=0.9, weights=times)
    assert weighed == pytest.approx(repeated, rel=1e-12)
