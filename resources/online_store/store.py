"""What every online store does alike, and what each does its own way.

A day's documents are a release. A publisher fills a release beside the one that is served and then
moves the pointer to it, so a reader sees all of one release or all of another; a release that was
not finished is never read. Belongs here: publishing, whatever the store. Does not belong here: any
store, and what the documents say (`engagement_assets.serving`).
"""

import json
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime

from resources.online_store.lease import LEASE_SECONDS, Clocks, Held, LeaseCell, held
from resources.online_store.releases import (
    OlderReleaseError,
    OnlineStoreError,
    Release,
    checked_batch,
)


class Publication(ABC):
    """A release that is being filled, by the only publisher at work.

    Attributes:
        is_served: Whether this very release is served already; then nothing that is put is written.
        release: The release.
        done: Batches, from the first on, that are put, by an earlier try too.
    """

    is_served = False

    def __init__(self, release: Release, keeper: Held, clocks: Clocks) -> None:
        self.release = release
        self.done = 0
        self._keeper = keeper
        self._clocks = clocks

    @property
    def _details(self) -> str:
        """The release's details, as a store writes them."""
        return json.dumps(dict(self.release.details), sort_keys=True)

    def put(self, batch: int, documents: Iterable[tuple[str, bytes]]) -> None:
        """Put a batch of (customer id, document); whole or not counted as done.

        Batches are put in order; one that is done already is passed over.

        Raises:
            LostLeaseError: Another publisher took over.
            OnlineStoreError: An id is empty or too long, or the store refuses.
        """
        if batch > self.done:
            raise OnlineStoreError(
                f"batch {batch} was put after {self.done} batches: batches are put in order, "
                "without gaps"
            )
        if batch == self.done:
            self._put(batch, checked_batch(documents))
            self.done = batch + 1

    def serve(self) -> Release:
        """Make this the release that is served, and let go of those before the last one.

        Raises:
            LostLeaseError: Another publisher took over.
            OlderReleaseError: A newer day is served by now.
        """
        at = self._clocks.now()
        self._serve(at)
        return replace(self.release, published_at=at)

    @abstractmethod
    def put_blob(self, name: str, content: bytes) -> None:
        """Put something that belongs to the release as a whole, of any size."""

    @abstractmethod
    def _put(self, batch: int, documents: Sequence[tuple[str, bytes]]) -> None:
        """Write the next batch, and that it is done."""

    @abstractmethod
    def _serve(self, at: datetime) -> None:
        """Move the pointer; see `serve`."""


@dataclass(frozen=True)
class AlreadyServed:
    """The publication of a release that is served already: nothing is left to do."""

    release: Release
    done: int
    is_served: bool = True

    def put(self, batch: int, documents: Iterable[tuple[str, bytes]]) -> None:
        """Nothing: the same documents are served."""

    def put_blob(self, name: str, content: bytes) -> None:
        """Nothing: the same content is served."""

    def serve(self) -> Release:
        """Return the release, as it is served."""
        return self.release


Filling = Publication | AlreadyServed


class OnlineStore(ABC):
    """Documents by release and customer.

    Args:
        lease_seconds: How long a publisher must be silent before another takes over.
        clocks: Those of this process.

    Attributes:
        is_local: Whether a read takes microseconds, so that it need not leave the event loop.
    """

    is_local: bool

    def __init__(
        self,
        *,
        lease_seconds: float = LEASE_SECONDS,
        clocks: Clocks = Clocks(),  # noqa: B008 - frozen, and never changed
    ) -> None:
        self._lease_seconds = lease_seconds
        self._clocks = clocks

    @abstractmethod
    def served(self) -> Release | None:
        """Return the release that is served, or None before the first."""

    @abstractmethod
    def get(self, release: str, customer_ids: Sequence[str]) -> dict[str, bytes]:
        """Return documents of customers (at most 100) by id; those who have none are left out."""

    @abstractmethod
    def blob(self, release: str, name: str) -> bytes | None:
        """Return what `put_blob` put, or None."""

    @abstractmethod
    def holders(self, customer_ids: Collection[str]) -> Counter[str]:
        """Count the documents of some customers in every release that is still there, by id.

        Raises:
            OnlineStoreError: The store cannot be read.
        """

    @abstractmethod
    def erase(self, customer_ids: Collection[str]) -> int:
        """Remove the documents of some customers from every release; readers go on meanwhile.

        No publisher may be at work: it could put a document again. The release stays served.

        Returns:
            How many documents went.

        Raises:
            OnlineStoreError: The store cannot be written.
        """

    @contextmanager
    def publishing(self, release: Release, *, owner: str) -> Iterator[Filling]:
        """Fill a release, going on where an earlier try of the same name stopped.

        Args:
            release: What is to be published; `published_at` is set by `serve`.
            owner: Names this publisher in errors, such as a run id.

        Raises:
            StoreBusyError: Another publisher is at work.
            OlderReleaseError: A newer day is served.
            OnlineStoreError: The store cannot be written; the message says why.
        """
        cell = self._cell()
        publication: Filling | None
        with ExitStack() as stack:
            publication = self._already(release)
            if publication is None:
                keeper = stack.enter_context(
                    held(cell, owner, seconds=self._lease_seconds, clocks=self._clocks)
                )
                # once more: whoever had the lease before may have served it meanwhile
                publication = self._already(release) or self._begin(release, keeper, stack)
            yield publication

    def _already(self, release: Release) -> AlreadyServed | None:
        served = self.served()
        if served is None:
            return None
        if served.name == release.name:
            return AlreadyServed(served, self._done(served.name))
        check_not_older(release, served)
        return None

    @abstractmethod
    def _cell(self) -> LeaseCell:
        """Where the lease is written, made if it is not there."""

    @abstractmethod
    def _done(self, name: str) -> int:
        """Batches of a release that were put."""

    @abstractmethod
    def _begin(self, release: Release, keeper: Held, stack: ExitStack) -> Publication:
        """Begin to fill a release; what must be closed afterwards goes onto the stack."""


def check_not_older(release: Release, served: Release) -> None:
    """Check that a release may be published over the one that is served.

    Raises:
        OlderReleaseError: Its day is older.
    """
    if release.snapshot_date < served.snapshot_date:
        raise OlderReleaseError(
            f"{served.snapshot_date} is served, and {release.snapshot_date} is older: it is not "
            "published over it"
        )
