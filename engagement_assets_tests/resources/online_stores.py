"""Online stores to test with, and what is put into them.

Belongs here: making stores, documents and publications. Does not belong here: what is expected.
"""

import contextlib
import itertools
import logging
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from resources.online_store.dynamodb import DynamoDBStore
from resources.online_store.lease import Clocks
from resources.online_store.releases import Release
from resources.online_store.sqlite import SqliteStore
from resources.online_store.store import OnlineStore, Publication

DAY = date(2026, 2, 3)
YESTERDAY = DAY - timedelta(days=1)
# Long enough for a thread that is kept waiting on busy cores to be seen alive; who lives is seen
# within a fifth of it, and who is silent is waited for by a clock that runs ahead (`hasty`).
LEASE_SECONDS = 5.0
CREDENTIALS = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}


class Abandoned(Exception):  # noqa: N818 - nothing went wrong: the publisher goes away
    """A publisher that stops in the middle."""


def dynamodb_client(endpoint: str, region: str = "eu-west-1") -> Any:
    """A client of a local server."""
    config = Config(retries={"max_attempts": 1}, connect_timeout=5, read_timeout=20)
    return boto3.client(
        "dynamodb", endpoint_url=endpoint, region_name=region, config=config, **CREDENTIALS
    )


def make_table(client: Any) -> str:
    """A new table of the layout that `DynamoDBStore` takes."""
    name = f"online-{uuid.uuid4().hex}"
    client.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "key", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "key", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return name


def quick(seconds: float) -> None:
    """Waits for nothing: backoff is tested by its count."""


@dataclass
class Stores:
    """Stores over the same records, as of several machines."""

    kind: str
    open: Callable[..., OnlineStore]
    made: list[Any] = field(default_factory=list)

    def another(self, **about: Any) -> Any:
        """A store as another machine opens it."""
        store = self.open(**{"lease_seconds": LEASE_SECONDS, **about})
        self.made.append(store)
        return store


@contextlib.contextmanager
def sqlite_stores(folder: Path) -> Iterator[Stores]:
    """Stores over one new file."""
    stores = Stores("sqlite", lambda **about: SqliteStore(folder / "online.sqlite", **about))
    try:
        yield stores
    finally:
        for store in stores.made:
            store.close()


@contextlib.contextmanager
def dynamodb_stores(endpoint: str) -> Iterator[Stores]:
    """Stores over one new table."""
    table = make_table(dynamodb_client(endpoint))
    yield Stores(
        "dynamodb",
        lambda **about: DynamoDBStore(
            table, dynamodb_client(endpoint), **{"threads": 2, "attempts": 6, **about}
        ),
    )


@contextlib.contextmanager
def dynamodb_server() -> Iterator[str]:
    """A local server that speaks DynamoDB's protocol; gives its address."""
    from moto.server import ThreadedMotoServer  # noqa: PLC0415 - loads in seconds

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def release(day: date = DAY, content: str = "a", **details: Any) -> Release:
    """A release of a day, named by its content."""
    return Release(f"{day}-{content}", day, {"content": content, **details})


def documents(batch: int, content: str = "a", size: int = 4) -> list[tuple[str, bytes]]:
    """A batch; each document says which content it is of."""
    return [(f"c{batch:03d}-{n}", f"{content}/{batch}/{n}".encode()) for n in range(size)]


def fill(
    publication: Publication, content: str = "a", *, batches: int = 3, stop_after: int | None = None
) -> None:
    """Put all batches from `done` on, or go away after some."""
    for batch in range(publication.done, batches):
        if stop_after is not None and batch >= stop_after:
            raise Abandoned
        publication.put(batch, documents(batch, content))


def publish(
    store: OnlineStore, about: Release, *, batches: int = 3, owner: str = "someone"
) -> Release:
    """Publish a whole release."""
    with store.publishing(about, owner=owner) as publication:
        fill(publication, about.details["content"], batches=batches)
        publication.put_blob("name", about.name.encode())
        return publication.serve()


def abandon(store: OnlineStore, about: Release, *, after: int, batches: int = 3) -> None:
    """Begin to publish and fail after some batches."""
    with (
        contextlib.suppress(Abandoned),
        store.publishing(about, owner="one who fails") as publication,
    ):
        fill(publication, about.details["content"], batches=batches, stop_after=after)


def ids(batches: int = 3) -> list[str]:
    """All customers of a release."""
    return [name for batch in range(batches) for name, _ in documents(batch)]


def contents(store: OnlineStore, about: Release, batches: int = 3) -> set[str]:
    """The contents of what is found of a release."""
    actual = store.get(about.name, ids(batches))
    return {document.decode().split("/")[0] for document in actual.values()}


def clocks_off_by(**apart: float) -> Clocks:
    """The clocks of a machine whose time of day is wrong."""
    return Clocks(now=lambda: datetime.now(UTC) + timedelta(**apart))


def hasty(**apart: float) -> Clocks:
    """Clocks for which an hour goes by at each look, so that a silent lease is soon taken."""
    hours = itertools.count()
    return Clocks(
        now=lambda: datetime.now(UTC) + timedelta(**apart),
        monotonic=lambda: 3_600.0 * next(hours),
        sleep=quick,
    )
