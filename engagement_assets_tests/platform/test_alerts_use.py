"""Alerts about sad texts are for customer support and feed nothing else."""

import re

import dagster as dg

from engagement_assets.definitions import defs
from engagement_assets.signals.tables import SENTIMENT_ALERTS
from engagement_assets_tests.platform.homes import PROJECT

ALERTS = dg.AssetKey(["sentiment", "alerts"])
NAMED = re.compile(r"sentiment[./]alerts|SENTIMENT_ALERTS\b")
# declares it, makes it, and takes it in the daily job
MAKERS = {
    "engagement_assets/signals/tables.py",
    "engagement_assets/signals/sentiment/scoring.py",
    "engagement_assets/signals/sentiment/assets.py",
    "engagement_assets/signals/sentiment/events.py",
}


def test_no_asset_is_made_from_the_alerts() -> None:
    graph = defs.resolve_asset_graph()
    assert ALERTS in graph.get_all_asset_keys()
    assert not graph.get(ALERTS).child_keys


def test_no_module_and_no_sql_but_their_maker_names_the_alerts() -> None:
    actual = set()
    for folder in ("engagement_assets", "resources", "sql"):
        for path in (PROJECT / folder).rglob("*"):
            if path.suffix in (".py", ".sql", ".toml") and NAMED.search(path.read_text()):
                actual.add(str(path.relative_to(PROJECT)))
    assert actual == MAKERS


def test_an_alert_has_no_column_for_a_text() -> None:
    assert set(SENTIMENT_ALERTS.names) == {
        "text_id",
        "source_table",
        "customer_id",
        "occurred_at",
        "score",
        "alerted_at",
        "model_version",
    }
