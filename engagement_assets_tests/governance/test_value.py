"""What the programme brought is measured against who is held out, and nothing else is claimed."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from engagement_assets.governance.value.expectations import (
    CANNOT_BE_TOLD,
    MET,
    NOT_MET,
    customers_needed,
    judge,
)
from engagement_assets.governance.value.logs import measure_log
from engagement_assets.governance.value.measures import (
    BY_EXPERIMENT,
    BY_LOG,
    NO_EFFECT,
    NOT_JUDGED,
    NOT_MEASURED,
    PROGRAMME,
    Measured,
)
from engagement_assets.governance.value.plan import (
    COST,
    EXAMPLE,
    NET,
    RETENTION,
    REVENUE,
    ROI,
    CaseError,
    Expectation,
    Plan,
    read_plan,
)
from engagement_assets.governance.value.programme import measure_programme

FIRST, LAST = date(2025, 6, 1), date(2026, 5, 31)
HOLDOUT = "global_holdout"


def customers(n, seed, *, gain=0.0, held_out=0.05, control="holdout", treated="programme"):
    """Customers of an experiment; each treated one pays `gain` USD more."""
    rng = np.random.default_rng(seed)
    out = rng.random(n) < held_out
    use = rng.gamma(1.0, 1.0, n)
    at = pd.Timestamp("2025-06-01")
    return pd.DataFrame(
        {
            "customer_id": [f"c{i}" for i in range(n)],
            "variant": np.where(out, control, treated),
            "assigned_at": at,
            "counted_from": at,
            "propensity": np.where(out, held_out, 1 - held_out),
            "retained": (rng.random(n) < 0.6).astype(float),
            "revenue_usd": 5.0 * use + rng.normal(0.0, 1.0, n) + gain * ~out,
            "sessions": rng.poisson(20 * use).astype(float),
            "session_minutes": 8.0 * rng.poisson(20 * use),
            "engagement": rng.random(n),
            "notifications": np.where(out, 0.0, 10.0),
            "actions": 0.0,
            "offers_usd": np.where(out, 0.0, 0.5),
            "sessions_before": rng.poisson(10 * use).astype(float),
            "revenue_before_usd": 0.0,
            "birth_date": at - pd.to_timedelta(rng.uniform(7_000, 25_000, n), "D"),
            "gender": rng.choice(["female", "male", None], n),
            "location": "x",
        }
    )


def measured(units, plan=None, **others):
    """The rows of the programme, of whatever parts `plan` names."""
    tables = {HOLDOUT: units} | others
    return measure_programme(
        plan or Plan(),
        holdout=HOLDOUT,
        units=lambda name: tables.get(name, units.head(0)),
        decisions=lambda name: tables[name],
        first_day=FIRST,
        last_day=LAST,
    )


def row(value, metric, capability=PROGRAMME):
    (one,) = (r for r in value.rows if (r.metric, r.capability) == (metric, capability))
    return one


def test_what_was_planted_comes_back_with_its_return():
    plan = Plan.model_validate(
        {"costs": {"notification_usd": 0.02, "infrastructure_usd_per_month": 1_000.0}}
    )
    value = measured(customers(20_000, 1, gain=3.0), plan)
    revenue, cost, net, back = (row(value, name) for name in (REVENUE, COST, NET, ROI))
    assert revenue.low < 3.0 < revenue.high
    assert revenue.verdict == "better"
    assert revenue.total == pytest.approx(revenue.difference * revenue.units_with)
    # .20 USD of notifications and .50 of offers each, and a year of machines
    spent = 0.7 * revenue.units_with + 1_000.0 * 12.0
    assert cost.total == pytest.approx(spent, rel=0.001)
    assert net.low < 3.0 - spent / revenue.units_with < net.high
    assert back.low < 3.0 * revenue.units_with / spent - 1.0 < back.high
    assert "Return on a dollar spent" in value.markdown


def test_a_planted_zero_is_no_effect():
    value = measured(customers(20_000, 2))
    revenue = row(value, REVENUE)
    assert revenue.verdict == NO_EFFECT
    assert revenue.low < 0.0 < revenue.high
    assert revenue.least_detectable > 0.0
    assert "No effect on revenue shown" in value.markdown


def test_what_was_known_before_narrows_the_interval():
    units = customers(20_000, 3)
    blind = units.assign(sessions_before=0.0)
    with_it, without = (row(measured(one), REVENUE) for one in (units, blind))
    assert with_it.variance_reduction > 0.3
    assert with_it.high - with_it.low < 0.9 * (without.high - without.low)


def test_few_people_of_a_region_do_not_look_like_a_broken_assignment():
    # of 1,000 who are held out 5 are to be expected from there, and none is
    units = customers(20_000, 12)
    there = (units["variant"] == "programme") & (units.index % 180 == 0)
    units["location"] = np.where(there, "oceania", "europe")
    assert row(measured(units), REVENUE).verdict == NO_EFFECT


def test_costs_of_who_is_held_out_are_not_the_programmes():
    units = customers(5_000, 4).assign(offers_usd=0.5)
    cost = row(measured(units), COST)
    assert cost.total == pytest.approx(0.0, abs=1e-6)
    assert row(measured(units), ROI).verdict == NOT_JUDGED


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda units: units.assign(propensity=np.nan), "chances of the variants are not known"),
        (lambda units: units[~((units["variant"] == "holdout") & (units.index % 2 == 0))], "ratio"),
        (lambda units: units[units["variant"] == "programme"], "no unit has the variant"),
        (lambda units: units.head(0), "nobody was assigned"),
        (
            lambda units: units.assign(
                propensity=units["propensity"] * np.where(units.index % 2, 1.0, 0.9)
            ),
            "differ between customers",
        ),
    ],
)
def test_without_a_sound_holdout_nothing_is_said(change, words):
    plan = read_plan().model_copy(update={"capabilities": ()})
    value = measured(change(customers(20_000, 5, gain=3.0)), plan)
    revenue = row(value, REVENUE)
    assert revenue.verdict == NOT_JUDGED
    assert revenue.difference is None
    assert words in revenue.reason
    assert {one.verdict for one in value.verdicts} == {CANNOT_BE_TOLD}
    assert "**Cannot be told**" in value.markdown


def test_revenue_that_no_table_holds_is_not_judged_and_the_rest_is():
    value = measured(customers(5_000, 6).assign(revenue_usd=np.nan))
    assert row(value, REVENUE).verdict == NOT_JUDGED
    assert row(value, ROI).verdict == NOT_JUDGED
    assert row(value, RETENTION).verdict == NO_EFFECT
    assert "**Cannot be told**" in value.markdown


def logged(n, seed, *, gain):
    """Decisions of whom to call; a call brings `gain` USD."""
    rng = np.random.default_rng(seed)
    chance = np.where(rng.random(n) < 0.5, 0.3, 0.7)
    call = rng.random(n) < chance
    return pd.DataFrame(
        {
            "customer_id": rng.integers(0, n // 3, n).astype(str),
            "occurred_at": pd.Timestamp("2026-01-01") + pd.to_timedelta(range(n), "min"),
            "action": np.where(call, "call", "nothing"),
            "propensity": np.where(call, chance, 1 - chance),
            "device": rng.choice(["ios", "web"], n),
            "revenue_usd": rng.gamma(1.0, 1.0, n) + gain * call,
            "sessions": np.nan,
        }
    )


def test_a_part_is_measured_by_its_experiment_else_by_its_log():
    log = {"log": "action_log", "baseline": "nothing"}
    plan = Plan.model_validate(
        {
            "capabilities": [
                {"name": "upgrade", "experiment": "upgrade", **log},
                {"name": "calls", "experiment": "gone", **log},
                {"name": "icons", "experiment": "gone"},
            ]
        }
    )
    own = customers(8_000, 7, gain=2.0, held_out=0.5, control="control", treated="treatment")
    value = measured(
        customers(20_000, 8, gain=3.0), plan, upgrade=own, action_log=logged(4_000, 9, gain=1.0)
    )
    upgrade, calls, icons = (row(value, REVENUE, name) for name in ("upgrade", "calls", "icons"))
    assert (upgrade.method, calls.method, icons.method) == (BY_EXPERIMENT, BY_LOG, NOT_MEASURED)
    assert upgrade.low < 2.0 < upgrade.high
    # half of the decisions were calls
    assert calls.low < 0.5 < calls.high
    assert calls.total == pytest.approx(4_000 * calls.difference)
    assert "off-policy estimate: action_log" in value.markdown
    assert row(value, "sessions", "calls").verdict == NOT_JUDGED


def test_a_log_without_chances_is_not_evaluated():
    rows = measure_log(
        logged(500, 10, gain=1.0).assign(propensity=np.nan),
        capability="calls",
        source="calls",
        baseline="nothing",
        random_state=0,
    )
    assert {one.verdict for one in rows} == {NOT_JUDGED}
    assert "propensity" in rows[0].reason


def one_metric(low, high, **others):
    """A row of retention with an interval of its relative change."""
    value = (low + high) / 2
    figures = {
        "difference": value / 2, "low": low / 2, "high": high / 2, "anytime_low": low / 2,
        "anytime_high": high / 2, "relative": value, "relative_low": low, "relative_high": high,
        "mean_without": 0.5, "least_detectable": (high - low) / 2 * 0.7,
    }  # fmt: skip
    return Measured(
        capability=PROGRAMME,
        method="global holdout",
        source=HOLDOUT,
        metric=RETENTION,
        verdict="better",
        units_with=9_500,
        units_without=500,
        **figures | others,
    )


@pytest.mark.parametrize(
    ("expected", "low", "high", "verdict"),
    [
        (0.15, 0.16, 0.25, MET),
        (0.15, 0.01, 0.12, NOT_MET),
        (0.15, -0.3, -0.1, NOT_MET),
        (0.15, 0.1, 0.22, CANNOT_BE_TOLD),
        (-0.1, -0.3, -0.12, MET),
        (-0.1, -0.08, 0.1, NOT_MET),
        (-0.1, -0.22, 0.0, CANNOT_BE_TOLD),
    ],
)
def test_an_expectation_is_met_by_the_whole_interval(expected, low, high, verdict):
    expectation = Expectation(name="x", metric=RETENTION, change=expected)
    actual = judge(expectation, [one_metric(low, high)])
    assert actual.verdict == verdict
    assert (actual.low, actual.high) == (pytest.approx(low), pytest.approx(high))
    assert (actual.customers_needed is not None) == (verdict == CANNOT_BE_TOLD)


def test_how_many_customers_it_would_take():
    # they show a change of .3 and .15 is expected: four times as many
    assert customers_needed(1_000, expected=0.15, measured=0.1, detectable=0.3) == 4_000
    # they show .1: as many as tell .20 from .15
    assert customers_needed(1_000, expected=0.15, measured=0.2, detectable=0.1) == 4_000
    assert customers_needed(1_000, expected=0.15, measured=0.15, detectable=0.1) is None


def test_what_was_measured_elsewhere_is_shown_as_such():
    entered = {"measured": -0.5, "low": -0.6, "high": -0.45, "source": "the fraud team"}
    actual = judge(Expectation(name="fraud", change=-0.4, **entered), [])
    assert actual.verdict == MET
    assert "the fraud team" in actual.reason
    unknown = judge(Expectation(name="fraud", change=-0.4), [])
    assert unknown.verdict == CANNOT_BE_TOLD
    assert "nothing in the lake measures it" in unknown.reason


def test_the_shipped_business_case_is_read():
    plan = read_plan()
    assert {one.name: one.change for one in plan.expectations} == {
        "retention": 0.15, "marketing ROI": 0.25, "engagement": 0.15, "fraud": -0.4,
        "session time": 0.3, "review hours": -0.6, "over-provisioning": -0.1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[costs", "TOML"),
        ("[costs]\nnotification_usd = -1", "notification_usd"),
        ("[costs]\nnotificaton_usd = 1", "notificaton_usd"),
        ('[[expectations]]\nname = "a"\nmetric = "fame"\nchange = 0.1', "retention"),
        ('[[expectations]]\nname = "a"\nchange = 0.0', "change of 0"),
        ('[[expectations]]\nname = "a"\nchange = 0.1\nmeasured = 0.2', "source"),
        ('[[capabilities]]\nname = "a"', "experiment or a log"),
        ('[[capabilities]]\nname = "a"\nlog = "mails"', "retention_offers"),
        ('[[capabilities]]\nname = "a"\nlog = "action_log"', "baseline"),
        ('[[capabilities]]\nname = "a"\nexperiment = "b"\n' * 2, "one name"),
    ],
)
def test_a_business_case_that_is_none_is_refused(tmp_path, text, words):
    file = tmp_path / "case.toml"
    file.write_text(text)
    with pytest.raises(CaseError, match=words):
        read_plan(str(file))


@pytest.mark.parametrize("content", [None, b"\xff\xfe", b"a = " + b"[" * 100_000])
def test_a_business_case_that_cannot_be_read_is_named(tmp_path, content):
    file = tmp_path / "case.toml"
    file.mkdir() if content is None else file.write_bytes(content)
    with pytest.raises(CaseError, match=str(file)):
        read_plan(str(file))


def test_a_business_case_that_is_not_there_is_named(tmp_path):
    with pytest.raises(CaseError, match=EXAMPLE.name):
        read_plan(str(tmp_path / "none.toml"))
