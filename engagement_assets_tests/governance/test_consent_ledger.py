"""The ledger says who could be used for what on a day, by what was known by then."""

from datetime import date, datetime, timedelta

import pytest

from engagement_assets.governance.tables import CONSENT_LEDGER, CONSENT_LEDGER_TABLE
from engagement_assets.source.contract import CONSENT_PURPOSES, TABLES
from engagement_assets_tests.decisions.tables import SQL, engine_of, filled
from resources.lake import Lake

FIRST, DAY = date(2026, 2, 1), date(2026, 2, 10)


def noon(day):
    return datetime(day.year, day.month, day.day, 12)


def written(lake, table, day, rows):
    schema = TABLES[table]
    lake.write(schema, filled(schema, [{"recorded_at": noon(day)} | row for row in rows]), day=day)


def stated(lake, day, *rows):
    """Statements of a day: customer, purpose, whether granted."""
    names = ("customer_id", "purpose", "granted")
    entries = [dict(zip(names, row, strict=True)) | {"occurred_at": noon(day)} for row in rows]
    written(lake, "consents", day, entries)


def ledger(lake, day=DAY, granted=","):
    engine_of(lake).land(
        SQL.query(CONSENT_LEDGER),
        {"snapshot_date": day, "granted_purposes": granted},
        into=CONSENT_LEDGER_TABLE,
        day=day,
    )
    rows = lake.read(CONSENT_LEDGER, days=[day]).to_pylist()
    return {(row["customer_id"], row["purpose"]): (row["usable"], row["since"]) for row in rows}


@pytest.fixture
def lake(tmp_path):
    lake = Lake(str(tmp_path))
    people = [{"customer_id": name, "signed_up_at": noon(FIRST)} for name in ("a", "b")]
    written(lake, "customers", FIRST, people)
    return lake


def test_every_customer_and_purpose_has_a_row_and_nothing_stated_is_analytics_alone(lake):
    stated(lake, FIRST, ("b", "sentiment", True))
    rows = ledger(lake)
    assert set(rows) == {(name, purpose) for name in "ab" for purpose in CONSENT_PURPOSES}
    assert [purpose for purpose in CONSENT_PURPOSES if rows["a", purpose][0]] == ["analytics"]
    assert rows["a", "analytics"] == (True, None)
    assert rows["b", "sentiment"] == (True, FIRST)


def test_a_withdrawal_holds_from_its_day_and_not_before(lake):
    later = DAY - timedelta(days=2)
    stated(lake, FIRST, ("a", "analytics", True), ("a", "federated", True))
    stated(lake, later, ("a", "analytics", False), ("a", "federated", False))
    for purpose in ("analytics", "federated"):
        assert ledger(lake, later - timedelta(days=1))["a", purpose] == (True, FIRST)
        assert ledger(lake)["a", purpose] == (False, later)


def test_of_one_instant_the_refusal_wins_and_accounts_that_were_merged_count_together(lake):
    stated(lake, FIRST, ("b", "personalisation", True), ("b", "personalisation", False))
    assert ledger(lake)["b", "personalisation"] == (False, FIRST)
    merge = {"merged_id": "b", "customer_id": "a", "occurred_at": noon(FIRST)}
    written(lake, "customer_merges", FIRST, [merge])
    rows = ledger(lake)
    assert rows["a", "personalisation"] == (False, FIRST)
    assert not [key for key in rows if key[0] == "b"]


def test_a_source_without_consents_grants_for_all(lake):
    rows = ledger(lake, granted=",analytics,sentiment,")
    assert [p for p in CONSENT_PURPOSES if rows["a", p][0]] == ["analytics", "sentiment"]
