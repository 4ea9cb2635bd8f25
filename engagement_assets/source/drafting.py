"""A first draft of a mapping, from the names and types of the columns in a folder of files.

Belongs here: which file may be which table, and which column which. Whoever brings the data
corrects the draft: a column is chosen by its name alone. Does not belong here: running mappings
(`mapping.py`).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import partial
from pathlib import Path

import duckdb

from engagement_assets.source.casting import kind_of
from engagement_assets.source.contract import (
    CUSTOMERS,
    RECORDED_AT,
    REQUIRED_TABLES,
    TABLES,
    SourceTable,
)
from engagement_assets.source.errors import MappingError, MissingDataError
from engagement_assets.source.vocabulary import COLUMN_NAMES, FILE_NAMES, QUANTITIES, UNIT_PRICES
from resources.engine import EngineError, literal_path
from resources.sql import quote_name, quote_text
from resources.tables import Column

READERS = {
    ".csv": "read_csv({file}, header = true{text})",
    ".tsv": "read_csv({file}, header = true, delim = '\\t'{text})",
    ".parquet": "read_parquet({file})",
    ".json": "read_json({file})",
    ".jsonl": "read_json({file}, format = 'newline_delimited')",
    ".ndjson": "read_json({file}, format = 'newline_delimited')",
}
# One bad value then goes to quarantine instead of stopping DuckDB's reader.
AS_TEXT = ", all_varchar = true"
COMPRESSED = (".gz", ".zst")
CLOSE = 0.86
DOUBT = "-- no column looks like it"
NOBODY = "-- rows without a customer, as of guests, are left out"
VISITS = """-- A draft: check every line. No file tells how long visits lasted: one ends here with
-- 30 minutes without an event, and lasts at least 30 seconds.
WITH log AS (
    {log}
),
marked AS (
    SELECT
        *,
        coalesce(happened_at - lag(happened_at) OVER person > INTERVAL 30 MINUTE, TRUE) AS begins
    FROM log
    WINDOW person AS (PARTITION BY customer_id ORDER BY happened_at)
),
visits AS (
    SELECT
        *,
        sum(CAST(begins AS INTEGER)) OVER (
            PARTITION BY customer_id ORDER BY happened_at ROWS UNBOUNDED PRECEDING
        ) AS visit
    FROM marked
)
SELECT
    customer_id || '/' || visit AS session_id,
    customer_id,
    min(happened_at) AS occurred_at,
    greatest(epoch(max(happened_at) - min(happened_at)), 30) AS duration_seconds,
    max(happened_at) AS recorded_at
FROM visits
GROUP BY customer_id, visit
"""


@dataclass(frozen=True)
class DataFile:
    """A file that DuckDB reads.

    Attributes:
        path: Relative to the data folder.
        columns: DuckDB's types by column.
    """

    path: Path
    columns: Mapping[str, str]

    @property
    def words(self) -> list[str]:
        """The parts of its name, such as `user` and `events` of `user_events.csv.gz`."""
        return [word for word in re.split(r"[^a-z]+", self.path.name.split(".")[0].lower()) if word]

    @property
    def reader(self) -> str:
        """The expression that reads it."""
        file = f":data || {quote_text(literal_path(f'/{self.path}'))}"
        return READERS[_ending(self.path)].format(file=file, text=AS_TEXT)


def files_of(data: Path) -> list[DataFile]:
    """Describe the files in a folder that DuckDB reads.

    Raises:
        MissingDataError: The folder is not there, or holds none.
        MappingError: DuckDB cannot read a file.
    """
    if not data.is_dir():
        raise MissingDataError(f"the data folder {data} is not there")
    paths = sorted(path for path in data.rglob("*") if path.is_file() and _ending(path) in READERS)
    if not paths:
        raise MissingDataError(f"{data} has no file that ends in {', '.join(READERS)}")
    with duckdb.connect() as connection:
        return [_described(connection, path, data) for path in paths]


def draft(files: Sequence[DataFile]) -> dict[str, str]:
    """Draft the SQL of each table for which there may be a file; of required ones in any case.

    Returns:
        SQL by table. A column for which nothing was found is a null with a note to replace it.
    """
    best = {name: max(files, key=partial(_fit, table)) for name, table in TABLES.items()}
    drafts = {
        name: _select(table, best[name])
        for name, table in TABLES.items()
        if name in REQUIRED_TABLES or (table.draftable and _suits(table, best[name]))
    }
    log = _log(TABLES["sessions"], best["sessions"])
    if log is not None and "duration_seconds" not in _likenesses(
        TABLES["sessions"], best["sessions"]
    ):
        drafts["sessions"] = VISITS.format(log=log)
    people = best[CUSTOMERS] if best[CUSTOMERS] != best["sessions"] else None
    dated = people is not None and "signed_up_at" in _likenesses(TABLES[CUSTOMERS], people)
    if log is not None and not dated:
        drafts[CUSTOMERS] = _first_seen(people, log)
    return drafts


def near_misses(files: Sequence[DataFile]) -> dict[str, str]:
    """Why a file that has the name of an optional table was not drafted as it, by table."""
    reasons = {}
    for file in files:
        for name, table in TABLES.items():
            lacking = _lacking(table, file)
            if table.draftable and lacking and _named(table, file):
                reasons[name] = f"{file.path} has no column like {' and '.join(sorted(lacking))}"
    return reasons


def _suits(table: SourceTable, file: DataFile) -> bool:
    """Whether a file can be an optional table."""
    return _fit(table, file) >= 1 and not _lacking(table, file)


def _lacking(table: SourceTable, file: DataFile) -> set[str]:
    """What an optional table needs of a file that is not there; its id and its kind may lack."""
    needed = {column.name for column in _needed(table)} - {"kind"}
    lacking = needed - _likenesses(table, file).keys()
    return set() if (*lacking,) == table.row_key else lacking


def _needed(table: SourceTable) -> list[Column]:
    return [column for column in table.columns if not column.nullable and column != RECORDED_AT]


def _likenesses(table: SourceTable, file: DataFile) -> dict[str, str]:
    """Columns of the contract that a file may have, with the file's name of each."""
    likes = {column.name: matching(column, table, file.columns) for column in table.columns}
    return {name: like for name, like in likes.items() if like is not None}


def _log(table: SourceTable, file: DataFile) -> str | None:
    """A SELECT of who did something when; None for a file that does not tell."""
    likes = _likenesses(table, file)
    if not {"customer_id", "occurred_at"} <= likes.keys():
        return None
    moment = _moment(likes["occurred_at"], file)
    who = quote_name(likes["customer_id"])
    return (
        f"SELECT {who} AS customer_id, {moment} AS happened_at FROM {file.reader} "
        f"WHERE {who} IS NOT NULL"
    )


def _first_seen(file: DataFile | None, log: str) -> str:
    """Customers who sign up with their first event, with what else a file tells of them."""
    likes = _likenesses(TABLES[CUSTOMERS], file) if file else {}
    first = (
        f"(\n    SELECT customer_id, min(happened_at) AS happened_at\n    FROM ({log}) AS log\n"
        "    GROUP BY customer_id\n) AS first"
    )
    head = (
        "-- A draft: check every line. No column tells when somebody signed up: their first event\n"
        "-- stands for it.\n"
    )
    if file is None or "customer_id" not in likes:
        return f"{head}SELECT customer_id, happened_at AS signed_up_at\nFROM {first}\n"
    others = [
        f"people.{quote_name(like)} AS {name}"
        for name, like in likes.items()
        if name not in ("customer_id", "signed_up_at", RECORDED_AT.name)
    ]
    columns = ",\n    ".join(["first.customer_id", "first.happened_at AS signed_up_at", *others])
    return (
        f"{head}SELECT\n    {columns}\nFROM {first}\nLEFT JOIN {file.reader} AS people\n"
        f"    ON people.{quote_name(likes['customer_id'])} = first.customer_id\n"
    )


def _moment(name: str, file: DataFile) -> str:
    """A time; seconds since 1970 where the file has a number."""
    quoted = quote_name(name)
    if kind_of(file.columns[name]) in ("integer", "decimal", "float"):
        return f"to_timestamp(CAST({quoted} AS DOUBLE))"
    return f"CAST({quoted} AS TIMESTAMP)"


def _described(connection: duckdb.DuckDBPyConnection, path: Path, data: Path) -> DataFile:
    try:
        file = quote_text(literal_path(str(path)))
        reader = READERS[_ending(path)].format(file=file, text="")
        rows = connection.execute(f"DESCRIBE FROM {reader}").fetchall()
    except (duckdb.Error, EngineError) as error:
        raise MappingError(f"DuckDB cannot read {path}: {error}") from error
    return DataFile(path.relative_to(data), {row[0]: row[1] for row in rows})


def _ending(path: Path) -> str:
    name = path.name.lower()
    for ending in COMPRESSED:
        name = name.removesuffix(ending)
    return Path(name).suffix


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _fit(table: SourceTable, file: DataFile) -> float:
    """How well a file suits a table: its name, and the share of needed columns that it has."""
    needed = _needed(table)
    have = sum(matching(column, table, file.columns) is not None for column in needed)
    return _named(table, file) + have / len(needed) - (0 if have else 1)


def _named(table: SourceTable, file: DataFile) -> bool:
    words = {word.removesuffix("s") for word in file.words}
    names = (table.noun, *FILE_NAMES.get(table.noun, ()))
    return any({word.removesuffix("s") for word in name.split("_")} <= words for name in names)


def matching(column: Column, table: SourceTable, have: Iterable[str]) -> str | None:
    """The column of a file that may be a column of the contract; None where none is like it."""
    plain = {_plain(name): name for name in have}
    own = (column.name, *((f"{table.noun}_id", "id") if column.name in table.row_key else ()))
    for name in (*own, *COLUMN_NAMES.get(column.name, ())):
        if _plain(name) in plain and not (name == "id" and table.row_key != (column.name,)):
            return plain[_plain(name)]
    rated = [(SequenceMatcher(None, _plain(column.name), one).ratio(), one) for one in plain]
    best, name = max(rated, default=(0.0, ""))
    return plain[name] if best >= CLOSE else None


def _first_of(names: Iterable[str], have: Iterable[str]) -> str | None:
    plain = {_plain(name): name for name in have}
    return next((plain[name] for name in names if name in plain), None)


def _select(table: SourceTable, file: DataFile) -> str:
    lines = [_line(column, table, file) for column in table.columns]
    body = ",\n    ".join(line for line in lines if line)
    return (
        f"-- A draft from the names of columns: check every line. {table.description}\n"
        f"SELECT\n    {body}\nFROM {file.reader}\n{_of_somebody(table, file)}"
    )


def _of_somebody(table: SourceTable, file: DataFile) -> str:
    """The line that leaves out rows without a customer, where a table must have one."""
    who = _likenesses(table, file).get("customer_id")
    if who is None or "customer_id" not in {column.name for column in _needed(table)}:
        return ""
    return f"{NOBODY}\nWHERE {quote_name(who)} IS NOT NULL\n"


def _line(column: Column, table: SourceTable, file: DataFile) -> str | None:
    source = matching(column, table, file.columns)
    if source is not None:
        quantity = _first_of(QUANTITIES, file.columns)
        if _plain(source) in UNIT_PRICES and quantity is not None:
            parts = (f"TRY_CAST({quote_name(name)} AS DOUBLE)" for name in (quantity, source))
            return f"{' * '.join(parts)} AS {column.name}"
        timed = column.type == "timestamp"
        return f"{_moment(source, file) if timed else quote_name(source)} AS {column.name}"
    if column.nullable or column == RECORDED_AT:
        return None
    if (column.name,) == table.row_key:
        return f"{DOUBT}: the number of the line\n    row_number() OVER () AS {column.name}"
    return f"{DOUBT}: {column.meaning}\n    NULL AS {column.name}"


def settings_text(tables: Sequence[str]) -> str:
    """The draft of a `source.toml`, every setting with what it is for."""
    agreed = "" if "consents" in tables else 'granted_consents = ["analytics"]\n'
    return (
        'description = ""\n'
        "# the zone of times that name none, such as America/New_York\n"
        'timezone = "UTC"\n'
        "# the last day of data that end; without it the source goes on to yesterday\n"
        "# last_day = 2024-12-31\n"
        "# the first partition, which also holds all that became known before; each day costs a\n"
        "# little, so choose a year or two before the last day of a long history\n"
        "# first_day = 2023-01-01\n"
        "# what all customers agreed to where there is no table of consents: analytics,\n"
        "# personalisation, sentiment, notifications, federated\n" + agreed
    )
