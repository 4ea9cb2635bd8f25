"""The online store in one DynamoDB table: for production, whatever the number of servers.

The table's only key is the text attribute `key`:

    <release>#<customer id>     document (B), expires_at (N)
    blob#<release>#<name>#<n>   content (B), expires_at (N): up to 350 KB of a blob
    blob#<release>#<name>       parts (N), digest (S), expires_at (N); written last
    meta#release#<release>      snapshot_date, details, done, began_at, expires_at
    meta#served                 the pointer: release, snapshot_date, details, published_at, previous
    meta#lease                  owner, token, beat

What expires is removed by DynamoDB at no cost (TTL on `expires_at`); deleting a release would cost
as much as writing it. Belongs here: publishing and reading. Does not belong here: requests,
their errors (`dynamodb_requests.py`) and the lease (`lease.py`, `dynamodb_lease.py`).
"""

import hashlib
import json
import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from typing import Any

from resources.online_store.dynamodb_lease import LEASE, DynamoDBLeaseCell
from resources.online_store.dynamodb_requests import (
    ConditionError,
    Requests,
    number,
    text,
)
from resources.online_store.lease import LEASE_SECONDS, Clocks, Held, held
from resources.online_store.protocol import (
    AlreadyServed,
    OnlineStoreError,
    Publication,
    Release,
    checked_batch,
    findable,
    later,
    older,
)

logger = logging.getLogger(__name__)

SERVED = "meta#served"
# DynamoDB takes items of up to 400 KB, their key and attribute names included.
PART_BYTES = 350_000
MAX_DOCUMENT_BYTES = 390_000
RETENTION_DAYS = 35
# An earlier try, or a release that was served before, is gone on with only while it is young: its
# first records expire that much before its last ones.
YOUNG = timedelta(days=2)


class DynamoDBStore:
    """Documents by release and customer in one table.

    Args:
        table: Its name.
        client: A boto3 client of DynamoDB, or what makes one when it is first needed.
        retention_days: Days after which what was published is removed; more than publishing may
            ever stand still, since the release that is served is removed too.
        threads: Requests at once while publishing.
        lease_seconds: How long a publisher must be silent before another takes over.
        attempts: How often a request that is throttled is tried.
        clocks: Those of this process.
    """

    def __init__(
        self,
        table: str,
        client: Any,
        *,
        retention_days: int = RETENTION_DAYS,
        threads: int = 8,
        lease_seconds: float = LEASE_SECONDS,
        attempts: int = 10,
        clocks: Clocks = Clocks(),  # noqa: B008 - frozen, and never changed
    ) -> None:
        if retention_days <= YOUNG.days:
            raise ValueError(f"retention_days must be over {YOUNG.days}, got {retention_days}")
        self.table = table
        self.retention = timedelta(days=retention_days)
        self.clocks = clocks
        self.requests = Requests(
            table, client, threads=threads, attempts=attempts, sleep=clocks.sleep
        )
        self._seconds = lease_seconds

    @property
    def is_local(self) -> bool:
        """A read takes milliseconds."""
        return False

    def close(self) -> None:
        """Nothing: the client keeps its own connections."""

    def served(self) -> Release | None:
        """The release that is served, or None before the first."""
        item = self.requests.item(SERVED)
        return _release(item) if item else None

    def get(self, release: str, customer_ids: Sequence[str]) -> dict[str, bytes]:
        """Documents of customers (at most 100) by id; those who have none are left out."""
        keys = {f"{release}#{name}": name for name in findable(customer_ids)}
        found = self.requests.items(list(keys), consistent=False)
        missing = [key for key in keys if key not in found]
        if missing:
            # records never change, so a cheap read is right or has not seen the record yet
            found |= self.requests.items(missing, consistent=True)
        return {keys[key]: bytes(item["document"]["B"]) for key, item in found.items()}

    def blob(self, release: str, name: str) -> bytes | None:
        """What `put_blob` put, or None.

        Raises:
            OnlineStoreError: Parts of it are missing or not those that were put.
        """
        key = _blob_key(release, name)
        head = self.requests.item(key)
        if head is None:
            return None
        parts = [f"{key}#{n}" for n in range(int(head["parts"]["N"]))]
        # few at a time: one answer holds 16 MB at most
        found: dict[str, Any] = {}
        for start in range(0, len(parts), 40):
            found |= self.requests.items(parts[start : start + 40], consistent=True)
        content = b"".join(bytes(found[part]["content"]["B"]) for part in parts if part in found)
        if hashlib.sha256(content).hexdigest() != head["digest"]["S"]:
            raise OnlineStoreError(
                f"{name} of release {release} in table {self.table} is not whole: part of it has "
                "expired or was overwritten; publish the day again"
            )
        return content

    @contextmanager
    def publishing(self, release: Release, *, owner: str) -> Iterator[Publication]:
        """Fill a release, going on where an earlier try of the same name stopped.

        Raises:
            StoreBusyError: Another publisher is at work.
            OlderReleaseError: A newer day is served.
            OnlineStoreError: The table cannot be written; the message says why.
        """
        done_already = self._already(release)
        if done_already is not None:
            yield done_already
            return
        cell = DynamoDBLeaseCell(self.requests)
        with held(cell, owner, seconds=self._seconds, clocks=self.clocks) as keeper:
            # once more: whoever had the lease before may have served it meanwhile
            done_already = self._already(release)
            if done_already is not None:
                yield done_already
                return
            yield _DynamoDBPublication(self, release, keeper)

    def _already(self, release: Release) -> AlreadyServed | None:
        served = self.served()
        if served is None:
            return None
        if served.name == release.name:
            item = self.requests.item(_release_key(release.name))
            return AlreadyServed(served, int(item["done"]["N"]) if item else 0)
        if served.snapshot_date > release.snapshot_date:
            raise older(release, served)
        return None


class _DynamoDBPublication:
    """A release that is being filled; see `Publication`."""

    is_served = False

    def __init__(self, store: DynamoDBStore, release: Release, keeper: Held) -> None:
        self._store = store
        self._requests = store.requests
        self._release = release
        self._keeper = keeper
        self._expires = number((store.clocks.now() + store.retention).timestamp())
        self._done = self._begin()

    @property
    def done(self) -> int:
        """Batches, from the first on, that are put."""
        return self._done

    def _begin(self) -> int:
        now = self._store.clocks.now()
        key = _release_key(self._release.name)
        found = self._requests.item(key)
        if found is not None:
            age = abs(now.timestamp() - float(found["began_at"]["N"]))
            found = found if age < YOUNG.total_seconds() else None
        done = int(found["done"]["N"]) if found else 0
        item = {
            "key": text(key),
            "snapshot_date": text(self._release.snapshot_date.isoformat()),
            "details": text(json.dumps(dict(self._release.details), sort_keys=True)),
            "done": number(done),
            "began_at": found["began_at"] if found else number(now.timestamp()),
            "expires_at": found["expires_at"] if found else self._expires,
        }
        self._fenced({"Put": {"Item": item}})
        return done

    def put(self, batch: int, documents: Iterable[tuple[str, bytes]]) -> None:
        """Put a batch of (customer id, document); the release says so once all are there."""
        if batch > self._done:
            raise later(self._done, batch)
        if batch < self._done:
            return
        self._keeper.check()
        self._requests.put_all(
            {
                "key": text(f"{self._release.name}#{name}"),
                "document": {"B": _small(name, document)},
                "expires_at": self._expires,
            }
            for name, document in checked_batch(documents)
        )
        self._fenced(
            {
                "Update": {
                    "Key": {"key": text(_release_key(self._release.name))},
                    "UpdateExpression": "SET done = :done",
                    "ExpressionAttributeValues": {":done": number(batch + 1)},
                }
            }
        )
        self._done = batch + 1

    def put_blob(self, name: str, content: bytes) -> None:
        """Put something that belongs to the release as a whole, in parts and then their number."""
        self._keeper.check()
        key = _blob_key(self._release.name, name)
        starts = range(0, len(content), PART_BYTES)
        self._requests.put_all(
            {
                "key": text(f"{key}#{n}"),
                "content": {"B": content[start : start + PART_BYTES]},
                "expires_at": self._expires,
            }
            for n, start in enumerate(starts)
        )
        item = {
            "key": text(key),
            "parts": number(len(starts)),
            "digest": text(hashlib.sha256(content).hexdigest()),
            "expires_at": self._expires,
        }
        self._fenced({"Put": {"Item": item}})

    def serve(self) -> Release:
        """Move the pointer; what is older than the release before is no longer known."""
        at = self._store.clocks.now()
        before = self._requests.item(SERVED)
        day = self._release.snapshot_date.isoformat()
        item = {
            "key": text(SERVED),
            "release": text(self._release.name),
            "snapshot_date": text(day),
            "details": text(json.dumps(dict(self._release.details), sort_keys=True)),
            "published_at": text(at.isoformat()),
            **({"previous": before["release"]} if before else {}),
        }
        pointer = {
            "Put": {
                "Item": item,
                "ConditionExpression": "attribute_not_exists(#key) OR snapshot_date <= :day",
                "ExpressionAttributeNames": {"#key": "key"},
                "ExpressionAttributeValues": {":day": text(day)},
            }
        }
        try:
            self._fenced(pointer)
        except ConditionError as error:
            served = self._store.served()
            if served is None:
                raise
            raise older(self._release, served) from error
        self._let_go(before)
        return Release(
            self._release.name, self._release.snapshot_date, dict(self._release.details), at
        )

    def _let_go(self, before: dict[str, Any] | None) -> None:
        """Forget the release before the last one, so that no try goes on with it."""
        gone = before.get("previous") if before else None
        if gone is None or gone["S"] == self._release.name:
            return
        try:
            self._requests.delete(_release_key(gone["S"]))
        except OnlineStoreError as error:
            # the new release is served; the item expires with its records
            logger.warning("the release %s could not be let go of: %s", gone["S"], error)

    def _fenced(self, action: dict[str, Any]) -> None:
        """Write one item if the lease is still held, and not otherwise.

        Raises:
            LostLeaseError: Another publisher took over.
            ConditionError: The action's own condition does not hold.
        """
        self._keeper.check()
        held_still = {
            "ConditionCheck": {
                "Key": {"key": text(LEASE)},
                "ConditionExpression": "#token = :token",
                "ExpressionAttributeNames": {"#token": "token"},
                "ExpressionAttributeValues": {":token": text(self._keeper.token)},
            }
        }
        try:
            self._requests.transact([held_still, action])
        except ConditionError as error:
            if error.place == 0:
                raise self._keeper.lost() from error
            raise


def _release(item: dict[str, Any]) -> Release:
    return Release(
        item["release"]["S"],
        date.fromisoformat(item["snapshot_date"]["S"]),
        json.loads(item["details"]["S"]),
        datetime.fromisoformat(item["published_at"]["S"]),
    )


def _release_key(name: str) -> str:
    return f"meta#release#{name}"


def _blob_key(release: str, name: str) -> str:
    return f"blob#{release}#{name}"


def _small(name: str, document: bytes) -> bytes:
    if len(document) > MAX_DOCUMENT_BYTES:
        raise OnlineStoreError(
            f"the document of customer {name!r} has {len(document):,} bytes; DynamoDB takes items "
            f"of up to {MAX_DOCUMENT_BYTES:,}"
        )
    return document
