"""The assistant of an installation follows new days and withdrawals."""

from datetime import timedelta

import pandas as pd
import pytest

from engagement_assets.chat import opening
from engagement_assets.chat.opening import Assistants
from engagement_assets.decisions.customers.unified import CUSTOMERS_TABLE
from engagement_assets.deployments.local import resources
from engagement_assets.features.catalogue import CUSTOMER_FEATURES_TABLE
from engagement_assets.settings.chat import ChatSettings
from engagement_assets.settings.installation import PROJECT, Settings
from engagement_assets.source.contract import TABLES
from engagement_assets_tests.chat.conftest import DAY, ROWS
from engagement_assets_tests.decisions.tables import filled

WHO = "c0000001"
MANY, ONE = "How many customers are there?", f"What is the churn probability of customer {WHO}?"


@pytest.fixture
def assistants(lake, tmp_path, monkeypatch) -> Assistants:
    """Of a home of its own with the features and predictions of the drawn day."""
    monkeypatch.setattr(opening, "LOOK_AGAIN_SECONDS", 0.0)
    settings = Settings(home=tmp_path / "home", first_day=DAY)
    own = resources(settings, sql_root=str(PROJECT / "sql"))
    for table in (CUSTOMER_FEATURES_TABLE, CUSTOMERS_TABLE):
        rows = lake.read(table.key, days=[DAY]).to_pylist()
        own["lake"].lake.write(table, filled(table, rows), day=DAY)
    return Assistants.of(own, ChatSettings())


def test_it_is_opened_once_for_a_day(assistants):
    first = assistants()
    assert first.ask(MANY).facts[0].values == (ROWS, ROWS)
    assert assistants() is first
    assert [line["question"] for line in assistants.resources["questions"].log.lines()] == [MANY]


def test_who_withdraws_is_in_no_answer_from_then_on(assistants):
    before = assistants()
    assert not before.ask(ONE).refusal
    consents = TABLES["consents"]
    refusal = {
        "customer_id": WHO,
        "purpose": "analytics",
        "granted": False,
        "occurred_at": pd.Timestamp(DAY),
        "recorded_at": pd.Timestamp(DAY),
    }
    assistants.resources["lake"].lake.write(consents, filled(consents, [refusal]), day=DAY)
    after = assistants()
    assert after.ask(MANY).facts[0].values == (ROWS - 1, ROWS - 1)
    assert after.ask(ONE).refusal == "nothing_found"


def test_a_new_day_is_answered_from(assistants):
    lake, later = assistants.resources["lake"].lake, DAY + timedelta(days=1)
    before = assistants()
    for table in (CUSTOMER_FEATURES_TABLE, CUSTOMERS_TABLE):
        rows = lake.read(table.key, days=[DAY]).to_pylist()[:7]
        lake.write(
            table, filled(table, [{**row, "snapshot_date": later} for row in rows]), day=later
        )
    fact = assistants().ask(MANY).facts[0]
    assert (fact.values, fact.day) == ((7, 7), later.isoformat())
    assert before.ask(MANY).facts[0].day == DAY.isoformat()
