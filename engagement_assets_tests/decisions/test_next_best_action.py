"""The next best action: its log, what it learns from it, and why in words."""

from datetime import date, datetime, timedelta
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from engagement_assets.decisions.next_best_action.adapter import NextBestAction
from engagement_assets.decisions.next_best_action.policy import (
    CONTEXT,
    SuggestionRule,
    ThompsonPolicy,
)
from engagement_assets.decisions.next_best_action.spec import LEAST_CHANCE, SPEC, WORDS
from engagement_assets.features.tables import KNOWN_TABLES
from engagement_assets.lifecycle.spec import NO_ACTION
from engagement_assets.settings.installation import PROJECT
from engagement_assets.source.contract import TABLES
from engagement_assets.source.known import product_sql
from resources.engine import DuckDBEngine
from resources.lake import Lake
from resources.registry import RegisteredModel
from resources.tables import by_sql_name

ACTED = date(2026, 3, 10)


def land(lake, table, rows):
    """Rows by their day."""
    for day in sorted({row["occurred_at"].date() for row in rows}):
        own = [
            {"recorded_at": row["occurred_at"], **row}
            for row in rows
            if row["occurred_at"].date() == day
        ]
        lake.write(TABLES[table], pa.Table.from_pylist(own, schema=TABLES[table].arrow), day=day)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """Two customers who were acted upon at noon, and one whose days after are not over."""
    lake = Lake(str(tmp_path_factory.mktemp("actions")))
    noon = datetime(2026, 3, 10, 12)
    days = {"ann": (-31, -30, -2, -1, 0, 1, 3, 4), "bob": (-5,), "cid": (1,)}
    acted = {"ann": noon, "bob": noon, "cid": noon + timedelta(days=2)}
    sessions = [
        {"session_id": f"{who}{place}", "customer_id": who, "duration_seconds": 120.0}
        | {"occurred_at": acted[who] + timedelta(days=day, hours=1), "scroll_depth": 0.4}
        for who, own in days.items()
        for place, day in enumerate((*own, own[-1]))
    ]
    land(lake, "sessions", sessions)
    actions = [
        {"action_id": f"x{who}", "customer_id": who, "occurred_at": at, "propensity": 0.25}
        | {"action": "do_nothing" if who == "bob" else "search_gig", "device": "mobile"}
        | {"time_of_day": "afternoon", "last_action": None, "completed": False}
        for who, at in acted.items()
    ]
    land(lake, "action_log", actions)
    return SimpleNamespace(
        engine=DuckDBEngine(lake, declared=by_sql_name(KNOWN_TABLES), threads=1),
        sql=product_sql(PROJECT / "sql"),
        parameters={},
        seed=0,
    )


def test_the_log_has_the_month_before_and_the_three_days_after(inputs):
    log = NextBestAction().log(inputs, ACTED + timedelta(days=4)).set_index("customer_id")
    # those of the 31st day before, of the day itself and of the fourth after are not counted
    ann = log.loc["ann"]
    assert (ann["logins_month"], ann["active_days_month"]) == (3, 3)
    assert ann["session_minutes_month"] == pytest.approx(6.0)
    assert ann["scroll_depth_avg"] == pytest.approx(0.4)
    assert ann["reward"] == pytest.approx(2 / 3)
    bob = log.loc["bob"]
    assert (bob["action"], bob["reward"], bob["logins_month"]) == (NO_ACTION.name, 0.0, 2)
    assert set(CONTEXT) <= set(log.columns)
    # cid was acted upon on the 12th: two days after are known
    assert "cid" not in log.index


def test_what_is_not_known_yet_changes_nothing(inputs):
    log = NextBestAction().log(inputs, ACTED + timedelta(days=2))
    assert log.empty


def decisions(n, seed=0):
    """Gigs help those on a desktop, inviting those who come often; all the rest is in vain."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "customer_id": [f"c{one}" for one in rng.integers(0, n // 4, n)],
            "acted_at": pd.Timestamp(2026, 1, 1) + pd.to_timedelta(rng.random(n) * 90, "D"),
            "time_of_day": rng.choice(["morning", "evening"], n),
            "last_action": None,
            "device": rng.choice(["mobile", "desktop"], n),
            "logins_month": rng.integers(0, 30, n),
            "active_days_month": 5,
            "session_minutes_month": 60.0,
            "scroll_depth_avg": np.where(rng.random(n) < 0.2, np.nan, rng.random(n)),
            "action": rng.choice(SPEC.action_names, n),
            "propensity": 1 / len(SPEC.actions),
        }
    )
    gig = (table["action"] == "search_gig") & (table["device"] == "desktop")
    friend = (table["action"] == "invite_friend") & (table["logins_month"] > 20)
    rate = 0.3 + 0.35 * gig + 0.4 * friend
    return table.assign(reward=rng.binomial(3, rate) / 3)


@pytest.fixture(scope="module")
def policy():
    return NextBestAction().fit(decisions(6_000), None)


def where(**context):
    rows = decisions(400, seed=9)[list(CONTEXT)]
    return rows.assign(**context)


def test_it_suggests_what_adds_and_hardly_what_does_not(policy):
    gig, friend = (SPEC.action_names.index(name) for name in ("search_gig", "invite_friend"))
    desktop = policy.chances(where(device="desktop", logins_month=3))
    often = policy.chances(where(device="mobile", logins_month=28))
    assert desktop.mean(axis=0).argmax() == gig
    assert desktop[:, gig].mean() > 0.8
    assert often[:, friend].mean() > 0.8
    assert (desktop >= LEAST_CHANCE - 1e-12).all()


def test_what_an_action_adds_is_its_reward_less_that_of_doing_nothing(policy):
    contexts = where(device="desktop", logins_month=3)
    names = list(SPEC.action_names)
    gig = policy.describe(contexts, np.full(400, names.index("search_gig")))
    nothing = policy.describe(contexts, np.full(400, names.index(NO_ACTION.name)))
    assert gig["added"].mean() == pytest.approx(0.35, abs=0.08)
    assert (nothing["added"] == 0.0).all()


def test_the_reason_is_what_makes_it_good_in_words(policy):
    chosen = np.full(400, SPEC.action_names.index("search_gig"))
    reasons = policy.describe(where(device="desktop", logins_month=3), chosen)["reason"]
    assert reasons.str.startswith("Browse gigs in your area, because ").mean() > 0.95
    assert reasons.str.endswith("the device is: desktop").mean() > 0.9


def test_what_is_not_known_is_no_reason(policy):
    unknown = where(device=None, time_of_day=None, scroll_depth_avg=np.nan)
    chosen = policy.chances(unknown).argmax(axis=1)
    reasons = policy.describe(unknown, chosen)["reason"]
    assert reasons.notna().all()
    assert not reasons.str.contains("None|nan").any()


def test_a_version_of_other_actions_serves_those_of_today(policy, tmp_path):
    before = [name for name in SPEC.action_names if name != "send_message"]
    ThompsonPolicy(policy.bandit.with_actions([*before, "shout"])).save(tmp_path)
    opened = NextBestAction().open(RegisteredModel(SPEC.name, "1", tmp_path, {}), parameters={})
    contexts = where(device="mobile")
    new = opened.chances(contexts)
    assert new.shape == (400, len(SPEC.actions))
    same = [place for place, name in enumerate(SPEC.action_names) if name != "send_message"]
    assert np.corrcoef(new[:, same].ravel(), policy.chances(contexts)[:, same].ravel())[0, 1] > 0.9


def test_the_rule_goes_by_the_time_of_day_and_does_nothing_at_night():
    rule = SuggestionRule({})
    contexts = where().head(4).assign(time_of_day=["morning", "evening", "night", None])
    assert rule.choose(contexts) == ["search_gig", "browse_feed", "none", "none"]
    chances = rule.chances(contexts)
    assert chances.sum(axis=1).tolist() == [1.0] * 4
    reasons = rule.describe(contexts, chances.argmax(axis=1))["reason"].tolist()
    assert reasons[0] == "Browse gigs in your area, because it is morning"
    assert "not known" in reasons[3]


def test_every_action_has_words_and_nothing_is_among_them():
    assert tuple(WORDS) == SPEC.action_names
    assert NO_ACTION in SPEC.actions
