"""How raw columns, whatever type a file gave them, become the contract's types.

Belongs here: which kinds of column may become which type, and the DuckDB expressions that do it
without loss; when a row became known. Does not belong here: what happens to values that do not
fit (`rules.py`).

A naive time is taken in the source's time zone, which the connection must have as its `TimeZone`;
everything comes out in UTC without a zone.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date

import duckdb

from engagement_assets.source.contract import RECORDED_AT, SourceTable
from engagement_assets.source.errors import ColumnsError, SourceSettingsError
from resources import engine
from resources.sql import quote_name, quote_text
from resources.tables import DUCKDB_TYPES, Column

_ACCEPTED: dict[str, tuple[str, ...]] = {
    "string": ("text", "integer", "uuid", "decimal"),
    "int64": ("integer", "decimal", "float", "text"),
    "float64": ("integer", "decimal", "float", "text"),
    "bool": ("boolean", "integer", "text"),
    "date": ("date", "timestamp", "zoned", "text"),
    "timestamp": ("timestamp", "zoned", "date", "text"),
}
_ADVICE = {
    "string": "cast it in the SQL: to text, or a number that names something to a whole number",
    "timestamp": "convert it in the SQL, for instance to_timestamp(seconds)",
}


@dataclass(frozen=True)
class Cast:
    """How one raw column is read.

    Attributes:
        field: The declared column.
        expression: DuckDB expression over the raw columns.
        may_fail: Whether a raw value that is not null may come out as null.
    """

    field: Column
    expression: str
    may_fail: bool


@contextmanager
def connect(
    timezone: str, *, memory_limit: str = "4GB", threads: int | None = None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """An in-memory DuckDB whose naive times are those of a zone, closed afterwards.

    Raises:
        SourceSettingsError: DuckDB does not know the zone.
    """
    # the user's own SQL may read what needs an extension
    opened = engine.connect(
        timezone=timezone, memory_limit=memory_limit, threads=threads, extensions=True
    )
    with ExitStack() as stack:
        try:
            connection = stack.enter_context(opened)
        except duckdb.Error as error:
            raise SourceSettingsError(
                f"time zone {timezone!r} is not known; use a name such as UTC or Europe/Oslo"
            ) from error
        yield connection


def date_literal(day: date) -> str:
    """A day as a SQL literal."""
    return f"DATE '{day.isoformat()}'"


def check_columns(table: SourceTable, columns: Mapping[str, str], *, where: str) -> tuple[str, ...]:
    """Check the names and kinds of a raw table's columns; their order does not matter.

    Args:
        table: The contract.
        columns: DuckDB type of each raw column that is not null throughout.
        where: Where they come from, for the error.

    Returns:
        The nullable columns that are not given.

    Raises:
        ColumnsError: Columns that may not be null are missing, columns are unknown, or a column's
            kind can never become its declared type. The message names every such column.
    """
    declared = {field.name: field for field in table.columns}
    absent = [field for field in table.columns if field.name not in columns]
    missing = [
        f"{field.name} ({field.type})"
        for field in absent
        if not field.nullable and field.name != RECORDED_AT.name
    ]
    unknown = sorted(columns.keys() - declared.keys())
    wrong = [
        f"{name} is {kind}, which cannot become {declared[name].type}: "
        + _ADVICE.get(declared[name].type, "convert it in the SQL")
        for name, kind in columns.items()
        if name in declared and kind_of(kind) not in _ACCEPTED[declared[name].type]
    ]
    problems = []
    if missing:
        problems.append(f"it lacks {', '.join(missing)}: add them")
    if unknown:
        problems.append(
            f"it has {', '.join(unknown)}, which the contract does not know: leave them out or "
            f"rename them to one of {', '.join(declared)}"
        )
    problems += wrong
    if problems:
        raise ColumnsError(f"table {table.noun} from {where}: {'; '.join(problems)}")
    return tuple(field.name for field in absent if field.nullable)


def casts(table: SourceTable, columns: Mapping[str, str], *, timezone: str) -> list[Cast]:
    """How each declared column is read from raw columns that passed `check_columns`."""
    plan = []
    for field in table.columns:
        if field.name in columns:
            key = field.names_customer or field.name in table.row_key
            plan.append(_cast(field, columns[field.name], timezone, key=key))
        else:
            plan.append(Cast(field, f"CAST(NULL AS {DUCKDB_TYPES[field.type]})", False))
    return plan


def known_at(table: SourceTable, columns: Mapping[str, str], *, timezone: str) -> str:
    """Expression over raw columns: when a row became known, UTC; null where nothing tells."""
    plan = {cast.field.name: cast.expression for cast in casts(table, columns, timezone=timezone)}
    event = plan[table.event_time]
    if RECORDED_AT.name not in columns:
        return event
    return f"coalesce({plan[RECORDED_AT.name]}, {event})"


def kind_of(duckdb_type: str) -> str:
    """The kind of a DuckDB type, such as `integer` for `UBIGINT`."""
    upper = duckdb_type.upper()
    if upper.endswith("[]") or upper.startswith(("STRUCT", "MAP", "UNION")):
        return "nested"
    if upper in ("VARCHAR", "JSON") or upper.startswith("ENUM"):
        return "text"
    if upper.startswith("DECIMAL"):
        return "decimal"
    if upper.lstrip("U") in ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"):
        return "integer"
    if upper in ("TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"):
        return "timestamp"
    others = {
        "UUID": "uuid",
        "FLOAT": "float",
        "DOUBLE": "float",
        "BOOLEAN": "boolean",
        "DATE": "date",
        "TIMESTAMP WITH TIME ZONE": "zoned",
    }
    return others.get(upper, "other")


def _cast(field: Column, duckdb_type: str, timezone: str, *, key: bool) -> Cast:
    column = quote_name(field.name)
    kind = kind_of(duckdb_type)
    if field.type == "timestamp":
        instant = _timestamp(column, kind, duckdb_type, timezone)
        if kind == "date" and field == RECORDED_AT:
            # a load date says that the row was known by the end of that day
            instant = f"{instant} + INTERVAL 1 DAY - INTERVAL 1 MILLISECOND"
        # cut to what Athena reads of it, which would round the last half millisecond of a day
        # into the next one
        return Cast(field, _finite(f"date_trunc('millisecond', {instant})"), True)
    if field.type == "date":
        return Cast(field, _finite(_date(column, kind, timezone)), True)
    if field.type == "string":
        return _string(field, column, kind, duckdb_type, key=key)
    return _plain(field, column, kind, duckdb_type)


def _plain(field: Column, column: str, kind: str, duckdb_type: str) -> Cast:
    """Numbers and truth values."""
    if duckdb_type.upper() == DUCKDB_TYPES[field.type]:
        return Cast(field, column, False)
    if field.type == "int64":
        return Cast(field, _integer(column, kind), True)
    if field.type == "bool" and kind == "integer":
        return Cast(field, f"CASE {column} WHEN 0 THEN FALSE WHEN 1 THEN TRUE END", True)
    lossless = field.type == "float64" and kind != "text"
    return Cast(field, f"TRY_CAST({column} AS {DUCKDB_TYPES[field.type]})", not lossless)


def _string(field: Column, column: str, kind: str, duckdb_type: str, *, key: bool) -> Cast:
    """Text without what only its way of storage adds to it."""
    if kind == "decimal":
        whole = f"CAST(CAST({column} AS HUGEINT) AS VARCHAR)"
        return Cast(field, f"CASE WHEN {column} = trunc({column}) THEN {whole} END", True)
    text = column
    if duckdb_type.upper() == "JSON":
        text = f"json_extract_string({column}, '$')"
    elif kind != "text" or duckdb_type.upper() != "VARCHAR":
        text = f"CAST({column} AS VARCHAR)"
    if kind != "text":
        return Cast(field, text, False)
    if key:
        # a whole number that was stored with a fraction is the same key
        return Cast(
            field,
            f"CASE WHEN ends_with({text}, '0') AND contains({text}, '.') "
            f"THEN regexp_replace({text}, '^([0-9]+)[.]0+$', '\\1') ELSE {text} END",
            False,
        )
    if field.allowed:
        text = f"lower({trimmed(text)})"
    return Cast(field, f"CASE WHEN NOT {is_blank(text)} THEN {text} END", False)


def trimmed(text: str) -> str:
    """Expression of a text without white space around it."""
    return f"trim({text}, E' \\t\\r\\n')"


def is_blank(text: str) -> str:
    """Predicate of a text that is empty or white space alone."""
    # the comparison spares nearly every row the trim: a blank text sorts before '!'
    return f"({text} < '!' AND {trimmed(text)} = '')"


def _finite(expression: str) -> str:
    return f"CASE WHEN isfinite({expression}) THEN {expression} END"


def _integer(column: str, kind: str) -> str:
    # DuckDB rounds 3.7 to 4 when it casts, from text too; a fraction must not vanish like that
    if kind == "text":
        whole = f"regexp_full_match(trim({column}), '[+-]?[0-9]+([.]0*)?')"
        return (
            f"CASE WHEN {whole} "
            f"THEN TRY_CAST(regexp_replace(trim({column}), '[.]0*$', '') AS BIGINT) END"
        )
    if kind == "integer":
        return f"TRY_CAST({column} AS BIGINT)"
    return f"CASE WHEN {column} = trunc({column}) THEN TRY_CAST({column} AS BIGINT) END"


def _timestamp(column: str, kind: str, duckdb_type: str, timezone: str) -> str:
    if kind == "text":
        return f"timezone('UTC', TRY_CAST({column} AS TIMESTAMPTZ))"
    if kind == "zoned":
        return f"timezone('UTC', {column})"
    naive = column if duckdb_type.upper() == "TIMESTAMP" else f"CAST({column} AS TIMESTAMP)"
    if timezone == "UTC":
        return naive
    return f"timezone('UTC', timezone({quote_text(timezone)}, {naive}))"


def _date(column: str, kind: str, timezone: str) -> str:
    if kind == "text":
        return f"TRY_CAST({column} AS DATE)"
    if kind == "zoned":
        return f"CAST(timezone({quote_text(timezone)}, {column}) AS DATE)"
    return column if kind == "date" else f"CAST({column} AS DATE)"
