"""A day of the lake reaches the store whole, once, and goes on where it stopped."""

import json
from contextlib import contextmanager
from datetime import date, timedelta

import pytest

from engagement_assets.features.catalogue import CUSTOMER_FEATURES
from engagement_assets.models.ensemble.health import HealthReference
from engagement_assets.serving import publishing
from engagement_assets.serving.published import age_outcome, count_outcome, served_outcome
from engagement_assets.serving.publishing import (
    BATCH,
    COLD_START,
    publish_day,
    release_of,
)
from engagement_assets.serving.records import DayTables, decode, documents, encode
from engagement_assets.source.contract import TABLES
from engagement_assets_tests.decisions.tables import write_predictions
from engagement_assets_tests.serving.worlds import DAY, unify, write_features, write_world
from resources.lake import MissingPartitionError
from resources.online_store.releases import OlderReleaseError, Release

SIZE = 8


@pytest.fixture
def people(lake):
    return write_world(lake, customers=30)


@pytest.fixture
def agreed(people):
    return frozenset(people[::2])


def publish(lake, store, agreed=frozenset(), day=DAY, **about):
    return publish_day(lake, store, day, agreed=agreed, owner="test", batch=SIZE, **about)


def expected(lake, agreed, day=DAY):
    return {
        document["customer_id"]: decode(encode(document))
        for batch in documents(DayTables.read(lake, day), agreed, size=BATCH)
        for document in batch
    }


def served(store, people):
    name = store.served().name
    return {key: decode(content) for key, content in store.get(name, people).items()}


class Failing:
    """A store that fails after some batches, as a run that is killed."""

    def __init__(self, store, after):
        self.store = store
        self.after = after

    @contextmanager
    def publishing(self, release, *, owner):
        with self.store.publishing(release, owner=owner) as publication:
            real, failing = publication.put, self

            def put(batch, rows):
                if batch == failing.after:
                    raise KeyboardInterrupt
                real(batch, rows)

            publication.put = put
            yield publication


def test_every_customer_s_document_is_served_as_the_lake_has_it(lake, store, people, agreed):
    told = []
    done = publish(lake, store, agreed, progress=lambda *said: told.append(said))
    assert served(store, people) == expected(lake, agreed)
    assert (done.customers, done.batches, done.resumed, done.was_served) == (30, 4, 0, False)
    assert told == [(8, 30), (16, 30), (24, 30), (30, 30)]
    assert done.release == store.served()
    details = done.release.details
    assert (details["customers"], details["batches"], details["format"]) == (
        30,
        4,
        publishing.DOCUMENT_FORMAT,
    )
    assert details["model_versions"]["churn"] == "churn-v1"


def test_what_belongs_to_the_day_as_a_whole_is_served_too(lake, store, people):
    publish(lake, store)
    name = store.served().name
    reference = HealthReference.from_bytes(store.blob(name, "ensemble"))
    assert len(reference.ranked["engagement"]) == len(people)
    assert list(reference.typical) == ["stays", "engagement", "value", "ordinary"]
    lists = json.loads(store.blob(name, COLD_START))
    assert lists["items"]
    assert set(lists) == {"format", "items", "by_location"}


def test_a_publication_that_was_killed_goes_on_and_makes_nothing_twice(lake, store, people, agreed):
    with pytest.raises(KeyboardInterrupt):
        publish(lake, Failing(store, after=2), agreed)
    assert store.served() is None
    told = []
    done = publish(lake, store, agreed, progress=lambda *said: told.append(said))
    assert (done.resumed, done.was_served) == (2, False)
    assert told == [(24, 30), (30, 30)]
    assert served(store, people) == expected(lake, agreed)


def test_the_same_day_is_published_once(lake, store, people, agreed):
    first = publish(lake, store, agreed)
    again = publish(lake, store, agreed)
    assert again.was_served
    assert (again.release, again.bytes, again.resumed) == (first.release, 0, first.batches)
    assert served(store, people) == expected(lake, agreed)


def test_predictions_made_again_with_another_result_are_another_release(lake, store, people):
    first = publish(lake, store)
    rows = [{"customer_id": name, "engagement_score": 0.75} for name in people]
    write_predictions(lake, "engagement", DAY, rows)
    unify(lake, DAY)
    second = publish(lake, store)
    assert second.release.name != first.release.name
    assert {
        d["predictions"]["engagement"]["engagement_score"] for d in served(store, people).values()
    } == {0.75}


@pytest.mark.usefixtures("people")
def test_a_withdrawn_consent_is_another_release_without_the_list(lake, store, agreed):
    publish(lake, store, agreed)
    gone = sorted(agreed)[0]
    assert served(store, [gone])[gone]["recommendations"] is not None
    publish(lake, store, agreed - {gone})
    assert served(store, [gone])[gone]["recommendations"] is None


def test_an_older_day_is_not_published_over_a_newer_one(lake, store, people):
    publish(lake, store)
    before = DAY - timedelta(days=1)
    write_world(lake, before)
    with pytest.raises(OlderReleaseError, match=f"{DAY} is served"):
        publish(lake, store, day=before)
    assert store.served().snapshot_date == DAY
    assert served(store, people) == expected(lake, frozenset())


def test_the_next_day_replaces_the_one_before(lake, store, people):
    publish(lake, store)
    after = DAY + timedelta(days=1)
    write_world(lake, after, seed=2)
    publish(lake, store, day=after)
    actual = served(store, people)
    assert {document["snapshot_date"] for document in actual.values()} == {after.isoformat()}
    assert actual == expected(lake, frozenset(), after)


def test_a_day_without_customers_is_published_as_nobody(lake, store):
    write_features(lake, DAY, [])
    unify(lake, DAY)
    done = publish(lake, store)
    assert (done.customers, done.batches) == (0, 0)
    assert store.served() == done.release
    assert store.blob(done.release.name, "ensemble") is None


def test_a_day_that_is_not_in_the_lake_is_named_and_nothing_begins(lake, store):
    with pytest.raises(MissingPartitionError, match="2026-02-10"):
        publish(lake, store)
    assert store.served() is None


def test_a_release_is_named_by_what_it_is_made_from(lake, people, agreed):
    name = release_of(lake, DAY, agreed).name
    assert name.startswith("2026-02-10-")
    assert release_of(lake, DAY, agreed).name == name
    assert release_of(lake, DAY, agreed, batch=SIZE).name != name
    assert release_of(lake, DAY, frozenset(people)).name != name
    write_predictions(lake, "ensemble", DAY, [])
    assert release_of(lake, DAY, agreed).name != name


def test_another_form_of_the_documents_is_another_release(lake, people, monkeypatch):
    name = release_of(lake, DAY, frozenset(people)).name
    monkeypatch.setattr(publishing, "DOCUMENT_FORMAT", publishing.DOCUMENT_FORMAT + 1)
    assert release_of(lake, DAY, frozenset(people)).name != name


def whole(lake, store, agreed=frozenset(), day=DAY):
    """Publish as the asset does, in batches of the usual size."""
    return publish_day(lake, store, day, agreed=agreed, owner="test")


def test_the_check_of_what_is_served_tells_this_day_from_another(lake, store, people, agreed):
    assert served_outcome(lake, store, DAY, agreed).problem == "nothing is served yet"
    whole(lake, store, agreed)
    assert served_outcome(lake, store, DAY, agreed).problem == ""
    later = served_outcome(lake, store, DAY + timedelta(days=1), agreed)
    assert later.problem == "2026-02-10 is served, not 2026-02-11"
    earlier = served_outcome(lake, store, DAY - timedelta(days=1), agreed)
    assert (earlier.problem, earlier.note) == ("", "a newer day is served, 2026-02-10")
    withdrawn = served_outcome(lake, store, DAY, frozenset(people))
    assert "made again" in withdrawn.problem


def test_the_check_of_documents_finds_one_that_is_not_the_lake_s(lake, store, people, agreed):
    assert count_outcome(lake, store, agreed).problem == "nothing is served yet"
    whole(lake, store, agreed)
    assert count_outcome(lake, store, agreed).problem == ""
    assert count_outcome(lake, store, agreed).metadata["compared"] == 30
    about = Release(f"{DAY}-wrong", DAY, {"customers": 30})
    with store.publishing(about, owner="wrong") as publication:
        rows = [(name, encode(d)) for name, d in expected(lake, agreed).items()]
        publication.put(0, [*rows[:-1], (rows[-1][0], rows[0][1])])
        publication.serve()
    wrong = count_outcome(lake, store, agreed)
    assert wrong.problem.startswith("of 1 of 30 customers another document is served")
    assert wrong.problem.endswith(people[-1])


@pytest.mark.usefixtures("people")
def test_the_check_of_documents_counts_them(lake, store):
    whole(lake, store)
    rows = lake.read(CUSTOMER_FEATURES, days=[DAY]).to_pylist()
    write_features(lake, DAY, rows[:-1])
    assert count_outcome(lake, store, frozenset()).problem == (
        "30 documents are served for 29 customers"
    )


@pytest.mark.usefixtures("people")
@pytest.mark.parametrize(("behind", "problem"), [(0, ""), (2, ""), (3, "3 days behind")])
def test_the_check_of_age_counts_from_the_last_day_taken_in(lake, store, behind, problem):
    whole(lake, store)
    lake.write_empty(TABLES["sessions"], day=DAY + timedelta(days=behind))
    outcome = age_outcome(lake, store)
    assert problem in outcome.problem
    assert bool(outcome.problem) == bool(problem)
    assert outcome.metadata["days_behind"] == behind
    assert outcome.metadata["days_before_today"] >= (date(2026, 11, 1) - DAY).days
