"""What an installation's outbox says is due now goes to its webhook, from the lake as it lies."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pytest
from dagster import Failure, build_op_context

from engagement_assets.decisions.contact import job
from engagement_assets.decisions.contact.resource import ContactSettings
from engagement_assets.decisions.contact.tables import KNOWN_TABLES, OUTBOX
from engagement_assets.source.known import product_sql
from engagement_assets_tests.decisions.outboxes import present
from engagement_assets_tests.decisions.test_contact_delivery import listening
from engagement_assets_tests.signals.sentiment.test_consent import add
from resources.delivery import WebhookDelivery
from resources.engine import DuckDBEngine
from resources.lake import Lake
from resources.tables import by_sql_name

SQL = product_sql(Path(__file__).parents[2] / "sql")
LONG_AGO = timedelta(days=60)


def zone_where_it_is_afternoon(now):
    """A zone whose clock shows one o'clock or a little more, and what day it has."""
    ahead = (13 - now.hour + 12) % 24 - 12
    # Etc/GMT+5 is five hours behind
    return f"Etc/GMT{-ahead:+d}", (now + timedelta(hours=ahead)).date()


@pytest.fixture
def installation(tmp_path):
    """Resources over a lake: ann, bob and cat have a message due, and cat opted out since."""
    now = datetime.now(UTC)
    zone, today = zone_where_it_is_afternoon(now)
    signed_up, snapshot = (now - LONG_AGO).date(), today - timedelta(days=1)
    lake = Lake(str(tmp_path / "lake"))
    people = [
        {
            "customer_id": name, "time_zone": zone,
            "signed_up_at": datetime(signed_up.year, signed_up.month, signed_up.day),
        }
        for name in ("ann", "bob", "cat")
    ]  # fmt: skip
    add(lake, "customers", signed_up, people)
    gone = {"notification_id": "n1", "customer_id": "cat"}
    at = datetime(signed_up.year, signed_up.month, signed_up.day, 13)
    add(lake, "notifications", signed_up, [{**gone, "unsubscribed_at": at}])
    rows = present(("ann", "bob", "cat"), snapshot=snapshot, time_zone=zone).rows
    lake.write(OUTBOX, pa.Table.from_pandas(rows, OUTBOX.arrow, preserve_index=False), day=snapshot)
    engine = DuckDBEngine(lake, declared=by_sql_name(KNOWN_TABLES))
    reader = SimpleNamespace(
        timezone="UTC", granted_consents=("notifications",), provides=frozenset
    )
    return {
        "engine": SimpleNamespace(engine=lambda _: engine, sql=SQL),
        "source": SimpleNamespace(reader=reader),
        "contact": ContactSettings(),
    }


def webhook(folder, url):
    return WebhookDelivery(
        url=url, secret_path=str(folder / "secret"), claims_path=str(folder / "claims.sqlite")
    )


def test_what_is_due_now_is_posted_once(installation, tmp_path):
    with listening([204, 204]) as (url, got):
        resources = {**installation, "delivery": webhook(tmp_path, url)}
        first, second = job.deliver_due(resources), job.deliver_due(resources)
    assert (first.sent, second.sent, second.elsewhere) == (2, 0, 2)
    assert sum(first.withheld.values()) == 1
    assert len({headers["webhook-id"] for headers, _ in got}) == 2


def test_a_run_whose_messages_were_not_taken_fails_and_one_without_a_place_says_so(
    installation, tmp_path
):
    with listening([500, 500]) as (url, _):
        resources = {**installation, "delivery": webhook(tmp_path, url)}
        with pytest.raises(Failure, match="2 messages"):
            job.deliver_contacts(build_op_context(), **resources)
    assert job.deliver_due({**installation, "delivery": webhook(tmp_path, "")}) is None
