"""What passes through every online store: releases and ids, and how a store fails.

Belongs here: what every store refuses. Does not belong here: what a store does (`store.py`), and
what the documents say (`engagement_assets.serving`).
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Self

# DynamoDB's keys end at 2,048 bytes, of which the release's name takes some; both stores take the
# same ids, so that what is published to one can be published to the other.
MAX_ID_BYTES = 1_900
MAX_IDS = 100


class OnlineStoreError(RuntimeError):
    """The store cannot be read or written; the message says what and why."""


class StoreBusyError(OnlineStoreError):
    """Another publisher is at work; the message names it."""


class OlderReleaseError(OnlineStoreError):
    """A newer day is served already, which an older one may not replace."""


class LostLeaseError(OnlineStoreError):
    """Another publisher took over while this one was silent; nothing more is written."""


class ThrottledError(OnlineStoreError):
    """The store goes on refusing for want of capacity; later it may not."""


def age_days(day: date) -> int:
    """Days from a day to today, UTC."""
    return (datetime.now(UTC).date() - day).days


@dataclass(frozen=True)
class Release:
    """One day's documents.

    Attributes:
        name: `<snapshot date>-<digest of what it was made from>`: the same content has the same
            name, so publishing it twice is publishing it once.
        snapshot_date: Date of the features.
        details: JSON data about it, such as the model versions and the number of customers.
        published_at: When it became the one that is served (UTC); None before that.
    """

    name: str
    snapshot_date: date
    details: Mapping[str, Any] = field(default_factory=dict)
    published_at: datetime | None = None

    @classmethod
    def read(cls, name: str, day: str, details: str, published_at: str | None) -> Self:
        """Read a release as stores write it: a date, JSON and a time as texts."""
        at = datetime.fromisoformat(published_at) if published_at else None
        return cls(name, date.fromisoformat(day), json.loads(details), at)

    @property
    def age_days(self) -> int:
        """Days since the snapshot date, UTC."""
        return age_days(self.snapshot_date)


def checked_id(customer_id: str) -> str:
    """A customer id that every store can keep.

    Raises:
        OnlineStoreError: It is empty, too long, or no text that can be written as UTF-8.
    """
    try:
        size = len(customer_id.encode())
    except UnicodeEncodeError as error:
        raise OnlineStoreError(f"customer id {customer_id!r} is not valid Unicode") from error
    if not size:
        raise OnlineStoreError("a customer id is empty: there is nothing to find a document by")
    if size > MAX_ID_BYTES:
        raise OnlineStoreError(
            f"customer id {customer_id[:40]!r}... has {size:,} bytes; the online store takes ids "
            f"of up to {MAX_ID_BYTES:,}"
        )
    return customer_id


def checked_batch(documents: Iterable[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    """A batch of (customer id, document) that every store can keep.

    Raises:
        OnlineStoreError: An id cannot be kept, or stands there twice.
    """
    batch = [(checked_id(name), document) for name, document in documents]
    name, times = Counter(name for name, _ in batch).most_common(1)[0] if batch else ("", 0)
    if times > 1:
        raise OnlineStoreError(f"customer {name!r} stands twice in a batch")
    return batch


def findable(customer_ids: Sequence[str]) -> list[str]:
    """The ids, each once, that can have a document: one that no store takes has none.

    Raises:
        OnlineStoreError: More than `MAX_IDS` are asked for.
    """
    if len(customer_ids) > MAX_IDS:
        raise OnlineStoreError(
            f"{len(customer_ids)} customers were asked for at once; the most is {MAX_IDS}"
        )
    findable_ids = []
    for customer_id in dict.fromkeys(customer_ids):
        with suppress(OnlineStoreError):
            findable_ids.append(checked_id(customer_id))
    return findable_ids
