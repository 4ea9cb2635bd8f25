"""What the SQLite store does besides what every store does: killed processes and damaged files."""

import signal
import sqlite3
import subprocess
import sys
from datetime import timedelta

import pytest

from engagement_assets_tests.platform.homes import PROJECT
from engagement_assets_tests.resources.online_stores import (
    DAY,
    YESTERDAY,
    abandon,
    contents,
    documents,
    fill,
    hasty,
    ids,
    publish,
    release,
    sqlite_stores,
)
from resources.online_store.releases import OnlineStoreError
from resources.online_store.sqlite import REMOVED_AT_ONCE, SqliteStore
from resources.online_store.sqlite_file import FORMAT

# Puts some batches, half of a further one, and is killed by itself with no chance to clean up.
KILLED = """
import os, signal, sys
from engagement_assets_tests.resources.online_stores import documents, release
from resources.online_store.sqlite import SqliteStore

path, batches = sys.argv[1], int(sys.argv[2])
with SqliteStore(path, lease_seconds=1.0).publishing(release(), owner="killed") as publication:
    for batch in range(batches):
        publication.put(batch, documents(batch))

    def half():
        rows = documents(batches)
        yield from rows[:2]
        with publication._transaction() as writer:
            writer.execute(
                "INSERT INTO records (release_id, customer_id, document) VALUES (1, 'half', x'00')"
            )
            os.kill(os.getpid(), signal.SIGKILL)

    publication.put(batches, half())
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "online.sqlite"


@pytest.fixture
def store(tmp_path):
    with sqlite_stores(tmp_path) as stores:
        yield stores.another(clocks=hasty())


def kill_after(path, batches):
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(path), str(batches)], cwd=PROJECT, check=False,
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr


@pytest.mark.parametrize("batches", [0, 2])
def test_after_a_kill_yesterday_is_served_and_the_next_try_goes_on(store, path, batches):
    yesterday = publish(store, release(YESTERDAY, "y"))
    kill_after(path, batches)
    assert store.served() == yesterday
    assert contents(store, yesterday) == {"y"}
    with store.publishing(release(), owner="the next") as publication:
        assert publication.done == batches
        fill(publication)
        publication.serve()
    assert store.served().name == release().name
    actual = store.get(release().name, [*ids(), "half"])
    assert actual == dict(row for n in range(3) for row in documents(n))


def test_the_records_of_a_release_that_is_let_go_leave_the_file(store, path):
    big = REMOVED_AT_ONCE * 2 + 1
    with store.publishing(release(), owner="big") as publication:
        publication.put(0, [(f"c{n}", b"x") for n in range(big)])
        publication.put_blob("name", b"x")
        publication.serve()
    for n in (1, 2):
        publish(store, release(DAY + timedelta(days=n)))
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM releases").fetchone() == (2,)
        assert connection.execute("SELECT count(*) FROM records").fetchone() == (2 * len(ids()),)
        assert connection.execute("SELECT count(*) FROM blobs").fetchone() == (2,)
    connection.close()
    assert store.get(release().name, ["c1"]) == {}


def test_what_was_never_finished_is_let_go_with_the_next_day(store, path):
    abandon(store, release(YESTERDAY), after=2)
    publish(store, release())
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT name FROM releases").fetchall() == [(release().name,)]
    connection.close()


def test_readers_go_on_while_a_batch_is_being_written(store):
    publish(store, release())
    with store.publishing(release(content="b"), owner="writer") as publication:
        with publication._transaction() as writer:
            writer.execute("DELETE FROM records")
            assert contents(store, release()) == {"a"}
            writer.execute("ROLLBACK")
            writer.execute("BEGIN")
        assert contents(store, release()) == {"a"}


def test_a_reader_cannot_write(store):
    publish(store, release())
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        store._file.reader().execute("DELETE FROM records")


def test_a_file_that_is_removed_and_made_again_is_read_anew(store, path, tmp_path):
    publish(store, release())
    assert store.served().name == release().name
    for file in tmp_path.glob("online.sqlite*"):
        file.unlink()
    assert store.served() is None
    with sqlite_stores(tmp_path) as others:
        publish(others.another(), release(YESTERDAY))
    assert path.exists()
    assert store.served().name == release(YESTERDAY).name
    assert contents(store, release(YESTERDAY)) == {"a"}


def test_reading_makes_no_file(tmp_path):
    store = SqliteStore(tmp_path / "none" / "online.sqlite")
    assert store.served() is None
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_database_says_what_to_do(path):
    path.write_bytes(b"no database at all, but long enough to have a header" * 100)
    store = SqliteStore(path)
    with pytest.raises(OnlineStoreError, match=r"damaged.*remove it"):
        store.served()
    with (
        pytest.raises(OnlineStoreError, match=r"damaged.*remove it"),
        store.publishing(release(), owner="x"),
    ):
        pytest.fail("nothing can be put")


def test_a_file_of_a_later_version_is_refused(store, path):
    publish(store, release())
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {FORMAT + 1}")
    connection.close()
    other = SqliteStore(path)
    for reading in (other.served, lambda: publish(other, release(content="b"))):
        with pytest.raises(OnlineStoreError, match=f"has format {FORMAT + 1}"):
            reading()


def test_a_customer_in_two_batches_is_refused(store):
    with store.publishing(release(), owner="twice") as publication:
        publication.put(0, [("c", b"1")])
        with pytest.raises(OnlineStoreError, match="stands in two batches"):
            publication.put(1, [("c", b"2")])
        assert publication.done == 1


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    store = SqliteStore(tmp_path / "file" / "online.sqlite")
    with (
        pytest.raises(OnlineStoreError, match="cannot be made"),
        store.publishing(release(), owner="x"),
    ):
        pytest.fail("nothing can be put")
