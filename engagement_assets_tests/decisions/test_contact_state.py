"""What is known of customers and past contacts is read from the lake as of a day."""

import shutil
from datetime import date, datetime, time, timedelta
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pyarrow as pa
import pytest

from engagement_assets.decisions.contact import gate
from engagement_assets.decisions.contact.gate import DUE, SUPPRESSED, outbox
from engagement_assets.decisions.contact.limits import ContactLimits
from engagement_assets.decisions.contact.present import read_present
from engagement_assets.decisions.contact.state import read_state
from engagement_assets.decisions.contact.tables import KNOWN_TABLES, OUTBOX
from engagement_assets.source.known import product_sql
from engagement_assets_tests.features.worlds import S, World, at
from resources.engine import DuckDBEngine
from resources.lake import Lake
from resources.tables import by_sql_name

SQL = product_sql(Path(__file__).parents[2] / "sql")
READER = SimpleNamespace(
    timezone="Europe/Berlin",
    granted_consents=("notifications",),
    provides=lambda: frozenset({"consents"}),
)
STATED = SimpleNamespace(**{**vars(READER), "provides": frozenset})


def made_world() -> World:
    world = World()
    for name, zone in (("ann", "Asia/Tokyo"), ("bob", None), ("cat", None), ("dan", None)):
        world.add("customers", at(100), customer_id=name, time_zone=zone)
    for name, granted in (("ann", True), ("bob", False), ("cat", True)):
        world.add("consents", at(30), customer_id=name, purpose="notifications", granted=granted)
    world.add("consents", at(1), customer_id="bob", purpose="notifications", granted=True)
    world.add("consents", at(-1), customer_id="cat", purpose="notifications", granted=False)
    for name, days in (("bob", 20), ("dan", 3)):
        world.add("notifications", at(days), customer_id=name, unsubscribed_at=at(days))
    world.add("notifications", at(2), customer_id="ann", message_id="m1")
    world.add("notifications", at(1), customer_id="ann")
    world.add("experiment_assignments", at(9), customer_id="cat", experiment="global_holdout",
              variant="holdout")  # fmt: skip
    world.add("experiment_assignments", at(9), customer_id="ann", experiment="global_holdout",
              variant="programme")  # fmt: skip
    return world


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return made_world().write(tmp_path_factory.mktemp("lake"), last_day=S + timedelta(days=1))


def state_of(lake: Lake, reader=READER, day: date = S, **more):
    engine = DuckDBEngine(lake, declared=by_sql_name(KNOWN_TABLES))
    how = {"holdout": "global_holdout", "longest_cooldown": 30, "made_from": day, **more}
    return read_state(engine, SQL, reader, day, **how)


def test_people_have_their_clock_or_that_of_the_source(lake):
    zones = state_of(lake).customers.set_index("customer_id")["time_zone"]
    assert zones.to_dict() == {
        "ann": "Asia/Tokyo",
        **dict.fromkeys(("bob", "cat", "dan"), READER.timezone),
    }


def test_an_opt_out_holds_until_a_later_consent(lake):
    out = state_of(lake).customers.set_index("customer_id")["opted_out"]
    assert out.to_dict() == {"ann": False, "bob": False, "cat": False, "dan": True}
    before = state_of(lake, day=S - timedelta(days=5)).customers.set_index("customer_id")
    assert before["opted_out"].to_dict() == {"ann": False, "bob": True, "cat": False, "dan": False}


def test_the_holdout_is_an_experiments_variant(lake):
    people = state_of(lake).customers.set_index("customer_id")["holdout"]
    assert people.to_dict() == {"ann": False, "bob": False, "cat": True, "dan": False}
    assert not state_of(lake, holdout="another").customers["holdout"].any()
    engine = DuckDBEngine(lake, declared=by_sql_name(KNOWN_TABLES))
    about = {"holdout": "global_holdout", "latest_day": S}
    alone = engine.select(SQL.query("contact/held_out"), about)
    assert alone.to_pylist() == [{"customer_id": "cat"}]


def test_consents_are_the_latest_known_or_what_the_source_states(lake):
    assert state_of(lake).consents["customer_id"].tolist() == ["ann", "bob", "cat"]
    after = state_of(lake, day=S + timedelta(days=1)).consents
    assert after["customer_id"].tolist() == ["ann", "bob"]
    assert state_of(lake, STATED).consents["customer_id"].tolist() == ["ann", "bob", "cat", "dan"]


def test_a_message_counts_once_whether_or_not_it_came_back_as_a_notification(lake):
    day = S - timedelta(days=2)
    wanted = pd.DataFrame(
        {
            "customer_id": ["ann", "dan"], "decision": "retention", "action": "offer",
            "channel": "email", "purpose": "notifications", "cooldown_days": 9, "priority": 1,
            "expected_usd": None, "hour": None, "cost_usd": 0.0, "propensity": 1.0,
            "policy_version": "v", "reason": "r", "segment": None,
        }
    )  # fmt: skip
    known = state_of(lake, day=day)
    made = outbox(wanted, known, ContactLimits(), day=day + timedelta(days=1))
    assert made["status"].tolist() == [DUE, SUPPRESSED]
    made = made.assign(snapshot_date=day)[list(OUTBOX.names)]
    contacts = state_of(lake, made_from=day, made=[made]).contacts
    ours = contacts[contacts["decision"] == "retention"]
    assert ours["customer_id"].tolist() == ["ann"]
    # the one the app sent by itself, and not the one that delivered m1
    assert (contacts["customer_id"] == "ann").sum() == 2
    assert isinstance(ours["occurred_at"].iloc[0], datetime)
    again = outbox(wanted, state_of(lake, made=[made]), ContactLimits(), day=S)
    assert again["suppressed_by"].iloc[0] == "the same was done a short time ago"


def test_what_may_be_sent_now_is_judged_by_what_is_known_now(lake, tmp_path):
    """A customer withdrew her consent after her message was due."""
    shutil.copytree(lake.root, tmp_path / "lake")
    changed = Lake(str(tmp_path / "lake"))
    day = S - timedelta(days=4)
    wanted = pd.DataFrame(
        {
            "customer_id": ["ann", "bob", "cat"], "decision": "retention",
            "action": "offer", "channel": "email", "purpose": "notifications",
            "cooldown_days": 9, "priority": 1, "expected_usd": None, "hour": None,
            "cost_usd": 0.0, "propensity": 1.0, "policy_version": "v", "reason": "r",
            "segment": None,
        }
    )  # fmt: skip
    made = outbox(
        wanted, state_of(lake, day=day, holdout="none"), ContactLimits(), day=S + timedelta(days=1)
    )
    due = made[made["status"] == DUE]
    assert due["customer_id"].tolist() == ["ann", "cat"]
    rows = pa.Table.from_pandas(
        made.assign(snapshot_date=S)[list(OUTBOX.names)],
        schema=OUTBOX.arrow,
        preserve_index=False,
    )
    changed.write(OUTBOX, rows, day=S)
    present = read_present(
        DuckDBEngine(changed, declared=by_sql_name(KNOWN_TABLES)),
        SQL,
        READER,
        ContactLimits(),
        now=datetime.combine(S + timedelta(days=1), time(12)),
        holdout="none",
        longest_cooldown=9,
    )
    # while it is day in Tokyo and in Berlin
    judged = present.judged(datetime.combine(S + timedelta(days=1), time(11, 30)))
    why = judged[judged["status"] == DUE].set_index("customer_id")["withheld"]
    assert why.to_dict() == {"ann": None, "cat": gate.NO_CONSENT}
    assert present.judged(datetime(2020, 1, 1))["withheld"].notna().all()
