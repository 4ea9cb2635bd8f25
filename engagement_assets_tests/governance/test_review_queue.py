"""Who needs a review waits in the queue until a verdict comes back, and no longer."""

from datetime import date, datetime, timedelta

import pytest

from engagement_assets.governance.tables import (
    FLAGGED_DAYS,
    REVIEW_QUEUE,
    REVIEW_QUEUE_TABLE,
)
from engagement_assets.source.contract import TABLES
from engagement_assets_tests.decisions.tables import SQL, engine_of, filled, write_predictions
from resources.lake import Lake

DAY = date(2026, 2, 10)


@pytest.fixture
def lake(tmp_path):
    return Lake(str(tmp_path))


def flag(lake, days, **scores):
    """Predictions of some days: a score over 0.9 needs a review."""
    for day in days:
        rows = [
            {"customer_id": name, "anomaly_score": score, "needs_review": score > 0.9}
            for name, score in scores.items()
        ]
        write_predictions(lake, "anomaly", day, rows)
        write_predictions(lake, "review", day, rows)


def verdict(lake, customer, day, *, fraud=True):
    at = datetime(day.year, day.month, day.day, 12)
    schema = TABLES["reviews"]
    row = {
        "customer_id": customer,
        "confirmed_fraud": fraud,
        "occurred_at": at,
        "recorded_at": at,
    }
    lake.write(schema, filled(schema, [row]), day=day)


def queue(lake, day=DAY):
    engine_of(lake).land(
        SQL.query(REVIEW_QUEUE),
        {"snapshot_date": day, "earliest": day - timedelta(days=FLAGGED_DAYS)},
        into=REVIEW_QUEUE_TABLE,
        day=day,
    )
    return lake.read(REVIEW_QUEUE, days=[day]).to_pylist()


def test_those_for_review_wait_the_highest_score_first(lake):
    flag(lake, [DAY], a=0.95, b=0.5, c=0.99)
    assert [row["customer_id"] for row in queue(lake)] == ["c", "a"]


@pytest.mark.parametrize("fraud", [True, False])
def test_a_verdict_takes_a_customer_out_whatever_it_says(lake, fraud):
    flag(lake, [DAY - timedelta(days=1), DAY], a=0.95, b=0.96)
    verdict(lake, "a", DAY, fraud=fraud)
    assert [row["customer_id"] for row in queue(lake)] == ["b"]


def test_a_verdict_of_before_the_need_arose_does_not_settle_it(lake):
    verdict(lake, "a", DAY - timedelta(days=5))
    flag(lake, [DAY - timedelta(days=2), DAY], a=0.95)
    (row,) = queue(lake)
    assert row["flagged_since"] == DAY - timedelta(days=2)
    assert row["last_reviewed_on"] == DAY - timedelta(days=5)


def test_a_verdict_of_after_the_day_is_not_known_yet(lake):
    flag(lake, [DAY], a=0.95)
    verdict(lake, "a", DAY + timedelta(days=1))
    assert len(queue(lake)) == 1


def test_nobody_for_review_is_an_empty_queue(lake):
    flag(lake, [DAY], a=0.2)
    assert queue(lake) == []
