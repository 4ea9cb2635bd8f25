"""The catalogue masks people by default; unmasked rows are given on request, which is logged."""

from datetime import date, datetime
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engagement_assets.commands.reading import masked, unmasked
from engagement_assets.deployments.resources import resources_of
from engagement_assets.governance.privacy.masking import Masking, Reader, key_path, readings
from engagement_assets.settings.installation import Settings
from engagement_assets.source.contract import TABLES, SourceTable
from resources.lake import Lake
from resources.tables import SchemaError

DAY = date(2026, 3, 1)
CUSTOMERS = TABLES["customers"]
MESSAGES = TABLES["messages"]
AT = datetime(2026, 3, 1, 12)
QUERY = "SELECT customer_id, email FROM source.customers ORDER BY customer_id"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    home = tmp_path / "home"
    home.mkdir()
    return Settings(home=home, masking_key=str(tmp_path / "masking.key"), first_day=DAY)


@pytest.fixture
def lake(settings: Settings) -> Lake:
    lake = Lake(settings.lake_root)
    people = [
        {
            "customer_id": f"cü{n:02}",
            "signed_up_at": AT,
            "birth_date": date(1979 + n, 5, 17) if n else None,
            "location": "north/fjord" if n < 10 else "islet",
            "email": f"someone{n:02}@example.org" if n else None,
            "recorded_at": AT,
        }
        for n in range(12)
    ]
    lake.write(CUSTOMERS, pa.Table.from_pylist(people, schema=CUSTOMERS.arrow), day=DAY)
    sent = {
        "message_id": "m1",
        "customer_id": "cü01",
        "recipient_id": "cü02",
        "occurred_at": AT,
        "text": "meet someone01",
        "recorded_at": AT,
    }
    lake.write(MESSAGES, pa.Table.from_pylist([sent], schema=MESSAGES.arrow), day=DAY)
    # a column and a table that nobody declares: nobody knows whether they are personal
    path = Path(str(lake.path("source/nicknames", DAY)))
    path.parent.mkdir(parents=True)
    pq.write_table(pa.table({"nickname": ["someone01"]}), path)
    return lake


@pytest.fixture
def catalogue(settings: Settings, lake: Lake) -> Path:
    del lake
    resources = resources_of(settings)
    resources["catalogue"].publish(resources["engine"].engine({}))
    return settings.home / "lake.duckdb"


def shown(catalogue: Path, sql: str) -> pd.DataFrame:
    with duckdb.connect(str(catalogue), read_only=True) as connection:
        return connection.sql(sql).df()


@pytest.mark.parametrize("table", [CUSTOMERS, MESSAGES], ids=lambda table: table.noun)
def test_a_view_shows_what_masking_shows(
    table: SourceTable, settings: Settings, lake: Lake, catalogue: Path
) -> None:
    masking = Masking.of(settings, resources_of(settings)["erasures"].erasures.root)
    rows = lake.read(table.key, days=[DAY]).to_pandas()[list(table.names)]
    expected = masking.masked(rows, table, Reader("ann"))
    seen = shown(catalogue, f"FROM {table.sql_name} ORDER BY ALL")
    assert (seen.pop("day") == pd.Timestamp(DAY)).all()
    if "birth_date" in seen:
        seen["birth_date"] = [None if pd.isna(at) else at.date() for at in seen["birth_date"]]
    order = list(table.row_key)
    pd.testing.assert_frame_equal(
        seen.sort_values(order, ignore_index=True),
        expected.sort_values(order, ignore_index=True),
        check_dtype=False,
    )
    text = seen.to_csv()
    assert "cü" not in text
    assert "someone" not in text
    assert "islet" not in text


def test_masked_tables_join(catalogue: Path) -> None:
    joined = shown(catalogue, "FROM source.messages JOIN source.customers USING (customer_id)")
    assert len(joined) == 1


def test_what_nobody_declares_is_not_in_the_catalogue(lake: Lake, settings: Settings) -> None:
    path = Path(str(lake.path(CUSTOMERS.key, DAY)))
    rows = pq.read_table(path)
    pq.write_table(rows.append_column("shoe_size", pa.array([40] * len(rows))), path)
    resources = resources_of(settings)
    made = resources["catalogue"].publish(resources["engine"].engine({}))
    assert made.tables == ["source.customers", "source.messages"]
    seen = shown(settings.home / "lake.duckdb", "FROM source.customers")
    assert "shoe_size" not in seen
    assert list(seen) == [*CUSTOMERS.names, "day"]


def test_the_key_is_not_in_the_home(settings: Settings, catalogue: Path) -> None:
    key = key_path(settings).read_text().strip()
    held = catalogue.read_bytes()
    assert key.encode() not in held
    assert bytes.fromhex(key) not in held
    key_path(settings).write_text("no key")
    with pytest.raises(duckdb.InvalidInputException, match=r"masking\.key holds no key"):
        shown(catalogue, "FROM source.customers")
    key_path(settings).unlink()
    with pytest.raises(duckdb.InvalidInputException, match=r"masking\.key holds no key"):
        shown(catalogue, "FROM source.customers")
    # another key gives other pseudonyms without the catalogue being made again
    key_path(settings).write_text("ab" * 32)
    seen = shown(catalogue, "FROM source.customers")["customer_id"]
    other = Masking.of(settings, resources_of(settings)["erasures"].erasures.root)
    assert set(seen) == {other.pseudonym(f"cü{n:02}") for n in range(12)}


def test_people_are_shown_to_who_asks_and_it_is_noted(
    settings: Settings, lake: Lake, tmp_path: Path
) -> None:
    del lake
    to = tmp_path / "people.csv"
    query = f"WITH people AS ({QUERY}) FROM people, unnest([1]) AS one(number)"
    done = unmasked(settings, query, by="S. Port", reason="ticket 7", to=to)
    assert "12 rows" in done
    assert "cü05,someone05@example.org" in to.read_text()
    assert "cü05,someone05@example.org" in unmasked(settings, QUERY, by="b", reason="r", to=None)
    notes = readings(resources_of(settings)["erasures"].erasures.root / "readings")
    assert len(notes) == 2
    assert (notes[0]["reader"], notes[0]["purpose"]) == ("S. Port", "ticket 7")
    assert (notes[0]["table"], notes[0]["rows"]) == ("source/customers", 12)
    assert {"customer_id", "email"} <= set(notes[0]["columns"])


@pytest.mark.parametrize(
    ("query", "by", "to", "match"),
    [
        (QUERY, " ", None, "who reads"),
        (QUERY, "S. Port", "home/people.csv", "lies in the home"),
        ("FROM truth.customers", "S. Port", None, "truth.customers names no table"),
        ("SELECT 1", "S. Port", None, "names no table"),
        ("FROM source.messages, read_parquet('x/*')", "S. Port", None, "name tables, not files"),
        ("FROM source.messages, 'x.parquet'", "S. Port", None, "name tables, not files"),
    ],
    ids=["nobody", "in_the_home", "truth", "no_table", "a_file", "a_file_by_name"],
)
def test_who_may_not_be_noted_sees_nobody(
    query: str,
    by: str,
    to: str | None,
    match: str,
    settings: Settings,
    lake: Lake,
    tmp_path: Path,
) -> None:
    del lake
    where = tmp_path / to if to else None
    with pytest.raises(SchemaError, match=match):
        unmasked(settings, query, by=by, reason="ticket 7", to=where)
    assert readings(resources_of(settings)["erasures"].erasures.root / "readings") == []


@pytest.mark.parametrize("file", ["read_parquet('x/*')", "'x.parquet'"])
def test_a_file_is_not_masked_either(settings: Settings, lake: Lake, file: str) -> None:
    del lake
    with pytest.raises(SchemaError, match="name tables, not files"):
        masked(settings, f"FROM source.messages, {file}")


def test_nothing_is_shown_where_a_reading_cannot_be_noted(
    settings: Settings, lake: Lake, tmp_path: Path
) -> None:
    del lake
    root = Path(str(resources_of(settings)["erasures"].erasures.root))
    root.mkdir(parents=True, exist_ok=True)
    (root / "readings").touch()
    to = tmp_path / "people.csv"
    with pytest.raises(OSError, match="readings"):
        unmasked(settings, QUERY, by="S. Port", reason="ticket 7", to=to)
    assert not to.exists()
