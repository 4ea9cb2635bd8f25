"""A query means the same in DuckDB and in Athena: what differs is said otherwise or refused.

A round trip through sqlglot proves little by itself, since it may undo its own mistake; so each
rule is held against the text that Athena gets.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import sqlglot
from sqlglot import exp

from engagement_assets.decisions.customers.unified import (
    CHANGES,
    CUSTOMERS,
    changes_query,
    customers_query,
)
from engagement_assets.features.catalogue import CUSTOMER_FEATURES
from engagement_assets.features.snapshot import wide_query
from engagement_assets.governance.tables import KNOWN_TABLES
from engagement_assets.settings.installation import PROJECT
from engagement_assets.source.contract import TABLES
from engagement_assets.source.ingestion import ingest
from engagement_assets.source.known import product_sql
from engagement_assets.source.readers import SimulatedReader
from engagement_assets.source.simulator import Simulator
from resources.checks import keys_measures
from resources.dialects import DialectError, differing, output_names, top_order
from resources.engine import DuckDBEngine, run
from resources.lake import Lake
from resources.sql import Query, SqlError
from resources.tables import Table, by_sql_name

SQL = product_sql(PROJECT / "sql")
# those that are made from the specs
GENERATED = {
    CUSTOMERS: customers_query,
    CHANGES: changes_query,
    CUSTOMER_FEATURES: wide_query,
}
OURS = [*(name for name in SQL.names() if not name.startswith("source/")), *GENERATED]
# words that Trino keeps for itself, so that no table, column or alias may be called so
RESERVED = {
    word
    for line in (
        "ALTER AND AS BETWEEN BY CASE CAST CONSTRAINT CREATE CROSS CUBE CURRENT_DATE CURRENT_TIME",
        "CURRENT_TIMESTAMP CURRENT_USER DEALLOCATE DELETE DESCRIBE DISTINCT DROP ELSE END ESCAPE",
        "EXCEPT EXECUTE EXISTS EXTRACT FALSE FOR FROM FULL GROUP GROUPING HAVING IN INNER INSERT",
        "INTERSECT INTO IS JOIN LEFT LIKE LISTAGG LOCALTIME LOCALTIMESTAMP NATURAL NORMALIZE NOT",
        "NULL ON OR ORDER OUTER PREPARE RECURSIVE RIGHT ROLLUP SELECT SKIP TABLE THEN TRIM TRUE",
        "UESCAPE UNION UNNEST USING VALUES WHEN WHERE WITH",
    )
    for word in line.split()
}
S = date(2025, 3, 31)
FIRST_DAY = S - timedelta(days=34)


def query_of(name: str) -> Query:
    return GENERATED[name]() if name in GENERATED else SQL.query(name)


def athena(sql: str) -> str:
    return Query("q", sql).render({}, dialect="athena")


@pytest.mark.parametrize(
    ("duckdb_sql", "athena_sql"),
    [
        # Trino cuts whole numbers off and rounds decimals; DuckDB divides both as doubles
        ("a / b", "CAST(a AS DOUBLE) / b"),
        ("CAST(a AS DOUBLE) / 60", "CAST(a AS DOUBLE) / 60"),
        ("CAST(a AS DECIMAL(18, 2)) / 3", "CAST(CAST(a AS DECIMAL(18, 2)) AS DOUBLE) / 3"),
        ("1 - (a - b) / 870", "1 - CAST((a - b) AS DOUBLE) / 870"),
        ("a / b / c", "CAST(CAST(a AS DOUBLE) / b AS DOUBLE) / c"),
        # a zero divisor is Infinity in both, never null by the translation
        ("a / NULLIF(b, 0)", "CAST(a AS DOUBLE) / NULLIF(b, 0)"),
        # nulls are passed over in both; they are not empty words
        ("CONCAT_WS('; ', a, b)", "CONCAT_WS('; ', CAST(a AS VARCHAR), CAST(b AS VARCHAR))"),
        # null where one is null in both
        ("a || ' ' || b", "a || ' ' || b"),
        # null where one is null in Trino, the other one in DuckDB
        ("LEAST(a, 0.9)", "COALESCE(LEAST(a, 0.9), a, 0.9)"),
        ("GREATEST(a, b)", "COALESCE(GREATEST(a, b), a, b)"),
        ("LEAST(a / b, 1)", "COALESCE(LEAST(CAST(a AS DOUBLE) / b, 1), CAST(a AS DOUBLE) / b, 1)"),
        # midnights, not whole 24 hours
        ("DATE_DIFF('day', a, b)", "DATE_DIFF('DAY', CAST(a AS DATE), CAST(b AS DATE))"),
        ("DATE_DIFF('millisecond', a, b)", "DATE_DIFF('MILLISECOND', a, b)"),
        (
            "CAST(a AS TIMESTAMP) - INTERVAL 29 DAY",
            "CAST(a AS TIMESTAMP) - INTERVAL '29' DAY",
        ),
        ("CAST(a - INTERVAL 29 DAY AS DATE)", "CAST(a - INTERVAL '29' DAY AS DATE)"),
        ("EXTRACT(HOUR FROM a)", "EXTRACT(HOUR FROM a)"),
        ("MOD(a, 7)", "a % 7"),
        ("isnan(a)", "IS_NAN(a)"),
        ("COUNT(*) FILTER (WHERE a < 1)", "COUNT(*) FILTER(WHERE a < 1)"),
        ("COUNT(DISTINCT (a, b))", "COUNT(DISTINCT (a, b))"),
        ("CAST(a AS DECIMAL(10, 9))", "CAST(a AS DECIMAL(10, 9))"),
        ("CAST(a AS BIGINT)", "CAST(a AS BIGINT)"),
        ("ROUND(a, 6)", "ROUND(a, 6)"),
    ],
)
def test_a_rule_is_said_so_that_athena_means_the_same(duckdb_sql, athena_sql):
    assert athena(f"SELECT {duckdb_sql} AS x FROM t.t") == f"SELECT {athena_sql} AS x FROM t.t"


def test_nulls_come_last_in_both_directions():
    sql = "SELECT a, b FROM t.t ORDER BY a DESC, b"
    assert athena(sql) in (sql, "SELECT a, b FROM t.t ORDER BY a DESC, b ASC")
    assert "NULLS" not in athena(sql), "both engines put nulls last by themselves"
    actual = duckdb.sql("SELECT * FROM (VALUES (1), (NULL), (2)) v(a) ORDER BY a DESC").fetchall()
    assert actual == [(2,), (1,), (None,)]


def test_what_the_rules_assume_of_duckdb_holds():
    one = duckdb.sql(
        "SELECT 7 / 2 AS half, 1 / 0 AS infinite, LEAST(NULL, 1) AS least, "
        "DATE_DIFF('day', TIMESTAMP '2024-01-01 23:00', TIMESTAMP '2024-01-02 01:00') AS days, "
        "CONCAT_WS(';', NULL, 'b') AS words, 'a' || NULL AS joined, "
        "typeof(DATE '2024-01-01' - INTERVAL 1 DAY) AS kind"
    ).fetchone()
    assert one == (3.5, float("inf"), 1, 1, "b", None, "TIMESTAMP")


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELECT a // 2 AS x FROM t.t", "// rounds in Trino"),
        ("SELECT day - INTERVAL 29 DAY AS x FROM t.t", "is a timestamp in DuckDB"),
        ("SELECT a FROM t.t WHERE b > DATE '2024-01-01' + INTERVAL 1 DAY", "is a timestamp"),
        ("SELECT CAST(a / 2 AS BIGINT) AS x FROM t.t", "halves are rounded differently"),
        ("SELECT CAST(1.5 * a AS INTEGER) AS x FROM t.t", "halves are rounded differently"),
        ("SELECT CAST(a AS VARCHAR) AS x FROM t.t", "written differently as text"),
        ("SELECT TRY_CAST(a AS DATE) AS x FROM t.t", "TRY_CAST takes other texts"),
        ("SELECT DATE_DIFF('hour', a, b) AS x FROM t.t", "DATE_DIFF of HOUR"),
        ("SELECT EXTRACT(DOW FROM a) AS x FROM t.t", r"EXTRACT\(DOW\) is counted differently"),
        ("SELECT EXTRACT(SECOND FROM a) AS x FROM t.t", r"EXTRACT\(SECOND\)"),
        ("SELECT LEAST(a, b, c) AS x FROM t.t", "LEAST of other than two values"),
        ("SELECT CONCAT(a, b) AS x FROM t.t", "CONCAT passes nulls over in DuckDB"),
        ("SELECT a FROM t.t WHERE a ILIKE 'x%'", "ILIKE does not exist"),
        ("SELECT a FROM t.t WHERE regexp_matches(a, 'x')", "regular expressions"),
        ("SELECT a FROM t.t QUALIFY ROW_NUMBER() OVER (ORDER BY a) = 1", "QUALIFY"),
        ("SELECT MEDIAN(a) AS x FROM t.t", "no exact median"),
        ("SELECT QUANTILE_CONT(a, 0.5) AS x FROM t.t", "quantile"),
        ("SELECT APPROX_QUANTILE(a, 0.5) AS x FROM t.t", "quantile"),
        ("SELECT a FROM t.t ORDER BY a LIMIT 5", "LIMIT keeps other rows"),
        ("SELECT DATE_TRUNC('month', a) AS x FROM t.t", "DATE_TRUNC"),
        ("SELECT a FROM t.t ASOF JOIN t.u ON t.a >= u.a", "ASOF"),
    ],
)
def test_what_cannot_mean_the_same_is_refused_and_named(sql, said):
    with pytest.raises(SqlError, match=f"cannot be written for athena: .*{said}"):
        athena(sql)


@pytest.mark.parametrize("name", OURS)
def test_no_file_uses_what_differs(name):
    assert list(differing(query_of(name).tree)) == []


@pytest.mark.parametrize("name", OURS)
def test_no_file_names_anything_by_a_word_of_trino(name):
    tree = sqlglot.parse_one(rendered(name), read="athena")
    names = {node.name.upper() for node in tree.find_all(exp.Identifier) if not node.quoted}
    assert names & RESERVED == set()


@pytest.mark.parametrize("name", [name for name in OURS if not name.startswith("shared/")])
def test_the_order_of_a_file_can_be_made_again_from_its_columns(name):
    tree = query_of(name).tree
    assert top_order(tree)
    assert {key.column for key in top_order(tree)} <= set(output_names(tree))


def test_an_order_by_something_else_is_an_error():
    with pytest.raises(DialectError, match="ORDER BY b: it is not a column of the result"):
        top_order(Query("q", "SELECT a FROM t.t ORDER BY b").tree)


def test_an_order_with_nulls_first_is_an_error():
    with pytest.raises(DialectError, match="nulls come last here"):
        top_order(Query("q", "SELECT a FROM t.t ORDER BY a NULLS FIRST").tree)


def test_an_alias_and_a_column_of_a_table_are_found_in_the_result():
    query = Query("q", "SELECT x.day AS on_day, n AS m FROM t.x AS x ORDER BY x.day DESC, m")
    assert [(key.column, key.descending) for key in top_order(query.tree)] == [
        ("on_day", True),
        ("m", False),
    ]


def check_measures() -> Iterator[tuple[str, dict[str, str]]]:
    for table in KNOWN_TABLES:
        yield table.key, table.bounds | (keys_measures(table.unique) if table.unique else {})


@pytest.mark.parametrize(("name", "measures"), list(check_measures()))
def test_the_checks_sql_can_be_said_for_athena(name, measures):
    columns = ", ".join(f'{sql} AS "{measure}"' for measure, sql in measures.items())
    assert athena(f"SELECT {columns} FROM {name.replace('/', '_')}.t")


VALUES: dict[str, Any] = {
    "snapshot_date": S,
    "first_day": S - timedelta(days=6),
    "since_day": S - timedelta(days=29),
    "experiment": "global_holdout",
    "made_from": S,
    "holdout": "global_holdout",
    "last_day": S,
    "last_assigned": S,
    "late_from": 4,
    "known_by_day": S,
    "segments_by": S,
    "latest_day": S,
    "earliest": S - timedelta(days=30),
    "day_before": S - timedelta(days=1),
    "active_from": S - timedelta(days=29),
    "window_days": 30,
    "published_day": S - timedelta(days=3),
    "granted_by_source": True,
    "granted_purposes": ",analytics,",
    "message_weight": 0.5,
    "reaction_weight": 0.25,
    "purpose": "personalisation",
    "customer_id": "c0000001",
}


def parameters(name: str) -> dict[str, Any]:
    return {key: VALUES[key] for key in query_of(name).parameters}


def rendered(name: str) -> str:
    return query_of(name).render(
        parameters(name), dialect="athena", table_name=lambda group, table: f"{group}.{table}"
    )


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> DuckDBEngine:
    """A small lake of the simulator's rows, and made-up rows in every other declared table."""
    lake = Lake(str(tmp_path_factory.mktemp("dialects")))
    world = Simulator(customers=60, seed=5, first_day=FIRST_DAY, days=35)
    reader = SimulatedReader(world, first_day=FIRST_DAY, tables=frozenset(TABLES))
    ingest(reader, lake, FIRST_DAY, S)
    people = lake.read("source/customers", days=lake.days("source/customers"))
    ids = sorted(set(people.column("customer_id").to_pylist()))
    written = lake.read("source/posts", days=[S - timedelta(days=back) for back in range(5)])
    posts = written.filter(pc.is_valid(written.column("text"))).column("post_id").to_pylist()
    for table in KNOWN_TABLES:
        # too few customers for the simulator to make any of these
        few = ("referrals", "reviews", "complaints", "retention_offers")
        if table.group != "source" or table.noun in few:
            for back in (0, 1):
                lake.write(table, made_up(table, ids, posts, back), day=S - timedelta(days=back))
    return DuckDBEngine(lake, declared=by_sql_name(KNOWN_TABLES), threads=1)


def made_up(table: Table, ids: list[str], posts: list[str], seed: int) -> pa.Table:
    """A row a customer, with nulls here and there where they are legal."""
    instant = pa.scalar(S, pa.date32()).cast(pa.timestamp("us")).as_py()

    def value(column: Any, row: int) -> Any:
        if column.name == "customer_id":
            return ids[row]
        if column.name == "text_id":
            return f"posts/{posts[row % len(posts)]}"
        turn = row * 7 + len(column.name) + seed
        if column.nullable and turn % 5 == 0:
            return None
        return {
            "string": f"{column.name[-3:]}{turn % 4}",
            "float64": turn % 11 / 11,
            "float32": turn % 11 / 11,
            "int64": turn % 6,
            "bool": turn % 3 == 0,
            "date": S - timedelta(days=turn % 20),
            "timestamp": instant - timedelta(hours=turn),
        }[column.type]

    rows = [{c.name: value(c, row) for c in table.columns} for row in range(len(ids))]
    return pa.Table.from_pylist(rows, schema=table.arrow)


@pytest.mark.parametrize("name", OURS)
def test_a_file_gives_the_same_rows_as_athenas_text_read_back(name, engine):
    query = query_of(name)
    wanted = engine.select(query, parameters(name))
    back = sqlglot.transpile(rendered(name), read="athena", write="duckdb")[0]
    with engine.connection() as connection:
        for table in sorted(query.tables):
            run(connection, engine.view(table), name=table)
        actual = run(connection, back, name=name)
    assert wanted.num_rows > 0
    assert actual.column_names == wanted.column_names
    if not top_order(query.tree):
        order = [(column, "ascending") for column in wanted.column_names]
        actual, wanted = actual.sort_by(order), wanted.sort_by(order)
    assert actual.to_pylist() == wanted.to_pylist()
