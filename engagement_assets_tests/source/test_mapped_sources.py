"""Users' own tables by SQL files."""

import gzip
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from raw_rows import FIRST, quarantined, stored

from engagement_assets.source.errors import (
    ColumnsError,
    CorruptInputError,
    MappingError,
    MissingDataError,
    MissingTableError,
    SourceSettingsError,
    UnknownSourceError,
)
from engagement_assets.source.ingestion import ingest
from engagement_assets.source.mapping import (
    MappedReader,
    bind,
    known_sources,
    open_mapped,
    read_settings,
)
from engagement_assets.source.readers import SourceReader
from resources.lake import Lake

_CONNECTION = duckdb.connect()
CUSTOMERS = """
SELECT id AS customer_id, joined AS signed_up_at
FROM read_csv(:data || '/people.csv', all_varchar = true)
"""
SESSIONS = """
SELECT visit AS session_id, who AS customer_id, start AS occurred_at, seconds AS duration_seconds
FROM read_csv(:data || '/visits.csv', all_varchar = true);  -- ends in a comment
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "it's [all] d?ta*"
    folder.mkdir()
    (folder / "people.csv").write_text("id,joined\nann,2024-01-01 01:00\nbob,2024-01-02 01:00\n")
    (folder / "visits.csv").write_text(
        "visit,who,start,seconds\n"
        "s1,ann,2024-01-01 10:00,60\n"
        "s2,bob,2024-01-02 10:00,oops\n"
        "s3,bob,2024-01-03 10:00,30\n"
        "s4,bob,never,30\n"
    )
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "sql"
    (folder / "shop").mkdir(parents=True)
    (folder / "shop" / "customers.sql").write_text(CUSTOMERS)
    (folder / "shop" / "sessions.sql").write_text(SESSIONS)
    return folder


def opened(root: Path, data: Path) -> MappedReader:
    return open_mapped("shop", root=root, data=str(data))


def test_a_mapped_source_is_a_source_reader(root: Path, data: Path) -> None:
    reader: SourceReader = opened(root, data)
    assert reader.provides() == {"customers", "sessions"}
    assert reader.granted_consents == ("analytics",)


def test_csv_files_become_partitions_and_quarantine(root: Path, data: Path, lake: Lake) -> None:
    reader = opened(root, data)
    assert reader.first_day == date(2024, 1, 1)
    report = ingest(reader, lake, reader.first_day, date(2024, 1, 3))
    assert [len(stored(lake, "sessions", day)) for day in range(3)] == [1, 0, 1]
    assert [row["reason"] for row in quarantined(lake, 1)] == [
        "wrong type: duration_seconds = oops is not a float64"
    ]
    # a row that nothing dates belongs to the first day; bob is not known by then either
    assert [row["reason"] for row in quarantined(lake, 0)] == [
        "wrong type: occurred_at = never is not a timestamp; "
        "unknown customer: customer_id = bob is not in customers by 2024-01-01"
    ]
    assert report.total_rows + report.total_quarantined == 6


def test_a_first_day_in_the_settings_takes_all_earlier_rows_in(
    root: Path, data: Path, lake: Lake
) -> None:
    reader = open_mapped("shop", root=root, data=str(data), first_day=date(2024, 1, 3))
    ingest(reader, lake, date(2024, 1, 3), date(2024, 1, 3))
    assert len(stored(lake, "customers", 2)) == 2
    assert [row["session_id"] for row in stored(lake, "sessions", 2)] == ["s1", "s3"]


def test_an_unknown_source_lists_the_known_ones(root: Path, data: Path) -> None:
    assert known_sources(root) == ["simulator", "shop"]
    with pytest.raises(UnknownSourceError, match=r"no source 'shp': known are simulator, shop"):
        open_mapped("shp", root=root, data=str(data))


def test_a_source_name_cannot_leave_its_folder(root: Path, data: Path) -> None:
    with pytest.raises(UnknownSourceError):
        open_mapped("../sql/shop", root=root, data=str(data))


def test_a_missing_required_file_is_named(root: Path, data: Path) -> None:
    (root / "shop" / "sessions.sql").unlink()
    with pytest.raises(MissingTableError, match=r"shop has no sessions.*sessions\.sql"):
        opened(root, data)


def test_a_file_that_names_no_table_is_refused(root: Path, data: Path) -> None:
    (root / "shop" / "session.sql").write_text(SESSIONS)
    with pytest.raises(MappingError, match=r"session\.sql.*name no table.*sessions"):
        opened(root, data)


def test_a_missing_data_folder_is_named(root: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match="nowhere"):
        opened(root, tmp_path / "nowhere")


def test_a_missing_data_file_is_named(root: Path, data: Path) -> None:
    (data / "visits.csv").unlink()
    reader = opened(root, data)
    with pytest.raises(MissingDataError, match=r"(?s)sessions\.sql.*visits\.csv"):
        reader.read_table("sessions", date(2024, 1, 1), date(2024, 1, 1))


def test_a_corrupt_parquet_file_is_named(root: Path, data: Path) -> None:
    (root / "shop" / "sessions.sql").write_text("SELECT * FROM read_parquet(:data || '/v.parquet')")
    (data / "v.parquet").write_bytes(b"PAR1" + bytes(40))
    with pytest.raises(CorruptInputError, match=r"(?s)sessions\.sql.*v\.parquet.*good copy"):
        opened(root, data).read_table("sessions", date(2024, 1, 1), date(2024, 1, 1))


def test_a_cut_off_gzip_file_is_named(root: Path, data: Path) -> None:
    sql = SESSIONS.replace("visits.csv", "visits.csv.gz")
    (root / "shop" / "sessions.sql").write_text(sql)
    whole = gzip.compress((data / "visits.csv").read_bytes() * 2000)
    (data / "visits.csv.gz").write_bytes(b"\x1f\x8b" + whole[40:200])
    with pytest.raises(CorruptInputError, match=r"(?s)sessions\.sql"):
        opened(root, data).read_table("sessions", date(2024, 1, 1), date(2024, 1, 1))


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELEC 1", "does not parse"),
        ("SELECT 1; SELECT 2", "exactly one SELECT"),
        ("DROP TABLE x", "exactly one SELECT"),
        ("", "exactly one SELECT"),
        ("SELECT nothing FROM nowhere", "cannot run it"),
    ],
)
def test_sql_that_is_not_one_select_is_refused(root: Path, data: Path, sql: str, said: str) -> None:
    (root / "shop" / "sessions.sql").write_text(sql)
    with pytest.raises(MappingError, match=rf"(?s)sessions\.sql.*{said}"):
        opened(root, data).read_table("sessions", date(2024, 1, 1), date(2024, 1, 1))


def test_a_missing_time_column_is_named_with_the_file(root: Path, data: Path) -> None:
    (root / "shop" / "sessions.sql").write_text("SELECT 's1' AS session_id")
    with pytest.raises(ColumnsError, match=r"sessions\.sql.*lacks.*occurred_at"):
        opened(root, data).read_table("sessions", date(2024, 1, 1), date(2024, 1, 1))


def test_a_time_given_as_a_number_is_refused_with_advice(root: Path, data: Path) -> None:
    sql = SESSIONS.replace("start AS", "1704110400 AS")
    (root / "shop" / "sessions.sql").write_text(sql)
    with pytest.raises(ColumnsError, match=r"occurred_at is INTEGER.*to_timestamp"):
        opened(root, data).read_table("sessions", date(2024, 1, 1), date(2024, 1, 1))


def test_without_any_dated_row_the_first_day_must_be_set(root: Path, data: Path) -> None:
    (data / "people.csv").write_text("id,joined\n")
    (data / "visits.csv").write_text("visit,who,start,seconds\n")
    with pytest.raises(MissingDataError, match="set first_day"):
        _ = opened(root, data).first_day


def test_sql_that_sqlglot_does_not_know_is_run_by_duckdb_all_the_same(
    root: Path, data: Path
) -> None:
    # DuckDB's own shorthand: FROM first, columns by pattern, positional references
    (root / "shop" / "customers.sql").write_text(
        "FROM read_csv(:data || '/people.csv') SELECT #1 AS customer_id, COLUMNS('joi.*') AS "
        "signed_up_at"
    )
    rows = opened(root, data).read_table("customers", date(2024, 1, 1), date(2024, 1, 5))
    assert rows.column("customer_id").to_pylist() == ["ann", "bob"]


def test_settings_are_read_from_the_sources_file(root: Path, data: Path) -> None:
    (root / "shop" / "source.toml").write_text(
        'description = "A shop"\nfirst_day = 2024-01-02\nlast_day = 2024-02-01\n'
        'timezone = "Europe/Oslo"\ngranted_consents = ["analytics", "sentiment"]\n'
        '[parameters]\ncountry = "NO"\n'
    )
    reader = opened(root, data)
    assert (reader.first_day, reader.last_day) == (date(2024, 1, 2), date(2024, 2, 1))
    assert reader.timezone == "Europe/Oslo"
    assert reader.granted_consents == ("analytics", "sentiment")
    assert reader.settings.parameters == {"country": "NO"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("colour = 'red'", "unknown settings colour"),
        ("first_day = '2024-01-01'", "first_day is '2024-01-01', expected a date"),
        ("first_day = 2024-01-01T00:00:00", "first_day is"),
        ("granted_consents = ['all']", "granted_consents has all"),
        ("granted_consents = 'analytics'", "expected a list"),
        ("[parameters]\ndata = 'x'", "none named data"),
        ("[parameters]\nn = 1", "must be texts"),
        ("timezone =", "is not TOML"),
    ],
)
def test_wrong_settings_are_named(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "source.toml"
    path.write_text(text)
    with pytest.raises(SourceSettingsError, match=said):
        read_settings(path)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT ':data'",
        'SELECT 1 AS ":data"',
        "SELECT 1 -- :data",
        "SELECT 1 /* :data */",
        "SELECT $$ :data $$",
        "SELECT x::data",
        "SELECT :other",
        "SELECT list[1:n]",
    ],
)
def test_what_is_no_parameter_stays_as_it_is(sql: str) -> None:
    assert bind(sql, {"data": "x"}) == sql


def test_parameters_are_bound_as_text() -> None:
    assert bind("SELECT :data || :DATA2, :data", {"data": "a'b"}) == (
        "SELECT 'a''b' || :DATA2, 'a''b'"
    )


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_a_bound_text_comes_back_as_it_was(value: str) -> None:
    actual = _CONNECTION.execute(bind("SELECT :v AS v, ':v'", {"v": value})).fetchone()
    assert actual == (value, ":v")


@pytest.mark.parametrize("kind", ["gz", "zst"])
@pytest.mark.parametrize("share", [0.2, 0.6, 0.9, 0.99])
def test_a_compressed_file_that_is_cut_off_is_an_error_that_names_it(
    tmp_path: Path, lake: Lake, kind: str, share: float
) -> None:
    folder = tmp_path / "sql" / "mine"
    folder.mkdir(parents=True)
    (folder / "customers.sql").write_text(
        "SELECT 'ann' AS customer_id, TIMESTAMP '2024-01-01 08:00' AS signed_up_at"
    )
    (folder / "sessions.sql").write_text(
        "SELECT session_id, 'ann' AS customer_id, 60.0 AS duration_seconds, occurred_at "
        "FROM read_csv(:data || '/s.csv." + kind + "', header = true)"
    )
    lines = "".join(f"s{n},2024-01-01 09:00:00,some words {n * 7919}\n" for n in range(3000))
    path = tmp_path / f"s.csv.{kind}"
    with pa.CompressedOutputStream(str(path), {"gz": "gzip", "zst": "zstd"}[kind]) as stream:
        stream.write(("session_id,occurred_at,note\n" + lines).encode())
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    reader = open_mapped("mine", root=tmp_path / "sql", data=str(tmp_path))
    with pytest.raises(CorruptInputError, match=f"s.csv.{kind}"):
        ingest(reader, lake, FIRST, FIRST)
    path.write_bytes(whole)
    assert ingest(reader, lake, FIRST, FIRST).rows_of("sessions") == 3000
