"""A table of (series, time, value) as a grid without gaps.

Belongs here: refusing what is no such table, filling what lacks. Does not belong here: learning.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.tseries.frequencies import to_offset
from upath import UPath

Floats = NDArray[np.float64]
Folder = Path | UPath
# A series of which more than this share lacks is refused: what is filled would be what is learnt.
MOST_MISSING = 0.2
_SHOWN = 3
MOST_STEPS = 1_000_000
_GREATEST = 1e100


@dataclass(frozen=True)
class Panel:
    """Some series on one grid of times.

    Attributes:
        names: Names of the s series.
        times: The t times, evenly spaced.
        values: s x t values, none missing.
        notes: What was filled, a sentence each.
    """

    names: tuple[str, ...]
    times: pd.DatetimeIndex
    values: Floats
    notes: tuple[str, ...] = ()

    def until(self, count: int) -> Panel:
        """Return the first `count` times."""
        return Panel(self.names, self.times[:count], self.values[:, :count], self.notes)

    def ahead(self, horizon: int) -> pd.DatetimeIndex:
        """Return its times and those of the horizon after them."""
        return pd.date_range(self.times[0], periods=len(self.times) + horizon, freq=self.times.freq)


def panel_of(
    table: pd.DataFrame,
    *,
    series: str = "series",
    time: str = "time",
    value: str = "value",
    step: str = "D",
    season: int = 7,
) -> Panel:
    """Return a table of (series, time, value) as a grid.

    A value that lacks is filled by the mean of those one season before and after.

    Args:
        table: n rows, in any order.
        series: Column of the series' name.
        time: Column of the time.
        value: Column of the value; null where not known.
        step: Distance of two times, as pandas names it.
        season: Steps of a season.

    Raises:
        ValueError: A column lacks or has another type, a time comes twice in a series or lies off
            the grid, the grid has too many steps, values are too great to be squared, or more than
            a fifth of a series lacks; the message names it.
    """
    absent = [name for name in (series, time, value) if name not in table.columns]
    if absent:
        raise ValueError(f"the table has no column {', '.join(absent)}; it has {_few(table)}")
    if not len(table):
        raise ValueError("the table has no rows; a forecast needs a series")
    if not pd.api.types.is_numeric_dtype(table[value]) or table[value].dtype.kind == "c":
        raise ValueError(f"column {value} is {table[value].dtype}; numbers were expected")
    times = pd.to_datetime(table[time])
    if times.isna().any() or table[series].isna().any():
        raise ValueError(f"{series} or {time} is null in some rows: remove them or set both")
    names = table[series].astype(str)
    twice = pd.DataFrame({"series": names, "time": times}).duplicated()
    if twice.any():
        first = twice.to_numpy().argmax()
        raise ValueError(
            f"{twice.sum():,} rows come twice, such as {times.iloc[first]:%Y-%m-%d %H:%M} of "
            f"{names.iloc[first]}: one row a series and time was expected; sum or remove the others"
        )
    if season < 1:
        raise ValueError(f"season must be at least 1, got {season}")
    most = _steps(times.max() - times.min(), step)
    if most > MOST_STEPS:
        raise ValueError(
            f"from {times.min()} to {times.max()} there are {most:,.0f} steps {step}, more than "
            f"{MOST_STEPS:,}: correct the times, or give a greater step"
        )
    grid = pd.date_range(times.min(), times.max(), freq=step)
    off = ~times.isin(grid)
    if off.any():
        raise ValueError(
            f"{times[off].iloc[0]} of {names[off].iloc[0]} lies off the grid of steps {step} from "
            f"{grid[0]}: round the times, or give another step"
        )
    wide = table.assign(series=names.to_numpy(), time=times.to_numpy()).pivot(
        index="series", columns="time", values=value
    )
    wide = wide.reindex(columns=grid)
    values = wide.to_numpy(dtype=np.float64, na_value=np.nan)
    values[~np.isfinite(values)] = np.nan
    if np.nanmax(np.abs(values), initial=0.0) > _GREATEST:
        raise ValueError(f"column {value} has values beyond {_GREATEST:g}: give a greater unit")
    filled, notes = _filled(values, list(wide.index), season)
    return Panel(tuple(wide.index), grid, filled, notes)


def _steps(span: pd.Timedelta, step: str) -> float:
    """How many steps lie in a span, at the most; 0 where they have no fixed length, as months."""
    length = to_offset(step)
    try:
        return float(span.total_seconds() * 1e9 / length.nanos)
    except ValueError:
        return 0.0


def _few(table: pd.DataFrame) -> str:
    return ", ".join(map(str, table.columns[:8])) or "none"


def _filled(values: Floats, names: Sequence[str], season: int) -> tuple[Floats, tuple[str, ...]]:
    """Fill what lacks by the mean of the nearest values at the same place of the season."""
    lacking = np.isnan(values)
    notes = []
    for row in np.flatnonzero(lacking.any(axis=1)).tolist():
        share = lacking[row].mean()
        if share > MOST_MISSING:
            raise ValueError(
                f"{share:.0%} of {names[row]} lacks, at most {MOST_MISSING:.0%} may: give the "
                "values (0 where nothing was), or leave the series out"
            )
        for phase in range(season):
            part = pd.Series(values[row, phase::season])
            around = (part.ffill().fillna(part.bfill()) + part.bfill().fillna(part.ffill())) / 2
            values[row, phase::season] = part.fillna(around)
        if np.isnan(values[row]).any():
            values[row] = pd.Series(values[row]).ffill().bfill()
        notes.append(
            f"{lacking[row].sum()} of {values.shape[1]} values of {names[row]} lack and are filled "
            f"from {season} steps before and after"
        )
    if len(notes) > _SHOWN:
        notes = [*notes[:_SHOWN], f"and so in {len(notes) - _SHOWN} further series"]
    return values, tuple(notes)


@dataclass(frozen=True)
class Sums:
    """Which series are sums of others.

    Attributes:
        groups: By total, the breakdowns of it: each a sequence of series that add up to it.
    """

    groups: Mapping[str, Sequence[Sequence[str]]]

    def family(self, name: str) -> str:
        """Return the total that a series is a part of, or itself."""
        for total, breakdowns in self.groups.items():
            if any(name in parts for parts in breakdowns):
                return total
        return name

    def checked(self, panel: Panel) -> None:
        """Refuse series that do not add up.

        Raises:
            ValueError: A series lacks, or parts do not add up to their total.
        """
        place = {name: row for row, name in enumerate(panel.names)}
        for total, breakdowns in self.groups.items():
            for parts in breakdowns:
                absent = [name for name in (total, *parts) if name not in place]
                if absent:
                    raise ValueError(f"there is no series {', '.join(absent)}, which is in a sum")
                gap = panel.values[place[total]] - panel.values[[place[p] for p in parts]].sum(0)
                size = np.abs(panel.values[place[total]]).max()
                if np.abs(gap).max() > 1e-6 * max(size, 1.0):
                    when = panel.times[np.abs(gap).argmax()]
                    raise ValueError(
                        f"on {when:%Y-%m-%d %H:%M} the parts {', '.join(list(parts)[:_SHOWN])}, … "
                        f"miss {total} by {np.abs(gap).max():.6g}; they must add up"
                    )
