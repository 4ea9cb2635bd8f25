"""A server that speaks Athena's protocol and runs its SQL in DuckDB over the files that Glue names.

It is strict where Athena is: tables and columns come from Glue alone, days from the projection,
times are read to the millisecond, `UNLOAD` writes several files in no order and none for no rows.
Belongs here: standing in for Athena. Does not belong here: what is expected of the platform.
"""

import io
import json
import re
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import sqlglot
from sqlglot import exp

UNLOAD = re.compile(
    r"UNLOAD \((?P<sql>.*)\) TO '(?P<to>s3://[^']+)' WITH \(format = 'PARQUET', "
    r"compression = 'ZSTD'\)",
    re.DOTALL,
)
GLUE_ARROW = {
    "string": pa.string(),
    "bigint": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("ms"),
}
ATHENA_TYPES = {
    "VARCHAR": "varchar",
    "BIGINT": "bigint",
    "HUGEINT": "bigint",
    "INTEGER": "integer",
    "DOUBLE": "double",
    "FLOAT": "float",
    "BOOLEAN": "boolean",
    "DATE": "date",
    "TIMESTAMP": "timestamp",
    "TIMESTAMP_MS": "timestamp",
}


class QueryFailedError(Exception):
    """A query fails as Athena would say it."""


@dataclass
class Execution:
    """One query."""

    identifier: str
    statement: str
    token: str
    state: str = "RUNNING"
    reason: str = ""
    scanned: int = 0
    columns: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Faults:
    """What the server does wrong on purpose.

    Attributes:
        throttled: How many calls are answered with a throttling error.
        refused: Code and message that every start is answered with.
        fails_halfway: Reason with which a query fails after it has written a file.
        scan_limit: Bytes above which a query is cancelled.
        hangs: Whether queries never end.
    """

    throttled: int = 0
    refused: tuple[str, str] | None = None
    fails_halfway: str = ""
    scan_limit: int | None = None
    hangs: bool = False


class AthenaServer:
    """Athena on 127.0.0.1.

    Args:
        client: Gives a boto3 client of a service, for Glue and S3.
    """

    def __init__(self, client: Callable[[str], Any]) -> None:
        self._glue, self._s3 = client("glue"), client("s3")
        self._files: dict[tuple[str, str], pa.Table] = {}
        self._tables: dict[tuple[Any, ...], pa.Table] = {}
        self._lock = threading.Lock()
        self.faults = Faults()
        self.executions: dict[str, Execution] = {}
        self.by_token: dict[str, str] = {}
        self.calls: list[str] = []
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    @property
    def statements(self) -> list[str]:
        """Every statement that was started, in order."""
        return [execution.statement for execution in self.executions.values()]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"{}")
                action = self.headers["X-Amz-Target"].partition(".")[2]
                status, answer = server.answer(action, body)
                payload = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/x-amz-json-1.1")
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            def log_message(self, *_arguments: object) -> None:
                return

        return Handler

    def answer(self, action: str, body: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        """One call of the protocol."""
        self.calls.append(action)
        if self.faults.throttled > 0:
            self.faults.throttled -= 1
            return _error("ThrottlingException", "Rate exceeded")
        actions = {
            "StartQueryExecution": self._start,
            "GetQueryExecution": self._get,
            "StopQueryExecution": self._stop,
            "GetQueryResults": self._results,
            "GetWorkGroup": self._workgroup,
        }
        if action not in actions:
            return _error("InvalidRequestException", f"{action} is not known here")
        return actions[action](body)

    def _start(self, body: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        if self.faults.refused:
            return _error(*self.faults.refused)
        token = body["ClientRequestToken"]
        if len(token) < 32:
            return _error("InvalidRequestException", "ClientRequestToken is too short")
        if token in self.by_token:
            return 200, {"QueryExecutionId": self.by_token[token]}
        execution = Execution(str(uuid.uuid4()), body["QueryString"], token)
        self.executions[execution.identifier] = execution
        self.by_token[token] = execution.identifier
        if not self.faults.hangs:
            try:
                self._run(execution, body["ResultConfiguration"]["OutputLocation"])
                execution.state = "SUCCEEDED"
            except QueryFailedError as error:
                execution.state, execution.reason = "FAILED", str(error)
            except CancelledError as error:
                execution.state, execution.reason = "CANCELLED", str(error)
        return 200, {"QueryExecutionId": execution.identifier}

    def _get(self, body: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        execution = self.executions[body["QueryExecutionId"]]
        status = {"State": execution.state}
        if execution.reason:
            status["StateChangeReason"] = execution.reason
        return 200, {
            "QueryExecution": {
                "QueryExecutionId": execution.identifier,
                "Query": execution.statement,
                "Status": status,
                "Statistics": {"DataScannedInBytes": execution.scanned},
            }
        }

    def _stop(self, body: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        execution = self.executions[body["QueryExecutionId"]]
        if execution.state == "RUNNING":
            execution.state, execution.reason = "CANCELLED", "Query was cancelled by user"
        return 200, {}

    def _results(self, body: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        columns = self.executions[body["QueryExecutionId"]].columns
        return 200, {"ResultSet": {"Rows": [], "ResultSetMetadata": {"ColumnInfo": columns}}}

    def _workgroup(self, body: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        if body["WorkGroup"] == "nowhere":
            return _error("InvalidRequestException", "WorkGroup nowhere is not found.")
        return 200, {
            "WorkGroup": {
                "Name": body["WorkGroup"],
                "State": "ENABLED",
                "Configuration": {"BytesScannedCutoffPerQuery": 10**12},
            }
        }

    def _run(self, execution: Execution, output: str) -> None:
        unload = UNLOAD.fullmatch(execution.statement)
        sql = unload["sql"] if unload else execution.statement
        if not unload and not sql.endswith("LIMIT 0"):
            raise QueryFailedError("the platform reads its results by UNLOAD")
        rows, execution.columns = self._query(execution, sql)
        self._put(f"{output}{execution.identifier}.txt", b"what Athena notes of the query")
        if not unload:
            return
        # what an UNLOAD's own result is described by says nothing of the query in it
        execution.columns = [{"Name": "rows", "Type": "bigint", "Precision": 19, "Scale": 0}]
        if self._keys(unload["to"]):
            raise QueryFailedError("HIVE_PATH_ALREADY_EXISTS: the target folder is not empty")
        for number, part in enumerate(_parts(rows)):
            if self.faults.fails_halfway and number:
                break
            sink = io.BytesIO()
            old = number % 2 == 0
            pq.write_table(part, sink, compression="zstd", use_deprecated_int96_timestamps=old)
            self._put(f"{unload['to']}2026_{uuid.uuid4().hex}.gz", sink.getvalue())
        if self.faults.fails_halfway:
            raise QueryFailedError(self.faults.fails_halfway)

    def _query(self, execution: Execution, sql: str) -> tuple[pa.Table, list[dict[str, Any]]]:
        tree = sqlglot.parse_one(sql, read="athena")
        with duckdb.connect(":memory:", config={"threads": 1}) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            for table in {(t.db, t.name) for t in tree.find_all(exp.Table) if t.db}:
                connection.execute(f'CREATE SCHEMA IF NOT EXISTS "{table[0]}"')
                rows, size = self._table(*table)
                execution.scanned += size
                connection.register(f"rows_{table[1]}", rows)
                connection.execute(
                    f'CREATE VIEW "{table[0]}"."{table[1]}" AS FROM "rows_{table[1]}"'
                )
            limit = self.faults.scan_limit
            if limit is not None and execution.scanned > limit:
                raise CancelledError("Bytes scanned limit was exceeded")
            try:
                relation = connection.sql(tree.sql("duckdb"))
                kinds = dict(zip(relation.columns, map(str, relation.types), strict=True))
                return _as_trino(relation.to_arrow_table()), [
                    _info(*pair) for pair in kinds.items()
                ]
            except duckdb.BinderException as error:
                raise QueryFailedError(f"COLUMN_NOT_FOUND: {error}") from error
            except duckdb.Error as error:
                raise QueryFailedError(f"SYNTAX_ERROR: {error}") from error

    def _table(self, database: str, name: str) -> tuple[pa.Table, int]:
        """The rows of a table as Glue describes it, and the bytes of its files."""
        try:
            glue = self._glue.get_table(DatabaseName=database, Name=name)["Table"]
        except self._glue.exceptions.EntityNotFoundException as error:
            raise QueryFailedError(
                f"TABLE_NOT_FOUND: Table 'awsdatacatalog.{database}.{name}' does not exist"
            ) from error
        described = glue["StorageDescriptor"]["Columns"]
        schema = pa.schema([(c["Name"], GLUE_ARROW[c["Type"]]) for c in described])
        files = self._files_of(glue)
        key = (database, name, schema.to_string(), tuple(files))
        with self._lock:
            if key not in self._tables:
                parts = [self._part(*file, schema) for file in files]
                whole = schema.append(pa.field("day", pa.date32()))
                self._tables[key] = pa.concat_tables(parts) if parts else whole.empty_table()
        return self._tables[key], sum(size for *_, size in files)

    def _files_of(self, glue: Mapping[str, Any]) -> list[tuple[str, str, str, date, int]]:
        """Bucket, key, tag, day and size of the files that the projection finds."""
        bucket, _, prefix = glue["StorageDescriptor"]["Location"][5:].partition("/")
        template = glue["Parameters"]["storage.location.template"]
        assert glue["Parameters"]["projection.enabled"] == "true"
        assert glue["PartitionKeys"] == [{"Name": "day", "Type": "date"}]
        first, last = _range(glue["Parameters"]["projection.day.range"])
        files = []
        for entry in self._objects(bucket, prefix):
            match = re.fullmatch(rf"{re.escape(prefix)}day=(.{{10}})/[^/]+", entry["Key"])
            if match is None:
                continue
            day = date.fromisoformat(match[1])
            assert f"s3://{bucket}/{entry['Key']}".startswith(template.replace("${day}", match[1]))
            if first <= day <= last:
                files.append((bucket, entry["Key"], entry["ETag"], day, entry["Size"]))
        return files

    def _part(
        self, bucket: str, key: str, tag: str, day: date, _size: int, schema: pa.Schema
    ) -> pa.Table:
        if (key, tag) not in self._files:
            body = self._s3.get_object(Bucket=bucket, Key=key)["Body"].read()
            self._files[key, tag] = pq.ParquetFile(pa.BufferReader(body)).read()
        rows = self._files[key, tag]
        columns = [_column(rows, field, key) for field in schema]
        columns.append(pa.repeat(pa.scalar(day, pa.date32()), rows.num_rows))
        return pa.table(columns, schema=schema.append(pa.field("day", pa.date32())))

    def _objects(self, bucket: str, prefix: str) -> list[dict[str, Any]]:
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return [entry for page in pages for entry in page.get("Contents", ())]

    def _keys(self, url: str) -> list[str]:
        bucket, _, prefix = url[5:].partition("/")
        return [entry["Key"] for entry in self._objects(bucket, prefix)]

    def _put(self, url: str, body: bytes) -> None:
        bucket, _, key = url[5:].partition("/")
        self._s3.put_object(Bucket=bucket, Key=key, Body=body)


class CancelledError(Exception):
    """A query is cancelled by its workgroup."""


def _column(rows: pa.Table, field: pa.Field, key: str) -> Any:
    if field.name not in rows.column_names:
        return pa.nulls(rows.num_rows, field.type)
    values = rows.column(field.name)
    if pa.types.is_timestamp(field.type) and pa.types.is_timestamp(values.type):
        # Trino reads finer times rounded to the milliseconds of its type
        return pc.round_temporal(values, unit="millisecond").cast(field.type)
    if values.type != field.type:
        raise QueryFailedError(
            f"HIVE_BAD_DATA: Field {field.name}'s type {values.type} in parquet file {key} is "
            f"incompatible with type {field.type} defined in table schema"
        )
    return values


def _range(text: str) -> tuple[date, date]:
    first, last = text.split(",")
    today = datetime.now(UTC).date()
    match = re.fullmatch(r"NOW\+(\d+)DAYS", last)
    assert match, text
    return date.fromisoformat(first), today + timedelta(days=int(match[1]))


def _parts(rows: pa.Table) -> list[pa.Table]:
    """Several files whose order is not that of the rows; none for no rows."""
    if not rows.num_rows:
        return []
    third = max(1, -(-rows.num_rows // 3))
    parts = [rows.slice(start, third) for start in range(0, rows.num_rows, third)]
    return parts[::-1]


def _as_trino(rows: pa.Table) -> pa.Table:
    """DuckDB's result in the types that Trino would give."""
    columns = []
    for values in rows.columns:
        kind = values.type
        if pa.types.is_decimal(kind) and kind.precision == 38 and kind.scale == 0:
            values = values.cast(pa.int64())  # noqa: PLW2901 - a sum of whole numbers
        elif pa.types.is_timestamp(kind):
            values = pc.round_temporal(values, unit="millisecond").cast(pa.timestamp("ms"))  # noqa: PLW2901 - Trino's precision here
        columns.append(values)
    return pa.table(columns, names=rows.column_names)


def _info(name: str, kind: str) -> dict[str, Any]:
    decimal = re.fullmatch(r"DECIMAL\((\d+),\s*(\d+)\)", kind)
    if decimal:
        precision, scale = int(decimal[1]), int(decimal[2])
        return {"Name": name, "Type": "decimal", "Precision": precision, "Scale": scale}
    return {"Name": name, "Type": ATHENA_TYPES[kind], "Precision": 0, "Scale": 0}


def _error(code: str, message: str) -> tuple[int, dict[str, Any]]:
    return 400, {"__type": code, "message": message}
