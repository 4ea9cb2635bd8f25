"""Athena gives what DuckDB gives, leaves nothing behind, and says clearly what went wrong."""

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pytest

from engagement_assets_tests.aws.cloud import Cloud
from resources.aws import athena
from resources.aws.athena import LEAST_BILLED, TERABYTE, AthenaEngine
from resources.aws.errors import AwsError
from resources.engine import DuckDBEngine, Engine, EngineError
from resources.lake import Lake
from resources.sql import Query, SqlError
from resources.tables import Column, SchemaError, Table

DAY = date(2024, 1, 1)
SCHEMA = Table(
    "people/everyone",
    (
        Column("name", "string", nullable=False),
        Column("age", "int64"),
        Column("height", "float64"),
        Column("born_at", "timestamp"),
        Column("joined_on", "date"),
        Column("is_member", "bool"),
    ),
)
ROWS = pa.table(
    {
        "name": ["ann", "bob", "cid", "dee", "eve"],
        "age": pa.array([30, None, 25, 41, 30], pa.int64()),
        "height": [1.7, None, 1.81, 0.1 + 0.2, 1.6],
        "born_at": pa.array([datetime(2000, 1, d, 23, 59, 59, 999_000) for d in range(1, 6)]),
        "joined_on": [date(2020, 1, d) for d in range(1, 6)],
        "is_member": [True, False, None, True, False],
    }
)
ALL = ", ".join(SCHEMA.names)
EVERYTHING = Query("everything", f"SELECT {ALL}, day FROM people.everyone ORDER BY name")


def filled(lake: Lake) -> Lake:
    for days in range(3):
        rows = ROWS.slice(0, 5 - 2 * days)
        lake.write(SCHEMA, rows, day=DAY + timedelta(days=days))
    return lake


def athena_engine(cloud: Cloud) -> AthenaEngine:
    filled(cloud.lake)
    return cloud.engine(
        people__everyone=SCHEMA, people__nobody=replace(SCHEMA, key="people/nobody")
    )


@pytest.fixture
def engine(installed: Cloud) -> AthenaEngine:
    return athena_engine(installed)


@pytest.fixture(params=["duckdb", "athena"])
def any_engine(request: pytest.FixtureRequest, tmp_path) -> Iterator[Engine]:
    if request.param == "athena":
        yield athena_engine(request.getfixturevalue("installed"))
    else:
        lake = filled(Lake(str(tmp_path / "lake")))
        declared = {
            "people.everyone": SCHEMA,
            "people.nobody": replace(SCHEMA, key="people/nobody"),
        }
        yield DuckDBEngine(lake, declared=declared)


def staged(cloud: Cloud) -> list[str]:
    return cloud.keys("platform/lake/.athena/")


def test_rows_come_back_with_their_types_in_the_order_asked_for(any_engine):
    query = Query(
        "people",
        f"SELECT {ALL}, day FROM people.everyone WHERE day <= :day ORDER BY age DESC, name, day",
    )
    actual = any_engine.select(query, {"day": DAY + timedelta(days=1)})
    assert actual.column("name").to_pylist() == [
        "dee",
        "ann",
        "ann",
        "eve",
        "cid",
        "cid",
        "bob",
        "bob",
    ]
    types = {field.name: field.type for field in actual.schema}
    assert types == {field.name: field.type for field in SCHEMA.arrow} | {"day": pa.date32()}
    first = actual.to_pylist()[0]
    assert first["height"] == 0.1 + 0.2
    assert first["born_at"] == datetime(2000, 1, 4, 23, 59, 59, 999_000)


def test_parameters_of_names_that_begin_alike_are_told_apart(any_engine):
    query = Query(
        "some days",
        "SELECT DISTINCT day, name || ': ' || age AS label FROM people.everyone "
        "WHERE day BETWEEN :first AND :last AND is_member AND name <> '' ORDER BY day, label",
    )
    rows = any_engine.select(query, {"first": DAY, "last": DAY + timedelta(days=1)})
    assert [row["label"] for row in rows.to_pylist()] == ["ann: 30", "dee: 41", "ann: 30"]


def test_a_result_without_rows_has_its_columns(any_engine):
    query = Query(
        "none",
        "SELECT name, age + 1 AS older, height, born_at, joined_on, is_member, COUNT(*) AS n "
        "FROM people.everyone WHERE name = 'zoe' GROUP BY ALL",
    )
    query = Query("none", query.text.replace("GROUP BY ALL", "GROUP BY 1, 2, 3, 4, 5, 6"))
    actual = any_engine.select(query, {})
    assert actual.num_rows == 0
    assert [(field.name, field.type) for field in actual.schema] == [
        ("name", pa.string()),
        ("older", pa.int64()),
        ("height", pa.float64()),
        ("born_at", pa.timestamp("us")),
        ("joined_on", pa.date32()),
        ("is_member", pa.bool_()),
        ("n", pa.int64()),
    ]


def test_a_declared_table_without_a_partition_is_empty(any_engine):
    actual = any_engine.select(Query("none", "SELECT COUNT(*) AS n FROM people.nobody"), {})
    assert actual.to_pylist() == [{"n": 0}]


def test_a_table_that_is_neither_there_nor_declared_is_named(any_engine):
    with pytest.raises(EngineError, match=r"people\.strangers"):
        any_engine.select(Query("q", "SELECT name FROM people.strangers"), {})


def test_a_column_that_is_not_there_is_named(any_engine):
    with pytest.raises(EngineError, match="shoe_size"):
        any_engine.select(Query("q", "SELECT shoe_size FROM people.everyone"), {})


def test_a_query_is_landed_as_a_partition(any_engine):
    target = Table("people/counts", (Column("name", "string"), Column("n", "int64")))
    query = Query(
        "n", "SELECT COUNT(*) AS n, name FROM people.everyone GROUP BY name ORDER BY name"
    )
    written = any_engine.land(query, {}, into=target, day=DAY)
    assert written.rows == 5
    actual = any_engine.lake.read("people/counts", days=[DAY])
    assert actual.to_pydict() == {"name": ["ann", "bob", "cid", "dee", "eve"], "n": [3, 2, 2, 1, 1]}


@pytest.mark.parametrize("rows", ["name = 'ann'", "name = 'zoe'"])
def test_a_result_that_breaks_the_schema_leaves_the_old_partition(any_engine, rows):
    path = any_engine.lake.path("people/everyone", DAY)
    before = path.read_bytes()
    query = Query("q", f"SELECT name, age AS years FROM people.everyone WHERE {rows}")
    with pytest.raises(SchemaError, match=r"missing: age.*not declared: years"):
        any_engine.land(query, {}, into=SCHEMA, day=DAY)
    assert path.read_bytes() == before


def test_an_empty_result_is_landed_with_its_schema(any_engine):
    query = Query("q", f"SELECT {ALL} FROM people.everyone WHERE name = 'zoe'")
    any_engine.land(query, {}, into=SCHEMA, day=DAY)
    actual = any_engine.lake.read("people/everyone", days=[DAY])
    assert actual.num_rows == 0
    assert actual.schema.equals(SCHEMA.arrow)


def test_what_a_query_costs_is_told_with_the_least_that_athena_bills(engine):
    query = Query("q", f"SELECT {ALL} FROM people.everyone WHERE day = :day")
    written = engine.land(query, {"day": DAY}, into=SCHEMA, day=DAY)
    assert 0 < written.scanned_bytes < LEAST_BILLED
    assert written.cost_usd == pytest.approx(LEAST_BILLED / TERABYTE * 5.0)
    assert written.cost_metadata == {
        "athena/scanned_bytes": written.scanned_bytes,
        "athena/cost_usd": written.cost_usd,
    }


def test_a_query_on_duckdb_costs_nothing(tmp_path):
    lake = filled(Lake(str(tmp_path)))
    query = Query("q", f"SELECT {ALL} FROM people.everyone")
    written = DuckDBEngine(lake).land(query, {}, into=SCHEMA, day=DAY)
    assert written.cost_metadata == {}


def test_nothing_is_left_after_a_query_nor_after_one_that_failed_half_way(installed, engine):
    assert engine.select(EVERYTHING, {}).num_rows == 9
    assert staged(installed) == []
    installed.servers.athena.faults.fails_halfway = "INTERNAL_ERROR: a worker died"
    before = engine.lake.digest("people/everyone", DAY)
    with pytest.raises(EngineError, match=r"everything: Athena says FAILED .*a worker died"):
        engine.land(EVERYTHING, {}, into=SCHEMA, day=DAY)
    assert staged(installed) == []
    assert engine.lake.digest("people/everyone", DAY) == before


def test_what_a_killed_run_left_is_swept_once_it_is_a_day_old(installed, engine, monkeypatch):
    s3 = installed.client("s3")
    key = "platform/lake/.athena/dead/rows/file"
    s3.put_object(Bucket=installed.bucket, Key=key, Body=b"x")
    engine.select(EVERYTHING, {})
    assert staged(installed) == [key], "another process may still be reading it"
    later = datetime.now(UTC) + athena.STALE + timedelta(minutes=1)

    class Tomorrow(datetime):
        @classmethod
        def now(cls, tz=None):
            return later.astimezone(tz)

    monkeypatch.setattr(athena, "datetime", Tomorrow)
    athena.sweep.cache_clear()
    engine.select(EVERYTHING, {})
    assert staged(installed) == []


def test_a_query_that_takes_too_long_is_stopped(installed, engine):
    server = installed.servers.athena
    server.faults.hangs = True
    quick = replace(engine, query_timeout_seconds=0.1)
    with pytest.raises(EngineError, match=r"had not finished after 0.1 s; .* was stopped"):
        quick.select(EVERYTHING, {})
    assert list(server.executions.values())[-1].state == "CANCELLED"
    assert staged(installed) == []


def test_a_query_over_the_workgroups_limit_is_told_as_such(installed, engine):
    installed.servers.athena.faults.scan_limit = 10
    with pytest.raises(EngineError, match=r"would read more than the workgroup platform allows"):
        engine.select(EVERYTHING, {})


def test_throttling_is_waited_out_and_then_told(installed, engine):
    faults = installed.servers.athena.faults
    faults.throttled = 2
    assert engine.select(EVERYTHING, {}).num_rows == 9
    faults.throttled = 1000
    with pytest.raises(AwsError, match=r"throttled the call, also after 5 tries"):
        engine.select(EVERYTHING, {})


def test_a_missing_permission_names_the_action(installed, engine):
    installed.servers.athena.faults.refused = ("AccessDeniedException", "not authorized")
    with pytest.raises(AwsError, match=r"StartQueryExecution: this role may not do that: allow"):
        engine.select(EVERYTHING, {})


def test_a_start_that_is_repeated_runs_once(installed, engine):
    server = installed.servers.athena
    engine.select(EVERYTHING, {})
    last = list(server.executions.values())[-1]
    body = {"ClientRequestToken": last.token, "QueryString": last.statement}
    assert server.answer("StartQueryExecution", body) == (
        200,
        {"QueryExecutionId": last.identifier},
    )


def test_a_statement_that_athena_would_refuse_for_its_length_is_told_beforehand(installed, engine):
    values = ", ".join(f"'{number:060d}'" for number in range(5_000))
    query = Query("long", f"SELECT name FROM people.everyone WHERE name IN ({values})")
    before = len(installed.servers.athena.calls)
    with pytest.raises(EngineError, match=r"long: the statement has 3\d\d,\d+ bytes .* 262,144"):
        engine.select(query, {})
    assert len(installed.servers.athena.calls) == before


def test_an_order_that_the_result_does_not_hold_is_an_error_at_once(engine):
    with pytest.raises(EngineError, match="ORDER BY age: it is not a column of the result"):
        engine.select(Query("q", "SELECT name FROM people.everyone ORDER BY age"), {})


def test_what_means_another_thing_in_athena_is_refused(engine):
    with pytest.raises(SqlError, match="cannot be written for athena: // rounds in Trino"):
        engine.select(Query("q", "SELECT age // 2 AS half FROM people.everyone"), {})


def test_results_are_encrypted_with_the_lakes_key(installed, engine, monkeypatch):
    seen = []
    server = installed.servers.athena
    start = server._start
    monkeypatch.setattr(server, "_start", lambda body: seen.append(body) or start(body))
    engine.select(EVERYTHING, {})
    assert seen[0]["WorkGroup"] == "platform"
    assert seen[0]["ResultConfiguration"]["EncryptionConfiguration"] == {
        "EncryptionOption": "SSE_KMS",
        "KmsKey": installed.kms_key,
    }


def test_two_queries_at_once_do_not_meet(installed, engine):
    actual, failed = [], []

    def run() -> None:
        try:
            actual.append(engine.select(EVERYTHING, {}).num_rows)
        except Exception as error:  # noqa: BLE001 - told by the main thread
            failed.append(error)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (actual, failed) == ([9] * 4, [])
    assert staged(installed) == []


def test_times_are_read_to_the_millisecond_as_athena_reads_them(engine):
    fine = ROWS.slice(0, 1).set_column(
        3, "born_at", pa.array([datetime(2000, 1, 1, 0, 0, 0, 1_499)], pa.timestamp("us"))
    )
    engine.lake.write(SCHEMA, fine, day=DAY)
    query = Query("q", "SELECT born_at FROM people.everyone WHERE day = :day")
    actual = engine.select(query, {"day": DAY}).column("born_at").to_pylist()
    assert actual == [datetime(2000, 1, 1, 0, 0, 0, 1_000)]


def test_a_statement_is_what_athena_documents(installed, engine):
    engine.select(Query("q", "SELECT name FROM people.everyone WHERE day = :day"), {"day": DAY})
    statement = installed.servers.athena.statements[-1]
    folder = json.dumps(statement).partition("TO '")[2].partition("'")[0]
    assert folder.startswith(f"{installed.root}/.athena/")
    assert statement == (
        f"UNLOAD (SELECT name FROM {installed.database}.people_everyone AS everyone "
        f"WHERE day = CAST('2024-01-01' AS DATE)) TO '{folder}' "
        "WITH (format = 'PARQUET', compression = 'ZSTD')"
    )
