"""When a day of a customer's own clock allows contact, as instants of UTC.

Belongs here: time zones, daylight saving and the quiet hours. Does not belong here: other limits
(`gate.py`).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engagement_assets.decisions.clocks import local_times, zone_of
from engagement_assets.decisions.contact.limits import ContactLimits


def open_hours(zones: Iterable[str | None], day: date, limits: ContactLimits) -> pd.DataFrame:
    """Return when contact is allowed on a day of each zone's clock.

    Args:
        zones: n IANA names; None or a name that is no zone allows nothing.
        day: The day of the customers' clocks.
        limits: Their quiet hours.

    Returns:
        n rows of `opens` and `closes`, UTC without zone, NaT where the day allows nothing: the
        zone is unknown, or its clock has no such day, as Samoa's had no 30 December 2011.
    """
    names = pd.Series(list(zones), dtype=object)
    known = {name: _open(name, day, limits) for name in names.dropna().unique()}
    pairs = [known.get(name, (None, None)) for name in names]
    return pd.DataFrame(
        {
            "opens": pd.to_datetime(pd.Series([pair[0] for pair in pairs], dtype="datetime64[us]")),
            "closes": pd.to_datetime(
                pd.Series([pair[1] for pair in pairs], dtype="datetime64[us]")
            ),
        }
    )


def _open(name: str, day: date, limits: ContactLimits) -> tuple[datetime | None, datetime | None]:
    zone = zone_of(name)
    if zone is None:
        return None, None
    opens, closes = (
        datetime.combine(day, time(hour), zone).astimezone(UTC)
        for hour in (limits.quiet_to, limits.quiet_from)
    )
    if opens.astimezone(zone).date() != day or closes <= opens:
        return None, None
    return opens.replace(tzinfo=None), closes.replace(tzinfo=None)


def is_open(
    instants: NDArray[np.datetime64], zones: Iterable[str | None], limits: ContactLimits
) -> NDArray[np.bool_]:
    """Return whether each of n instants of UTC lies outside the quiet hours of its zone's clock."""
    hour = local_times(instants, zones).dt.hour
    # of an unknown zone there is no hour, which no comparison holds of
    allowed: NDArray[np.bool_] = hour.between(limits.quiet_to, limits.quiet_from - 1).to_numpy()
    return allowed


def local_days(
    instants: NDArray[np.datetime64], zones: Iterable[str | None]
) -> NDArray[np.datetime64]:
    """Return the day of each clock at each of n instants of UTC; that of UTC where unknown."""
    local = local_times(instants, zones).fillna(pd.Series(instants))
    days: NDArray[np.datetime64] = local.to_numpy().astype("datetime64[D]")
    return days
