"""Runs that are killed in the middle, and runs that write the same partition at once."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from raw_rows import FIRST, a_session, at, files, take_in

from engagement_assets.source.contract import TABLES
from resources.lake import Lake

ROOT = Path(__file__).parents[2]
# The run stops in the middle of writing a file, as a slow disk would make it, and says so.
_STALLED_INGEST = """
import sys, time
from pathlib import Path
import resources.lake as lake_module
from raw_rows import a_session, at, table_of, take_in

root, marker, stall_at = sys.argv[1], sys.argv[2], int(sys.argv[3])
written = 0
whole = Path.write_bytes

def half(self, payload):
    global written
    written += 1
    if written == stall_at:
        whole(self, payload[: len(payload) // 2])
        open(marker, "w").close()
        time.sleep(600)
    return whole(self, payload)

Path.write_bytes = half
rows = [a_session(n, occurred_at=at(n % 4), duration_seconds=2.0 + n % 3) for n in range(500)]
take_in({"sessions": table_of("sessions", rows)}, lake_module.Lake(root), days=4)
"""
_WRITER = """
import sys
import pyarrow as pa
from raw_rows import FIRST, a_session, table_of
from engagement_assets.source.contract import TABLES
from resources.lake import Lake

lake, who = Lake(sys.argv[1]), float(sys.argv[2])
rows = table_of("sessions", [a_session(n, duration_seconds=who) for n in range(2000)])
for field in TABLES["sessions"].columns:
    if field.name not in rows.column_names:
        kind = TABLES["sessions"].arrow.field(field.name).type
        filled = rows.column("occurred_at") if field.name == "recorded_at" else pa.nulls(2000, kind)
        rows = rows.append_column(field.name, filled)
for _ in range(60):
    lake.write(TABLES["sessions"], rows, day=FIRST)
"""


def start(code: str, *arguments: str) -> subprocess.Popen[bytes]:
    path = os.pathsep.join([str(ROOT), str(Path(__file__).parent)])
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments], env={**os.environ, "PYTHONPATH": path}
    )


def sessions(duration: float) -> pa.Table:
    from raw_rows import table_of  # noqa: PLC0415 - used here alone

    rows = [a_session(n, occurred_at=at(n % 4), duration_seconds=duration) for n in range(500)]
    return table_of("sessions", rows)


def test_a_run_killed_in_the_middle_of_a_write_leaves_whole_partitions(tmp_path: Path) -> None:
    root, marker = tmp_path / "lake", tmp_path / "stalled"
    take_in({"sessions": sessions(1.0)}, Lake(str(root)), days=4)
    old = files(root)
    # customers come first, in one file with rows and one for the days without, so that the fourth
    # file is the second of sessions
    process = start(_STALLED_INGEST, str(root), str(marker), "4")
    try:
        deadline = time.monotonic() + 60
        while not marker.exists():
            assert process.poll() is None, "the run ended before it stalled"
            assert time.monotonic() < deadline, "the run did not reach the write"
            time.sleep(0.02)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    left = files(root)
    torn = [name for name in left if name.endswith(".tmp")]
    assert len(torn) == 1, "the write was not interrupted"
    assert "sessions/day=2024-01-02" in torn[0]
    lake = Lake(str(root))
    durations = [
        set(lake.read("source/sessions", days=[day]).column("duration_seconds").to_pylist())
        for day in lake.days("source/sessions")
    ]
    # the first day is the new one, the others still the old ones, and each is whole
    assert durations == [{2.0, 3.0, 4.0}, {1.0}, {1.0}, {1.0}]
    second = "source/sessions/day=2024-01-02/part.parquet"
    assert left[second] == old[second]


def test_the_run_after_a_killed_one_gives_the_bytes_of_an_undisturbed_one(tmp_path: Path) -> None:
    root, marker = tmp_path / "lake", tmp_path / "stalled"
    process = start(_STALLED_INGEST, str(root), str(marker), "4")
    try:
        deadline = time.monotonic() + 60
        while not marker.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    take_in({"sessions": sessions(1.0)}, Lake(str(root)), days=4)
    take_in({"sessions": sessions(1.0)}, Lake(str(tmp_path / "calm")), days=4)
    again = {name: data for name, data in files(root).items() if not name.endswith(".tmp")}
    assert again == files(tmp_path / "calm")


def test_two_writers_of_one_partition_leave_one_whole_partition(tmp_path: Path) -> None:
    root = tmp_path / "lake"
    writers = [start(_WRITER, str(root), str(number)) for number in (1.0, 2.0)]
    path = Lake(str(root)).path("source/sessions", FIRST)
    seen = set()
    while any(writer.poll() is None for writer in writers):
        if path.exists():
            table = pq.ParquetFile(str(path)).read(columns=["duration_seconds"])
            values = set(table.column(0).to_pylist())
            assert table.num_rows == 2000
            assert len(values) == 1
            seen |= values
    assert [writer.returncode for writer in writers] == [0, 0]
    assert seen <= {1.0, 2.0}
    assert [name for name in files(root) if name.endswith(".tmp")] == []
    assert TABLES["sessions"].arrow.equals(
        Lake(str(root)).read("source/sessions", days=[FIRST]).schema
    )
