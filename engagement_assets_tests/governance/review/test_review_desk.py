"""A case is decided by people alone: states, four eyes, deadlines, and who may."""

from datetime import UTC, date, datetime, timedelta

import pytest
from fastapi.testclient import TestClient
from upath import UPath

from engagement_assets.decisions.specs import DECISIONS, REVIEW
from engagement_assets.governance import review
from engagement_assets.governance.tables import REVIEW_QUEUE_TABLE
from engagement_assets.serving.api.app import Installation, create_app
from engagement_assets.serving.api.keys import new_key
from engagement_assets.settings.api import ApiSettings
from engagement_assets.source.contract import TABLES
from engagement_assets.source.readers import SimulatedReader
from engagement_assets.source.reviewed import with_verdicts
from engagement_assets_tests.decisions.tables import filled
from engagement_assets_tests.serving.conftest import Keys
from resources.lake import Lake
from resources.reviews import VERDICT, ReviewLog, Step, case_of

DAY = date(2026, 2, 10)
NOON = datetime(2026, 2, 11, 12, tzinfo=UTC)


@pytest.fixture
def desk(tmp_path):
    lake = Lake(str(tmp_path / "lake"))
    rows = [
        {"customer_id": name, "snapshot_date": DAY, "flagged_since": since, "anomaly_score": score}
        for name, since, score in (
            ("ann", DAY, 0.99),
            ("bob", DAY, 0.95),
            ("old", DAY - timedelta(days=9), 0.91),
        )
    ]
    lake.write(REVIEW_QUEUE_TABLE, filled(REVIEW_QUEUE_TABLE, rows), day=DAY)
    return review.Desk(lake, ReviewLog(UPath(tmp_path / "reviews"), days=7, second_share=0.0))


def states(desk, now=NOON):
    return {one.row["customer_id"]: (one.state, one.overdue) for one in desk.queue(now=now)}


def test_the_overdue_come_first_and_a_day_of_grace_is_none(desk):
    assert [one.row["customer_id"] for one in desk.queue(now=NOON)] == ["old", "ann", "bob"]
    assert states(desk)["old"] == ("waiting", True)
    last = datetime(2026, 2, 17, 23, tzinfo=UTC)
    assert states(desk, last)["ann"] == ("waiting", False)
    assert states(desk, last + timedelta(hours=2))["ann"] == ("waiting", True)


def test_fraud_takes_two_people_and_one_of_them_is_not_enough_twice(desk):
    assert desk.assign("ann", by="x", now=NOON).state == "assigned"
    with pytest.raises(review.ReviewError, match="x has this case"):
        desk.give_verdict("ann", by="y", fraud=True, note="stolen card", now=NOON)
    first = desk.give_verdict("ann", by="x", fraud=True, note="stolen card", now=NOON)
    assert (first.state, first.case.fraud) == ("first verdict", None)
    with pytest.raises(review.ReviewError, match="another person"):
        desk.give_verdict("ann", by="x", fraud=True, note="stolen card", now=NOON)
    second = desk.give_verdict("ann", by="y", fraud=True, note="same device", now=NOON)
    assert (second.state, second.case.fraud) == ("decided", True)
    with pytest.raises(review.ReviewError, match="decided"):
        desk.assign("ann", by="z", now=NOON)
    assert states(desk)["old"] == ("waiting", True), "another case is not touched"


def test_one_person_clears_and_where_two_differ_a_third_decides(desk):
    assert desk.give_verdict("bob", by="x", fraud=False, note="a family", now=NOON).state == (
        "decided"
    )
    desk.give_verdict("ann", by="x", fraud=True, note="odd", now=NOON)
    assert desk.give_verdict("ann", by="y", fraud=False, note="fine", now=NOON).state == (
        "first verdict"
    )
    assert desk.give_verdict("ann", by="z", fraud=False, note="fine", now=NOON).case.fraud is False


def test_a_verdict_needs_a_note_and_a_case(desk):
    with pytest.raises(review.ReviewError, match="note"):
        desk.give_verdict("ann", by="x", fraud=True, note=" ", now=NOON)
    with pytest.raises(review.UnknownCaseError):
        desk.give_verdict("dan", by="x", fraud=True, note="why not", now=NOON)


def test_a_case_that_is_drawn_takes_two_people_whatever_the_first_says():
    step = Step(customer_id="a", since="2026-02-10", action=VERDICT, by="x", at="t", fraud=False)
    assert case_of("a", "2026-02-10", [step], second_share=1.0).fraud is None
    assert case_of("a", "2026-02-10", [step], second_share=0.0).fraud is False


def cases(pairs):
    for number, pair in enumerate(pairs):
        steps = [
            Step(customer_id=str(number), since="d", action=VERDICT, by=by, at="t", fraud=fraud)
            for by, fraud in zip("xy", pair, strict=True)
        ]
        yield case_of(str(number), "d", steps, second_share=1.0)


def test_agreement_is_cohens_kappa_with_its_interval_and_is_unknown_for_few():
    both = [(True, True)] * 20 + [(False, False)] * 20 + [(True, False)] * 5 + [(False, True)] * 5
    known = review.agreement(cases(both))
    # 80 % the same, 50 % expected by chance
    assert known.kappa == pytest.approx((0.8 - 0.5) / 0.5)
    assert known.low < known.kappa < known.high < 1
    few = review.agreement(cases(both[:5]))
    assert few.kappa != few.kappa
    assert few.reason
    assert review.agreement(cases([(False, False)] * 30)).reason


def test_nobody_is_barred_by_a_score_alone(desk):
    """What reads the detector only asks people to look; their word alone becomes a verdict."""
    readers = [spec.name for spec in DECISIONS if "anomaly" in spec.listens_to]
    assert readers == [REVIEW.name]
    assert [spec.name for spec in DECISIONS if "anomaly/predictions" in spec.predicts_from] == (
        readers
    )
    assert all(action.channel is None for action in REVIEW.actions)
    reader = SimulatedReader(None, first_day=DAY, tables=frozenset(TABLES))
    # the highest score, overdue, and one verdict of fraud: still nothing is decided
    assert with_verdicts(reader, desk.log.cases()) is reader
    desk.give_verdict("ann", by="x", fraud=True, note="odd", now=NOON)
    assert with_verdicts(reader, desk.log.cases()) is reader
    desk.give_verdict("ann", by="y", fraud=True, note="odd", now=NOON)
    assert with_verdicts(reader, desk.log.cases()) is not reader


@pytest.fixture
def ask(desk):
    keys = Keys()
    app = create_app(
        ApiSettings(warm_sentiment=False),
        Installation(None, dict, None, keys, lambda _: ([], ""), None, None, desk),
    )
    people = {}
    for name, scope in (("x", "review"), ("y", "review"), ("reader", "read")):
        kept, people[name] = new_key(name, (scope,))
        keys.kept[kept.id] = kept
    client = TestClient(app)

    def answer(who, method, path="", **body):
        return client.request(
            method, f"/v1/reviews{path}", headers={"X-API-Key": people[who]}, json=body or None
        )

    return answer


def test_verdicts_are_given_through_the_api_by_those_who_may(ask):
    assert ask("reader", "GET").status_code == 403
    assert ask("x", "GET").json()["total"] == 3
    assert ask("x", "POST", "/assignments", customer_id="ann").json()["state"] == "assigned"
    verdict = {"customer_id": "ann", "confirmed_fraud": True, "note": "stolen card"}
    assert ask("reader", "POST", "/verdicts", **verdict).status_code == 403
    assert ask("y", "POST", "/verdicts", **verdict).status_code == 409
    first = ask("x", "POST", "/verdicts", **verdict).json()
    assert (first["state"], first["verdicts"], first["confirmed_fraud"]) == (
        "first verdict",
        1,
        None,
    )
    assert "stolen card" not in ask("y", "GET").text
    assert ask("y", "POST", "/verdicts", **verdict).json()["confirmed_fraud"] is True
    assert ask("y", "POST", "/verdicts", **{**verdict, "customer_id": "dan"}).status_code == 404
