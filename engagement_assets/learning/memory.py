"""How much memory there is for this process, and how much it may still take.

Belongs here: reading it from the system. Does not belong here: what is done with it.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

_MACHINE = Path("/proc/meminfo")
_GROUP = Path("/sys/fs/cgroup")


def total_bytes() -> int:
    """Memory of the machine, or of its container where that has less."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with suppress(OSError, ValueError):
        memory = min(memory, _limit("max"))
    return memory


def available_bytes() -> int | None:
    """Memory that can be taken without swapping, of the machine or its container; None unknown."""
    limits = []
    with suppress(OSError, StopIteration):
        lines = _MACHINE.read_text().splitlines()
        line = next(line for line in lines if line.startswith("MemAvailable:"))
        limits.append(int(line.split()[1]) * 1024)
    with suppress(OSError, ValueError):
        limits.append(max(0, _limit("max") - _limit("current")))
    return min(limits, default=None)


def _limit(name: str) -> int:
    """A figure of this container; a `ValueError` where it is "max", which is no number."""
    return int((_GROUP / f"memory.{name}").read_text())
