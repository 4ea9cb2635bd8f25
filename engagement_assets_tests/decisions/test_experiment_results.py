"""Experiments from raw rows: who counts as assigned, what is counted of whom, what is concluded."""

from datetime import timedelta

import numpy as np
import pytest

from engagement_assets.decisions.experiments.assets import SOUND, UNHARMED
from engagement_assets.decisions.experiments.measuring import (
    analyse_day,
    read_day,
    report,
    results_table,
)
from engagement_assets.decisions.experiments.plans import Plan, PlanError, read_plans
from engagement_assets.decisions.experiments.resource import ExperimentSettings
from engagement_assets.decisions.experiments.tables import (
    ASSIGNMENTS,
    EXPOSURES,
    KNOWN_TABLES,
    RESULTS,
)
from engagement_assets.signals.tables import SENTIMENT_SCORES
from engagement_assets.source.consent import Consent
from engagement_assets_tests.decisions.tables import filled
from engagement_assets_tests.features.worlds import SQL, S, World, at
from resources.engine import DuckDBEngine
from resources.tables import by_sql_name

WINDOW = 4
# the last day of assignment whose window is closed
CLOSED = WINDOW


def assign(world, who, days_before, variant="control", *, experiment="e", **values):
    values = {"propensity": 0.5, **values}
    world.add(
        "experiment_assignments",
        at(days_before, 9),
        experiment=experiment,
        customer_id=who,
        variant=variant,
        **values,
    )


def known(world, root, *, on=S, history=20, texts=(), consent=True):
    """What is known of the experiments of a world by a day, as the assets read it."""
    lake = world.write(root)
    for day in sorted({row["occurred_at"].date() for row in texts}):
        rows = [row for row in texts if row["occurred_at"].date() == day]
        lake.write(SENTIMENT_SCORES, filled(SENTIMENT_SCORES, rows), day=day)
    run = DuckDBEngine(lake, declared=by_sql_name(KNOWN_TABLES), threads=1)
    earliest = on - timedelta(days=history)
    for table in (ASSIGNMENTS, EXPOSURES):
        run.land(
            SQL.query(table.key), {"snapshot_date": on, "earliest": earliest}, into=table, day=on
        )
    about = read_day(
        run,
        SQL,
        on,
        window_days=WINDOW,
        earliest=earliest,
        consent=Consent(on, consent),
    )
    return about, run


def variants(about):
    rows = about.assignments.sort_values(["customer_id", "variant_rank"])
    return list(zip(rows["customer_id"], rows["variant"], rows["variant_rank"], strict=True))


@pytest.fixture
def small():
    """Two customers, assigned ten days before the day."""
    world = World()
    for who, variant in (("a", "control"), ("b", "treatment")):
        world.customer(who)
        assign(world, who, 10, variant)
    return world


def test_the_first_variant_counts_and_a_later_one_stays_to_be_seen(small, tmp_path):
    assign(small, "a", 7, "treatment")
    about, _ = known(small, tmp_path)
    assert variants(about) == [("a", "control", 1), ("a", "treatment", 2), ("b", "treatment", 1)]


def test_an_account_that_was_joined_into_another_brings_its_variant_along(small, tmp_path):
    small.add("customer_merges", at(2), merged_id="b", customer_id="a")
    about, _ = known(small, tmp_path)
    assert variants(about) == [("a", "control", 1), ("a", "treatment", 2)]


def test_what_becomes_known_later_is_not_known(small, tmp_path):
    small.customer("c")
    assign(small, "c", 10, recorded_at=at(-1))
    assign(small, "c", 10, experiment="f", withdrawn_at=at(3))
    about, _ = known(small, tmp_path)
    assert {row[0] for row in variants(about)} == {"a", "b"}


def test_assignments_before_the_history_are_left_out_and_so_are_their_exposures(small, tmp_path):
    for who in ("a", "b", "stranger"):
        small.add("experiment_exposures", at(3), experiment="e", customer_id=who)
    small.customer("c")
    assign(small, "c", 30)
    small.add("experiment_exposures", at(3), experiment="e", customer_id="c")
    about, _ = known(small, tmp_path)
    assert set(about.assignments["customer_id"]) == {"a", "b"}
    exposed = about.exposures.set_index("customer_id")["variant"]
    assert exposed.fillna("none").to_dict() == {
        "a": "control",
        "b": "treatment",
        "stranger": "none",
    }


def totals(about, measure, who="a"):
    rows = about.outcomes
    rows = rows[(rows["measure"] == measure) & (rows["customer_id"] == who)]
    return tuple(rows[["before_total", "after_total", "late_total"]].iloc[0])


def test_only_full_days_after_the_assignment_count_and_as_many_before_it(small, tmp_path):
    # assigned ten days before: the days 9 to 6 before count, 14 to 11 went before
    for days_before in (15, 14, 11, 10, 9, 7, 6, 5):
        small.session("a", at(days_before), duration_seconds=60.0 * days_before)
        small.add("transactions", at(days_before), customer_id="a", amount_usd=1.5)
    small.session("a", at(8), recorded_at=at(-1))
    about, _ = known(small, tmp_path)
    assert totals(about, "sessions") == (2.0, 3.0, 2.0)
    assert totals(about, "minutes") == (25.0, 22.0, 13.0)
    assert totals(about, "revenue") == (3.0, 4.5, 3.0)
    assert 0.0 < totals(about, "engagement")[1] < 3.0


def test_unsubscribing_counts_on_its_own_day(small, tmp_path):
    small.add("notifications", at(11), customer_id="a", unsubscribed_at=at(9))
    small.add("notifications", at(9), customer_id="b", unsubscribed_at=at(-2))
    about, _ = known(small, tmp_path)
    assert totals(about, "unsubscribes") == (0.0, 1.0, 0.0)
    assert set(about.outcomes["customer_id"]) == {"a"}


def text(number, days_before, negative, who="a"):
    return {
        "text_id": f"posts/{number}",
        "customer_id": who,
        "occurred_at": at(days_before),
        "score": 0.0,
        "p_negative": 0.8 if negative else 0.1,
        "p_neutral": 0.1,
        "p_positive": 0.1 if negative else 0.8,
    }


def test_texts_count_only_of_those_who_agree_to_it(small, tmp_path):
    texts = [text(1, 9, True), text(2, 8, False), text(3, 10, True), text(4, 12, True)]
    about, _ = known(small, tmp_path / "agreed", texts=texts)
    assert totals(about, "texts") == (1.0, 2.0, 0.0)
    assert totals(about, "negative_texts") == (1.0, 1.0, 0.0)
    about, _ = known(small, tmp_path / "not", texts=texts, consent=False)
    assert "texts" not in set(about.outcomes["measure"])


def test_who_is_assigned_too_late_counts_among_the_arms_and_is_not_measured(small, tmp_path):
    small.customer("c")
    assign(small, "c", CLOSED - 1, "treatment")
    small.session("c", at(1))
    small.session("a", at(8))
    about, _ = known(small, tmp_path)
    ((_, analysis),) = analyse_day(about, {})
    assert dict(analysis.units) == {"control": 1, "treatment": 2}
    assert {(row.units_control, row.units) for row in analysis.rows} == {(1, 1)}


def crowd(effect=2, *, n=440, seed=0, **values):
    """Customers with an effect on their sessions, and what they did before."""
    rng = np.random.default_rng(seed)
    world = World()
    for number in range(n):
        who, treated = f"c{number}", number % 2 == 1
        world.customer(who)
        assign(world, who, 10, "treatment" if treated else "control", **values)
        habit = rng.integers(1, 4)
        for days_before in (12, 11):
            for _ in range(rng.poisson(habit)):
                world.session(who, at(days_before))
        for days_before in (8, 7):
            for _ in range(rng.poisson(habit) + effect * treated):
                world.session(who, at(days_before))
    return world


@pytest.fixture(scope="module")
def effective(tmp_path_factory):
    return known(crowd(), tmp_path_factory.mktemp("effective"))


def test_an_effect_is_shown_with_what_went_before_taken_into_account(effective):
    about, _ = effective
    ((plan, analysis),) = analyse_day(about, {})
    assert analysis.verdict == "better"
    rows = {row.metric: row for row in analysis.rows}
    assert rows["engagement"].role == "primary"
    assert rows["sessions"].anytime_low < 4.0 < rows["sessions"].anytime_high
    assert rows["sessions"].variance_reduction > 0.1
    table = results_table(about, [(plan, analysis)])
    assert RESULTS.conform(_arrow(table)).num_rows == len(analysis.rows)
    figures, written = report(about, [(plan, analysis)])
    assert figures["experiments"]["e"]["customers"] == {"control": 220, "treatment": 220}
    assert "revenue_usd" in written.split("What cannot be said")[1]


def _arrow(table):
    import pyarrow as pa  # noqa: PLC0415 - used here alone

    return pa.Table.from_pandas(table, preserve_index=False)


def test_a_plan_says_what_decides_and_what_the_shares_are(effective):
    about, _ = effective
    plan = Plan(name="e", primary=("retained",), shares={"control": 0.9, "treatment": 0.1})
    ((_, analysis),) = analyse_day(about, {"e": plan})
    assert "sample-ratio mismatch" in analysis.blocked[0]
    roles = {row.metric: row.role for row in analysis.rows}
    assert roles["retained"] == "primary"
    assert roles["engagement"] == "secondary"


def test_what_has_no_propensity_is_not_called_an_experiment(tmp_path):
    about, _ = known(crowd(propensity=None, n=240), tmp_path)
    ((plan, analysis),) = analyse_day(about, {})
    assert analysis.verdict == "blocked"
    assert not results_table(about, [(plan, analysis)])["from_experiment"].any()
    assert "not from an experiment" in report(about, [(plan, analysis)])[1]


def test_chances_that_differ_between_customers_are_not_averaged(small, tmp_path):
    small.customer("c")
    assign(small, "c", 10, propensity=0.2)
    about, _ = known(small, tmp_path)
    ((_, analysis),) = analyse_day(about, {})
    assert any("differ between customers" in text for text in analysis.blocked)


def test_experiments_of_a_group_exclude_each_other(small, tmp_path):
    assign(small, "a", 9, "treatment", experiment="f")
    about, _ = known(small, tmp_path)
    plans = {name: Plan(name=name, group="g") for name in ("e", "f")}
    analyses = {plan.name: analysis for plan, analysis in analyse_day(about, plans)}
    assert all(any("of the group g" in text for text in a.blocked) for a in analyses.values())


def test_a_holdout_is_the_control_where_no_variant_is_called_so(small, tmp_path):
    for who, variant in (("a", "programme"), ("b", "holdout")):
        assign(small, who, 9, variant, experiment="h")
    about, _ = known(small, tmp_path)
    analyses = {plan.name: analysis for plan, analysis in analyse_day(about, {})}
    assert {name: a.design.control for name, a in analyses.items()} == {
        "e": "control",
        "h": "holdout",
    }


def test_exposures_to_what_nobody_was_assigned_to_are_reported(small, tmp_path):
    small.add("experiment_exposures", at(3), experiment="ghost", customer_id="a")
    about, _ = known(small, tmp_path)
    analyses = {plan.name: analysis for plan, analysis in analyse_day(about, {})}
    assert any("1 were exposed without" in text for text in analyses["ghost"].blocked)
    assert "ghost" in report(about, analyse_day(about, {}))[1]


def test_no_experiment_is_a_report_and_no_rows(tmp_path):
    world = World()
    world.customer("a")
    about, _ = known(world, tmp_path)
    assert results_table(about, analyse_day(about, {})).empty
    assert "No customer" in report(about, [])[1]


class Checked:
    """What the checks look at."""

    def __init__(self, engine):
        self.engine, self.days = engine, [S]


@pytest.mark.parametrize(
    ("rows", "sound", "unharmed"),
    [
        ([{}], True, True),
        ([{"blocked": "sample-ratio mismatch"}], False, True),
        ([{"blocked": "not from an experiment", "from_experiment": False}], True, True),
        ([{"role": "guardrail", "verdict": "worse"}], True, False),
        ([{"role": "secondary", "verdict": "worse"}], True, True),
    ],
)
def test_the_checks_name_what_is_broken_and_what_is_harmed(tmp_path, rows, sound, unharmed):
    lake = World().write(tmp_path)
    default = {
        "experiment": "checkout",
        "blocked": "",
        "from_experiment": True,
        "snapshot_date": S,
        "role": "primary",
        "verdict": "better",
    }
    lake.write(RESULTS, filled(RESULTS, [default | row for row in rows]), day=S)
    engine = DuckDBEngine(lake, declared=by_sql_name(KNOWN_TABLES), threads=1)
    outcomes = [check.judge(Checked(engine)) for check in (SOUND, UNHARMED)]
    assert [not outcome.problem for outcome in outcomes] == [sound, unharmed]
    assert all("checkout" in o.problem for o in outcomes if o.problem)


def test_plans_are_read_from_toml():
    plans = read_plans(
        '[e]\ntests = "x"\nshares = {control = 0.9, treatment = 0.1}\nguardrails = ["retained"]\n'
        "[f]\n"
    )
    assert plans["e"].guardrails == ("retained",)
    assert plans["f"] == Plan(name="f")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[e", "TOML"),
        ("e = 1", "expected a table"),
        ("[e]\ncolour = 1", "colour"),
        ('[e]\nprimary = ["clicks"]', "no metric clicks"),
        ("[e]\nshares = {control = 0.5, treatment = 0.4}", "sum to 1"),
        ("[e]\nshares = {a = 0.5, b = 0.5}", "lack the control"),
        ('[e]\nprimary = ["unsubscribed"]', "both primary and guardrails"),
        ("[e]\nplanned_customers = 0", "planned_customers"),
        (f"[e]\nplanned_customers = {'9' * 400}", "planned_customers"),
        ("[e]\nshares = {control = nan, treatment = nan}", "finite"),
        ('[e]\nname = "f"', "line `name`"),
        ("e = " + "[" * 100_000, "TOML"),
        (f"e = {'9' * 5_000}", "TOML"),
    ],
    ids=range(13),
)
def test_a_plan_that_cannot_be_is_refused_by_name(text, named):
    with pytest.raises(PlanError, match=named):
        read_plans(text)


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_file_of_plans_that_cannot_be_read_is_named(tmp_path, content):
    path = tmp_path / "plans"
    path.mkdir() if content is None else path.write_bytes(content)
    for place in (path, "no-such-kind://plans"):
        with pytest.raises(PlanError, match=str(place)):
            _ = ExperimentSettings(experiment_plans=str(place)).plans
