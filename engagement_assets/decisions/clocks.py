"""What customers' clocks show.

Belongs here: time zones and local times. Does not belong here: at which of them contact is allowed
(`contact.hours`).
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pandas as pd
from numpy.typing import NDArray


@lru_cache(maxsize=1024)
def zone_of(name: str | None) -> ZoneInfo | None:
    """Return a time zone by its IANA name, None for a name that is none."""
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def local_times(instants: NDArray[np.datetime64], zones: Iterable[str | None]) -> pd.Series:
    """Return what each zone's clock shows at each of n instants of UTC, NaT where unknown."""
    moments = pd.DatetimeIndex(np.asarray(instants)).tz_localize("UTC")
    names = pd.Series(list(zones), dtype=object)
    local = pd.Series(pd.NaT, index=names.index, dtype="datetime64[ns]")
    for name, rows in names.groupby(names).indices.items():
        zone = zone_of(str(name))
        if zone is not None:
            local.iloc[rows] = moments[rows].tz_convert(zone).tz_localize(None).to_numpy()
    return local
