"""Who agrees to personalisation: by the latest known statement, or by what a source says."""

from datetime import datetime, timedelta

import pyarrow as pa
import pytest

from engagement_assets.serving.publishing import PURPOSE
from engagement_assets.source.consent import Consent, agreed_customers
from engagement_assets.source.contract import TABLES
from engagement_assets_tests.decisions.tables import SQL, engine_of
from engagement_assets_tests.serving.worlds import DAY, write_consents, write_customers

NEXT = DAY + timedelta(days=1)


def agreed(lake, *, provided=frozenset(TABLES), granted=()):
    """Who agrees by what a lake and its source say."""
    consent = Consent.of(lake, provided=provided, granted=granted, purpose=PURPOSE)
    return agreed_customers(engine_of(lake), SQL, consent, purpose=PURPOSE)


@pytest.fixture
def people(lake):
    write_customers(lake, DAY, "ann", "bob", "cat")
    write_customers(lake, NEXT, "dan")


@pytest.mark.usefixtures("people")
def test_the_latest_statement_counts(lake):
    write_consents(lake, DAY, ("ann", True), ("bob", True), ("cat", False))
    write_consents(lake, NEXT, ("bob", False), ("cat", True))
    assert agreed(lake) == {"ann", "cat"}


@pytest.mark.usefixtures("people")
def test_another_purpose_is_no_consent(lake):
    write_consents(lake, DAY, ("ann", True, "sentiment"), ("bob", True, "analytics"))
    assert agreed(lake) == frozenset()


@pytest.mark.usefixtures("people")
def test_a_withdrawal_wins_over_a_consent_of_the_same_instant(lake):
    write_consents(lake, DAY, ("ann", True), ("ann", False), ("bob", False), ("bob", True))
    assert agreed(lake) == frozenset()


@pytest.mark.usefixtures("people")
def test_what_is_known_only_after_the_last_day_does_not_count_yet(lake):
    write_consents(lake, NEXT + timedelta(days=1), ("ann", True))
    assert agreed(lake) == frozenset()


@pytest.mark.usefixtures("people")
def test_an_earlier_statement_that_became_known_later_does_not_win(lake):
    schema = TABLES["consents"]
    write_consents(lake, DAY, ("ann", False))
    late = {
        "customer_id": "ann",
        "purpose": PURPOSE,
        "granted": True,
        "occurred_at": datetime(2026, 1, 1),
        "recorded_at": datetime(2026, 2, 11),
    }
    lake.write(schema, pa.Table.from_pylist([late], schema.arrow), day=NEXT)
    assert agreed(lake) == frozenset()


@pytest.mark.usefixtures("people")
def test_a_source_without_the_table_says_what_is_granted(lake):
    without = frozenset(TABLES) - {"consents"}
    assert agreed(lake, provided=without, granted=[PURPOSE]) == {"ann", "bob", "cat", "dan"}
    assert agreed(lake, provided=without, granted=["analytics"]) == frozenset()
    assert agreed(lake, provided=frozenset(TABLES), granted=[PURPOSE]) == frozenset()
