"""Athena over the lake: the same `SELECT`s as DuckDB, their results through Parquet files.

A query runs as `UNLOAD (…) TO` a folder of its own under `<root>/.athena/`; its files are read
back and removed. `GetQueryResults` alone would give text, a thousand rows a call. Belongs here:
running queries and reading what they leave. Does not belong here: how SQL is said for Athena
(`resources.dialects`) and its tables (`glue.py`).
"""

import logging
import time
import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from resources.aws.clients import aws_call, client
from resources.aws.errors import AwsError
from resources.aws.glue import GlueTables
from resources.aws.results import arrow_type, normalised
from resources.aws.storage import split_url
from resources.dialects import DialectError, Order, output_names, top_order, without_order
from resources.engine import EngineError
from resources.lake import Lake, Written
from resources.sql import ParameterValue, Query
from resources.tables import Table

logger = logging.getLogger(__name__)

STAGING = ".athena"
# What a killed process left is removed by the first query of a later one.
STALE = timedelta(days=1)
# Athena's quota on the length of a statement.
LONGEST_STATEMENT = 262_144
# Athena bills at least this much for a query.
LEAST_BILLED = 10 * 1024**2
TERABYTE = 1024**4
FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 5.0
READERS = 8
_LIMIT = "Bytes scanned limit was exceeded"


@dataclass(frozen=True)
class Cost:
    """What one query is billed: the bytes that Athena read, at least its least amount."""

    scanned_bytes: int
    usd: float


@dataclass(frozen=True)
class AthenaEngine:
    """Runs queries in Athena over the lake's Glue tables.

    Attributes:
        lake: The tables, on S3.
        tables: The lake's tables in Glue.
        workgroup: The workgroup, which holds the limit on scanned bytes and the encryption.
        declared: Tables that a query may name, by `<group>.<noun>`. One without a partition is
            empty; one that is not here is an error.
        query_timeout_seconds: A query that runs longer is stopped.
        usd_per_terabyte: Price of a scanned terabyte.
    """

    lake: Lake
    tables: GlueTables
    workgroup: str
    declared: Mapping[str, Table] = field(default_factory=dict)
    query_timeout_seconds: float = 600.0
    usd_per_terabyte: float = 5.0

    @property
    def region(self) -> str:
        """Region of Athena, Glue and the bucket."""
        return self.tables.region

    def select(self, query: Query, parameters: Mapping[str, ParameterValue]) -> pa.Table:
        """Run a query over the lake; see `Engine`.

        Raises:
            EngineError: A table is not declared, or Athena refuses or stops the query.
            GlueTableError: A table in Glue is not as declared.
            AwsError: AWS cannot be reached or does not allow it.
        """
        rows, cost = self._run(query, parameters, empty=None)
        logger.info(
            "%s: Athena scanned %s bytes, %.6f USD", query.name, cost.scanned_bytes, cost.usd
        )
        return rows

    def land(
        self,
        query: Query,
        parameters: Mapping[str, ParameterValue],
        *,
        into: Table,
        day: date | None,
    ) -> Written:
        """Run a query and put its result in place of one partition; see `Engine`."""
        names = output_names(query.tree)
        # no file tells the columns of a result without rows; the query's own names must, so that
        # a wrong column is an error on an empty day too
        known = set(names) == set(into.names) and "*" not in names
        rows, cost = self._run(query, parameters, empty=into.empty() if known else None)
        written = self.lake.write(into, rows, day=day)
        return replace(written, scanned_bytes=cost.scanned_bytes, cost_usd=cost.usd)

    def _run(
        self,
        query: Query,
        parameters: Mapping[str, ParameterValue],
        *,
        empty: pa.Table | None,
    ) -> tuple[pa.Table, Cost]:
        for table in sorted(query.tables):
            if table not in self.declared:
                raise EngineError(f"{query.name}: table {table} is not declared")
            self.tables.verify(self.declared[table])
        try:
            order = top_order(query.tree)
        except DialectError as error:
            raise EngineError(f"{query.name}: {error}") from error
        bare = Query.of_tree(query.name, without_order(query.tree))
        sql = bare.render(parameters, dialect="athena", table_name=self.tables.name)
        with self._staging() as folder:
            unload = (
                f"UNLOAD ({sql}) TO '{folder}rows/' WITH (format = 'PARQUET', compression = 'ZSTD')"
            )
            cost = self._finished(query.name, unload, folder)
            rows = self._read(folder)
            if rows is None and empty is None:
                empty = self._no_rows(query.name, sql, folder)
        return _sorted(empty if rows is None else rows, order), cost

    @contextmanager
    def _staging(self) -> Iterator[str]:
        """A folder for one result, removed afterwards whatever happens."""
        sweep(f"{self.lake.root}/{STAGING}", self.region)
        folder = f"{self.lake.root.rstrip('/')}/{STAGING}/{uuid.uuid4().hex}/"
        try:
            yield folder
        finally:
            _remove(folder, self.region)

    def _finished(self, name: str, statement: str, folder: str) -> Cost:
        """Run a statement to its end and give what it costs.

        Raises:
            EngineError: It failed, ran too long, or reads more than the workgroup allows.
        """
        statistics = self._execution(name, statement, folder).get("Statistics", {})
        scanned = int(statistics.get("DataScannedInBytes", 0))
        billed = max(scanned, LEAST_BILLED)
        return Cost(scanned, billed / TERABYTE * self.usd_per_terabyte)

    def _execution(self, name: str, statement: str, folder: str) -> dict[str, Any]:
        length = len(statement.encode())
        if length > LONGEST_STATEMENT:
            raise EngineError(
                f"{name}: the statement has {length:,} bytes for Athena, which takes "
                f"{LONGEST_STATEMENT:,}: split it into tables that are landed one by one"
            )
        athena = client("athena", self.region)
        with aws_call(f"{name}: starting the query in Athena"):
            execution = athena.start_query_execution(
                QueryString=statement,
                # a retry of the very same call starts nothing anew
                ClientRequestToken=uuid.uuid4().hex,
                QueryExecutionContext={"Database": self.tables.database},
                # Athena's own notes on the query; UNLOAD wants its folder to itself
                ResultConfiguration={"OutputLocation": f"{folder}output/", **self._encryption},
                WorkGroup=self.workgroup,
            )["QueryExecutionId"]
        try:
            return self._wait(athena, name, execution)
        except BaseException:
            # also when this process is told to end: nobody would read the result
            _stop(athena, execution)
            raise

    @property
    def _encryption(self) -> dict[str, Any]:
        """How Athena encrypts what it writes: with the lake's key, where it has one."""
        key = self.lake.options.get("s3_additional_kwargs", {}).get("SSEKMSKeyId")
        if not key:
            return {}
        return {"EncryptionConfiguration": {"EncryptionOption": "SSE_KMS", "KmsKey": key}}

    def _wait(self, athena: Any, name: str, execution: str) -> dict[str, Any]:
        until = time.monotonic() + self.query_timeout_seconds
        pause = FIRST_PAUSE_SECONDS
        while True:
            with aws_call(f"{name}: asking Athena for the query {execution}"):
                query = athena.get_query_execution(QueryExecutionId=execution)["QueryExecution"]
            status = query["Status"]
            if status["State"] == "SUCCEEDED":
                return dict(query)
            if status["State"] in ("FAILED", "CANCELLED"):
                raise EngineError(_why(name, execution, status, self.workgroup))
            if time.monotonic() >= until:
                raise EngineError(
                    f"{name}: Athena had not finished after "
                    f"{self.query_timeout_seconds:g} s; the query {execution} was "
                    "stopped. Raise ENGAGEMENT_QUERY_TIMEOUT, or make the query smaller"
                )
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    def _read(self, folder: str) -> pa.Table | None:
        """The rows of a result, or None where Athena wrote no file because there are none."""
        bucket, prefix = split_url(folder)
        s3 = client("s3", self.region)
        with aws_call(f"reading the result in {folder}"):
            keys = [entry["Key"] for entry in _objects(s3, bucket, f"{prefix}rows/")]
            if not keys:
                return None
            with ThreadPoolExecutor(READERS) as pool:
                parts = list(pool.map(lambda key: _parquet(s3, bucket, key), sorted(keys)))
        return pa.concat_tables(parts)

    def _no_rows(self, name: str, sql: str, folder: str) -> pa.Table:
        """A table without rows in the types of a query.

        `UNLOAD` writes no file for a result without rows, and what Athena tells of an `UNLOAD`
        describes the statement, not the query in it. The query alone with LIMIT 0 reads nothing
        and its result has columns.
        """
        query = self._execution(name, f"SELECT * FROM ({sql}) AS empty_result LIMIT 0", folder)
        with aws_call(f"{name}: asking Athena for the columns of the result"):
            answer = client("athena", self.region).get_query_results(
                QueryExecutionId=query["QueryExecutionId"], MaxResults=1
            )
        columns = answer["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]
        return pa.schema([(column["Name"], arrow_type(column)) for column in columns]).empty_table()


def _sorted(rows: pa.Table, order: list[Order]) -> pa.Table:
    """Rows in a query's order; Arrow puts nulls last, as every engine here does."""
    if not order:
        return rows
    keys = [(key.column, "descending" if key.descending else "ascending") for key in order]
    return rows.take(pc.sort_indices(rows, sort_keys=keys))


def _why(name: str, execution: str, status: Mapping[str, Any], workgroup: str) -> str:
    reason = status.get("StateChangeReason", "") or status.get("AthenaError", {}).get(
        "ErrorMessage", "no reason was given"
    )
    if _LIMIT in reason:
        return (
            f"{name}: the query {execution} would read more than the workgroup {workgroup} allows "
            f"a query ({reason}): ask for fewer days, or raise the workgroup's limit"
        )
    return f"{name}: Athena says {status['State']} of the query {execution}: {reason}"


def _stop(athena: Any, execution: str) -> None:
    try:
        with aws_call(f"stopping the query {execution}"):
            athena.stop_query_execution(QueryExecutionId=execution)
    except AwsError as error:
        # what is raised already matters more than that it could not be stopped
        logger.warning("%s", error)


def _objects(s3: Any, bucket: str, prefix: str) -> Iterator[dict[str, Any]]:
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        yield from page.get("Contents", ())


def _parquet(s3: Any, bucket: str, key: str) -> pa.Table:
    body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    # int96, which holds nanoseconds, is read to the microsecond
    file = pq.ParquetFile(pa.BufferReader(body), coerce_int96_timestamp_unit="us")
    return normalised(file.read())


@lru_cache(maxsize=64)
def sweep(staging: str, region: str) -> int:
    """Remove results that a killed process left a day or more ago; once a process.

    Returns:
        How many files were removed.
    """
    before = datetime.now(UTC) - STALE
    removed = _remove(f"{staging}/", region, before=before)
    if removed:
        logger.warning("removed %s files of results that killed runs left in %s", removed, staging)
    return removed


def _remove(folder: str, region: str, *, before: datetime | None = None) -> int:
    bucket, prefix = split_url(folder)
    s3 = client("s3", region)
    with aws_call(f"removing results in {folder}"):
        keys = [
            {"Key": entry["Key"]}
            for entry in _objects(s3, bucket, prefix)
            if before is None or entry["LastModified"] < before
        ]
        # a call takes a thousand keys
        for start in range(0, len(keys), 1000):
            s3.delete_objects(
                Bucket=bucket, Delete={"Objects": keys[start : start + 1000], "Quiet": True}
            )
    return len(keys)
