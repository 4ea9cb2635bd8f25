"""What the DynamoDB store does besides what every store does: throttling, errors, expiry."""

import random
import socket
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from engagement_assets_tests.resources.online_stores import (
    DAY,
    abandon,
    clocks_off_by,
    contents,
    documents,
    dynamodb_client,
    fill,
    ids,
    make_table,
    publish,
    quick,
    release,
)
from resources.online_store.dynamodb import MAX_DOCUMENT_BYTES, PART_BYTES, DynamoDBStore
from resources.online_store.dynamodb_requests import LONGEST_WAIT
from resources.online_store.lease import Clocks
from resources.online_store.releases import OnlineStoreError, ThrottledError

QUICK = Clocks(sleep=quick)


@pytest.fixture
def client(dynamodb_endpoint):
    return dynamodb_client(dynamodb_endpoint)


@pytest.fixture
def table(client):
    return make_table(client)


@pytest.fixture
def store(table, client):
    return DynamoDBStore(table, client, clocks=QUICK)


def refusal(code, operation="BatchWriteItem"):
    return ClientError({"Error": {"Code": code, "Message": "no"}}, operation)


class Refusing:
    """A client whose table has less capacity than is asked of it.

    Args:
        client: The client behind it.
        share: Share of requests that are refused, as a whole or in part.
        code: Refuses with this error alone, and every request of `operations`.
    """

    def __init__(self, client, share=0.5, code=None, operations=("batch_write_item",)):
        self.client = client
        self.share = share
        self.code = code
        self.operations = operations
        self.random = random.Random(1)  # noqa: S311 - which requests are refused is no secret
        self.refused = Counter()

    def __getattr__(self, name):
        real = getattr(self.client, name)
        if name == "meta":
            return real

        def call(**arguments):
            if self.code is not None:
                if name in self.operations:
                    raise refusal(self.code, name)
                return real(**arguments)
            if self.random.random() >= self.share:
                return real(**arguments)
            self.refused[name] += 1
            return self._part(name, real, arguments)

        return call

    def _part(self, name, real, arguments):
        if name not in ("batch_write_item", "batch_get_item") or self.random.random() < 0.3:
            raise refusal("ProvisionedThroughputExceededException", name)
        ((table, asked),) = arguments["RequestItems"].items()
        if name == "batch_write_item":
            some = self.random.sample(asked, len(asked) // 2)
            real(RequestItems={table: [item for item in asked if item not in some] or asked[:1]})
            return {"UnprocessedItems": {table: some} if some else {}}
        half = len(asked["Keys"]) // 2
        answer = real(RequestItems={table: {**asked, "Keys": asked["Keys"][half:]}})
        if half:
            answer["UnprocessedKeys"] = {table: {**asked, "Keys": asked["Keys"][:half]}}
        return answer


def test_throttling_that_passes_loses_nothing(table, client):
    flaky = Refusing(client)
    store = DynamoDBStore(table, flaky, threads=4, attempts=40, clocks=QUICK)
    big = [documents(n, size=60) for n in range(5)]
    with store.publishing(release(), owner="patient") as publication:
        for n, batch in enumerate(big):
            publication.put(n, batch)
        publication.put_blob("reference", b"12345" * PART_BYTES)
        publication.serve()
    assert {"batch_write_item", "transact_write_items"} <= set(flaky.refused)
    expected = dict(row for batch in big for row in batch)
    names = list(expected)
    actual = {}
    for start in range(0, len(names), 100):
        actual |= store.get(release().name, names[start : start + 100])
    assert actual == expected
    assert store.blob(release().name, "reference") == b"12345" * PART_BYTES
    assert flaky.refused["batch_get_item"]


@pytest.mark.parametrize("share", [0.0, 1.0], ids=["error", "unprocessed"])
def test_throttling_that_goes_on_is_a_clear_error_and_what_is_there_stays(
    table, client, store, share
):
    today = publish(store, release())
    waits = []
    refusing = Refusing(client, code="ThrottlingException")
    if share:
        refusing.code = None
        refusing.__dict__["batch_write_item"] = lambda **asked: {
            "UnprocessedItems": asked["RequestItems"]
        }
        refusing.share = 0.0
    full = DynamoDBStore(table, refusing, attempts=4, clocks=Clocks(sleep=waits.append))
    with (
        pytest.raises(ThrottledError, match=r"is throttled.* after 4 tries.*capacity"),
        full.publishing(release(content="b"), owner="x") as publication,
    ):
        publication.put(0, documents(0, "b"))
    assert len(waits) == 3
    assert all(0 <= wait <= LONGEST_WAIT for wait in waits)
    assert store.served() == today
    publish(store, release(content="b"))
    assert contents(store, release(content="b")) == {"b"}


def test_a_table_that_is_not_there_is_named(client):
    store = DynamoDBStore("no-such-table", client)
    said = r"no table no-such-table in region eu-west-1; check its name"
    for work in (store.served, lambda: publish(store, release())):
        with pytest.raises(OnlineStoreError, match=said):
            work()
    with pytest.raises(OnlineStoreError, match=said):
        store.get(release().name, ["c"])


def test_a_table_of_another_region_is_not_found_there(table, dynamodb_endpoint):
    store = DynamoDBStore(table, dynamodb_client(dynamodb_endpoint, region="us-east-1"))
    with pytest.raises(OnlineStoreError, match="in region us-east-1; check its name, the region"):
        store.served()


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("AccessDeniedException", "is denied; the role needs dynamodb GetItem"),
        ("UnrecognizedClientException", "credentials are not valid"),
        ("ExpiredTokenException", "credentials have expired"),
        ("ValidationException", r"refuses: .*no"),
    ],
)
def test_a_refusal_says_what_and_why(table, client, code, said):
    for operation, work in (
        ("get_item", lambda store: store.served()),
        ("batch_get_item", lambda store: store.get(release().name, ["c"])),
        ("batch_write_item", lambda store: publish(store, release())),
        ("transact_write_items", lambda store: publish(store, release())),
    ):
        store = DynamoDBStore(table, Refusing(client, code=code, operations=(operation,)))
        with pytest.raises(OnlineStoreError, match=said):
            work(store)


def test_a_server_that_does_not_answer_is_a_clear_error():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        client = dynamodb_client(f"http://127.0.0.1:{taken.getsockname()[1]}")
        store = DynamoDBStore("table", client)
        with pytest.raises(OnlineStoreError, match=r"cannot be reached .*endpoint"):
            store.served()


def test_the_client_is_made_when_it_is_first_needed(table, client):
    made = []

    def make():
        made.append(1)
        return client

    store = DynamoDBStore(table, make)
    assert made == []
    publish(store, release())
    assert made == [1]


def items(client, table):
    return {row["key"]["S"]: row for row in client.scan(TableName=table)["Items"]}


def test_everything_but_the_pointer_expires_after_the_retention(table, client):
    store = DynamoDBStore(table, client, retention_days=10)
    before = datetime.now(UTC).timestamp()
    publish(store, release())
    after = datetime.now(UTC).timestamp()
    actual = items(client, table)
    served = actual.pop("meta#served")
    assert "expires_at" not in served
    ten = timedelta(days=10).total_seconds()
    for row in actual.values():
        assert int(before + ten) <= int(row["expires_at"]["N"]) <= int(after + ten)
    about = release()
    assert set(actual) == {
        *(f"{about.name}#{name}" for name in ids()),
        f"meta#release#{about.name}",
        f"blob#{about.name}#name",
        f"blob#{about.name}#name#0",
    }


def test_the_release_before_the_last_one_is_forgotten(table, client, store):
    for n in range(3):
        publish(store, release(DAY + timedelta(days=n)))
    names = {key for key in items(client, table) if key.startswith("meta#release#")}
    assert names == {f"meta#release#{release(DAY + timedelta(days=n)).name}" for n in (1, 2)}


def test_an_old_try_begins_anew_since_what_it_put_expires_first(table, client):
    long_ago = DynamoDBStore(table, client, clocks=clocks_off_by(days=-3))
    abandon(long_ago, release(), after=2)
    store = DynamoDBStore(table, client)
    with store.publishing(release(), owner="again") as publication:
        assert publication.done == 0
        fill(publication)
        publication.serve()
    soonest = min(
        int(row["expires_at"]["N"])
        for key, row in items(client, table).items()
        if key != "meta#served"
    )
    assert soonest > (datetime.now(UTC) + timedelta(days=34)).timestamp()


def test_a_blob_of_which_a_part_is_gone_is_an_error(table, client, store):
    with store.publishing(release(), owner="big") as publication:
        publication.put_blob("reference", bytes(PART_BYTES + 1))
        publication.serve()
    key = {"key": {"S": f"blob#{release().name}#reference#1"}}
    client.delete_item(TableName=table, Key=key)
    with pytest.raises(OnlineStoreError, match="is not whole"):
        store.blob(release().name, "reference")


def test_a_document_that_dynamodb_does_not_take_is_refused(store):
    with store.publishing(release(), owner="big") as publication:
        publication.put(0, [("fits", bytes(MAX_DOCUMENT_BYTES))])
        with pytest.raises(OnlineStoreError, match="document of customer 'big' has 390,001 bytes"):
            publication.put(1, [("big", bytes(MAX_DOCUMENT_BYTES + 1))])


@pytest.mark.parametrize(
    "about",
    [{"retention_days": 1}, {"threads": 0}, {"attempts": 0}],
    ids=lambda about: next(iter(about)),
)
def test_a_setting_out_of_its_range_is_refused(about):
    with pytest.raises(ValueError, match="must be"):
        DynamoDBStore("table", None, **about)
