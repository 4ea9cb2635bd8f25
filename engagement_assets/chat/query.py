"""Statements that may be run, and where: one SELECT over a few tables in memory, sealed off.

Belongs here: the allow-list, limits and the sealed connection. Does not belong here: which
statements there are (`tools.py`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import sqlglot
from sqlglot import exp

from engagement_assets.chat.catalogue import AGE_BAND, VIEW, VIEWS
from engagement_assets.learning.fairness.groups import age_bands
from resources.lake import Lake

ROWS = 100
SECONDS = 5.0
# What a statement may consist of; whatever else sqlglot reads is refused.
ALLOWED = (
    exp.Select, exp.From, exp.Where, exp.Group, exp.Order, exp.Ordered, exp.Limit, exp.Join,
    exp.Table, exp.Column, exp.Identifier, exp.Literal, exp.Alias, exp.TableAlias, exp.Filter,
    exp.EQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.And, exp.Sub, exp.Div, exp.Not, exp.Is, exp.Null,
    exp.Paren, exp.Star, exp.Count, exp.Avg, exp.Sum, exp.Max, exp.Min,
)  # fmt: skip


class QueryError(ValueError):
    """A statement is not allowed, or takes too long or too many rows."""


def check(sql: str, columns: Mapping[str, set[str]]) -> None:
    """Refuse whatever is not one SELECT of allowed parts over allowed columns.

    Args:
        sql: The statement.
        columns: Columns by table that it may read.

    Raises:
        QueryError: As said.
    """
    try:
        statements = sqlglot.parse(sql, read="duckdb")
    except sqlglot.errors.SqlglotError as error:
        raise QueryError("the statement cannot be read") from error
    if len(statements) != 1 or not isinstance(statements[0], exp.Select):
        raise QueryError("one SELECT is allowed")
    statement = statements[0]
    for node in statement.walk():
        if not isinstance(node, ALLOWED):
            raise QueryError(f"{type(node).__name__} is not allowed")
    tables = [table.sql() for table in statement.find_all(exp.Table)]
    if not tables or not set(tables) <= set(columns):
        raise QueryError("a table is not allowed")
    known = set().union(*(columns[table] for table in tables)) | {
        alias.alias for alias in statement.find_all(exp.Alias)
    }
    if any(column.name not in known for column in statement.find_all(exp.Column)):
        raise QueryError("a column is not allowed")
    for star in statement.find_all(exp.Star):
        if not isinstance(star.parent, exp.Count):
            raise QueryError("a list of all columns is not allowed")


@dataclass
class Warehouse:
    """The last day of the views of the catalogue, in memory.

    Attributes:
        lake: Where they come from.
        refusing: Customers whose rows are left out.
        seconds: After so long a statement is given up.
    """

    lake: Lake
    refusing: frozenset[str] = frozenset()
    seconds: float = SECONDS
    days: dict[str, date] = field(default_factory=dict)
    _columns: dict[str, set[str]] = field(default_factory=dict, repr=False)
    _connection: duckdb.DuckDBPyConnection | None = field(default=None, repr=False)

    def open(self) -> None:
        """Take in the views that have a day, then seal: no file, no network, no setting."""
        connection = duckdb.connect(":memory:", config={"memory_limit": "2GB"})
        for view, tables in VIEWS.items():
            common = set.intersection(*(set(self.lake.days(table)) for table in tables))
            if not common:
                continue
            self.days[view] = day = max(common)
            parts = [self.lake.read(table, days=[day]) for table in tables]
            rows = parts[0]
            if view == VIEW:
                rows = _customers(*parts)
            if self.refusing and "customer_id" in rows.column_names:
                refused = pc.is_in(rows["customer_id"], pa.array(self.refusing, pa.string()))
                rows = rows.filter(pc.invert(refused))
            self._columns[view] = set(rows.column_names)
            connection.register("given", rows)
            connection.execute(f"CREATE TABLE {view} AS SELECT * FROM given")  # noqa: S608 - names of views are constants
            connection.unregister("given")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        self._connection = connection

    def has(self, view: str) -> bool:
        """Whether a view has a day."""
        return view in self._columns

    def texts(self, view: str, column: str) -> list[str]:
        """Return the distinct texts of a column, which the grammar knows."""
        if self._connection is None or column not in self._columns[view]:
            return []
        sql = f'SELECT DISTINCT "{column}" FROM {view} WHERE "{column}" IS NOT NULL ORDER BY 1'  # noqa: S608 - declared names
        return [value for (value,) in self._connection.execute(sql).fetchall()]

    def select(self, sql: str) -> list[tuple[Any, ...]]:
        """Run a checked statement.

        Raises:
            QueryError: It is not allowed, or takes too long or too many rows.
        """
        check(sql, self._columns)
        if self._connection is None:
            raise QueryError("the tables are not open")
        cursor = self._connection.cursor()
        return _limited(lambda: cursor.execute(sql).fetchmany(ROWS + 1), cursor, self.seconds)


def _limited(
    run: Callable[[], list[tuple[Any, ...]]], cursor: duckdb.DuckDBPyConnection, seconds: float
) -> list[tuple[Any, ...]]:
    timer = threading.Timer(seconds, cursor.interrupt)
    timer.start()
    try:
        rows = run()
    except duckdb.Error as error:
        raise QueryError(f"the statement failed: {type(error).__name__}") from error
    finally:
        timer.cancel()
        cursor.close()
    if len(rows) > ROWS:
        raise QueryError(f"more than {ROWS} rows")
    return rows


def _customers(features: pa.Table, predictions: pa.Table) -> pa.Table:
    """Join a customer's features and predictions, with the band of their age."""
    names = [
        "customer_id",
        *(n for n in predictions.column_names if n not in features.column_names),
    ]
    both = features.join(predictions.select(names), "customer_id", join_type="inner")
    bands = age_bands(both["age"].to_pandas()).astype(str)
    return both.append_column(AGE_BAND, pa.array(bands, pa.string()))
