"""What every online store does, held for SQLite and DynamoDB alike."""

import threading
import time
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engagement_assets_tests.resources.online_stores import (
    DAY,
    LEASE_SECONDS,
    YESTERDAY,
    abandon,
    clocks_off_by,
    contents,
    documents,
    dynamodb_stores,
    fill,
    hasty,
    ids,
    publish,
    release,
    sqlite_stores,
)
from resources.online_store.lease import Clocks
from resources.online_store.releases import (
    LostLeaseError,
    OlderReleaseError,
    OnlineStoreError,
    StoreBusyError,
)

ODD_IDS = [
    "../../etc/passwd",
    "a#b",
    "meta#served",
    "with space",
    "tab\tand\nline",
    "nul\x00inside",
    "ünïcödé",
    "日本語",
    "👩‍👩‍👧",
    "'; DROP TABLE records; --",
    "%s",
    "e\u0301",  # two code points, unlike the next
    "\u00e9",
    "x" * 1_024,
]
CANNOT_BE = ["", "x" * 2_049, "\ud800"]


def test_before_the_first_publication_nothing_is_served(store):
    assert store.served() is None
    assert store.get("2026-02-03-a", ["c000-0"]) == {}
    assert store.blob("2026-02-03-a", "name") is None


def test_what_is_published_is_served_with_its_details(store):
    about = release(customers=12, models={"churn": "v1"})
    served = publish(store, about)
    assert served.published_at is not None
    assert store.served() == served
    assert served.snapshot_date == DAY
    assert served.details == {"content": "a", "customers": 12, "models": {"churn": "v1"}}
    assert store.get(about.name, ids()) == dict(d for n in range(3) for d in documents(n))
    assert store.blob(about.name, "name") == about.name.encode()
    assert store.blob(about.name, "another") is None


def test_ids_are_taken_as_they_are(store):
    with store.publishing(release(), owner="odd") as publication:
        publication.put(0, [(name, name.encode()) for name in ODD_IDS])
        publication.serve()
    actual = store.get(release().name, ODD_IDS)
    assert actual == {name: name.encode() for name in ODD_IDS}


@pytest.mark.parametrize("name", CANNOT_BE, ids=["empty", "long", "surrogate"])
def test_an_id_that_cannot_be_kept_is_refused_and_never_found(store, name):
    with store.publishing(release(), owner="odd") as publication:
        with pytest.raises(OnlineStoreError, match="customer id"):
            publication.put(0, [("fine", b"1"), (name, b"2")])
        assert publication.done == 0
        publication.put(0, [("fine", b"1")])
        publication.serve()
    assert store.get(release().name, [name, "fine"]) == {"fine": b"1"}


def test_a_customer_who_stands_twice_in_a_batch_is_refused(store):
    with store.publishing(release(), owner="twice") as publication:
        with pytest.raises(OnlineStoreError, match="'c' stands twice"):
            publication.put(0, [("c", b"1"), ("d", b"2"), ("c", b"3")])
        assert publication.done == 0


def test_a_hundred_customers_are_read_at_once_and_no_more(store):
    many = [(f"c{n}", bytes([n])) for n in range(100)]
    with store.publishing(release(), owner="many") as publication:
        publication.put(0, many)
        publication.serve()
    asked = [name for name, _ in many]
    assert store.get(release().name, asked) == dict(many)
    assert store.get(release().name, ["c1", "nobody", "c1"]) == {"c1": b"\x01"}
    assert store.get(release().name, []) == {}
    with pytest.raises(OnlineStoreError, match="the most is 100"):
        store.get(release().name, [*asked, "one more"])


def test_an_empty_document_and_an_empty_blob_are_there(store):
    with store.publishing(release(), owner="empty") as publication:
        publication.put(0, [("c", b"")])
        publication.put(1, [])
        publication.put_blob("empty", b"")
        publication.serve()
    assert store.get(release().name, ["c"]) == {"c": b""}
    assert store.blob(release().name, "empty") == b""


def test_a_blob_of_two_megabytes_comes_back_whole(store):
    content = bytes(range(256)) * 8_192
    with store.publishing(release(), owner="big") as publication:
        publication.put_blob("reference", content)
        publication.serve()
    assert store.blob(release().name, "reference") == content


def test_a_release_that_is_half_put_is_not_served(store):
    yesterday = publish(store, release(YESTERDAY))
    with store.publishing(release(), owner="half") as publication:
        publication.put(0, documents(0))
        assert store.served() == yesterday
        assert contents(store, yesterday) == {"a"}


def test_a_publication_that_fails_leaves_yesterday_and_is_tried_again_at_once(stores):
    store = stores.another(lease_seconds=3_600.0)
    yesterday = publish(store, release(YESTERDAY))
    abandon(store, release(content="b"), after=2)
    assert store.served() == yesterday
    assert contents(store, yesterday) == {"a"}
    # the lease was given back: an hour is not waited for
    publish(store, release(content="b"))
    assert store.served().name == release(content="b").name


def test_a_try_goes_on_where_the_one_before_it_stopped(store):
    abandon(store, release(), after=2)
    with store.publishing(release(), owner="again") as publication:
        assert publication.done == 2
        fill(publication)
        publication.serve()
    assert set(store.get(release().name, ids())) == set(ids())


def test_batches_are_put_in_order_and_one_that_is_done_is_passed_over(store):
    with store.publishing(release(), owner="orderly") as publication:
        publication.put(0, documents(0))
        with pytest.raises(OnlineStoreError, match="without gaps"):
            publication.put(2, documents(2))
        publication.put(0, [("c000-0", b"other")])
        assert publication.done == 1
        publication.serve()
    assert store.get(release().name, ["c000-0"]) == {"c000-0": b"a/0/0"}


def test_a_release_that_is_served_is_not_published_again(store):
    served = publish(store, release())
    with store.publishing(release(), owner="again") as publication:
        assert publication.is_served
        assert publication.done == 3
        publication.put(0, [("c000-0", b"other")])
        publication.put_blob("name", b"other")
        assert publication.serve() == served
    assert store.served() == served
    assert store.get(release().name, ["c000-0"]) == {"c000-0": b"a/0/0"}
    assert store.blob(release().name, "name") == served.name.encode()


def test_the_same_day_with_other_content_replaces_it_and_back(store):
    publish(store, release(content="a"))
    publish(store, release(content="b"))
    assert store.served().name == release(content="b").name
    assert contents(store, release(content="b")) == {"b"}
    with store.publishing(release(content="a"), owner="back") as publication:
        assert publication.done == 3, "the release before is kept, so going back writes nothing"
        publication.serve()
    assert store.served().name == release(content="a").name
    assert contents(store, release(content="a")) == {"a"}


def test_an_older_day_is_refused(store):
    today = publish(store, release())
    with (
        pytest.raises(OlderReleaseError, match=f"{DAY} is served, and {YESTERDAY} is older"),
        store.publishing(release(YESTERDAY), owner="late"),
    ):
        pytest.fail("nothing may be put")
    assert store.served() == today


def test_a_day_that_became_older_while_it_was_put_is_refused(stores):
    slow, fast = stores.another(), stores.another(clocks=hasty())
    with slow.publishing(release(YESTERDAY), owner="slow") as publication:
        fill(publication)
        silence(publication)
        publish(fast, release(), owner="fast")
        with pytest.raises((OlderReleaseError, LostLeaseError)):
            publication.serve()
    assert fast.served().name == release().name


def test_old_releases_are_let_go_and_the_one_before_is_kept(store):
    days = [DAY + timedelta(days=n) for n in range(4)]
    for day in days:
        publish(store, release(day))
        assert contents(store, release(day)) == {"a"}
    assert contents(store, release(days[2])) == {"a"}
    assert store.blob(release(days[2]).name, "name") == release(days[2]).name.encode()
    publish(store, release(days[3], "b"))
    with store.publishing(release(days[3], "a"), owner="kept") as publication:
        assert publication.done == 3


def silence(publication):
    """Stop the thread that keeps the lease, as a machine that hangs does."""
    keeper = publication._keeper
    keeper._ended.set()
    keeper._thread.join()
    keeper._ended.clear()
    keeper._thread = threading.Thread(target=lambda: None)
    keeper._thread.start()


def test_of_two_publishers_at_once_one_gives_way(stores):
    first, second = stores.another(), stores.another()
    with first.publishing(release(), owner="run one") as publication:
        publication.put(0, documents(0))
        with (
            pytest.raises(StoreBusyError, match="run one is publishing"),
            second.publishing(release(content="b"), owner="run two"),
        ):
            pytest.fail("two may not publish at once")
        fill(publication)
        publication.serve()
    assert first.served().name == release().name


def test_many_publishers_at_once_leave_one_whole_release(stores):
    told, failed = [], []

    def work(number):
        try:
            told.append(publish(stores.another(), release(content=f"r{number}"), owner=str(number)))
        except StoreBusyError:
            failed.append(number)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told
    assert len(told) + len(failed) == 4
    served = stores.another().served()
    assert served in told
    assert contents(stores.another(), served) == {served.details["content"]}


def test_a_publisher_that_is_slow_but_alive_keeps_its_lease(stores):
    slow, other = stores.another(), stores.another()
    with slow.publishing(release(), owner="slow") as publication:
        for _ in range(3):
            time.sleep(LEASE_SECONDS / 4)
            with pytest.raises(StoreBusyError), other.publishing(release(content="b"), owner="x"):
                pytest.fail("the slow one lives")
        fill(publication)
        publication.serve()
    assert other.served().name == release().name


def test_who_fell_silent_loses_the_lease_and_cannot_write_or_serve(stores):
    silent, other = stores.another(), stores.another(clocks=hasty())
    with silent.publishing(release(), owner="the silent one") as publication:
        publication.put(0, documents(0))
        silence(publication)
        with other.publishing(release(content="b"), owner="the other") as taken:
            taken.put(0, documents(0, "b"))
            with pytest.raises(LostLeaseError, match=r"the other took over"):
                publication.put(1, documents(1))
            with pytest.raises(LostLeaseError):
                publication.put_blob("name", b"late")
            with pytest.raises(LostLeaseError):
                publication.serve()
            fill(taken, "b")
            taken.serve()
    # the silent one's end does not take the lease of somebody else
    assert other.served().name == release(content="b").name
    assert contents(other, release(content="b")) == {"b"}


def test_who_lost_the_lease_may_not_serve_even_when_all_was_put(stores):
    silent, other = stores.another(), stores.another(clocks=hasty())
    with silent.publishing(release(), owner="silent") as publication:
        fill(publication)
        silence(publication)
        publish(other, release(content="b"))
        with pytest.raises(LostLeaseError):
            publication.serve()
    assert other.served().name == release(content="b").name


@pytest.mark.parametrize("days", [-400, 400])
def test_clocks_that_are_wrong_by_a_year_neither_take_a_live_lease_nor_keep_a_dead_one(
    stores, days
):
    wrong, right = stores.another(clocks=clocks_off_by(days=days)), stores.another()
    for alive, contender in ((wrong, right), (right, wrong)):
        with alive.publishing(release(content=f"by {alive is wrong}"), owner="alive") as held:
            held.put(0, documents(0))
            with pytest.raises(StoreBusyError), contender.publishing(release(), owner="x"):
                pytest.fail("the clock of day says nothing about the lease")
            silence(held)
            later = stores.another(clocks=hasty(days=days if contender is wrong else 0))
            with later.publishing(release(content="c"), owner="contender") as taken:
                assert taken.done == 0
            with pytest.raises(LostLeaseError):
                held.put(1, documents(1))


def test_a_contender_watches_by_its_own_clock_and_reads_no_other(stores):
    asked = []

    def sleep(seconds):
        asked.append(seconds)

    clock = Clocks(monotonic=lambda: 1_000.0 * sum(asked), sleep=sleep)
    silent, other = stores.another(lease_seconds=50.0), stores.another(
        lease_seconds=50.0, clocks=clock
    )  # fmt: skip
    with silent.publishing(release(), owner="silent") as publication:
        silence(publication)
        with other.publishing(release(content="b"), owner="other") as taken:
            assert asked == [5.0], "one look, after which its clock is 5,000 s further"
            publish_rest(taken)
    assert other.served().name == release(content="b").name


def publish_rest(publication):
    fill(publication, "b")
    publication.serve()


def test_a_reader_during_publications_never_sees_two_contents_in_one_release(stores):
    writer, reader = stores.another(), stores.another()
    publish(writer, release(DAY, "r0"))
    ended, seen, wrong, looks = threading.Event(), set(), [], [0, 0]

    def read(place):
        while not ended.is_set():
            served = reader.served()
            actual = reader.get(served.name, ids())
            kinds = {document.decode().split("/")[0] for document in actual.values()}
            if kinds != {served.details["content"]} or len(actual) != len(ids()):
                wrong.append((served.name, kinds, len(actual)))
            seen.add(served.name)
            looks[place] += 1

    threads = [threading.Thread(target=read, args=(place,)) for place in range(2)]
    for thread in threads:
        thread.start()
    for n in range(1, 8):
        publish(writer, release(DAY + timedelta(days=n), f"r{n}"))
        # a release is kept until the second one after it: a look must not last over both
        before = list(looks)
        while min(now - then for now, then in zip(looks, before, strict=True)) < 2:
            time.sleep(0.01)
            assert all(thread.is_alive() for thread in threads)
    ended.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(seen) > 1


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["publish", "fail"]),
        st.integers(0, 2),
        st.sampled_from(["a", "b"]),
        st.integers(0, 3),
    ),
    max_size=8,
)


def run_steps(store, steps):
    """Publish and fail in any order; hold the invariant after each step."""
    served = None
    for what, day, content, after in steps:
        about = release(DAY + timedelta(days=day), content)
        if served is not None and about.snapshot_date < served.snapshot_date:
            with pytest.raises(OlderReleaseError):
                publish(store, about)
        elif what == "publish":
            publish(store, about)
            served = about
        elif served is None or about.name != served.name:
            abandon(store, about, after=after)
        now = store.served()
        assert (now.name if now else None) == (served.name if served else None)
        if served is not None:
            expected = {
                name: doc for n in range(3) for name, doc in documents(n, now.details["content"])
            }
            assert store.get(now.name, ids()) == expected
            assert store.blob(now.name, "name") == now.name.encode()


@given(steps=STEPS)
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_whatever_is_published_or_fails_in_sqlite_one_whole_release_is_served(
    tmp_path_factory, steps
):
    with sqlite_stores(tmp_path_factory.mktemp("any")) as stores:
        run_steps(stores.another(), steps)


@given(steps=STEPS)
@settings(max_examples=8, deadline=None)
def test_whatever_is_published_or_fails_in_dynamodb_one_whole_release_is_served(
    dynamodb_endpoint, steps
):
    with dynamodb_stores(dynamodb_endpoint) as stores:
        run_steps(stores.another(), steps)


def test_a_customer_is_erased_from_the_served_release_and_the_one_before(store, tmp_path):
    publish(store, release(YESTERDAY))
    served = publish(store, release(DAY))
    assert store.holders({"c001-2", "nobody"}) == {"c001-2": 2}
    assert store.erase({"c001-2", "nobody"}) == 2
    assert store.holders({"c001-2"}).total() == 0
    assert store.served() == served
    assert store.get(served.name, ["c001-2", "c001-1"]) == {"c001-1": b"a/1/1"}
    assert store.blob(served.name, "name") == served.name.encode()
    # of a file not a byte, nor of its log
    assert not any(b"c001-2" in file.read_bytes() for file in tmp_path.iterdir())


def test_erasing_before_the_first_publication_removes_nothing(store):
    assert store.erase({"ann"}) == 0
    assert store.holders({"ann"}).total() == 0
