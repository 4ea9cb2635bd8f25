"""A canary customer is erased from everywhere, and nothing brings them back."""

import io
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import zlib
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from upath import UPath

from engagement_assets.commands.erase import erase_customers
from engagement_assets.deployments.resources import resources_for
from engagement_assets.governance.privacy import erasure
from engagement_assets.governance.privacy.register import ELSEWHERE, HOLDERS, places
from engagement_assets.governance.tables import KNOWN_TABLES
from engagement_assets.settings.deployment import Deployment
from engagement_assets.settings.installation import Settings
from engagement_assets.source.contract import TABLES
from engagement_assets.source.erased import WithoutErased, without_erased
from engagement_assets.source.ingestion import ingest
from engagement_assets.source.readers import SourceReader
from resources.erasures import ErasureError, Erasures, is_genuine
from resources.online_store.releases import Release
from resources.subjects import Subjects
from resources.tables import Table

FIRST, LAST = date(2026, 1, 1), date(2026, 1, 3)
# the canary, who was another before an account was merged, and what names them alone
CANARY, BEFORE = "canary-7", "fledgling-3"
WORDS = "wherefore-art-thou"
NEEDLES = (CANARY, BEFORE, WORDS, "canary@example.org", "Cana Rybird")


def at(day: int, hour: int = 12) -> datetime:
    return datetime(2026, 1, 1 + day, hour)


class Source:
    """A source that delivers the same rows however often it is asked."""

    name, timezone, first_day, last_day = "shop", "UTC", FIRST, LAST
    granted_consents: tuple[str, ...] = ()

    def provides(self) -> frozenset[str]:
        return frozenset(self.tables())

    def tables(self) -> dict[str, list[dict[str, Any]]]:
        people = [
            {"customer_id": name, "signed_up_at": at(0, 1), "email": mail, "full_name": full}
            for name, mail, full in (
                (CANARY, "canary@example.org", "Cana Rybird"),
                (BEFORE, None, "Bob"),
                ("bob", "bob@example.org", "Bob"),
            )
        ]
        post = {"post_id": "p1", "customer_id": CANARY, "occurred_at": at(1), "text": WORDS}
        return {
            "customers": people,
            "sessions": [
                {
                    "session_id": f"s{number}",
                    "customer_id": name,
                    "occurred_at": at(day),
                    "duration_seconds": seconds,
                }
                for number, (name, day, seconds) in enumerate(
                    [(CANARY, 0, 1.0), (BEFORE, 1, 1.0), ("bob", 1, 1.0), (CANARY, 2, -1.0)]
                )
            ],
            "posts": [post],
            "connections": [
                {"customer_id": "bob", "other_customer_id": CANARY, "occurred_at": at(1)},
                {
                    "customer_id": "bob",
                    "other_customer_id": CANARY,
                    "occurred_at": at(1),
                    "recorded_at": at(2),
                    "withdrawn_at": at(2),
                },
            ],
            "customer_merges": [{"merged_id": BEFORE, "customer_id": CANARY, "occurred_at": at(2)}],
            "withdrawals": [
                {
                    "table": "connections",
                    "row_key": f"bob|{CANARY}",
                    "customer_id": "bob",
                    "occurred_at": at(2),
                }
            ],
            "erasure_requests": [{"customer_id": CANARY, "occurred_at": at(2)}],
        }

    def read(self, first: date, last: date) -> dict[str, pa.Table]:
        made = {}
        for name, rows in self.tables().items():
            table = TABLES[name]
            dated = [{"recorded_at": row[table.event_time], **row} for row in rows]
            due = [row for row in dated if first <= row["recorded_at"].date() <= last]
            given = {column for row in due for column in row}
            schema = pa.schema([field for field in table.arrow if field.name in given])
            made[name] = pa.Table.from_pylist(due, schema=schema)
        return made

    def digest(self, table: str) -> str:
        return "as ever" if table in self.provides() else ""

    def strays(self, table: str, after: date) -> pa.Table | None:
        del table, after
        return None

    def updates(self, table: str, first: date, last: date) -> pa.Table | None:
        del table, first, last
        return None


def take_in(resources: dict[str, Any]) -> None:
    source: SourceReader = Source()
    reader = without_erased(source, resources["erasures"].erasures)
    ingest(reader, resources["lake"].lake, FIRST, LAST)


def publish(resources: dict[str, Any]) -> None:
    store = resources["online_store"].store
    for content in ("a", "b"):
        release = Release(f"{LAST}-{content}", LAST)
        with store.publishing(release, owner="test") as publication:
            publication.put(0, [(CANARY, b"x"), ("bob", b"y")])
            publication.serve()


def about(table: Table) -> pa.Table:
    """A row of a table that names the canary in its last column of a customer, and one of bob."""
    values: dict[str, Any] = {
        "string": "x",
        "int64": 1,
        "float32": 0.5,
        "float64": 0.5,
        "bool": True,
        "date": LAST,
        "timestamp": at(2),
    }
    row = {column.name: values[column.type] for column in table.columns}
    named = table.customer_columns[-1]
    others = dict.fromkeys(table.customer_columns, "bob")
    return pa.Table.from_pylist([row | others | {named: CANARY}, row | others], schema=table.arrow)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home in which the canary is everywhere."""
    path = tmp_path / "home"
    own = resources(path)
    take_in(own)
    lake = own["lake"].lake
    for table in KNOWN_TABLES:
        if table.group != "source" and table.customer_columns:
            lake.write(table, about(table), day=LAST)
    publish(own)
    own["delivery"].claims().claim(f"contact/{LAST}/{CANARY}", json.dumps({"x": CANARY}))
    own["alerts"].tell_now({"id": "1", "customer_id": CANARY})
    own["alerts"].tell_now({"id": "2", "customer_id": "bob"})
    draws = (json.dumps({"customer_id": name}) + "\n" for name in (CANARY, "bob"))
    (path / "next_actions.jsonl").write_text("".join(draws))
    for name in (CANARY, "bob"):
        own["questions"].log.add({"text": f"the score of {name}"}, by="support")
    report = path / "reports" / "churn" / "report.json"
    report.parent.mkdir(parents=True)
    report.write_text(json.dumps({"example": CANARY, "mail": "canary@example.org", "n": 7}))
    history = path / "dagster_home" / "history"
    history.mkdir(parents=True)
    with sqlite3.connect(history / "run.db") as file:
        file.execute("CREATE TABLE event_logs (id INTEGER PRIMARY KEY, event TEXT)")
        events = [json.dumps({"sample": json.dumps([name])}) for name in (CANARY, "bob")]
        file.executemany("INSERT INTO event_logs (event) VALUES (?)", ((one,) for one in events))
    file.close()
    files = tmp_path / "model"
    files.mkdir()
    (files / "readers.json").write_text(json.dumps([CANARY, "bob"]))
    registry = own["registry"].registry
    for number in range(2):
        registry.promote("churn", registry.register("churn", files, {"number": number}), "better")
    return path


def resources(home: Path) -> dict[str, Any]:
    return resources_for(Deployment.LOCAL, Settings(home=home, first_day=FIRST))


class Death:
    """A place at which the process is killed."""

    name = "death"

    def count(self, subjects: Subjects) -> int:
        raise NotImplementedError

    def remove(self, subjects: Subjects) -> int:
        del subjects
        os.kill(os.getpid(), signal.SIGKILL)
        return 0


def erase(home: Path, *names: str, killed_at: int | None = None) -> dict[str, Any]:
    own = resources(home)
    lake, erasures = own["lake"].lake, own["erasures"].erasures
    listed = places(own, home=home)
    if killed_at is not None:
        listed.insert(killed_at, Death())
    return erasure.erase(
        listed,
        erasure.identified(lake, erasures, names),
        erasures=erasures,
        registry=own["registry"].registry,
        models=["churn"],
        elsewhere=ELSEWHERE["local"],
        serve_days=0,
    )


def traces(home: Path, *, but: str = "registry") -> list[str]:
    """Files in which a byte of the canary is, looked for in what they hold when unpacked."""
    hits = []
    for path in (path for path in sorted(home.rglob("*")) if path.is_file()):
        content = path.read_bytes()
        if path.suffix == ".parquet":
            rows = pq.read_table(io.BytesIO(content))
            content += json.dumps(rows.to_pydict(), default=str, ensure_ascii=False).encode()
        if path.name.startswith("online.sqlite"):
            content += b"".join(_unpacked(content))
        inside = str(path.relative_to(home))
        if not inside.startswith(but) and any(word.encode() in content for word in NEEDLES):
            hits.append(inside)
    return hits


def _unpacked(content: bytes) -> list[bytes]:
    parts = []
    for start in range(len(content)):
        if content[start : start + 1] == b"\x78":
            try:
                parts.append(zlib.decompressobj().decompress(content[start:], 100_000))
            except zlib.error:
                continue
    return parts


def test_a_canary_is_in_no_byte_after_erasure_redelivery_and_restore(
    home: Path, tmp_path: Path
) -> None:
    before = traces(home)
    tables = {table.key for table in KNOWN_TABLES if table.customer_columns}
    reached = {table for table in tables if any(f"lake/{table}/" in path for path in before)}
    assert {table for table in tables if not table.startswith("source/")} <= reached
    backup = tmp_path / "backup"
    shutil.copytree(home / "lake", backup)

    certificate = erase(home, CANARY)
    assert traces(home) == []
    assert is_genuine(certificate)
    assert sum(certificate["survivors"].values()) == 0
    assert set(certificate["removed"]) == set(certificate["survivors"])
    for place in ("lake/source/quarantine", "lake/source/revisions", "online store", "claims"):
        assert certificate["removed"][place] > 0, place
    assert not any(word in json.dumps(certificate) for word in NEEDLES)

    # the others are there as before
    own = resources(home)
    lake, store = own["lake"].lake, own["online_store"].store
    people = lake.read("source/customers", days=lake.filled_days("source/customers"))
    assert people.column("customer_id").to_pylist() == ["bob"]
    assert store.get(store.served().name, ["bob"]) == {"bob": b"y"}
    assert json.loads((home / "reports/churn/report.json").read_text())["n"] == 7
    assert len((home / "next_actions.jsonl").read_text().splitlines()) == 1
    assert [line["text"] for line in own["questions"].log.lines()] == ["the score of bob"]

    # delivered once more, in one go and day by day
    take_in(own)
    assert traces(home) == []
    # restored, which only an erasure can mend: nobody need remember whose
    shutil.rmtree(home / "lake")
    shutil.copytree(backup, home / "lake")
    assert traces(home)
    assert erasure.returned(lake, own["erasures"].erasures) == {CANARY, BEFORE}
    erase(home, *erasure.returned(lake, own["erasures"].erasures))
    assert traces(home) == []


def test_models_that_may_have_learnt_from_them_are_dropped_by_a_date(home: Path) -> None:
    registry = resources(home)["registry"].registry
    older, champion = registry.versions("churn")
    certificate = erase(home, CANARY)
    assert certificate["models"] == [
        {"model": "churn", "version": older, "removed": "yes"},
        {"model": "churn", "version": champion, "until": str(datetime.now(UTC).date())},
    ]
    # its champion serves meanwhile; what is learnt after it takes its place in every byte
    assert registry.champion("churn") == champion
    files = home.parent / "again"
    files.mkdir()
    (files / "readers.json").write_text('["bob"]')
    registry.promote("churn", registry.register("churn", files, {}), "learnt again")
    assert traces(home, but="no place") == []


def test_a_dry_run_changes_nothing_and_counts_what_would_go(home: Path) -> None:
    own = resources(home)
    subjects = erasure.identified(own["lake"].lake, own["erasures"].erasures, [CANARY])
    assert subjects.ids == {CANARY, BEFORE}
    # a name that somebody else has too names nobody alone
    assert subjects.values == {"canary@example.org", "Cana Rybird"}
    before = {path: path.read_bytes() for path in home.rglob("*.parquet")}
    findings = erasure.look(places(own, home=home), subjects)
    assert {path: path.read_bytes() for path in home.rglob("*.parquet")} == before
    assert findings.unknown == {}
    assert findings.counts == erase(home, CANARY)["removed"]


def test_a_place_that_cannot_be_read_fails_the_erasure_which_the_next_one_ends(home: Path) -> None:
    broken = resources(home)["lake"].lake.path("contact/outbox", LAST)
    whole = broken.read_bytes()
    broken.write_bytes(b"no parquet")
    with pytest.raises(ErasureError, match="contact/outbox"):
        erase(home, CANARY)
    assert not (home / "privacy" / "certificates").exists()
    broken.write_bytes(whole)
    # by now the lake has forgotten who they were before
    assert is_genuine(erase(home))
    assert traces(home) == []


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 1.0])
def test_an_erasure_that_was_killed_tears_nothing_and_is_ended_by_the_next_one(
    home: Path, share: float
) -> None:
    every = len(places(resources(home), home=home))
    code = (
        "import sys, pathlib; from engagement_assets_tests.governance.privacy import test_erasure; "
        "test_erasure.erase(pathlib.Path(sys.argv[1]), sys.argv[2], killed_at=int(sys.argv[3]))"
    )
    words = [sys.executable, "-c", code, str(home), CANARY, str(round(share * every))]
    done = subprocess.run(words, capture_output=True, cwd=Path(__file__).parents[3], check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr[-2000:]
    own = resources(home)
    lake, store = own["lake"].lake, own["online_store"].store
    assert store.get(store.served().name, ["bob"]) == {"bob": b"y"}
    for table in KNOWN_TABLES:
        for day in lake.filled_days(table.key):
            lake.read(table.key, days=[day])
    assert not (home / "privacy" / "certificates").exists()
    # already now no delivery brings them back
    assert own["erasures"].erasures.erased([CANARY, "bob"]) == {CANARY}
    assert is_genuine(erase(home))
    assert traces(home) == []
    assert len(list((home / "privacy" / "certificates").iterdir())) == 1


def test_a_certificate_that_was_changed_is_not_genuine(home: Path) -> None:
    certificate = erase(home, CANARY)
    assert not is_genuine(certificate | {"survivors": {}})


def test_who_asked_is_erased_without_being_named(home: Path) -> None:
    lake = resources(home)["lake"].lake
    assert erasure.requested(lake) == {CANARY}
    erase(home, *erasure.requested(lake))
    assert erasure.requested(lake) == set()


@pytest.mark.parametrize(
    "ids",
    [["42.0", "43"], [42, 43], [Decimal("42.00"), Decimal("43.00")]],
    ids=["text", "number", "decimal"],
)
def test_the_key_of_an_erased_customer_is_known_however_it_is_stored(
    tmp_path: Path, ids: list[Any]
) -> None:
    erasures = Erasures(UPath(tmp_path))
    erasures.bury(["42"], at="2026-01-02")
    source = WithoutErased(Source(), erasures)
    left = source.without("sessions", pa.table({"customer_id": ids}))
    assert left.column("customer_id").to_pylist() == ids[1:]
    keys = pa.table({"row_key": ["bob|42.0", "bob|43"]})
    assert source.without("withdrawals", keys).num_rows == 1


def test_two_places_of_one_name_are_refused(home: Path) -> None:
    own = resources(home)
    # the log of one is taken for that of the other: one count would stand for both
    own["reviews"] = own["questions"]
    register = {**HOLDERS, "reviews": HOLDERS["questions"]}
    with (
        patch.dict("engagement_assets.governance.privacy.register.HOLDERS", register),
        pytest.raises(ErasureError, match="one name"),
    ):
        places(own, home=home)


@pytest.mark.parametrize("name", ["*", " ", "''", "--"])
def test_what_stands_in_texts_of_every_kind_is_no_id(tmp_path: Path, name: str) -> None:
    with pytest.raises(ErasureError, match="no id of a customer"):
        erase_customers(Settings.load(tmp_path), [name], confirmed=True)
