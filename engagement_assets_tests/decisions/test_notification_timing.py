"""When customers are notified: what is looked at, what is allowed, and what is learnt."""

import re
from datetime import timedelta
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from engagement_assets.decisions.contact.limits import ContactLimits
from engagement_assets.decisions.notification_timing.contexts import (
    HABIT,
    LIMITS,
    TRACES,
    due_hours,
    limits_of,
    most_of_a_week,
    read_day,
    read_log,
    situation_of,
)
from engagement_assets.decisions.notification_timing.policy import (
    BEST_HOUR,
    NETWORK,
    NOW,
    NotificationTiming,
    SendNow,
    TimingPolicy,
)
from engagement_assets.decisions.notification_timing.spec import (
    DELAYS,
    EXPLORED,
    OVER_TIME,
    SPEC,
    send_name,
)
from engagement_assets.decisions.specs import DECISIONS
from engagement_assets.features.tables import KNOWN_TABLES
from engagement_assets.learning.reinforcement.environment import TimingEnvironment
from engagement_assets.learning.reinforcement.timing import TimingProblem, Units
from engagement_assets.lifecycle.learnt import ContextChooser
from engagement_assets.lifecycle.spec import NO_ACTION
from engagement_assets_tests.features.worlds import FIRST_DAY, SQL, S, World, at
from resources.engine import DuckDBEngine
from resources.registry import RegisteredModel
from resources.tables import by_sql_name

SETTINGS = {
    "contacts_a_day": 3, "contacts_a_week": 7, "contacts_a_channel_week": 3, "quiet_from": 22,
    "quiet_to": 8, "holdout_experiment": "global_holdout", "timing_updates": 200,
}  # fmt: skip
ACTIONS = np.array(SPEC.action_names, dtype=object)


def hand_made() -> World:
    """Ann in Tokyo, who uses the app at 20:00 of her clock; others who may not be notified."""
    world = World()
    zones = {"ann": "Asia/Tokyo", "bob": "Europe/Berlin", "cat": "Europe/Berlin", "dan": None}
    for name, zone in {**zones, "eve": "Europe/Berlin"}.items():
        world.customer(name, time_zone=zone)
        if name != "bob":
            world.add("consents", at(30), customer_id=name, purpose="notifications", granted=True)
    for days in (2, 4, 6, 9):
        world.session("ann", at(days, 11))
    # on the day of the notification, and known later than it: neither is looked at
    world.session("ann", at(1, 3))
    world.session("ann", at(2, 3), recorded_at=at(0, 3))
    lot = {"propensity": 0.1}
    world.add("notifications", at(1, 12), customer_id="ann", delay_hours=2.0, **lot,
              opened_at=at(1, 12, 30))  # fmt: skip
    world.add("notifications", at(3, 10), customer_id="ann")
    world.add("notifications", at(1, 9), customer_id="bob", delay_hours=0.0, **lot,
              opened_at=at(1, 9, 5), unsubscribed_at=at(1, 9, 6))  # fmt: skip
    world.add("notifications", at(1, 10), customer_id="dan", delay_hours=0.0, **lot)
    world.add("notifications", at(1, 8), customer_id="eve", delay_hours=1.0, **lot,
              opened_at=at(1, 10))  # fmt: skip
    world.add("notifications", at(2, 8), customer_id="eve", unsubscribed_at=at(1, 12))
    world.add("experiment_assignments", at(9), customer_id="cat", experiment="global_holdout",
              variant="holdout")  # fmt: skip
    return world


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    lake = hand_made().write(tmp_path_factory.mktemp("lake"))
    return SimpleNamespace(
        engine=DuckDBEngine(lake, declared=by_sql_name(KNOWN_TABLES)),
        sql=SQL, parameters=SETTINGS, first_day=FIRST_DAY, seed=0, bootstrap=20,
        reader=SimpleNamespace(
            timezone="", granted_consents=(), provides=lambda: frozenset({"consents"})
        ),
    )  # fmt: skip


def contexts(n: int, seed: int = 0, **fixed) -> pd.DataFrame:
    """Contexts of any kind."""
    rng = np.random.default_rng(seed)
    opens = rng.integers(8, 12, n)
    table = pd.DataFrame(
        {
            "customer_id": [f"c{one}" for one in range(n)],
            "hour": rng.integers(0, 24, n),
            "weekday": rng.integers(0, 7, n),
            "engagement": rng.gamma(1.0, 1.0, n),
            "since_hours": rng.exponential(72.0, n),
            **{name: rng.exponential(1.0, n) for name in TRACES},
            "sent_today": rng.integers(0, 5, n),
            "may_rest": rng.random(n) < 0.5,
            "reachable": rng.random(n) < 0.8,
            **dict(
                zip(LIMITS, (opens, rng.integers(13, 23, n), rng.integers(0, 4, n)), strict=True)
            ),
            **dict(zip(HABIT, rng.dirichlet(np.ones(24), n).T, strict=True)),
        }
    )
    return table.assign(**fixed)


def test_a_log_has_what_was_known_when_a_notification_was_due(inputs):
    log = read_log(inputs, S).set_index("customer_id")
    assert sorted(log.index) == ["ann", "bob", "eve"]
    ann = log.loc["ann"]
    # due at 10:00 of UTC and sent two hours later
    assert (ann["hour"], ann["weekday"], ann["action"]) == (19, 6, send_name(2))
    assert ann["engagement"] == pytest.approx(4 / 56)
    assert np.argmax([ann[name] for name in HABIT]) == 20
    assert ann["since_hours"] == 48.0
    assert ann[TRACES[0]] == pytest.approx(np.exp(-2.0))
    assert (log["reward"].to_dict(), log["engaged"].to_dict()) == (
        {"ann": 1.0, "bob": -0.5, "eve": 0.0},
        {"ann": True, "bob": False, "eve": False},
    )
    assert log["lost"].to_dict() == {"ann": False, "bob": True, "eve": False}


def test_an_answer_that_is_not_known_yet_is_not_in_the_log(inputs):
    assert read_log(inputs, S - timedelta(days=2)).empty


def test_a_day_has_who_may_be_reached_at_the_hours_of_their_clocks(inputs):
    day = read_day(inputs, S).set_index("customer_id")
    assert sorted(day.index) == ["ann", "bob", "cat", "eve"]
    assert day["reachable"].to_dict() == {"ann": True, "bob": False, "cat": False, "eve": False}
    assert day["weekday"].unique().tolist() == [1]
    assert day.loc["ann", "hour"] == 12
    # sent at 21:00 of Tokyo two days before, 12:00 of Tokyo is what is due
    assert day.loc["ann", "since_hours"] == 39.0
    choices = ContextChooser(
        NotificationTiming(), TimingPolicy(BEST_HOUR), champion="v", parameters=SETTINGS
    ).choose(day.reset_index())
    chosen = choices.set_index("customer_id")
    assert (chosen.loc[["bob", "cat", "eve"], "action"] == NO_ACTION.name).all()
    assert chosen.loc[["bob", "cat", "eve"], "send_hour"].isna().all()
    assert (chosen.loc[["bob", "cat", "eve"], "propensity"] == 1.0).all()


@pytest.mark.parametrize("granted", [(), ("notifications",)])
def test_a_source_without_consents_says_what_was_agreed_to_and_whose_clock_counts(inputs, granted):
    silent = SimpleNamespace(timezone="Europe/Berlin", granted_consents=granted, provides=frozenset)
    given = SimpleNamespace(**{**vars(inputs), "reader": silent})
    day = read_day(given, S).set_index("customer_id")
    assert day.loc["dan", "reachable"] == bool(granted)
    assert not day.loc[["bob", "cat"], "reachable"].any()
    assert "dan" in read_log(given, S)["customer_id"].tolist()


@pytest.mark.parametrize("policy", [SendNow(SETTINGS), TimingPolicy(NOW), TimingPolicy(BEST_HOUR)])
def test_nothing_beyond_a_limit_has_a_chance(policy):
    table = contexts(20_000)
    chances = policy.chances(table)
    assert chances.sum(axis=1) == pytest.approx(1.0)
    hours = table["hour"].to_numpy()[:, None] + np.arange(DELAYS)
    send = chances[:, :-1] > 0.0
    clock = (hours % 24)[send]
    opens, closes, most = (
        np.broadcast_to(table[name].to_numpy()[:, None], hours.shape)[send] for name in LIMITS
    )
    assert ((clock >= np.maximum(opens, 8)) & (clock < np.minimum(closes, 22))).all()
    sent = np.where(hours < 24, table["sent_today"].to_numpy()[:, None], 0)[send]
    assert (sent < np.minimum(most, 3)).all()
    assert np.broadcast_to(table["reachable"].to_numpy()[:, None], hours.shape)[send].all()
    # and what is left is explored
    allowed = NotificationTiming().allowed(table)
    if isinstance(policy, TimingPolicy):
        assert chances[allowed].min() >= EXPLORED / (DELAYS + 1)


def test_who_remembers_much_is_left_in_peace_where_rest_is_a_choice():
    table = contexts(500, may_rest=True)
    calm = TimingPolicy(NOW, most_remembered=1.0).chances(table)
    tired = (table[TRACES[-1]] > 1.0).to_numpy()
    assert (calm[tired, -1] == 1.0).all()
    assert (calm[~tired, -1] < 1.0).any()
    logged = TimingPolicy(NOW, most_remembered=1.0).chances(table.assign(may_rest=False))
    assert (logged[tired, -1] < 1.0).any()


def test_fairness_looks_at_who_rests(learnt_log):
    offered = NotificationTiming().as_offered(learnt_log)
    resting = TimingPolicy(NOW, most_remembered=0.5)
    assert (resting.chances(learnt_log)[:, -1] == 0.0).all()
    assert 0.0 < resting.chances(offered)[:, -1].mean() < 1.0


def test_settings_make_limits_stricter_only():
    assert limits_of({**SETTINGS, "quiet_from": 20})["closes"] == 20
    lax = {"quiet_from": 24, "quiet_to": 5, "contacts_a_day": 9}
    hard = ContactLimits()
    assert limits_of({**SETTINGS, **lax}) == {
        "opens": hard.quiet_to, "closes": hard.quiet_from, "most_a_day": hard.a_day,
    }  # fmt: skip
    strict = {**SETTINGS, "contacts_a_channel_week": 1}
    assert most_of_a_week(strict) < most_of_a_week(SETTINGS) < 3.0
    assert most_of_a_week({**SETTINGS, "contacts_a_week": 0}) < 0.0


def test_the_best_hour_of_a_clock_can_be_waited_for():
    limits = limits_of(SETTINGS)
    hours = np.arange(8, 22)
    due = due_hours(np.eye(24)[hours], **limits)
    assert ((due <= hours) & (hours < due + DELAYS) & (due >= 8)).all()
    late = due_hours(np.eye(24)[hours], **{**limits, "opens": 11, "closes": 13})
    assert (late == 11).all()


class Tired:
    """Customers who answer in the hours of their habit, and whom notifications tire."""

    trace_days = ()

    def __init__(self, units: Units) -> None:
        self.units = units

    def __call__(self, index, memory):
        fit = 24.0 * self.units.habit[index, memory.time % 24]
        tired = np.exp(-1.2 * memory.traces[:, 1])
        return np.minimum(0.25 * fit * tired, 0.9), np.full(len(index), 0.01)


@pytest.fixture(scope="module")
def learnt_log() -> pd.DataFrame:
    """Notifications with drawn delays to 300 customers."""
    rng = np.random.default_rng(0)
    n, problem = 300, TimingProblem(delays=DELAYS)
    units = Units(rng.gamma(2.0, 0.5, n), rng.dirichlet(np.full(24, 0.6), n))
    world = TimingEnvironment(
        problem, units, Tired(units), sample=True, past_sends_a_day=(0.0, 1.0)
    )
    parts = []
    for step in range(16):
        memory, send = world.now.memory, world.now.mask[:, :-1]
        drawn = np.where(send, rng.random(send.shape), -1.0).argmax(axis=1)
        action = np.where(send.any(axis=1) & (rng.random(n) < 0.6), drawn, problem.not_today)
        done = world.step(action)
        today = memory.last_day == memory.time // 24
        parts.append(
            pd.DataFrame(
                {
                    "customer_id": [f"c{one}" for one in range(n)],
                    "acted_at": pd.Timestamp(S) + pd.Timedelta(days=step),
                    "hour": memory.time % 24,
                    "weekday": memory.time // 24 % 7,
                    "engagement": units.engagement,
                    "since_hours": np.minimum(memory.since, 9_000.0),
                    **dict(zip(TRACES, memory.traces.T, strict=True)),
                    "sent_today": np.where(today, memory.on_last_day, 0),
                    "may_rest": False,
                    "reachable": True,
                    **limits_of(SETTINGS),
                    **dict(zip(HABIT, units.habit.T, strict=True)),
                    "action": ACTIONS[action],
                    "engaged": done.engaged > 0,
                    "lost": done.lost > 0,
                }
            )[done.sent]
        )
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def policy(learnt_log) -> TimingPolicy:
    given = SimpleNamespace(parameters=SETTINGS, seed=0, bootstrap=20)
    return NotificationTiming().fit(learnt_log, given)


def test_what_is_learnt_brings_more_over_time_than_sending_at_once(policy):
    metrics = policy.about["metrics"]
    assert metrics[OVER_TIME]["low"] > 0.0
    assert metrics["answers_auc"]["low"] > 0.6
    followed = {line["policy"]: line["value"]["value"] for line in policy.about["over_time"]}
    assert set(followed) >= {"at random", NOW, BEST_HOUR, NETWORK}
    assert followed[policy.kind] >= 0.97 * max(followed.values())
    assert 0.0 < policy.most_remembered <= most_of_a_week(SETTINGS)


def test_courses_of_the_log_are_valued_too(policy, learnt_log):
    log = learnt_log.assign(reward=learnt_log["engaged"] - 0.5 * learnt_log["lost"])
    metrics = NotificationTiming().further(policy, log, log)["metrics"]
    course, rule = metrics["course_policy"], metrics["course_rule"]
    assert course["units"] > 200
    assert course["low"] < course["value"] < course["high"]
    assert course["value"] > rule["value"]
    assert course["unlogged"] == 0.0
    few = log[log["customer_id"].isin(["c1", "c2"])].reset_index(drop=True)
    assert "course_policy" not in NotificationTiming().further(policy, few, few)["metrics"]


def test_a_policy_survives_saving_and_its_report_names_it(policy, tmp_path):
    policy.save(tmp_path)
    model = RegisteredModel("notification_timing", "v", tmp_path, {})
    opened = NotificationTiming().open(model, parameters=SETTINGS)
    table = contexts(300, seed=4)
    assert (opened.chances(table) == policy.chances(table)).all()
    card = {
        **policy.about,
        "actions": {}, "training_rows": 1, "training_customers": 1, "test_rows": 1,
        "test_customers": 1, "test_snapshot": "2025-03-31",
    }  # fmt: skip
    text = NotificationTiming().evaluation_markdown(card)
    assert f"**{policy.kind}**" in text
    assert "95 % intervals" in text


def test_no_mood_and_no_alert_feeds_a_decision():
    for spec in DECISIONS:
        read = (*spec.learns_from, *spec.predicts_from, *spec.listens_to)
        assert not [name for name in read if re.search("sentiment|mood|alert", name)]
    for name in ("sends", "uses", "uses_before_sends"):
        tables = SQL.query(f"notification_timing/{name}").tables
        assert not [table for table in tables if "sentiment" in table]
    assert not [name for name in NotificationTiming.context if re.search("mood|senti|text", name)]


def test_where_something_is_sent_anyway_resting_is_no_choice():
    mask = situation_of(contexts(2_000, may_rest=False)).mask
    assert (mask[:, -1] == ~mask[:, :-1].any(axis=1)).all()
