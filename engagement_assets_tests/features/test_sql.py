"""Every SQL file of the platform runs in both dialects and keeps the rules of its folder."""

import re
from datetime import date
from pathlib import Path

import pytest
import sqlglot
from sqlglot import exp

from engagement_assets.source.contract import TABLES

from .worlds import SQL

# sql/source holds a user's mappings of their own files: DuckDB's dialect, and their names
OURS = [name for name in SQL.names() if not name.startswith("source/")]
EVENT_TABLES = sorted(
    {name for name, table in TABLES.items() if table.event_time == "occurred_at"} | {"customers"}
)
# what Trino's EXTRACT takes, of which DuckDB knows more
TRINO_FIELDS = {
    "YEAR", "QUARTER", "MONTH", "WEEK", "DAY", "DOW", "DOY", "HOUR", "MINUTE", "SECOND",
}  # fmt: skip
# what stands before a bracket in our Athena text and is known to Trino; look a new one up before
# it is added here
TRINO_WORDS = {
    "ABS", "AVG", "CAST", "COALESCE", "CONCAT", "CONCAT_WS", "COUNT", "DATE_DIFF", "DECIMAL",
    "EXISTS", "EXP", "EXTRACT",
    "FILTER", "LAG", "LEAST", "LN", "MAX", "MIN", "NULLIF", "ROUND", "ROW_NUMBER", "SUM",
}  # fmt: skip


def parameters(name: str) -> dict[str, date]:
    return dict.fromkeys(SQL.query(name).parameters, date(2024, 2, 29))


def athena(name: str) -> str:
    return SQL.query(name).render(
        parameters(name),
        dialect="athena",
        table_name=lambda group, table: f"engagement.{group}_{table}",
    )


def test_there_are_files_in_every_folder() -> None:
    assert {name.partition("/")[0] for name in OURS} >= {"features", "labels", "shared"}


@pytest.mark.parametrize("name", OURS)
def test_a_file_begins_by_saying_what_it_gives(name: str) -> None:
    text = (SQL.root / f"{name}.sql").read_text(encoding="utf-8")
    assert text.startswith("-- ")
    head = text.partition("\nSELECT")[0].partition("\nWITH")[0]
    assert all(line.startswith("--") for line in head.splitlines())
    assert len(head) > 30
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize("name", OURS)
def test_a_file_is_one_select_in_duckdb_that_survives_rendering(name: str) -> None:
    rendered = SQL.query(name).render(parameters(name))
    assert isinstance(sqlglot.parse_one(rendered, read="duckdb"), exp.Query)
    assert ":" not in _without_comments(rendered)


@pytest.mark.parametrize("dialect", ["athena", "trino"])
@pytest.mark.parametrize("name", OURS)
def test_a_file_renders_for_athena_and_parses_back(name: str, dialect: str) -> None:
    tree = sqlglot.parse_one(athena(name), read=dialect)
    assert isinstance(tree, exp.Query)
    assert {table.db for table in tree.find_all(exp.Table)} <= {"", "engagement"}


@pytest.mark.parametrize("name", OURS)
def test_a_file_uses_only_what_trino_has(name: str) -> None:
    assert not_in_trino(athena(name)) == set()


def test_the_check_of_functions_can_fail() -> None:
    sql = "SELECT /* f(x) */ LIST_SORT(a), EXTRACT(ISODOW FROM b), LN(c) FROM t"
    assert not_in_trino(sql) == {"LIST_SORT", "ISODOW"}


@pytest.mark.parametrize("table", EVENT_TABLES)
def test_what_is_known_is_bounded_by_partition_event_and_record(table: str) -> None:
    tree = SQL.query(f"shared/known_{table}").tree
    where = tree.args["where"]
    event = TABLES[table].event_time
    bound = "CAST(:snapshot_date AS TIMESTAMP) + INTERVAL '1' DAY"
    conditions = {condition.sql("duckdb") for condition in where.this.flatten()}
    assert {c.replace("$", ":").replace('"', "") for c in conditions} >= {
        "known.day <= :snapshot_date",
        f"known.{event} < {bound}",
        f"known.recorded_at < {bound}",
    }


@pytest.mark.parametrize("name", [name for name in OURS if name.startswith("features/")])
def test_features_read_the_source_only_through_what_is_known(name: str) -> None:
    text = (SQL.root / f"{name}.sql").read_text(encoding="utf-8")
    tree = sqlglot.parse_one(text, read="duckdb")
    read = {f"{table.db}.{table.name}" for table in tree.find_all(exp.Table) if table.db}
    known = {f"shared.{kind}_{table}" for table in EVENT_TABLES for kind in ("known", "month")}
    allowed = known | {"shared.daily_engagement"}
    assert {table for table in read if table.startswith(("source.", "shared."))} <= allowed


def test_no_sql_reads_what_only_the_simulator_knows() -> None:
    for name in OURS:
        assert not {table for table in SQL.query(name).tables if table.startswith("truth.")}


def test_no_file_lies_outside_a_group() -> None:
    paths = [path.relative_to(SQL.root) for path in Path(SQL.root).rglob("*.sql")]
    assert all(len(path.parts) == 2 for path in paths if path.parts[0] != "source")


def not_in_trino(sql: str) -> set[str]:
    """Functions, types and time fields of Athena SQL that Trino is not known to have."""
    tree = sqlglot.parse_one(sql, read="athena")
    words = set(re.findall(r"(\w+)\(", _without_comments(sql).upper()))
    # a recursive part names its columns: `chains(merged_id, customer_id)`
    words -= {part.alias.upper() for part in tree.find_all(exp.CTE)}
    fields = {extract.this.name.upper() for extract in tree.find_all(exp.Extract)}
    return (words - TRINO_WORDS) | (fields - TRINO_FIELDS)


def _without_comments(sql: str) -> str:
    while "/*" in sql:
        before, _, rest = sql.partition("/*")
        sql = before + rest.partition("*/")[2]
    return sql
