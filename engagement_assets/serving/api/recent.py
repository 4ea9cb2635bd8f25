"""A value that is read again after a while, for all who ask.

Belongs here: when it is read. Does not belong here: what is read.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Value = TypeVar("Value")


@dataclass
class Recent(Generic[Value]):
    """A value that was read at most twice `seconds` ago.

    Who asks gets an older one than `seconds` at once, while it is read again beside them; who asks
    after a longer silence, or first, waits for the reading.

    Attributes:
        read: Reads it.
        seconds: Age at which it is read again.
    """

    read: Callable[[], Value]
    seconds: float
    _values: list[Value] = field(default_factory=list)
    _read_at: float = float("-inf")
    _reading: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self) -> Value:
        """Return it."""
        age = time.monotonic() - self._read_at
        if age >= 2 * self.seconds:
            with self._reading:
                # another who waited may have read it
                if time.monotonic() - self._read_at >= 2 * self.seconds:
                    self._read_now()
        elif age >= self.seconds and self._reading.acquire(blocking=False):
            threading.Thread(target=self._read_beside, daemon=True).start()
        return self._values[-1]

    def _read_beside(self) -> None:
        try:
            self._read_now()
        finally:
            self._reading.release()

    def _read_now(self) -> None:
        began = time.monotonic()
        self._values = [self.read()]
        self._read_at = began
