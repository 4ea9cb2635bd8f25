"""The pure judgements behind the checks, against known answers."""

import math
from datetime import date, timedelta

import dagster as dg
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resources.checks import (
    Outcome,
    bounds_outcome,
    keys_outcome,
    result,
    volume_outcome,
)
from resources.drift import PSI_LIMIT, column_drift, psi, psi_by_chance

DAY = date(2026, 1, 10)


def test_psi_is_the_published_sum():
    assert psi([0.5, 0.5], [0.5, 0.5]) == 0
    expected = (0.6 - 0.5) * math.log(0.6 / 0.5) + (0.4 - 0.5) * math.log(0.4 / 0.5)
    assert psi([0.5, 0.5], [0.6, 0.4]) == pytest.approx(expected)
    # an empty bin counts as one in 10,000
    assert psi([1.0, 0.0], [0.9, 0.1]) == pytest.approx(
        -0.1 * math.log(0.9) + (0.1 - 1e-4) * math.log(0.1 / 1e-4)
    )
    # or as half a row, where the rows are few
    assert psi([1.0, 0.0], [0.9, 0.1], rows=(10, 10)) == pytest.approx(
        -0.1 * math.log(0.9) + (0.1 - 0.05) * math.log(0.1 / 0.05)
    )


@given(
    st.lists(st.integers(0, 50), min_size=2, max_size=8),
    st.lists(st.integers(0, 50), min_size=2, max_size=8),
)
def test_psi_is_never_negative_and_is_symmetric(a, b):
    n = min(len(a), len(b))
    first, second = ([x / max(1, sum(v[:n])) for x in v[:n]] for v in (a, b))
    assert psi(first, second) >= 0
    assert psi(first, second) == pytest.approx(psi(second, first))


def test_psi_wants_the_same_bins():
    with pytest.raises(ValueError, match="shorter"):
        psi([0.5, 0.5], [1.0])


@pytest.mark.parametrize(("bins", "n", "m"), [(5, 24, 160), (10, 100, 500), (20, 400, 2000)])
@pytest.mark.parametrize("skew", [0.0, 0.35])
def test_two_samples_of_one_distribution_exceed_the_limit_by_chance_in_about_one_of_100(
    bins, n, m, skew
):
    rng = np.random.default_rng(5)
    shares = np.exp(-skew * np.arange(bins))
    shares /= shares.sum()
    over, draws = 0, 1_000
    for a, b in zip(
        rng.multinomial(n, shares, size=draws), rng.multinomial(m, shares, size=draws), strict=True
    ):
        used = int(((a + b) > 0).sum())
        over += psi(list(a / n), list(b / m), rows=(n, m)) > psi_by_chance(used, n, m)
    # 10 expected; where bins are nearly empty the limit errs on the quiet side
    assert over <= 30
    if n >= 400 and not skew:
        assert over >= 3


def test_chance_cannot_be_told_without_rows():
    assert psi_by_chance(1, 10, 10) == math.inf
    assert psi_by_chance(5, 0, 10) == math.inf
    assert psi_by_chance(5, 10, 0) == math.inf


def column(values, kind=None):
    return pa.chunked_array([pa.array(values, kind)])


def test_a_column_that_did_not_move_has_no_drift():
    same = column(list(range(1000)))
    assert column_drift(same, same).index == pytest.approx(0)
    words = column(["a", "b", None] * 300)
    assert column_drift(words, words).index == pytest.approx(0)


def test_a_shifted_column_has_drifted_and_a_fresh_sample_has_not():
    rng = np.random.default_rng(3)
    before = column(rng.normal(size=2_000))
    assert column_drift(before, column(rng.normal(size=2_000))).index < 0.05
    moved = column_drift(before, column(rng.normal(1.0, size=2_000)))
    assert moved.limit == PSI_LIMIT
    assert moved.index > 3 * moved.limit


def test_nulls_are_a_bin_of_their_own():
    before = column([1.0, 2.0, 3.0, 4.0] * 200)
    now = column([1.0, 2.0, 3.0, None] * 200)
    actual = column_drift(before, now)
    assert actual.index > actual.limit
    assert column_drift(now, now).index == pytest.approx(0)
    gone = column([None] * 800, pa.float64())
    assert column_drift(before, gone).index > 1
    assert column_drift(gone, gone).index == pytest.approx(0)


def test_text_is_compared_by_its_values_with_new_and_lost_ones():
    before = column(["ios"] * 500 + ["web"] * 500)
    assert column_drift(before, column(["web"] * 480 + ["ios"] * 520)).index < 0.01
    new = column_drift(before, column(["ios"] * 500 + ["watch"] * 500))
    assert new.index > new.limit
    one = column(["ios"] * 500)
    lost = column_drift(one, column(["ios"] * 250 + [None] * 250, pa.string()))
    assert lost.index > lost.limit


def test_on_few_rows_more_is_left_to_chance():
    rng = np.random.default_rng(4)
    drawn = [column(rng.normal(size=30)) for _ in range(2)]
    actual = column_drift(*drawn)
    assert actual.limit > PSI_LIMIT
    assert actual.index <= actual.limit


def test_columns_of_few_rows_and_many_values_are_rarely_taken_for_drifted():
    rng = np.random.default_rng(6)
    towns = [f"town {n}" for n in range(10)]
    draws = [[column(list(rng.choice(towns, size=n))) for n in (24, 160)] for _ in range(100)]
    actual = [column_drift(before, now) for before, now in draws]
    assert sum(drift.index > drift.limit for drift in actual) <= 5


def payers(share, *, size=10.0, seed=0, n=1000):
    rng = np.random.default_rng(seed)
    return column(np.where(np.arange(n) < share * n, rng.gamma(2, size, n), 0.0))


@pytest.mark.parametrize(
    ("now", "drifted"),
    [
        (payers(0.08, seed=1), False),
        (payers(0.1, seed=1), False),
        (payers(0.0), True),
        (payers(0.02, seed=1), True),
        (payers(0.2, seed=1), True),
        (payers(0.6, seed=1), True),
        (payers(0.08, size=50.0), True),
        (column([100.0] * 1000), True),
        (column([None] * 1000, pa.float64()), True),
    ],
)
def test_a_column_of_92_per_cent_zeros_is_seen_to_drift(now, drifted):
    actual = column_drift(payers(0.08), now)
    assert (actual.index > actual.limit) is drifted


def test_a_common_value_that_moves_a_little_is_the_same_value():
    rng = np.random.default_rng(9)
    rest, rest_now = (rng.gamma(2, 0.02, 400) + 0.012 for _ in range(2))
    before, now = (np.r_[np.full(60, 0.01046), rest], np.r_[np.full(60, 0.01057), rest_now])
    actual = column_drift(column(before), column(now))
    assert actual.index <= actual.limit
    moved = column_drift(column(before), column(np.r_[np.full(60, 0.05), rest_now]))
    assert moved.index > moved.limit


def test_a_constant_that_changes_has_drifted():
    actual = column_drift(column([0.0] * 1000), column([100.0] * 1000))
    assert actual.index > actual.limit


def test_of_fifty_columns_judged_together_none_is_taken_for_drifted():
    rng = np.random.default_rng(8)
    level = 0.01 / 50
    for _ in range(50):
        before, now = (column(rng.normal(size=100)) for _ in range(2))
        actual = column_drift(before, now, level=level)
        assert actual.index <= actual.limit


def test_rows_count_by_their_weights():
    before, now = column([1.0] * 500 + [2.0] * 500), column([1.0] * 200 + [2.0] * 800)
    weights = np.r_[np.full(200, 2.5), np.full(800, 0.625)]
    assert column_drift(before, now).index > PSI_LIMIT
    assert column_drift(before, now, weights=weights).index == pytest.approx(0.0)


def history(count, days=7, now=None):
    rows = {DAY - timedelta(days=n): count for n in range(1, days + 1)}
    return rows if now is None else rows | {DAY: now}


@pytest.mark.parametrize(
    ("rows", "holds"),
    [
        (history(1000, now=1000), True),
        (history(1000, now=400), True),
        (history(1000, now=300), False),
        (history(1000, now=2100), True),
        (history(1000, now=2200), False),
        (history(1000, now=0), False),
        (history(1000), False),
        (history(2, now=0), True),
        (history(2, now=20), False),
        (history(1000, days=6, now=0), True),
        (history(0, now=50), True),
    ],
)
def test_the_volume_of_a_day_is_judged_by_the_seven_days_before(rows, holds):
    outcome = volume_outcome(rows, DAY)
    assert (outcome.problem == "") is holds
    assert list(outcome.failed_days) == ([] if holds else [DAY])


def office(days=35):
    """Rows of an app for offices, up to Sunday 2026-01-11."""
    last = date(2026, 1, 11)
    every = [last - timedelta(days=n) for n in range(days)]
    return {day: 1000 if day.weekday() < 5 else 40 for day in every}


@pytest.mark.parametrize("weeks", [2, 5])
def test_quiet_weekends_are_no_alarm_and_a_quiet_monday_is_one(weeks):
    rows = office(7 * weeks)
    monday = date(2026, 1, 12)
    for day in list(rows)[: 7 * (weeks - 1)]:
        assert volume_outcome(rows, day).problem == "", day
    assert "a Monday" in volume_outcome(rows | {monday: 40}, monday).problem
    assert volume_outcome(rows | {monday: 900}, monday).problem == ""
    if weeks == 5:
        sunday = date(2026, 1, 11)
        assert volume_outcome(rows | {sunday: 1000}, sunday).problem


def test_a_volume_that_is_not_judged_says_so():
    assert "not judged" in volume_outcome(history(1000, days=6, now=0), DAY).note
    assert volume_outcome(history(1000, now=1000), DAY).note == ""


def test_repeated_and_null_keys_fail_on_their_days():
    good = {"rows": 5, "keys": 5, "null_keys": 0}
    next_day = DAY + timedelta(days=1)
    assert keys_outcome({DAY: good, next_day: good}, ["id"]).problem == ""
    for bad in ({"rows": 5, "keys": 4, "null_keys": 0}, {"rows": 5, "keys": 5, "null_keys": 1}):
        outcome = keys_outcome({DAY: good, next_day: bad}, ["id", "at"])
        assert outcome.failed_days == [next_day]
        assert "id, at" in outcome.problem
        assert next_day.isoformat() in outcome.problem
    assert keys_outcome({}, ["id"]).metadata == {"rows": 0}


def test_values_out_of_bounds_fail_on_their_days_and_are_counted():
    next_day = DAY + timedelta(days=1)
    counts = {DAY: {"age": 0, "score": 0}, next_day: {"age": 2, "score": 0}}
    outcome = bounds_outcome(counts, ["age", "score"])
    assert outcome.failed_days == [next_day]
    assert outcome.problem == "out of bounds: age (2 rows)"
    assert bounds_outcome({DAY: counts[DAY]}, ["age", "score"]).problem == ""


def test_a_result_says_which_days_it_is_about_and_whether_it_blocks():
    key = dg.AssetCheckKey(dg.AssetKey(["a", "b"]), "keys")
    next_day = DAY + timedelta(days=1)
    failed = result(key, Outcome("bad", [next_day]), [DAY, next_day], warn=False)
    assert not failed.passed
    assert failed.severity is dg.AssetCheckSeverity.ERROR
    shown = {name: value.value for name, value in failed.metadata.items()}
    assert shown == {
        "first_day": "2026-01-10",
        "last_day": "2026-01-11",
        "failed_days": ["2026-01-11"],
    }
    warned = result(key, Outcome(note="not judged"), [], warn=True)
    assert warned.passed
    assert warned.severity is dg.AssetCheckSeverity.WARN
    assert warned.description == "not judged"
    assert warned.metadata == {}


def test_a_table_of_a_row_now_and_then_is_no_alarm_on_a_weekday_that_had_none():
    last = date(2026, 3, 1)
    rows = {last - timedelta(days=back): 0 for back in (*range(8), 14, 21, 28)}
    rows |= {last: 5, last - timedelta(days=3): 10, last - timedelta(days=4): 5}
    assert not volume_outcome(rows, last).problem


def test_a_run_that_a_check_stops_says_which_and_why():
    from engagement_assets.commands import runner  # noqa: PLC0415 - loads all definitions

    @dg.asset(check_specs=[dg.AssetCheckSpec("share", asset="rows", blocking=True)])
    def rows():
        yield dg.AssetCheckResult(passed=False, description="24 % are in quarantine")
        yield dg.MaterializeResult()

    @dg.asset(deps=[rows])
    def after():
        pass

    made = dg.materialize([rows, after], raise_on_error=False)
    assert not made.success
    assert "rows, share: 24 % are in quarantine" in runner._why("ingest", made)
