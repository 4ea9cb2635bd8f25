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
import logging
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta
from typing import Any

from resources.online_store.dynamodb_lease import LEASE, DynamoDBLeaseCell
from resources.online_store.dynamodb_requests import (
    ConditionError,
    Requests,
    number,
    text,
)
from resources.online_store.lease import Clocks, Held
from resources.online_store.releases import OnlineStoreError, Release, findable
from resources.online_store.store import OnlineStore, Publication, check_not_older

logger = logging.getLogger(__name__)

SERVED = "meta#served"
OTHER_KEYS = frozenset({"blob", "meta", "claim"})
RELEASE = ("release", "snapshot_date", "details", "published_at")
# DynamoDB takes items of up to 400 KB, their key and attribute names included.
PART_BYTES = 350_000
MAX_DOCUMENT_BYTES = 390_000
RETENTION_DAYS = 35
# An earlier try, or a release that was served before, is gone on with only while it is young: its
# first records expire that much before its last ones.
YOUNG = timedelta(days=2)


class DynamoDBStore(OnlineStore):
    """Documents by release and customer in one table.

    Args:
        table: Its name.
        client: A boto3 client of DynamoDB, or what makes one when it is first needed.
        retention_days: Days after which what was published is removed; more than publishing may
            ever stand still, since the release that is served is removed too.
        threads: Requests at once while publishing.
        attempts: How often a request that is throttled is tried.
        about: As of `OnlineStore`.
    """

    is_local = False

    def __init__(
        self,
        table: str,
        client: Any,
        *,
        retention_days: int = RETENTION_DAYS,
        threads: int = 8,
        attempts: int = 10,
        **about: Any,
    ) -> None:
        super().__init__(**about)
        if retention_days <= YOUNG.days:
            raise ValueError(f"retention_days must be over {YOUNG.days}, got {retention_days}")
        self.table = table
        self.retention = timedelta(days=retention_days)
        self.requests = Requests(
            table, client, threads=threads, attempts=attempts, sleep=self._clocks.sleep
        )

    def close(self) -> None:
        """Nothing: the client keeps its own connections."""

    def served(self) -> Release | None:
        """The release that is served, or None before the first."""
        item = self.requests.item(SERVED)
        return Release.read(*(item[name]["S"] for name in RELEASE)) if item else None

    def get(self, release: str, customer_ids: Sequence[str]) -> dict[str, bytes]:
        """Documents of customers (at most 100) by id; those who have none are left out."""
        keys = {f"{release}#{name}": name for name in findable(customer_ids)}
        items = self.requests.items(list(keys), consistent=False)
        missing = [key for key in keys if key not in items]
        if missing:
            # records never change, so a cheap read is right or has not seen the record yet
            items |= self.requests.items(missing, consistent=True)
        return {keys[key]: bytes(item["document"]["B"]) for key, item in items.items()}

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
        items: dict[str, Any] = {}
        for start in range(0, len(parts), 40):
            items |= self.requests.items(parts[start : start + 40], consistent=True)
        content = b"".join(bytes(items[part]["content"]["B"]) for part in parts if part in items)
        if hashlib.sha256(content).hexdigest() != head["digest"]["S"]:
            raise OnlineStoreError(
                f"{name} of release {release} in table {self.table} is not whole: part of it has "
                "expired or was overwritten; publish the day again"
            )
        return content

    def holders(self, customer_ids: Collection[str]) -> Counter[str]:
        """Count the documents of some customers; see `OnlineStore`."""
        return Counter(name for _, name in self._documents(customer_ids))

    def erase(self, customer_ids: Collection[str]) -> int:
        """Remove the documents of some customers, of releases too that have yet to expire."""
        keys = [key for key, _ in self._documents(customer_ids)]
        self.requests.delete_all(keys)
        return len(keys)

    def _documents(self, customer_ids: Collection[str]) -> Iterator[tuple[str, str]]:
        """Keys and customers of documents: the whole table is read, since keys begin with releases.

        What is said of the table itself has other beginnings (`OTHER_KEYS`).
        """
        for item in self.requests.scan("#key"):
            release, _, name = item["key"]["S"].partition("#")
            if release not in OTHER_KEYS and name in customer_ids:
                yield item["key"]["S"], name

    def _cell(self) -> DynamoDBLeaseCell:
        return DynamoDBLeaseCell(self.requests)

    def _done(self, name: str) -> int:
        item = self.requests.item(_release_key(name))
        return int(item["done"]["N"]) if item else 0

    def _begin(self, release: Release, keeper: Held, stack: ExitStack) -> Publication:
        del stack
        return _DynamoDBPublication(release, keeper, self._clocks, self)


class _DynamoDBPublication(Publication):
    def __init__(
        self, release: Release, keeper: Held, clocks: Clocks, store: DynamoDBStore
    ) -> None:
        super().__init__(release, keeper, clocks)
        self._store = store
        self._requests = store.requests
        self._expires = number((clocks.now() + store.retention).timestamp())
        self.done = self._begin()

    def _begin(self) -> int:
        now = self._clocks.now()
        key = _release_key(self.release.name)
        earlier = self._requests.item(key)
        if earlier is not None:
            age = abs(now.timestamp() - float(earlier["began_at"]["N"]))
            earlier = earlier if age < YOUNG.total_seconds() else None
        done = int(earlier["done"]["N"]) if earlier else 0
        item = {
            "key": text(key),
            "snapshot_date": text(self.release.snapshot_date.isoformat()),
            "details": text(self._details),
            "done": number(done),
            "began_at": earlier["began_at"] if earlier else number(now.timestamp()),
            "expires_at": earlier["expires_at"] if earlier else self._expires,
        }
        self._fenced({"Put": {"Item": item}})
        return done

    def _put(self, batch: int, documents: Sequence[tuple[str, bytes]]) -> None:
        self._keeper.check()
        self._requests.put_all(
            {
                "key": text(f"{self.release.name}#{name}"),
                "document": {"B": _small(name, document)},
                "expires_at": self._expires,
            }
            for name, document in documents
        )
        self._fenced(
            {
                "Update": {
                    "Key": {"key": text(_release_key(self.release.name))},
                    "UpdateExpression": "SET done = :done",
                    "ExpressionAttributeValues": {":done": number(batch + 1)},
                }
            }
        )

    def put_blob(self, name: str, content: bytes) -> None:
        """Put something that belongs to the release as a whole, in parts and then their number."""
        self._keeper.check()
        key = _blob_key(self.release.name, name)
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

    def _serve(self, at: datetime) -> None:
        before = self._requests.item(SERVED)
        day = self.release.snapshot_date.isoformat()
        item = {
            "key": text(SERVED),
            "release": text(self.release.name),
            "snapshot_date": text(day),
            "details": text(self._details),
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
        except ConditionError:
            served = self._store.served()
            if served is not None:
                check_not_older(self.release, served)
            raise
        self._let_go(before)

    def _let_go(self, before: dict[str, Any] | None) -> None:
        """Forget the release before the last one, so that no try goes on with it."""
        gone = before.get("previous") if before else None
        if gone is None or gone["S"] == self.release.name:
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
