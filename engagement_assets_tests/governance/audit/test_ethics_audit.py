"""A quarter without a breach is green, and each planted breach makes it red by name."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace

import pandas as pd
import pytest
from upath import UPath

from engagement_assets.decisions.contact.limits import ContactLimits
from engagement_assets.decisions.specs import DECISIONS
from engagement_assets.governance.audit import contacts
from engagement_assets.governance.audit.cards import compared, documents, fingerprints
from engagement_assets.governance.audit.evidence import (
    Complaints,
    Contacts,
    Evidence,
    Reviews,
    Serving,
)
from engagement_assets.governance.audit.gathering import AUDITS, SIGN_OFFS, Sources, digest
from engagement_assets.governance.audit.judging import OLDEST_DAYS, ethics_audit
from engagement_assets.governance.audit.sign_off import SignOffError, sign_off
from engagement_assets.governance.review import Desk, agreement
from engagement_assets.governance.tables import KNOWN_TABLES
from engagement_assets.models.specs import EVERY_MODEL
from engagement_assets_tests.decisions.tables import SQL, engine_of
from resources.io_managers import Report, ReportIOManager
from resources.lake import Lake
from resources.quarter import Quarter
from resources.registry import ModelRegistry
from resources.reviews import ReviewLog
from resources.standing import Acceptance

LAST = date(2026, 3, 31)
QUARTER = Quarter.of(LAST)
ACCEPTED = Acceptance("v1", "pilot", "ann", "2026-06-30", ["80 % rule"], "2026-02-01T00:00:00")


def measured(**changes):
    row = {
        "model": "churn", "model_version": "v1", "verdict": "holds", "side": "customers",
        "attribute": "gender", "group_name": "f", "measure": "selected", "value": 0.2,
        "low": 0.1, "high": 0.3, "people": 500, "judged": True, "gap": False, "fails": False,
    }  # fmt: skip
    return row | changes


CHURN = Serving(
    name="churn",
    version="v1",
    registered="2026-01-02T00:00:00",
    changes=[{"action": "promote", "version": "v1", "reason": "passed", "at": "2026-01-02"}],
    judged=["2026-01-02"],
    drifted={LAST - timedelta(days=n): False for n in range(5)},
)
GOOD = Evidence(
    quarter=QUARTER,
    last_day=LAST,
    serving=[CHURN],
    fairness=[measured()],
    contacts=Contacts(days=90, messages=1_000),
    scored_refusers=0,
    reviews=Reviews(agreement=agreement([])),
    cards={"model card": (1, {})},
)
FAILS = [measured(verdict="fails", fails=True, gap=True)]


def churn(**changes):
    return replace(GOOD, serving=[replace(CHURN, **changes)])


def broken(what):
    return replace(GOOD, contacts=Contacts(days=90, messages=9, breaches={what: 2}))


BREACHES = {
    "the rule fails, and nobody answers": (replace(GOOD, fairness=FAILS), "nobody answers"),
    "no fairness report": (replace(GOOD, fairness=[]), "without a fairness report"),
    "an exception that is over": (
        churn(accepted=replace(ACCEPTED, until="2026-03-30")),
        "answered until 2026-03-30",
    ),
    "changed files": (churn(fault="churn v1 is not what was registered"), "not what was"),
    "too old": (
        churn(registered=(LAST - timedelta(days=OLDEST_DAYS + 1)).isoformat()),
        "185 days old",
    ),
    "drift that nobody looked at": (
        churn(drifted={LAST - timedelta(days=n): True for n in range(3)}),
        "drifted from 2026-03-29",
    ),
    "no consent": (broken(contacts.NO_CONSENT), contacts.NO_CONSENT),
    "beyond a limit": (broken(contacts.WEEK_CAP), contacts.WEEK_CAP),
    "refusers scored": (replace(GOOD, scored_refusers=1), "refused analytics"),
    "an overdue review": (
        replace(GOOD, reviews=replace(GOOD.reviews, waiting=1, overdue=1)),
        "overdue",
    ),
    "fraud by one person": (
        replace(GOOD, reviews=replace(GOOD.reviews, decided=1, fraud=1, alone=1)),
        "one person",
    ),
    "a complaint without an answer": (
        replace(GOOD, complaints=Complaints(due_days=30, received=1, open=1, overdue=1)),
        "unanswered after 30 days",
    ),
    "a complaint answered too late": (
        replace(GOOD, complaints=Complaints(due_days=30, received=1, answered=1, late=1)),
        "answered after more than 30 days",
    ),
    "a stale card": (
        replace(GOOD, cards={"model card": (2, {"churn": "is stale"})}),
        "churn is stale",
    ),
    "nobody signed the quarter before": (replace(GOOD, unsigned=["2025-Q4"]), "QUARTER=2025-Q4"),
}


def test_a_quarter_without_a_breach_is_green_and_the_same_byte_for_byte():
    figures, text = ethics_audit(GOOD)
    assert (figures["verdict"], figures["breaches"]) == ("green", [])
    assert ethics_audit(replace(GOOD)) == (figures, text)
    # what cannot be measured is named although nothing broke
    assert any("`complaints`" in one for one in figures["unmeasured"])


@pytest.mark.parametrize("name", BREACHES)
def test_a_planted_breach_makes_it_red_by_name(name):
    evidence, words = BREACHES[name]
    figures, text = ethics_audit(evidence)
    assert figures["verdict"] == "red"
    (breach,) = figures["breaches"]
    assert words in breach
    assert words.replace("`", "") in text.replace("`", "")


def test_an_exception_that_stands_and_drift_that_was_answered_are_no_breach():
    accepted = replace(churn(accepted=ACCEPTED), fairness=FAILS)
    assert ethics_audit(accepted)[0]["verdict"] == "green"
    late = churn(
        drifted={LAST - timedelta(days=n): True for n in range(3)}, judged=[LAST.isoformat()]
    )
    assert ethics_audit(late)[0]["verdict"] == "green"


def test_complaints_that_were_answered_in_time_are_no_breach():
    answered = replace(GOOD, complaints=Complaints(due_days=30, received=3, answered=2, open=1))
    figures, text = ethics_audit(answered)
    assert figures["verdict"] == "green"
    assert not any("omplaints" in one for one in figures["unmeasured"])
    assert "| all | all | 3 | 1 | 0 | 0 |" in text


def test_a_group_too_small_to_judge_and_a_model_that_does_not_serve_are_named():
    small = replace(GOOD, fairness=[measured(), measured(group_name="x", judged=False)])
    assert any("gender=x" in one for one in ethics_audit(small)[0]["unmeasured"])
    nothing = replace(GOOD, serving=[Serving(name="churn")], fairness=[])
    figures, _ = ethics_audit(nothing)
    assert figures["verdict"] == "green"
    assert any("no version that serves" in one for one in figures["unmeasured"])


def due(day=1, who="ann", opens=12, closes=21, purpose="notifications"):
    at = datetime(2026, 1, day)
    return {
        "customer_id": who, "snapshot_date": at.date() - timedelta(days=1), "purpose": purpose,
        "not_before": at + timedelta(hours=opens), "not_after": at + timedelta(hours=closes),
    }  # fmt: skip


def counted(*days, agreed=("ann",), limits=None, **person):
    people = pd.DataFrame([{"customer_id": "ann", "time_zone": "UTC", "holdout": False,
                            "opted_out": False, **person}])  # fmt: skip
    consents = pd.DataFrame({"customer_id": list(agreed)}).assign(purpose="notifications")
    count = contacts.ContactCount(limits or ContactLimits())
    for rows in days:
        count.add(pd.DataFrame(rows), people, consents)
    return {name: n for name, n in count.counted().breaches.items() if n}


def test_messages_that_keep_every_promise_break_none():
    assert counted([due()]) == {}
    assert counted([due(purpose=None)], agreed=()) == {}
    assert counted(*([due(day)] for day in range(1, 8))) == {}
    # 08:00 to 22:00 in Tokyo
    assert counted([due(opens=-1, closes=13)], time_zone="Asia/Tokyo") == {}


@pytest.mark.parametrize(
    ("breach", "count"),
    [
        (contacts.NO_CONSENT, lambda: counted([due()], agreed=())),
        (contacts.HELD_OUT, lambda: counted([due()], holdout=True)),
        (contacts.OPTED_OUT, lambda: counted([due()], opted_out=True)),
        (contacts.UNKNOWN, lambda: counted([due(who="dan")], agreed=("dan",))),
        (contacts.AT_NIGHT, lambda: counted([due(closes=23)])),
        (contacts.AT_NIGHT, lambda: counted([due(opens=7)])),
        (contacts.AT_NIGHT, lambda: counted([due()], time_zone="Asia/Tokyo")),
        (contacts.DAY_CAP, lambda: counted([due()] * 4, limits=ContactLimits(a_week=9))),
        (contacts.WEEK_CAP, lambda: counted(*([due(day)] for day in range(1, 4)),
                                            limits=ContactLimits(a_week=2))),
    ],
)  # fmt: skip
def test_a_message_that_breaks_a_promise_is_counted(breach, count):
    assert count() == {breach: 1}


@pytest.fixture
def reports(tmp_path):
    return ReportIOManager(root=str(tmp_path / "reports")).create_io_manager(None)


@pytest.fixture
def sources(tmp_path, reports):
    lake = Lake(str(tmp_path / "lake"))
    return Sources(
        engine=engine_of(lake),
        sql=SQL,
        registry=ModelRegistry(tmp_path / "registry"),
        reports=reports,
        desk=Desk(lake, ReviewLog(UPath(tmp_path / "reviews"), days=7, second_share=0.0)),
        reader=SimpleNamespace(provides=frozenset, granted_consents=(), timezone="UTC"),
        limits=ContactLimits(),
        holdout="global_holdout",
        complaint_days=30,
    )


def test_an_empty_home_is_audited_and_says_what_is_not_there(sources):
    evidence = sources.evidence(LAST)
    figures, _ = ethics_audit(evidence)
    assert any("there is no outbox" in one for one in figures["unmeasured"])
    # every card is missing until they are made
    assert all("is missing" in one for one in figures["breaches"])
    made = fingerprints(sources.cards())
    sources.reports.save(("governance", "cards"), Report(made, ""))
    assert ethics_audit(sources.evidence(LAST))[0]["verdict"] == "green"


def test_what_the_registry_holds_is_evidence_and_a_changed_file_a_breach(sources, tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "model.json").write_text("{}")
    registry = sources.registry
    version = registry.register("churn", folder, {})
    registry.promote("churn", version, "passed")
    today = datetime.now(UTC).date()
    (own,) = (one for one in sources.evidence(today).serving if one.name == "churn")
    assert (own.version, own.fault) == (version, "")
    assert own.registered[:10] == today.isoformat()
    assert [(one["action"], one["reason"]) for one in own.changes] == [("promote", "passed")]
    # before it served
    early = sources.evidence(date(2020, 3, 31)).serving
    assert {one.version for one in early} == {None}
    (tmp_path / "registry" / "churn" / version / "model.json").write_text("[]")
    breaches = ethics_audit(sources.evidence(today))[0]["breaches"]
    assert any("churn" in one and version in one for one in breaches[:1])


def test_a_quarter_is_signed_off_as_it_stands_and_not_when_it_changes(sources, reports):
    with pytest.raises(SignOffError, match="ethics_audit"):
        sign_off(reports, "2025-Q4", by="ann")
    audit = {"verdict": "green", "breaches": []}
    reports.save((*AUDITS, "2025-Q4"), Report(audit, ""))
    assert sources.evidence(LAST).unsigned == ["2025-Q4"]
    with pytest.raises(SignOffError, match="BY"):
        sign_off(reports, "2025-Q4", by=" ")
    with pytest.raises(SignOffError, match="2026-Q4"):
        sign_off(reports, "last", by="ann")
    sign_off(reports, "2025-Q4", by="ann", now=datetime(2026, 1, 5, 9))
    assert sources.evidence(LAST).unsigned == []
    signed = reports.latest((*SIGN_OFFS, "2025-Q4")).figures
    assert (signed["by"], signed["at"]) == ("ann", "2026-01-05T09:00:00")
    assert signed["audit"] == digest(audit)
    reports.save((*AUDITS, "2025-Q4"), Report({**audit, "breaches": ["one"]}, ""))
    assert sources.evidence(LAST).unsigned == ["2025-Q4"]


def test_every_model_policy_and_table_has_a_card_and_a_changed_one_is_stale(tmp_path):
    registry = ModelRegistry(tmp_path)
    made = fingerprints(documents(EVERY_MODEL, DECISIONS, KNOWN_TABLES, registry))
    assert {kind: len(own) for kind, own in made.items()} == {
        "model card": len(EVERY_MODEL),
        "policy card": len(DECISIONS),
        "data sheet": len(KNOWN_TABLES),
    }
    churn_spec = next(spec for spec in EVERY_MODEL if spec.name == "churn")
    changed = [replace(s, limits=()) if s is churn_spec else s for s in EVERY_MODEL]
    now = fingerprints(documents(changed, DECISIONS, KNOWN_TABLES[1:], registry))
    assert compared(now, made)["model card"] == (len(EVERY_MODEL), {"churn": "is stale"})
    assert compared(made, now)["data sheet"][1] == {KNOWN_TABLES[0].key: "is missing"}


def test_a_quarter_knows_its_days():
    assert (QUARTER.first, QUARTER.last, str(QUARTER)) == (date(2026, 1, 1), LAST, "2026-Q1")
    assert Quarter.named("2026-q4").last == date(2026, 12, 31)
