"""A shop's files with two customers like no other, and a search for every byte of them.

Belongs here: making and delivering the files, and looking for the canaries in whatever a home
holds, unpacked. Does not belong here: what is done with the home (the tests).
"""

import io
import json
import lzma
import re
import sqlite3
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import closing
from datetime import date, datetime, timedelta
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from engagement_assets.source.contract import TABLES
from engagement_assets.source.readers import SimulatedReader
from engagement_assets.source.simulator import VARIANTS, Simulator

FIRST, LAST = date(2025, 11, 27), date(2026, 3, 1)
# one whose id is a word, and whose account was merged; one whose id is a number
WORD, NUMBER, BEFORE = "quillfeather-7f3a", "918273645546", "fledgling-55c1"
NAMES = {WORD: "Zéphyrine Quillfeather", NUMBER: "Ebenezer Thistlewick"}
MAILS = {WORD: "zephyrine@quill.example", NUMBER: "eben@thistlewick.example"}
OLD_MAIL = "zq@before-the-move.example"
PHONES = {WORD: "+47 555 019 284", NUMBER: "+47 555 019 777"}
WORDS = {WORD: "wherefore-art-thou", NUMBER: "hollyhockery"}
NEEDLES = (
    WORD,
    NUMBER,
    BEFORE,
    OLD_MAIL,
    *NAMES.values(),
    *MAILS.values(),
    *PHONES.values(),
    *WORDS.values(),
)
# what a mapping of files with the contract's own columns takes
SELECT = "SELECT * FROM read_csv(:data || '/{table}.csv', all_varchar = true)\n"
MAPPING = f"""description = "A shop with two canaries"
first_day = {FIRST}
timezone = "UTC"
"""


def write_mapping(folder: Path) -> None:
    """Write the shop's mapping, as a person writes their own."""
    folder.mkdir(parents=True)
    (folder / "source.toml").write_text(MAPPING)
    for name in TABLES:
        (folder / f"{name}.sql").write_text(SELECT.format(table=name))


def shop() -> dict[str, pd.DataFrame]:
    """The rows of a small simulated world until the day after `LAST`, with the canaries in it."""
    until = LAST + timedelta(days=1)
    world = Simulator(
        customers=400,
        seed=3,
        first_day=FIRST,
        days=(until - FIRST).days + 1,
        causes=VARIANTS["plain"],
    )
    reader = SimulatedReader(world, first_day=FIRST, tables=frozenset(TABLES))
    rows = {name: table.to_pandas() for name, table in reader.read(FIRST, until).items()}
    refusing = set(rows["consents"].query("not granted")["customer_id"])
    authors = rows["posts"]["customer_id"]
    posts = authors[~authors.isin(refusing)].value_counts()
    # two who write many posts and agree to everything
    for name, customer in zip((WORD, NUMBER), sorted(posts.index[:2]), strict=True):
        _rename(rows, customer, name)
    for key in ("messages", "interactions"):
        # what others wrote to each other would only take time to be scored
        ours = rows[key]["customer_id"].isin((WORD, NUMBER))
        rows[key]["text"] = rows[key]["text"].where(ours)
    return _with_more(rows)


def _rename(rows: dict[str, pd.DataFrame], customer: str, name: str) -> None:
    for key, frame in rows.items():
        texts = frame.select_dtypes(include=["object", "string"]).columns
        own = (frame[texts] == customer).any(axis=1)
        rows[key] = frame.assign(
            **{
                column: frame[column].where(frame[column] != customer, name)
                for column in texts
                if column in TABLES[key].customer_columns
            }
        )
        if "text" in frame and "customer_id" in frame:
            by = rows[key]["customer_id"] == name
            rows[key].loc[by & own, "text"] = f"{WORDS[name]}, " + rows[key].loc[
                by & own, "text"
            ].fillna("")
    people = rows["customers"]["customer_id"] == name
    rows["customers"].loc[people, ["full_name", "email", "phone"]] = [
        NAMES[name],
        MAILS[name],
        PHONES[name],
    ]


def _with_more(rows: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Add what the simulator has not: versions, merged accounts, withdrawals, rows that are bad."""
    at = datetime.combine(FIRST + timedelta(days=40), datetime.min.time())
    (first,) = rows["customers"].query("customer_id == @WORD").to_dict("records")
    moved = {**first, "email": OLD_MAIL}
    newer = {**first, "recorded_at": at}
    account = {**first, "customer_id": BEFORE, "email": None, "phone": None, "full_name": None}
    merge = {"merged_id": BEFORE, "customer_id": WORD, "occurred_at": at, "recorded_at": at}
    connection = rows["connections"].query("other_customer_id == @WORD").iloc[0]
    withdrawal = {
        "table": "connections",
        "row_key": f"{connection['customer_id']}|{WORD}",
        "customer_id": connection["customer_id"],
        "occurred_at": at,
        "recorded_at": at,
    }
    session = {"customer_id": WORD, "occurred_at": at, "recorded_at": at}
    bad = [
        # below its bound, without a readable time, and twice by one key
        {**session, "session_id": "bad-1", "duration_seconds": -5.0},
        {**session, "session_id": "bad-2", "duration_seconds": 5.0, "occurred_at": "never"},
        {**session, "session_id": "bad-3", "duration_seconds": 7.0, "customer_id": NUMBER},
        {**session, "session_id": "bad-3", "duration_seconds": 8.0, "customer_id": NUMBER},
    ]
    post = {"post_id": "bad-4", "customer_id": WORD, "text": WORDS[WORD], "recorded_at": "then"}
    people = rows["customers"].query("customer_id != @WORD")
    more = {
        "customers": [moved, newer, account],
        "customer_merges": [merge],
        "withdrawals": [withdrawal],
        "sessions": bad,
        "posts": [{**post, "occurred_at": "then"}],
    }
    made = {**rows, "customers": people}
    return {
        key: pd.concat([frame.astype(object), pd.DataFrame(more.get(key, []), dtype=object)])
        for key, frame in made.items()
    }


def deliver(
    rows: dict[str, pd.DataFrame], folder: Path, *, until: date, fraction: bool = False
) -> None:
    """Write the shop's files, with all that it knew by a day.

    Args:
        rows: Of `shop`.
        folder: Where the files lie.
        until: The last day.
        fraction: Whether numbers are written as by a spreadsheet, with a fraction.
    """
    folder.mkdir(exist_ok=True)
    end = pd.Timestamp(until) + pd.Timedelta(days=1)
    for key, frame in rows.items():
        readable = pd.to_datetime(frame["recorded_at"], errors="coerce")
        due = frame[readable.isna() | (readable < end)].astype("string")
        if fraction:
            due = due.replace(NUMBER, f"{NUMBER}.0")
        pacsv.write_csv(pa.Table.from_pandas(due, preserve_index=False), folder / f"{key}.csv")


def traces(root: Path, *, but: tuple[str, ...] = ()) -> dict[str, list[str]]:
    """Which files below a folder hold which needle, in their bytes or in what is packed in them.

    Args:
        root: The folder.
        but: Beginnings of paths that are passed over.
    """
    hits = {}
    for path in sorted(path for path in root.rglob("*") if path.is_file()):
        inside = str(path.relative_to(root))
        if not inside.startswith(but):
            seen = needles(b"\n".join(contents(path)))
            if seen:
                hits[inside] = seen
    return hits


def needles(content: bytes) -> list[str]:
    """The needles in some bytes, as UTF-8, as UTF-16, and as JSON writes them."""
    forms = {
        needle: {needle.encode(), needle.encode("utf-16-le"), json.dumps(needle)[1:-1].encode()}
        for needle in NEEDLES
    }
    return [needle for needle, some in forms.items() if any(form in content for form in some)]


def contents(path: Path) -> Iterator[bytes]:
    """The bytes of a file, and of what is packed in it."""
    content = path.read_bytes()
    yield content
    # streams wherever they lie, as in pages of SQLite that are free
    yield from unpacked(content)
    if path.suffix == ".parquet":
        rows = pq.read_table(io.BytesIO(content))
        yield json.dumps(rows.to_pydict(), default=str, ensure_ascii=False).encode()
        yield repr(rows.schema.metadata).encode()
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            yield from map(archive.read, archive.namelist())
    elif content.startswith(b"SQLite format 3"):
        # what is split over pages there is whole here
        with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as file:
            tables = file.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            for (table,) in tables:
                for row in file.execute(f'SELECT * FROM "{table}"'):  # noqa: S608 - the file's name
                    for value in row:
                        whole = value if isinstance(value, bytes) else str(value).encode()
                        yield whole
                        yield from unpacked(whole)


def unpacked(content: bytes) -> Iterator[bytes]:
    """What zlib, gzip or LZMA streams in some bytes hold, as far as it can be read."""
    for match in re.finditer(rb"\x78[\x01\x5e\x9c\xda]|\x1f\x8b\x08|\xfd7zXZ\x00", content):
        packed = content[match.start() :]
        try:
            if packed.startswith(b"\xfd"):
                yield lzma.LZMADecompressor().decompress(packed)
            else:
                yield zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(packed, 10_000_000)
        except (zlib.error, lzma.LZMAError, EOFError):
            continue
