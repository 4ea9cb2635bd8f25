"""The causes of a world do what the truth says, and a plain world has none of them."""

from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from engagement_assets.source.simulator import CAUSES, PLAIN, Causes, Simulator
from engagement_assets.source.simulator.nudges import ACTIONS
from engagement_assets.source.simulator.parameters import TIME_ZONES, UTC_OFFSETS
from engagement_assets_tests.source.simulator.conftest import at, make

LAST = 150
EVERY_DAY = (
    "experiment_assignments",
    "experiment_exposures",
    "retention_offers",
    "action_log",
    "notifications",
    "sessions",
)


@pytest.fixture(scope="module")
def world() -> Simulator:
    return make(customers=4000, seed=3, days=LAST + 1)


@pytest.fixture(scope="module")
def rows(world: Simulator) -> dict[str, pd.DataFrame]:
    """Some tables of all days of the world."""
    days = [world.day(at(number)) for number in range(LAST + 1)]
    return {name: pa.concat_tables([day[name] for day in days]).to_pandas() for name in EVERY_DAY}


@pytest.fixture(scope="module")
def effects(world: Simulator) -> pd.DataFrame:
    return world.truth_experiments(at(LAST)).to_pandas()


def share_of_control(assigned: pd.DataFrame, name: str) -> tuple[float, float]:
    """Share of an experiment's control, and its standard error under fair lots."""
    variants = assigned.loc[assigned["experiment"] == name, "variant"]
    return float((variants == "control").mean()), 0.5 / np.sqrt(len(variants))


def test_a_plain_world_is_what_it_was():
    world = make(causes=PLAIN)
    day = world.day(at(20))
    digest = sha256()
    # numbers may differ in their last bits between processors, and who did what does not
    for name in ("sessions", "interactions", "messages", "action_log", "notifications"):
        fields = [field.name for field in day[name].schema if field.type == pa.string()]
        # a column of later
        named = [field for field in fields if (name, field) != ("notifications", "message_id")]
        for column in named:
            digest.update("|".join(map(str, day[name][column].to_pylist())).encode())
    assert digest.hexdigest()[:16] == "2969e6be71cf2162"
    assert day["retention_offers"].num_rows == day["experiment_exposures"].num_rows == 0
    assert day["customers"]["time_zone"].null_count == day["customers"].num_rows


@pytest.mark.parametrize(
    "switch",
    [
        "experiments",
        "offers",
        "actions",
        "notifications",
        "calendar",
        "time_zones",
        "holdout_share",
    ],
)
def test_each_cause_can_be_had_alone(switch: str):
    alone = replace(PLAIN, **{switch: 0.05 if switch == "holdout_share" else True})
    world, plain = make(causes=alone), make(causes=PLAIN)
    seen = {number: (world.day(at(number)), plain.day(at(number))) for number in (0, 3, 20, 31)}
    assert any(one[name] != other[name] for one, other in seen.values() for name in one)
    fresh = make(causes=alone).day(at(20))
    assert all(fresh[name] == seen[20][0][name] for name in fresh)


@pytest.mark.parametrize("arguments", [{"holdout_share": 1.5}, {"strength": -1.0}])
def test_impossible_causes_are_named(arguments: dict[str, float]):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        Causes(**arguments)


def test_all_experiments_are_in_the_log_with_their_propensities(rows: dict[str, pd.DataFrame]):
    assigned = rows["experiment_assignments"]
    drawn = assigned.groupby("experiment")["propensity"].agg(["min", "max"])
    assert set(drawn.index) == {
        "premium_upgrade",
        "feed_ranking",
        "new_icon",
        "spring_campaign",
        "checkout_redesign",
        "friend_challenge",
        "global_holdout",
    }
    assert drawn.loc["spring_campaign"].isna().all()
    assert (drawn.drop(["spring_campaign", "global_holdout"]) == 0.5).all(axis=None)
    assert not assigned.duplicated(["experiment", "customer_id"]).any()


def test_fair_lots_are_fair_and_those_of_the_checkout_are_not(rows: dict[str, pd.DataFrame]):
    assigned = rows["experiment_assignments"]
    for name in ("new_icon", "feed_ranking", "friend_challenge", "premium_upgrade"):
        share, error = share_of_control(assigned, name)
        assert abs(share - 0.5) < 4 * error, name
    share, error = share_of_control(assigned, "checkout_redesign")
    assert share > 0.5 + 4 * error


def test_the_campaign_goes_to_those_who_use_the_app_more(world: Simulator, effects: pd.DataFrame):
    causes = world.truth_customers(at(LAST)).to_pandas().set_index("customer_id")
    campaign = effects[effects["experiment"] == "spring_campaign"]
    use = campaign["customer_id"].map(causes["expected_daily_sessions"])
    by = use.groupby(campaign["variant"]).mean()
    assert by["treatment"] > 1.15 * by["control"]
    expected = campaign["treatment_propensity"]
    error = np.sqrt((expected * (1 - expected)).sum())
    assert abs((campaign["variant"] == "treatment").sum() - expected.sum()) < 4 * error


def test_the_feed_harms_one_group_and_the_icon_does_nothing(effects: pd.DataFrame):
    by = effects.groupby("experiment")["effect_daily_engagement"]
    assert by.min()["feed_ranking"] < -0.02
    assert by.mean()["feed_ranking"] > 0.005
    assert (effects.loc[effects["experiment"] == "new_icon", "effect_daily_sessions"] == 0).all()
    harmed = effects[effects["experiment"] == "feed_ranking"]["effect_daily_sessions"] < 0
    assert 0.2 < harmed.mean() < 0.6


def test_friends_of_the_treated_are_moved_too(effects: pd.DataFrame):
    by = effects.groupby("experiment")["spillover_daily_sessions"].agg(["min", "max"])
    assert by.loc["friend_challenge", "max"] > 0.05
    assert (by.drop("friend_challenge") == 0).all(axis=None)
    moved = effects[effects["experiment"] == "friend_challenge"]
    control = moved.loc[moved["variant"] == "control", "spillover_daily_sessions"]
    assert (control > 0).mean() > 0.5


def test_only_the_assigned_are_exposed_and_after_it(rows: dict[str, pd.DataFrame]):
    assigned = rows["experiment_assignments"].set_index(["experiment", "customer_id"])
    met = rows["experiment_exposures"]
    assert len(met) > 1_000
    since = assigned["occurred_at"].reindex(
        pd.MultiIndex.from_frame(met[["experiment", "customer_id"]])
    )
    assert since.notna().all()
    assert (met["occurred_at"].to_numpy() > since.to_numpy()).all()


def test_the_held_out_get_nothing(rows: dict[str, pd.DataFrame]):
    assigned = rows["experiment_assignments"]
    held = assigned[assigned["variant"] == "holdout"]["customer_id"]
    everybody = assigned[assigned["experiment"] == "global_holdout"]["customer_id"]
    assert len(held) / len(everybody) == pytest.approx(0.05, abs=0.015)
    for name in ("action_log", "retention_offers", "experiment_exposures", "notifications"):
        assert not rows[name]["customer_id"].isin(held).any(), name
    others = assigned[assigned["experiment"] != "global_holdout"]["customer_id"]
    assert not others.isin(held).any()


def test_the_programme_brings_something_only_where_it_is_not_in_vain(world: Simulator):
    first, last = at(LAST - 60), at(LAST)
    truth = world.truth_programme(first, last).to_pandas()
    kept = truth["stays_programme"].sum() - truth["stays_holdout"].sum()
    assert kept > 5
    assert truth["sessions_programme"].sum() > 1.02 * truth["sessions_holdout"].sum()
    assert truth["revenue_usd_programme"].sum() > truth["revenue_usd_holdout"].sum()
    # premium_upgrade has the effect it always had, and begins at 62.5 % of the range
    vain = make(customers=800, seed=3, days=LAST + 1, causes=replace(CAUSES, strength=0.0))
    nothing = vain.truth_programme(at(20), at(60)).to_pandas()
    assert (nothing["sessions_programme"] == nothing["sessions_holdout"]).all()
    assert (nothing["stays_programme"] == nothing["stays_holdout"]).all()


def test_expected_sessions_are_those_of_the_world(world: Simulator):
    """The mean of both worlds' sessions is near what happens in the one with a small holdout."""
    days = range(40, 60)
    seen = sum(world.day(at(number))["sessions"].num_rows for number in days)
    truth = world.truth_programme(at(days[0]), at(days[-1])).to_pandas()
    expected = 0.95 * truth["sessions_programme"].sum() + 0.05 * truth["sessions_holdout"].sum()
    # sessions of the day before that come late, and friends of the held out, are small
    assert seen == pytest.approx(expected, rel=0.01)


def test_actions_are_completed_as_their_truth_says(world: Simulator, rows: dict[str, pd.DataFrame]):
    log = rows["action_log"].set_index("action_id")
    assert set(log["action"]) == set(ACTIONS)
    truth = pd.concat(
        [world.truth_actions(at(number)).to_pandas() for number in range(0, LAST + 1, 3)]
    ).set_index("action_id")
    log = log.loc[truth.index]
    chance = np.array(
        [truth.at[one, f"completion_{action}"] for one, action in log["action"].items()]
    )
    error = np.sqrt((chance * (1 - chance)).sum())
    assert abs(log["completed"].sum() - chance.sum()) < 4 * error
    assert not log.loc[log["action"] == "do_nothing", "completed"].any()


def test_the_best_action_differs_between_people_of_the_same_persona(
    world: Simulator, rows: dict[str, pd.DataFrame]
):
    persona = world.truth_customers(at(LAST)).to_pandas().set_index("customer_id")["persona"]
    truth = world.truth_actions(at(LAST)).to_pandas().set_index("action_id")
    log = rows["action_log"].set_index("action_id").loc[truth.index]
    worth = pd.DataFrame(
        {name: truth[f"completion_{name}"] * truth[f"lift_{name}"] for name in ACTIONS}
    )
    casual = log["customer_id"].map(persona) == "casual_browser"
    assert worth[casual].idxmax(axis=1).nunique() >= 3


def test_offers_have_their_shares_and_keep_who_accepts(
    world: Simulator, rows: dict[str, pd.DataFrame]
):
    made = rows["retention_offers"]
    shares = made["offer"].value_counts(normalize=True)
    expected = made.groupby("offer")["propensity"].first()
    error = np.sqrt(expected * (1 - expected) / len(made))
    assert ((shares - expected).abs() < 4 * error).all()
    assert not made.loc[made["offer"] == "none", "accepted_at"].notna().any()
    leaving = world.truth_customers(at(LAST)).to_pandas().set_index("customer_id")["leaving_from"]
    begins = made["customer_id"].map(leaving)
    soon = begins.between(made["occurred_at"], made["occurred_at"] + pd.Timedelta(days=27))
    accepted = made["accepted_at"].notna()
    assert soon[accepted].mean() < 0.75 * soon[made["offer"] == "none"].mean()


@pytest.fixture(scope="module")
def notified(world: Simulator, rows: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Notifications of some days with their truth, and whether a session came within the hour."""
    truth = pd.concat(
        [world.truth_notifications(at(number)).to_pandas() for number in range(10, LAST, 4)]
    )
    sent = rows["notifications"].merge(truth, on="notification_id", validate="one_to_one")
    sent = sent[sent["occurred_at"].dt.hour < 23].sort_values("occurred_at")
    sessions = rows["sessions"][["customer_id", "occurred_at"]].sort_values("occurred_at")
    sessions = sessions.assign(began=sessions["occurred_at"])
    sent = pd.merge_asof(sent, sessions, on="occurred_at", by="customer_id", direction="forward")
    return sent.assign(came=sent["began"] - sent["occurred_at"] < pd.Timedelta(hours=1))


def test_a_notification_brings_customers_back_as_its_truth_says(notified: pd.DataFrame):
    expected = notified["session_chance"]
    assert 0.02 < expected.mean() < 0.4
    high = expected > expected.quantile(0.8)
    gap = notified.loc[high, "came"].mean() - notified.loc[~high, "came"].mean()
    assert gap > 0.7 * (expected[high].mean() - expected[~high].mean())
    # sessions that come by themselves are on top
    assert notified["came"].mean() > expected.mean()
    assert notified["came"].mean() < expected.mean() + 0.15


def test_fatigue_takes_away_returns_and_makes_customers_unsubscribe(notified: pd.DataFrame):
    by = notified.groupby(notified["fatigue"] > 0.7)
    assert by["session_chance"].mean()[True] < 0.75 * by["session_chance"].mean()[False]
    assert by["unsubscribe_chance"].mean()[True] > 1.3 * by["unsubscribe_chance"].mean()[False]


def test_who_unsubscribes_is_notified_no_more(rows: dict[str, pd.DataFrame]):
    sent = rows["notifications"]
    stopped = sent.dropna(subset="unsubscribed_at").set_index("customer_id")["unsubscribed_at"]
    assert len(stopped) > 20
    assert not (sent["occurred_at"] > sent["customer_id"].map(stopped)).any()


def test_exploratory_delays_are_drawn_evenly(rows: dict[str, pd.DataFrame]):
    sent = rows["notifications"]
    explored = sent["propensity"].notna()
    assert (sent.loc[~explored, "delay_hours"] == 0).all()
    shares = sent.loc[explored, "delay_hours"].value_counts(normalize=True)
    assert sorted(shares.index) == list(range(10))
    error = np.sqrt(0.1 * 0.9 / explored.sum())
    assert (shares - sent.loc[explored, "propensity"].mean()).abs().max() < 4 * error


def test_time_zones_are_before_utc_by_the_hours_of_their_standard_time():
    for names, hours in zip(TIME_ZONES, UTC_OFFSETS, strict=True):
        for name, offset in zip(names, hours, strict=True):
            moment = datetime(2024, 1, 15, tzinfo=ZoneInfo(name))
            standard = moment.utcoffset() - moment.dst()
            assert standard.total_seconds() == 3_600 * offset, name
