"""The lease of the only publisher at work, without trusting any machine's clock.

Whoever holds the lease moves its beat on, every few seconds and with every batch. A contender that
finds a lease watches it for `seconds` by its own monotonic clock: if the beat moves, the holder
lives and the contender gives way; if it stands still, the contender takes the lease with a
compare-and-swap on what it saw. No time of day is written or compared, so machines whose clocks
differ agree. Whoever lost the lease is kept out by its token, which every later write is
conditional on. Belongs here: taking, keeping and giving back. Does not belong here: where the lease
is written (each store's cell).
"""

import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from resources.online_store.releases import LostLeaseError, OnlineStoreError, StoreBusyError

logger = logging.getLogger(__name__)

LEASE_SECONDS = 15.0
# Within the seconds that a lease may stand still, the holder beats and a contender looks so often.
BEATS = 5
LOOKS = 10


@dataclass(frozen=True)
class Clocks:
    """The clocks of one process.

    Attributes:
        now: The time of day, for what people read and for expiry; never for the lease.
        monotonic: The clock that a silent publisher is watched by, seconds from any beginning.
        sleep: Waits for some seconds.
    """

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] = time.sleep


@dataclass(frozen=True)
class Lease:
    """What is written of a lease.

    Attributes:
        owner: Names the publisher to people, such as a run id.
        token: Random, new with each taking; every write of the holder is conditional on it.
        beat: Moves on while the holder lives.
    """

    owner: str
    token: str
    beat: int = 0


class LeaseCell(Protocol):
    """Where a store keeps the lease; each call is atomic there."""

    def read(self) -> Lease | None:
        """The lease, or None where nobody holds it."""

    def take(self, lease: Lease, *, instead_of: Lease | None) -> bool:
        """Write a lease if what is there still equals `instead_of`; whether it was."""

    def beat(self, token: str) -> bool:
        """Move the beat on if the token is still there; whether it was."""

    def give_back(self, token: str) -> None:
        """Remove the lease if the token is still there."""


class Held:
    """A lease that this process holds, kept alive by a thread.

    Attributes:
        lease: What was written when it was taken.
    """

    def __init__(self, cell: LeaseCell, lease: Lease, *, every: float) -> None:
        self.lease = lease
        self._cell = cell
        self._every = every
        self._lost = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="lease", daemon=True)
        self._thread.start()

    @property
    def token(self) -> str:
        """What writes are conditional on."""
        return self.lease.token

    def check(self) -> None:
        """Make sure, as far as is known here, that the lease is still held.

        Raises:
            LostLeaseError: The thread that keeps it found another one.
        """
        if self._lost.is_set():
            raise self.lost()

    def lost(self) -> LostLeaseError:
        """The error of one who lost it; no more is tried afterwards."""
        self._lost.set()
        holder = self._cell.read()
        by = f"{holder.owner} took over" if holder else "another publisher took over and has ended"
        return LostLeaseError(
            f"{self.lease.owner} lost the lease of the online store: {by} while it was silent. "
            "Nothing more is written; publish again if that other run does not"
        )

    def stop(self) -> None:
        """Stop keeping it alive and give it back."""
        self._ended.set()
        self._thread.join()
        try:
            self._cell.give_back(self.token)
        except OnlineStoreError as error:
            # what was published stands; the next publisher waits until the lease is seen as still
            logger.warning("the lease of the online store could not be given back: %s", error)

    def _keep(self) -> None:
        while not self._ended.wait(self._every):
            try:
                alive = self._cell.beat(self.token)
            except OnlineStoreError as error:
                # a beat that fails is not a lease that is lost: the next write finds that out
                logger.warning("the lease of the online store could not be renewed: %s", error)
                continue
            if not alive:
                self._lost.set()
                return


@contextmanager
def held(
    cell: LeaseCell, owner: str, *, seconds: float = LEASE_SECONDS, clocks: Clocks
) -> Iterator[Held]:
    """Hold the lease within a block; it is given back at the end, also of a block that failed.

    Raises:
        StoreBusyError: Another publisher lives.
    """
    lease = Lease(owner, uuid.uuid4().hex)
    _take(cell, lease, seconds=seconds, clocks=clocks)
    keeper = Held(cell, lease, every=seconds / BEATS)
    try:
        yield keeper
    finally:
        keeper.stop()


def _take(cell: LeaseCell, lease: Lease, *, seconds: float, clocks: Clocks) -> None:
    holder = cell.read()
    if holder is not None:
        logger.info(
            "%s holds the lease of the online store; watching for up to %.0f s whether it lives",
            holder.owner,
            seconds,
        )
        began = clocks.monotonic()
        while holder is not None and clocks.monotonic() - began < seconds:
            clocks.sleep(seconds / LOOKS)
            now = cell.read()
            if now is not None and now != holder:
                raise _busy(now)
            holder = now
    if not cell.take(lease, instead_of=holder):
        now = cell.read()
        # a taking whose answer was lost on the way is tried again, and then finds itself
        if now is None or now.token != lease.token:
            raise _busy(now)
    if holder is not None:
        logger.warning("took the lease of the online store over from %s, silent", holder.owner)


def _busy(lease: Lease | None) -> StoreBusyError:
    who = lease.owner if lease else "another publisher"
    return StoreBusyError(
        f"{who} is publishing to the online store; publish again once it has ended"
    )
