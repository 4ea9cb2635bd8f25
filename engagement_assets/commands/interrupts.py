"""Interrupts that are not lost.

Belongs here: how a Ctrl-C reaches the work. Does not belong here: what becomes of the work.
"""

from __future__ import annotations

import os
import select
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

AGAIN_SECONDS = 1.0
_END = b"\0"


@contextmanager
def repeated_interrupts() -> Iterator[None]:
    """Send an interrupt again each second until the block ends by it; of the main thread only.

    While a job runs, Dagster notes an interrupt that comes outside a step's own code, and forgets
    it where contexts of its own end before the next step begins: the run would go on.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    before = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    thread = threading.Thread(target=_repeat, args=(reader,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        os.write(writer, _END)
        thread.join()
        os.close(writer)
        os.close(reader)


def _repeat(reader: int) -> None:
    came = False
    while True:
        ready, _, _ = select.select([reader], [], [], AGAIN_SECONDS if came else None)
        if not ready:
            os.kill(os.getpid(), signal.SIGINT)
            continue
        numbers = os.read(reader, 512)
        if _END in numbers:
            return
        came = came or signal.SIGINT in numbers
