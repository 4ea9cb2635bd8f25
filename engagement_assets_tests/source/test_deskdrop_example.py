"""The Deskdrop example: a tiny log made here, and the real one where it lies."""

import gzip
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from engagement_assets.source.ingestion import ingest
from engagement_assets.source.mapping import MappedReader, open_mapped
from resources.lake import Lake

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "sql" / "source"
REAL_LOG = ROOT.parent / "shared" / "data" / "deskdrop"
CHROME = "Mozilla/5.0 (Windows NT 10.0) Chrome/51.0"
HEAD = "timestamp,eventType,contentId,personId,sessionId,userAgent,userRegion,userCountry"


def line(
    moment: str, kind: str, content: int, person: int, session: int, *, where: str = ",,"
) -> str:
    seconds = int(datetime.fromisoformat(f"2016-03-{moment}").replace(tzinfo=UTC).timestamp())
    return f"{seconds},{kind},{content},{person},{session},{where}"


def tiny_log(folder: Path, *lines: str) -> MappedReader:
    text = "\n".join([HEAD, *lines, ""])
    (folder / "users_interactions.csv.gz").write_bytes(gzip.compress(text.encode()))
    return open_mapped("deskdrop", root=SOURCES, data=str(folder))


def rows_of(lake: Lake, table: str, day: int) -> list[dict[str, object]]:
    return list(lake.read(f"source/{table}", days=[date(2016, 3, day)]).to_pylist())


def take_in(reader: MappedReader, lake: Lake) -> None:
    report = ingest(reader, lake, date(2016, 3, 14), date(2016, 3, 17))
    assert report.total_quarantined == 0


def test_a_session_id_is_cut_into_visits_at_half_an_hour_of_silence(
    tmp_path: Path, lake: Lake
) -> None:
    reader = tiny_log(
        tmp_path,
        line("14 10:00:00", "VIEW", 1, -7, 99),
        line("14 10:20:00", "VIEW", 2, -7, 99),
        line("14 10:50:00", "LIKE", 2, -7, 99),
        line("14 11:20:01", "VIEW", 3, -7, 99),
    )
    take_in(reader, lake)
    visits = rows_of(lake, "sessions", 14)
    assert [(v["session_id"], v["duration_seconds"], v["pages"]) for v in visits] == [
        ("99/0", 3000.0, 2),
        ("99/1", 30.0, 1),
    ]
    assert {v["customer_id"] for v in visits} == {"-7"}


def test_a_visit_across_midnight_is_known_once_it_is_over(tmp_path: Path, lake: Lake) -> None:
    reader = tiny_log(
        tmp_path,
        line("14 23:50:00", "VIEW", 1, 7, 99),
        line("15 00:05:00", "VIEW", 2, 7, 99),
    )
    take_in(reader, lake)
    assert rows_of(lake, "sessions", 14) == []
    (visit,) = rows_of(lake, "sessions", 15)
    assert visit["occurred_at"] == datetime(2016, 3, 14, 23, 50)
    assert visit["recorded_at"] == datetime(2016, 3, 15, 0, 5)


def test_a_region_is_known_from_when_it_was_first_stated(tmp_path: Path, lake: Lake) -> None:
    reader = tiny_log(
        tmp_path,
        line("14 10:00:00", "VIEW", 1, 7, 99),
        line("16 10:00:00", "VIEW", 1, 7, 98, where=f"{CHROME},SP,BR"),
        line("17 10:00:00", "VIEW", 1, 7, 97, where=f"{CHROME},NY,US"),
        line("15 10:00:00", "VIEW", 1, 8, 96, where=f"{CHROME},?,KR"),
    )
    take_in(reader, lake)
    seen = {
        day: [(c["customer_id"], c["location"]) for c in rows_of(lake, "customers", day)]
        for day in (14, 15, 16, 17)
    }
    assert seen == {14: [("7", None)], 15: [("8", "KR")], 16: [("7", "BR-SP")], 17: []}


@pytest.mark.parametrize(
    ("agent", "device"),
    [
        (CHROME, "desktop"),
        ("Android - Native Mobile App", "mobile"),
        ("iOS - Native Mobile App", "mobile"),
        ("Mozilla/5.0 (iPad; CPU OS 9_3_1 like Mac OS X) Mobile/13E238", "tablet"),
        ("", None),
    ],
)
def test_the_device_is_read_from_the_user_agent(
    tmp_path: Path, lake: Lake, agent: str, device: str | None
) -> None:
    take_in(tiny_log(tmp_path, line("14 10:00:00", "VIEW", 1, 7, 9, where=f"{agent},,")), lake)
    assert rows_of(lake, "sessions", 14)[0]["device"] == device


def test_kinds_are_mapped_follows_left_out_and_doubled_lines_kept_once(
    tmp_path: Path, lake: Lake
) -> None:
    kinds = ["VIEW", "VIEW", "LIKE", "BOOKMARK", "COMMENT CREATED", "FOLLOW"]
    reader = tiny_log(tmp_path, *(line("14 10:00:00", kind, 1, 7, 99) for kind in kinds))
    take_in(reader, lake)
    actual = sorted(str(row["kind"]) for row in rows_of(lake, "interactions", 14))
    assert actual == ["comment", "like", "like", "view"]


def test_an_event_that_is_new_to_the_mapping_goes_to_quarantine(tmp_path: Path, lake: Lake) -> None:
    reader = tiny_log(
        tmp_path,
        line("14 10:00:00", "VIEW", 1, 7, 99),
        line("14 10:01:00", "SHARED", 1, 7, 99),
    )
    day = date(2016, 3, 14)
    report = ingest(reader, lake, day, day)
    assert report.reasons == {("interactions", "not allowed: kind"): 1}


@pytest.mark.skipif(not REAL_LOG.is_dir(), reason="the Deskdrop log is not beside the repository")
def test_the_first_weeks_of_the_real_log_come_in_without_quarantine(lake: Lake) -> None:
    reader = open_mapped("deskdrop", root=SOURCES, data=str(REAL_LOG))
    report = ingest(reader, lake, date(2016, 3, 14), date(2016, 4, 2))
    assert report.total_quarantined == 0
    assert report.rows_of("sessions") > 500
    assert report.rows_of("customers") > 200
    assert report.rows_of("interactions") > report.rows_of("sessions") * 0.9
    assert set(report.missing_tables) >= {"messages", "transactions", "consents"}


@pytest.mark.skipif(not REAL_LOG.is_dir(), reason="the Deskdrop log is not beside the repository")
def test_every_line_of_the_real_log_is_accounted_for() -> None:
    reader = open_mapped("deskdrop", root=SOURCES, data=str(REAL_LOG))
    tables = reader.read(reader.first_day, date(2017, 2, 28))
    # 72,312 lines: 1,407 follow, 2,284 stand twice
    assert tables["interactions"].num_rows == 72_312 - 1_407 - 2_284
    assert len(set(tables["customers"].column("customer_id").to_pylist())) == 1_895
    assert set(tables["sessions"].column("customer_id").to_pylist()) == set(
        tables["customers"].column("customer_id").to_pylist()
    )
