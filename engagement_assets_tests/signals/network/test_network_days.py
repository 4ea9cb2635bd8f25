"""The graph of a lake as of a day, and its tables."""

from datetime import date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from engagement_assets.learning.graph.metrics import MetricSettings
from engagement_assets.signals.network.snapshot import graph_of, land_network
from engagement_assets.signals.tables import INFLUENCERS, KNOWN_TABLES, NETWORK_METRICS
from engagement_assets.source.contract import TABLES
from engagement_assets.source.known import product_sql
from resources.engine import DuckDBEngine
from resources.lake import Lake
from resources.tables import by_sql_name

SQL = product_sql(Path(__file__).parents[3] / "sql")
FIRST = date(2026, 1, 1)
SECOND = FIRST + timedelta(days=1)
PEOPLE = ("ann", "bob", "cat", "dan", "lonely")


def noon(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 12)


def add(lake: Lake, table: str, day: date, rows: list[dict[str, object]]) -> None:
    contract = TABLES[table]
    stamped = [{"occurred_at": noon(day), "recorded_at": noon(day)} | row for row in rows]
    if table == "customers":
        stamped = [{k: v for k, v in row.items() if k != "occurred_at"} for row in stamped]
    filled = pa.Table.from_pylist(stamped, schema=contract.arrow)
    lake.write(contract, filled, day=day)


def tie(one: str, other: str) -> dict[str, object]:
    return {"customer_id": one, "other_customer_id": other}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(str(tmp_path))
    add(lake, "customers", FIRST, [{"customer_id": p, "signed_up_at": noon(FIRST)} for p in PEOPLE])
    for day in (FIRST, SECOND):
        add(lake, "connections", day, [])
    return lake


def engine(lake: Lake) -> DuckDBEngine:
    return DuckDBEngine(lake, declared=by_sql_name(KNOWN_TABLES), threads=1)


def land(lake: Lake, day: date):
    graph = graph_of(engine(lake), SQL, day)
    return land_network(lake, graph, day, settings=MetricSettings(), threads=1)


def test_the_graph_holds_what_was_known_by_the_day_and_every_customer(lake: Lake) -> None:
    add(lake, "connections", FIRST, [tie("ann", "bob"), tie("bob", "ann"), tie("ann", "gone")])
    add(lake, "connections", SECOND, [tie("cat", "dan")])
    first, second = (graph_of(engine(lake), SQL, day) for day in (FIRST, SECOND))
    assert first.nodes.tolist() == list(PEOPLE)
    assert (first.n_edges, second.n_edges) == (1, 2)
    assert first.dropped.unknown == 1


def test_messages_and_reactions_of_the_month_weigh_a_connection_where_set(lake: Lake) -> None:
    add(lake, "connections", FIRST, [tie("ann", "bob"), tie("cat", "dan")])
    add(lake, "messages", FIRST, [
        {"message_id": "m1", "customer_id": "bob", "recipient_id": "ann"},
        {"message_id": "m2", "customer_id": "ann", "recipient_id": "bob"},
        {"message_id": "m3", "customer_id": "ann", "recipient_id": "cat"},
    ])  # fmt: skip
    add(lake, "posts", FIRST, [{"post_id": "p", "customer_id": "cat"}])
    add(lake, "interactions", FIRST, [
        {"interaction_id": "i1", "customer_id": "dan", "post_id": "p", "kind": "like"},
        {"interaction_id": "i2", "customer_id": "dan", "post_id": "p", "kind": "view"},
    ])  # fmt: skip
    plain = graph_of(engine(lake), SQL, FIRST)
    assert plain.weight is None
    weighted = graph_of(engine(lake), SQL, FIRST, message_weight=0.5, reaction_weight=3)
    assert weighted.weight is not None
    assert weighted.weight.tolist() == [1 + 2 * 0.5, 1 + 3]


def test_a_day_has_a_row_for_everybody_and_labels_are_carried_over(lake: Lake) -> None:
    add(lake, "connections", FIRST, [tie("ann", "bob"), tie("cat", "dan")])
    assert land(lake, FIRST).labels_from is None
    assert land(lake, SECOND).labels_from == FIRST
    first, second = (
        lake.read(NETWORK_METRICS.key, days=[day]).to_pandas().set_index("customer_id")
        for day in (FIRST, SECOND)
    )
    assert list(first.index) == list(PEOPLE)
    assert (first["community"] == second["community"]).all()
    assert first.loc["lonely", "eigenvector_centrality"] == 0
    assert lake.row_count(INFLUENCERS.key, FIRST) == 1


def test_without_any_connection_nobody_has_a_place(lake: Lake) -> None:
    landed = land(lake, FIRST)
    assert landed.metrics.rows == landed.influencers.rows == 0
    assert lake.days(NETWORK_METRICS.key) == [FIRST]
