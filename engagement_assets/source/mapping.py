"""Users' own tables: a folder of SQL files, one a table of the contract.

`<root>/<name>/customers.sql`, `sessions.sql` and so on, each one `SELECT` in DuckDB's SQL over
whatever files there are, and an optional `source.toml` with the source's settings. `:data` stands
for the folder or URL of the files. Belongs here: finding, binding and running those files. Does
not belong here: the rows' checks (`rules.py`).
"""

import hashlib
import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa

from engagement_assets.settings.installation import SIMULATED, known_sources
from engagement_assets.source.casting import (
    Cast,
    casts,
    check_columns,
    connect,
    date_literal,
    known_at,
)
from engagement_assets.source.contract import (
    CONSENT_PURPOSES,
    RECORDED_AT,
    REQUIRED_TABLES,
    TABLES,
)
from engagement_assets.source.errors import (
    CorruptInputError,
    MappingError,
    MissingDataError,
    SourceSettingsError,
    UnknownSourceError,
)
from engagement_assets.source.readers import check_days, check_tables
from resources.engine import EngineError, literal_path
from resources.sql import quote_text

SETTINGS_FILE = "source.toml"
# Strings, quoted names, comments and casts are stepped over; what is left of `:name` is bound, and
# what is left of `;` ends the statement.
_TOKEN = re.compile(
    r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|\$(\w*)\$.*?\$\1\$|--[^\n]*|/\*.*?\*/|::|:(?P<name>[a-z_]\w*)|;""",
    re.DOTALL | re.IGNORECASE,
)
_CORRUPT = re.compile(
    r"magic bytes|too small to be|csv error|error in csv|sniffing|malformed|corrupt|gzip|"
    r"zstd|snappy|thrift|unexpected end|decompress|invalid unicode|failed to read",
    re.IGNORECASE,
)
_COMPRESSED = {".gz": "gzip", ".gzip": "gzip", ".zst": "zstd", ".zstd": "zstd"}
_BLOCK = 1 << 22
_UNREADABLE = re.compile(r"\.(zip|7z|rar|tar|xml)\b", re.IGNORECASE)
_UNPACKED = {
    "xml": "convert it to CSV, JSON or Parquet",
    **dict.fromkeys(("zip", "7z", "rar", "tar"), "unpack it and name the files in it"),
}
_ABSENT = re.compile(r"no files found|no such file|could not open|404", re.IGNORECASE)


# the kinds that settings have in TOML
_KINDS: dict[str, type] = {
    "description": str,
    "first_day": date,
    "last_day": date,
    "timezone": str,
    "granted_consents": list,
    "parameters": dict,
}


@dataclass(frozen=True)
class MappedSettings:
    """What a source says about itself in `source.toml`.

    Attributes:
        description: What the data are.
        first_day: First partition, which also holds all that became known before; None for the
            day of the first row of the required tables.
        last_day: Last partition, or None where the source goes on.
        timezone: The zone of times that name none.
        granted_consents: Purposes to which its customers agreed, where it has no `consents`.
        parameters: Values for `:name` in the SQL, beside `:data`.
    """

    description: str = ""
    first_day: date | None = None
    last_day: date | None = None
    timezone: str = "UTC"
    granted_consents: tuple[str, ...] = ("analytics",)
    parameters: Mapping[str, str] = field(default_factory=dict)


def open_mapped(
    name: str,
    *,
    root: Path,
    data: str,
    first_day: date | None = None,
) -> "MappedReader":
    """Open a source by its name.

    `data` is `:data` in the SQL; `first_day` stands in place of that in `source.toml`.

    Raises:
        UnknownSourceError: There is no such folder; the message lists those there are.
        SourceSettingsError: `source.toml` is wrong.
        MissingTableError: A required table has no SQL file.
        MissingDataError: The data folder is not there.
    """
    folder, settings = mapping_of(name, root)
    settings = replace(settings, first_day=first_day or settings.first_day)
    return MappedReader(name, folder=folder, data=data, settings=settings)


def mapping_of(name: str, root: Path) -> tuple[Path, MappedSettings]:
    """The folder and the settings of a source.

    Raises:
        UnknownSourceError: There is no such folder; the message lists those there are.
        SourceSettingsError: `source.toml` is wrong.
    """
    folder = root / name
    if name not in known_sources(root) or name == SIMULATED:
        raise UnknownSourceError(
            f"there is no source {name!r}: known are {', '.join(known_sources(root))}; a source of "
            f"your own is a folder {folder} with customers.sql and sessions.sql"
        )
    return folder, read_settings(folder / SETTINGS_FILE)


def read_settings(path: Path) -> MappedSettings:
    """Read a `source.toml`; without the file all settings have their defaults.

    Raises:
        SourceSettingsError: It is no TOML, or a setting is unknown or of a wrong kind.
    """
    if not path.is_file():
        return MappedSettings()
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise SourceSettingsError(f"{path} is not TOML: {error}") from error
    unknown = sorted(values.keys() - _KINDS.keys())
    if unknown:
        raise SourceSettingsError(
            f"{path}: unknown settings {', '.join(unknown)}; known are {', '.join(_KINDS)}"
        )
    for name, value in values.items():
        kind = _KINDS[name]
        # a TOML date-time is a datetime, which Python counts as a date
        if not isinstance(value, kind) or isinstance(value, datetime):
            raise SourceSettingsError(
                f"{path}: {name} is {value!r}, expected a {kind.__name__}"
                + (", such as 2024-01-31 without quotes" if kind is date else "")
            )
    if "granted_consents" in values:
        values["granted_consents"] = tuple(values["granted_consents"])
    settings = MappedSettings(**values)
    strange = [purpose for purpose in settings.granted_consents if purpose not in CONSENT_PURPOSES]
    if strange:
        raise SourceSettingsError(
            f"{path}: granted_consents has {', '.join(map(str, strange))}; known purposes are "
            f"{', '.join(CONSENT_PURPOSES)}"
        )
    texts = all(isinstance(value, str) for value in settings.parameters.values())
    if not texts or "data" in settings.parameters:
        raise SourceSettingsError(f"{path}: parameters must be texts, and none named data")
    return settings


def bind(sql: str, parameters: Mapping[str, str]) -> str:
    """Put text literals in the place of `:name`, outside strings, comments and casts.

    Names that are not among the parameters are left as they are, since DuckDB uses the colon
    itself (`list[1:n]`, `{'a':b}`).
    """

    def put(match: re.Match[str]) -> str:
        name = match["name"]
        if name is None or name not in parameters:
            return match[0]
        return quote_text(parameters[name])

    return _TOKEN.sub(put, sql)


class MappedReader:
    """A source mapped by SQL files.

    Raises:
        MissingTableError: A required table has no SQL file.
        MissingDataError: The data folder is not there.
        MappingError: A SQL file is not named after a table of the contract.
    """

    def __init__(self, name: str, *, folder: Path, data: str, settings: MappedSettings) -> None:
        self.name = name
        self.folder = folder
        self.settings = settings
        self.timezone = settings.timezone
        self.granted_consents = settings.granted_consents
        self.last_day = settings.last_day
        self._data = data.rstrip("/")
        try:
            literal = literal_path(self._data)
        except EngineError as error:
            raise MissingDataError(f"source {name}: {error}") from error
        self._parameters = {**settings.parameters, "data": literal}
        self._tables = frozenset(path.stem for path in folder.glob("*.sql"))
        strange = sorted(self._tables - TABLES.keys())
        if strange:
            raise MappingError(
                f"{folder} has {', '.join(f'{table}.sql' for table in strange)}, which name no "
                f"table of the contract; the tables are {', '.join(TABLES)}"
            )
        check_tables(self)
        if "://" not in data and not Path(data).exists():
            raise MissingDataError(
                f"source {name}: the data folder {data} is not there; set the source's data folder "
                "to where the raw files lie"
            )
        self._first_day = settings.first_day
        # compressed files that were read to their end: path, time of change, size
        self._whole: set[tuple[Path, int, int]] = set()

    @property
    def first_day(self) -> date:
        """The first partition: as set, or the day of the first row of the required tables.

        Raises:
            MissingDataError: It is not set and those tables have no row with a time.
        """
        if self._first_day is None:
            self._first_day = self._find_first_day()
        return self._first_day

    def begin_on(self, day: date) -> None:
        """Make a day the first partition, which then holds all that became known before."""
        self._first_day = day

    def count(self, table: str) -> int:
        """How many rows a table has.

        Raises:
            SourceError: As `read_table` raises.
        """
        with connect(self.timezone) as connection:
            sql = f"SELECT count(*) AS rows FROM ({self._sql(table)})"  # noqa: S608 - the user's own SQL
            return int(self._run(connection, table, sql).column("rows")[0].as_py())

    def provides(self) -> frozenset[str]:
        """Names of the contract's tables that it has."""
        return self._tables

    def read(self, first: date, last: date) -> Mapping[str, pa.Table]:
        """The raw rows that became known on a range of days; each table is read when asked for.

        Raises:
            DayOutOfRangeError: The source does not cover the days.
            CorruptInputError: A compressed file is cut off.
        """
        check_days(self, first, last)
        self._check_compressed()
        return _LazyTables(self, first, last)

    def _check_compressed(self) -> None:
        """Check the compressed files of a local data folder, each once while it is the same."""
        folder = Path(self._data)
        files = folder.rglob("*") if folder.is_dir() else [folder]
        for path in sorted(files):
            compression = _COMPRESSED.get(path.suffix.lower())
            if compression is not None and path.is_file():
                state = (path, path.stat().st_mtime_ns, path.stat().st_size)
                if state not in self._whole:
                    _check_whole(path, compression)
                    self._whole.add(state)

    def read_table(self, table: str, first: date, last: date) -> pa.Table:
        """The raw rows of one table that became known on a range of days.

        Raises:
            MappingError: DuckDB refuses the SQL.
            ColumnsError: Its columns cannot become the contract's.
            MissingDataError: A file that it reads is not there.
            CorruptInputError: A file that it reads is not whole.
        """
        with connect(self.timezone) as connection:
            moment = self._known_at(connection, table)
            starts = f"{moment} >= {_midnight(first)}"
            ends = f"{moment} < {_midnight(last + timedelta(days=1))}"
            # The first partition holds what became known earlier and what nothing dates.
            condition = (
                f"{ends} OR {moment} IS NULL" if first == self.first_day else f"{starts} AND {ends}"
            )
            return self._run(connection, table, f"FROM ({self._sql(table)}) WHERE {condition}")

    def digest(self, table: str) -> str:
        """A digest of a table's SQL and of the settings that its rows depend on."""
        if table not in self._tables:
            return ""
        parameters = {name: text for name, text in self._parameters.items() if name != "data"}
        parts = (
            self._path(table).read_text(encoding="utf-8"),
            json.dumps(parameters, sort_keys=True),
            self.timezone,
            self.first_day.isoformat(),
            ",".join(sorted(self.granted_consents)),
        )
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]

    def strays(self, table: str, after: date) -> pa.Table | None:
        """Rows that no day takes: without a readable time, or known after the day `after`.

        Raises:
            SourceError: As `read_table` raises.
        """
        with connect(self.timezone) as connection:
            moment = self._known_at(connection, table)
            beyond = f"{moment} IS NULL OR {moment} >= {_midnight(after + timedelta(days=1))}"
            return self._run(connection, table, f"FROM ({self._sql(table)}) WHERE {beyond}")

    def updates(self, table: str, first: date, last: date) -> pa.Table | None:
        """Rows that became known before a range of days and were filled further within it.

        Such as a notification that was opened days after it was sent. A row comes once for each
        column that was filled (`not_before`), with `recorded_at` at the time it was.

        Returns:
            The rows as they stand in the source; None where the table has no such column.

        Raises:
            SourceError: As `read_table` raises.
        """
        with connect(self.timezone) as connection:
            columns = self._columns(connection, table)
            plan = {cast.field.name: cast.expression for cast in self._casts(table, columns)}
            later = [c.name for c in TABLES[table].columns if c.not_before and c.name in columns]
            if not later or first == self.first_day:
                return None
            moment = self._known_at(connection, table)
            others = f"* EXCLUDE ({RECORDED_AT.name})" if RECORDED_AT.name in columns else "*"
            parts = [
                f"SELECT {others}, timezone('UTC', {plan[name]}) AS {RECORDED_AT.name} "  # noqa: S608 - the user's own SQL
                f"FROM ({self._sql(table)}) WHERE {moment} < {_midnight(first)} "
                f"AND {plan[name]} >= {_midnight(first)} "
                f"AND {plan[name]} < {_midnight(last + timedelta(days=1))}"
                for name in later
            ]
            return self._run(connection, table, " UNION ALL ".join(parts))

    def _find_first_day(self) -> date:
        self._check_compressed()
        firsts: list[datetime] = []
        with connect(self.timezone) as connection:
            for table in REQUIRED_TABLES:
                moment = self._known_at(connection, table)
                sql = f"SELECT min({moment}) AS first FROM ({self._sql(table)})"  # noqa: S608 - the user's own SQL
                value = self._run(connection, table, sql).column("first")[0].as_py()
                if value is not None:
                    firsts.append(value)
        if not firsts:
            raise MissingDataError(
                f"source {self.name}: {' and '.join(REQUIRED_TABLES)} have no row with a time, so "
                "its first day is unknown; check the data or set first_day"
            )
        return min(firsts).date()

    def _columns(self, connection: duckdb.DuckDBPyConnection, table: str) -> dict[str, str]:
        described = self._run(connection, table, f"DESCRIBE FROM ({self._sql(table)})")
        names, types = (described.column(c).to_pylist() for c in ("column_name", "column_type"))
        return dict(zip(names, types, strict=True))

    def _casts(self, table: str, columns: Mapping[str, str]) -> list[Cast]:
        return casts(TABLES[table], columns, timezone=self.timezone)

    def _known_at(self, connection: duckdb.DuckDBPyConnection, table: str) -> str:
        columns = self._columns(connection, table)
        declared = TABLES[table]
        time_columns = {declared.event_time, "recorded_at"}
        # only the columns that date a row must fit here; the rest is checked with the rows, where
        # a column that is null throughout can be told apart
        names = {
            field.name: _any_kind(field.type)
            for field in declared.columns
            if field.name in columns and field.name not in time_columns
        }
        unknown = {name: kind for name, kind in columns.items() if name not in names}
        check_columns(declared, {**names, **unknown}, where=str(self._path(table)))
        return known_at(declared, columns, timezone=self.timezone)

    def _path(self, table: str) -> Path:
        return self.folder / f"{table}.sql"

    def _sql(self, table: str) -> str:
        path = self._path(table)
        text = bind(path.read_text(encoding="utf-8"), self._parameters)
        try:
            statements = duckdb.extract_statements(text)
        except duckdb.Error as error:
            raise MappingError(f"{path} does not parse as DuckDB SQL: {error}") from error
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            raise MappingError(f"{path} must hold exactly one SELECT")
        # one statement, so that a semicolon can only be at its end; the line of its own is there
        # because it may end in a comment
        return _TOKEN.sub(lambda match: "" if match[0] == ";" else match[0], text) + "\n"

    def _run(self, connection: duckdb.DuckDBPyConnection, table: str, sql: str) -> pa.Table:
        try:
            return connection.execute(sql).to_arrow_table()
        except duckdb.Error as error:
            message = str(error)
            head = f"table {table} of source {self.name} ({self._path(table)})"
            if _ABSENT.search(message):
                raise MissingDataError(
                    f"{head}: {message}; check the data folder and the names in the SQL"
                ) from error
            if _CORRUPT.search(message):
                raise CorruptInputError(
                    f"{head}: {message}; the file is not whole or not of that format: put a good "
                    "copy in its place"
                ) from error
            raise MappingError(
                f"{head}: DuckDB cannot run it: {message}; {_advice(sql, message)}"
            ) from error


class _LazyTables(Mapping[str, pa.Table]):
    """The tables of a range of days, each read when it is asked for."""

    def __init__(self, reader: MappedReader, first: date, last: date) -> None:
        self._reader = reader
        self._first = first
        self._last = last

    def __getitem__(self, table: str) -> pa.Table:
        if table not in self._reader.provides():
            raise KeyError(table)
        return self._reader.read_table(table, self._first, self._last)

    def __contains__(self, table: object) -> bool:
        # without this, `in` would read the table
        return table in self._reader.provides()

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._reader.provides()))

    def __len__(self) -> int:
        return len(self._reader.provides())


def _advice(sql: str, message: str) -> str:
    """What to do about SQL that DuckDB refuses."""
    archive = _UNREADABLE.search(sql)
    if archive is not None:
        return f"DuckDB reads no .{archive[1].lower()}: {_UNPACKED[archive[1].lower()]}"
    if '"column0"' in message:
        return (
            "the file is empty or has a header alone, which DuckDB does not tell from rows: write "
            "header = true, and a header into an empty file"
        )
    return "it must be one SELECT"


def _check_whole(path: Path, compression: str) -> None:
    """Read a compressed file to its end, which DuckDB does not miss where it is cut off.

    Raises:
        CorruptInputError: It ends before its compressed data do.
    """
    try:
        with pa.input_stream(str(path), compression=compression) as stream:
            while stream.read(_BLOCK):
                pass
    except OSError as error:
        raise CorruptInputError(
            f"{path} is cut off or damaged ({error}): put a whole copy in its place"
        ) from error


def _midnight(day: date) -> str:
    return f"CAST({date_literal(day)} AS TIMESTAMP)"


def _any_kind(declared: str) -> str:
    return {"string": "VARCHAR", "timestamp": "TIMESTAMP", "date": "DATE"}.get(declared, "VARCHAR")
