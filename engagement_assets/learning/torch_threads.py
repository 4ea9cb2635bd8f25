"""How many threads torch uses, for a while.

Belongs here: changing and putting back. Does not belong here: how many an estimator wants.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

_LOCK = threading.RLock()


@contextmanager
def torch_threads(threads: int | None) -> Iterator[None]:
    """Let torch use so many threads; as many as before when None.

    The number is the process's, so one caller at a time may change it.
    """
    if threads is None:
        yield
        return
    with _LOCK:
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            yield
        finally:
            torch.set_num_threads(before)
