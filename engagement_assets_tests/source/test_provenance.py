"""A mapping that changes after rows were taken in by it is noticed."""

from datetime import timedelta
from pathlib import Path

import pytest

from engagement_assets.source.errors import MappingChangedError
from engagement_assets.source.ingestion import ingest
from engagement_assets.source.mapping import MappedReader, open_mapped
from engagement_assets.source.provenance import changed_tables
from engagement_assets_tests.source.raw_rows import FIRST, partitions
from resources.lake import Lake

LAST = FIRST + timedelta(days=3)
CUSTOMERS = "SELECT 'ann' AS customer_id, TIMESTAMP '2024-01-01 08:00' AS signed_up_at"
SESSIONS = (
    "SELECT 's' || n AS session_id, 'ann' AS customer_id, 60.0 AS duration_seconds, "
    "TIMESTAMP '2024-01-01 09:00' + n * INTERVAL 1 DAY AS occurred_at FROM range(4) AS days(n)"
)
POSTS = "SELECT 'p1' AS post_id, 'ann' AS customer_id, TIMESTAMP '2024-01-01 10:00' AS occurred_at"
SETTINGS = "first_day = 2024-01-01\n"


@pytest.fixture
def mapped(tmp_path: Path):
    """Opens the source with some of its files written anew."""

    def write(**files: str) -> MappedReader:
        folder = tmp_path / "sql" / "mine"
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            path = folder / ("source.toml" if name == "settings" else f"{name}.sql")
            path.write_text(text)
        return open_mapped("mine", root=tmp_path / "sql", data=str(tmp_path))

    write(customers=CUSTOMERS, sessions=SESSIONS, settings=SETTINGS)
    return write


def test_an_unchanged_mapping_goes_on(mapped, lake: Lake) -> None:
    ingest(mapped(), lake, FIRST, FIRST + timedelta(days=1))
    assert changed_tables(mapped(), lake) == {}
    ingest(mapped(), lake, FIRST + timedelta(days=2), LAST)


@pytest.mark.parametrize(
    ("files", "changed"),
    [
        ({"sessions": SESSIONS.replace("60.0", "3600.0")}, {"sessions": "changed"}),
        ({"posts": POSTS}, {"posts": "added"}),
        (
            {"settings": SETTINGS + 'timezone = "America/New_York"\n'},
            {"customers": "changed", "sessions": "changed"},
        ),
        (
            {"settings": SETTINGS + "granted_consents = []\n"},
            {"customers": "changed", "sessions": "changed"},
        ),
    ],
)
def test_a_changed_mapping_stops_and_all_days_anew_mend_it(
    mapped, lake: Lake, tmp_path: Path, files: dict[str, str], changed: dict[str, str]
) -> None:
    ingest(mapped(), lake, FIRST, LAST - timedelta(days=1))
    before = partitions(lake)
    reader = mapped(**files)
    assert changed_tables(reader, lake) == changed
    with pytest.raises(MappingChangedError, match="REINGEST=1"):
        ingest(reader, lake, LAST, LAST)
    assert partitions(lake) == before
    ingest(reader, lake, FIRST, LAST)
    assert changed_tables(reader, lake) == {}
    alone = Lake(str(tmp_path / "alone"))
    ingest(reader, alone, FIRST, LAST)
    assert partitions(lake) == partitions(alone)


def test_a_table_that_is_no_more_is_noticed(mapped, lake: Lake, tmp_path: Path) -> None:
    ingest(mapped(posts=POSTS), lake, FIRST, LAST)
    (tmp_path / "sql" / "mine" / "posts.sql").unlink()
    assert changed_tables(mapped(), lake) == {"posts": "removed"}
