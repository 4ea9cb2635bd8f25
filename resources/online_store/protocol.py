"""What every online store can do, and what passes through it.

A day's documents are a release. A publisher fills a release beside the one that is served and then
moves the pointer to it, so a reader sees all of one release or all of another; a release that was
not finished is never read. Belongs here: the interface, and what every store refuses. Does
not belong here: any store, and what the documents say (`engagement_assets.serving`).
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Protocol

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

    @property
    def age_days(self) -> int:
        """Days since the snapshot date, UTC."""
        return age_days(self.snapshot_date)


class Publication(Protocol):
    """A release that is being filled, by the only publisher at work."""

    @property
    def is_served(self) -> bool:
        """Whether this very release is served already; then nothing that is put is written."""

    @property
    def done(self) -> int:
        """Batches, from the first on, that an earlier try has put already."""

    def put(self, batch: int, documents: Iterable[tuple[str, bytes]]) -> None:
        """Put a batch of (customer id, document); whole or not counted as done.

        Batches are put in order; one that is done already is passed over.

        Raises:
            LostLeaseError: Another publisher took over.
            OnlineStoreError: An id is empty or too long, or the store refuses.
        """

    def put_blob(self, name: str, content: bytes) -> None:
        """Put something that belongs to the release as a whole, of any size."""

    def serve(self) -> Release:
        """Make this the release that is served, and let go of those before the last one.

        Raises:
            LostLeaseError: Another publisher took over.
            OlderReleaseError: A newer day is served by now.
        """


class OnlineStore(Protocol):
    """Documents by release and customer."""

    @property
    def is_local(self) -> bool:
        """Whether a read takes microseconds, so that it need not leave the event loop."""

    def served(self) -> Release | None:
        """The release that is served, or None before the first."""

    def get(self, release: str, customer_ids: Sequence[str]) -> dict[str, bytes]:
        """Documents of customers (at most 100) by id; those who have none are left out."""

    def blob(self, release: str, name: str) -> bytes | None:
        """What `put_blob` put, or None."""

    def publishing(self, release: Release, *, owner: str) -> AbstractContextManager[Publication]:
        """Fill a release, going on where an earlier try of the same name stopped.

        Args:
            release: What is to be published; `published_at` is set by `serve`.
            owner: Names this publisher in errors, such as a run id.

        Raises:
            StoreBusyError: Another publisher is at work.
            OlderReleaseError: A newer day is served.
        """


@dataclass(frozen=True)
class AlreadyServed:
    """The publication of a release that is served already: nothing is left to do.

    Attributes:
        release: That release.
        done: Batches that were put.
    """

    release: Release
    done: int
    is_served: bool = True

    def put(self, batch: int, documents: Iterable[tuple[str, bytes]]) -> None:
        """Nothing: the same documents are served."""

    def put_blob(self, name: str, content: bytes) -> None:
        """Nothing: the same content is served."""

    def serve(self) -> Release:
        """The release, as it is served."""
        return self.release


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
    found = [(checked_id(name), document) for name, document in documents]
    if len({name for name, _ in found}) != len(found):
        names = [name for name, _ in found]
        twice = next(name for name in names if names.count(name) > 1)
        raise OnlineStoreError(f"customer {twice!r} stands twice in a batch")
    return found


def findable(customer_ids: Sequence[str]) -> list[str]:
    """The ids, each once, that can have a document: one that no store takes has none.

    Raises:
        OnlineStoreError: More than `MAX_IDS` are asked for.
    """
    if len(customer_ids) > MAX_IDS:
        raise OnlineStoreError(
            f"{len(customer_ids)} customers were asked for at once; the most is {MAX_IDS}"
        )
    found = []
    for customer_id in dict.fromkeys(customer_ids):
        try:
            found.append(checked_id(customer_id))
        except OnlineStoreError:
            continue
    return found


def older(release: Release, served: Release) -> OlderReleaseError:
    """The error of publishing an older day."""
    return OlderReleaseError(
        f"{served.snapshot_date} is served, and {release.snapshot_date} is older: it is not "
        "published over it"
    )


def later(done: int, batch: int) -> OnlineStoreError:
    """The error of a batch that leaves a gap."""
    return OnlineStoreError(
        f"batch {batch} was put after {done} batches: batches are put in order, without gaps"
    )
