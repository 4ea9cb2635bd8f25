"""How much memory this process may still take.

Belongs here: reading it from the system. Does not belong here: what is done with it.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

_MACHINE = Path("/proc/meminfo")
_GROUP = Path("/sys/fs/cgroup")


def available_bytes() -> int | None:
    """Memory that can be taken without swapping, of the machine or its container; None unknown."""
    limits = []
    with suppress(OSError, StopIteration):
        lines = _MACHINE.read_text().splitlines()
        line = next(line for line in lines if line.startswith("MemAvailable:"))
        limits.append(int(line.split()[1]) * 1024)
    # a container without a limit says "max", which is no number
    with suppress(OSError, ValueError):
        most, used = (int((_GROUP / f"memory.{name}").read_text()) for name in ("max", "current"))
        limits.append(max(0, most - used))
    return min(limits, default=None)
