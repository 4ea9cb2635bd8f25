"""Complaints of a quarter are counted by state, topic and group, as they are known by its end."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from types import SimpleNamespace

import pandas as pd
import pytest
from upath import UPath

from engagement_assets.decisions.contact.limits import ContactLimits
from engagement_assets.governance.audit.complaints import LEAST_OF_A_GROUP, count_complaints
from engagement_assets.governance.audit.gathering import Sources
from engagement_assets.governance.audit.judging import ethics_audit
from engagement_assets.governance.review import Desk
from engagement_assets.source.contract import TABLES
from engagement_assets.source.simulator.world import Simulator
from engagement_assets.source.versions import REVISIONS
from engagement_assets_tests.decisions.tables import SQL, engine_of, filled
from resources.io_managers import ReportIOManager
from resources.lake import Lake
from resources.registry import ModelRegistry
from resources.reviews import ReviewLog

FIRST, LAST = date(2026, 1, 1), date(2026, 3, 31)
NOON = datetime(2026, 3, 31, 12)
PEOPLE = pd.DataFrame(
    {
        "customer_id": [f"c{n:02}" for n in range(40)],
        "gender": ["female"] * 20 + ["male"] * 12 + ["other"] * 3 + [None] * 5,
        "birth_date": [date(2000, 6, 1)] * 30 + [date(1960, 6, 1)] * 10,
    }
)


def complaint(number, *, days_ago, answered_after=None, category="price", about=None):
    made = NOON - timedelta(days=days_ago)
    return {
        "complaint_id": f"k{number}",
        "customer_id": f"c{number:02}",
        "occurred_at": made,
        "category": category,
        "about": about,
        "resolved_at": None if answered_after is None else made + timedelta(days=answered_after),
    }


ROWS = [
    complaint(0, days_ago=10),
    complaint(1, days_ago=29.4),
    # beyond the deadline before the day is over
    complaint(2, days_ago=30.2, category="privacy"),
    complaint(3, days_ago=60, answered_after=30, about="churn"),
    complaint(20, days_ago=70, answered_after=31, category="privacy"),
    # of the quarter before: one still waits, one was answered in this quarter, one before it
    complaint(21, days_ago=200),
    complaint(22, days_ago=100, answered_after=12),
    complaint(23, days_ago=300, answered_after=200, category=None),
]  # fmt: skip


def counted(rows, people=PEOPLE, *, due_days=30):
    columns = [*complaint(0, days_ago=1)]
    return count_complaints(
        pd.DataFrame(rows, columns=columns),
        people,
        first=FIRST,
        last_day=LAST,
        due_days=due_days,
    )


def test_states_are_those_of_the_end_of_the_quarter():
    seen = counted(ROWS)
    assert (seen.received, seen.answered) == (5, 3)
    # c02 and c21 wait beyond their deadline; c20 had its answer a day late
    assert (seen.open, seen.overdue, seen.late) == (4, 2, 1)
    assert seen.grouped == 5


@pytest.mark.parametrize(
    ("due_days", "overdue", "late"),
    # 10.5, 29.9, 30.7 and 200.5 days wait by the end of the day; answers took 12, 30 and 31
    [(10, 4, 3), (11, 3, 3), (29, 3, 2), (31, 1, 0), (90, 1, 0)],
)
def test_the_deadline_is_a_setting(due_days, overdue, late):
    seen = counted(ROWS, due_days=due_days)
    assert (seen.received, seen.open) == (5, 4)
    assert (seen.overdue, seen.late) == (overdue, late)


def test_topics_are_shares_of_what_was_received_with_an_interval():
    by = {(one.by, one.name): one for one in counted(ROWS).shares}
    privacy = by["category", "privacy"]
    assert (privacy.received, privacy.open, privacy.overdue, privacy.late) == (2, 1, 1, 1)
    assert (privacy.part, privacy.whole) == (2, 5)
    # Wilson's interval of two of five, by hand: centre 0.4565, half width 0.3126
    assert (privacy.low, privacy.high) == pytest.approx((0.1176, 0.7693), abs=5e-4)
    assert (by["about", "churn"].part, by["about", "churn"].whole) == (1, 5)


def test_groups_are_shares_of_their_customers_and_small_ones_are_left_out():
    by = {(one.by, one.name): one for one in counted(ROWS).shares}
    assert (by["gender", "female"].part, by["gender", "female"].whole) == (4, 20)
    assert (by["gender", "male"].part, by["gender", "male"].whole) == (1, 12)
    assert by["gender", "male"].overdue == 1
    assert by["age", "25-34"].whole == 30
    assert ("gender", "other") not in by
    assert all(one.whole >= LEAST_OF_A_GROUP for one in by.values() if one.by in {"gender", "age"})


def test_who_complains_twice_is_one_customer_and_a_stranger_is_in_no_group():
    again = {**ROWS[0], "complaint_id": "k99"}
    stranger = {**ROWS[0], "complaint_id": "k98", "customer_id": "gone"}
    seen = counted([ROWS[0], again, stranger])
    assert (seen.received, seen.grouped) == (3, 2)
    (female,) = (one for one in seen.shares if (one.by, one.name) == ("gender", "female"))
    assert (female.received, female.part) == (2, 1)


def test_no_complaint_at_all_is_measured():
    seen = counted([])
    assert (seen.received, seen.overdue) == (0, 0)
    assert {one.by for one in seen.shares} == {"gender", "age"}
    assert all(one.low == 0 < one.high for one in seen.shares)


@pytest.fixture
def sources(tmp_path):
    lake = Lake(str(tmp_path / "lake"))
    provided = SimpleNamespace(
        provides=lambda: frozenset({"complaints"}), granted_consents=(), timezone="UTC"
    )
    return Sources(
        engine=engine_of(lake),
        sql=SQL,
        registry=ModelRegistry(tmp_path / "registry"),
        reports=ReportIOManager(root=str(tmp_path / "reports")).create_io_manager(None),
        desk=Desk(lake, ReviewLog(UPath(tmp_path / "reviews"), days=7, second_share=0.0)),
        reader=provided,
        limits=ContactLimits(),
        holdout="global_holdout",
        complaint_days=30,
    )


def test_the_audit_reads_complaints_in_their_latest_version_and_also_of_who_refuses(sources):
    def land(table, day, *rows):
        at = datetime.combine(day, datetime.min.time())
        declared = TABLES[table]
        made = [{declared.event_time: at, "recorded_at": at, **row} for row in rows]
        sources.engine.lake.write(declared, filled(declared, made), day=day)

    begin, later, after = date(2026, 1, 5), date(2026, 2, 20), date(2026, 4, 3)
    people = [{"customer_id": name, "gender": "male"} for name in PEOPLE["customer_id"]]
    land("customers", begin, *people)
    refusal = {"customer_id": "c01", "purpose": "analytics", "granted": False}
    land("consents", begin, refusal)
    at = datetime.combine(begin, datetime.min.time())
    first = [{"complaint_id": f"k{n}", "customer_id": f"c0{n}", "occurred_at": at} for n in (1, 2)]
    land("complaints", begin, *first)
    # the second one's answer, which came after its deadline; the first one's, after the quarter
    answer = datetime.combine(later, datetime.min.time())
    land("complaints", later, {**first[1], "resolved_at": answer, "recorded_at": answer})
    answer = datetime.combine(after, datetime.min.time())
    land("complaints", after, {**first[0], "resolved_at": answer, "recorded_at": answer})
    replaced = [
        {"table": "complaints", "row_key": f"k{n}", "replaces_before": at, "recorded_at": at}
        for n, at in ((2, datetime.combine(later, datetime.min.time())), (1, answer))
    ]
    for row in replaced:
        day = row["recorded_at"].date()
        sources.engine.lake.write(REVISIONS, filled(REVISIONS, [row]), day=day)
    seen = sources.evidence(LAST).complaints
    assert (seen.received, seen.open, seen.overdue, seen.late) == (2, 1, 1, 1)
    assert seen.grouped == 1
    (men,) = (one for one in seen.shares if one.by == "gender")
    assert (men.part, men.whole) == (1, 39)
    breaches = ethics_audit(sources.evidence(LAST))[0]["breaches"]
    assert [one for one in breaches if "Complaints" in one] == [
        "Complaints: 1 complaints are unanswered after 30 days",
        "Complaints: 1 complaints were answered after more than 30 days",
    ]
    patient = ethics_audit(replace(sources, complaint_days=60).evidence(LAST))
    assert [one for one in patient[0]["breaches"] if "Complaints" in one] == [
        "Complaints: 1 complaints are unanswered after 60 days",
    ]
    assert "A complaint is answered within 60 days" in patient[1]


def test_the_simulated_company_is_complained_about_and_answers_within_its_month():
    world = Simulator(customers=600, seed=5, first_day=FIRST, days=90)
    rows = pd.concat(
        world.day(FIRST + timedelta(days=n))["complaints"].to_pandas() for n in range(90)
    )
    latest = rows.sort_values("recorded_at").drop_duplicates("complaint_id", keep="last")
    assert len(latest) >= 10
    assert latest["customer_id"].is_unique
    waits = latest["resolved_at"] - latest["occurred_at"]
    assert waits.dropna().between(pd.Timedelta(0), pd.Timedelta(days=28)).all()
    open_since = latest.loc[waits.isna(), "occurred_at"]
    assert (open_since > pd.Timestamp(LAST) - pd.Timedelta(days=28)).all()
    assert not rows.duplicated(["complaint_id", "recorded_at"]).any()
