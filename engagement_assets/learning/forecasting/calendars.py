"""Holidays and other events that are known before they come, and what they do to a series.

Belongs here: dates by region, the file in which a user enters events, effects with their
uncertainty. Does not belong here: forecasting what is left.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import holidays
import numpy as np
import pandas as pd

from engagement_assets.learning.forecasting.panel import Floats, Panel, Sums

EVERYWHERE = ""
# How much an event moves a series before anything is known of it, and how much regions differ in
# it: weak priors, as shares of the usual value.
PRIOR_SD, REGION_SD = 0.15, 0.05
# Like days before an event that say what would have been.
_LIKE_DAYS = 4
_LEVEL_DAYS = 28
# Of one event: what lasts longer is no event.
_MOST_DAYS = 366


class CalendarError(ValueError):
    """A calendar file that cannot be read; the message says what is wrong and what was expected."""


@dataclass(frozen=True)
class Event:
    """Something on known days.

    Attributes:
        name: Its name.
        days: When.
        regions: Where; empty: everywhere.
    """

    name: str
    days: tuple[date, ...]
    regions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Calendar:
    """What is known of the days to come.

    Attributes:
        countries: Code of a country of the package `holidays`, by region; its public holidays are
            the region's.
        events: Further events.
    """

    countries: Mapping[str, str] = field(default_factory=dict)
    events: Sequence[Event] = ()

    @classmethod
    def read(cls, path: str | Path, *, first: date, last: date) -> Calendar:
        """Read a TOML file.

        `[countries]` names a country's code by region. Each `[[events]]` has `name`, and `days`
        (dates), `every_year` ("12-25") or `holiday` (a name of the package's in English) with
        `of` (a country's code); besides `length_days` and `regions` where it is not everywhere.

        Args:
            path: The file.
            first: First day to know of.
            last: Last day to know of.

        Raises:
            CalendarError: It is not there, no TOML, or an entry is not as described.
        """
        try:
            with Path(path).open("rb") as file:
                data = tomllib.load(file)
        # TOML's own errors, bytes that are no text, brackets thousands deep
        except (OSError, ValueError, RecursionError) as error:
            raise CalendarError(f"the calendar {path} cannot be read: {error}") from error
        unknown = set(data) - {"countries", "events"}
        if unknown:
            raise CalendarError(
                f"{path} has {', '.join(sorted(unknown))}; [countries] and [[events]] were expected"
            )
        if not isinstance(data.get("countries", {}), dict):
            raise CalendarError(f"{path}: countries must be a table of codes by region")
        if not isinstance(data.get("events", []), list):
            raise CalendarError(f"{path}: events must be tables, each under [[events]]")
        countries = {str(region): str(code) for region, code in data.get("countries", {}).items()}
        for code in countries.values():
            _public(code, [first.year])
        events = [_event(entry, first, last) for entry in data.get("events", [])]
        return cls(countries, tuple(events))

    def dates(self, region: str, times: pd.DatetimeIndex) -> dict[pd.Timestamp, str]:
        """Return the name of what is on each of some days in a region; several are joined."""
        named: dict[pd.Timestamp, set[str]] = {}
        code = self.countries.get(region)
        if code is not None:
            years = range(times[0].year, times[-1].year + 1)
            for day, name in _public(code, years).items():
                named.setdefault(pd.Timestamp(day), set()).update(name.split("; "))
        for event in self.events:
            if not event.regions or region in event.regions:
                for day in event.days:
                    named.setdefault(pd.Timestamp(day), set()).add(event.name)
        there = set(times)
        return {day: " and ".join(sorted(names)) for day, names in named.items() if day in there}


def countries_of(regions: Iterable[str]) -> dict[str, str]:
    """Return the country of each region that is named by its ISO code or its English name."""
    codes = holidays.list_supported_countries(include_aliases=False)
    names = {code.casefold(): code for code in codes}
    names |= {
        name.replace("_", " ").casefold(): row[1]
        for name, row in holidays.registry.COUNTRIES.items()
    }
    named = {region: names.get(region.replace("_", " ").casefold()) for region in regions}
    return {region: code for region, code in named.items() if code is not None}


def _public(code: str, years: Iterable[int]) -> Mapping[date, str]:
    try:
        made: Mapping[date, str] = holidays.country_holidays(
            code, years=list(years), language="en_US"
        )
    except NotImplementedError as error:
        raise CalendarError(
            f"the package `holidays` knows no country {code}; a code such as DE was expected"
        ) from error
    return made


def _event(entry: Any, first: date, last: date) -> Event:
    known = {"name", "days", "every_year", "holiday", "of", "length_days", "regions"}
    if not isinstance(entry, Mapping) or "name" not in entry or set(entry) - known:
        raise CalendarError(f"an event must have a name and of {', '.join(sorted(known))}: {entry}")
    years = range(first.year, last.year + 1)
    length, regions = entry.get("length_days", 1), entry.get("regions", [])
    if not isinstance(length, int) or not 1 <= length <= _MOST_DAYS:
        raise CalendarError(
            f"the event {entry['name']}: length_days must be 1 to {_MOST_DAYS}, got {length!r}"
        )
    if not isinstance(regions, list) or not all(isinstance(one, str) for one in regions):
        raise CalendarError(f"the event {entry['name']}: regions must be names in brackets")
    try:
        if "days" in entry:
            starts = [_day(day) for day in entry["days"]]
        elif "every_year" in entry:
            starts = [date.fromisoformat(f"{year}-{entry['every_year']}") for year in years]
        else:
            wanted = str(entry["holiday"]).casefold().strip()
            if not wanted:
                raise ValueError("holiday is empty")
            public = sorted(
                day
                for day, name in _public(entry["of"], years).items()
                if wanted in name.casefold()
            )
            starts = [day for day in public if day - timedelta(days=1) not in public]
        days = [day + timedelta(days=n) for day in starts for n in range(length)]
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise CalendarError(
            f"the event {entry['name']} has no days: give days = [2026-05-01], every_year = "
            f'"05-01", or holiday and of ({error})'
        ) from error
    return Event(str(entry["name"]), tuple(days), tuple(regions))


def _day(value: Any) -> date:
    if isinstance(value, datetime):
        return value.date()
    return value if isinstance(value, date) else date.fromisoformat(str(value))


@dataclass(frozen=True)
class Effects:
    """What the calendar does to some series.

    Attributes:
        share: s x (t + h) shares of the usual value that are added, 0 on usual days. That of a day
            is estimated from events whose outcome was known h days before it.
        sd: Their standard deviations.
        usual: s x t values as they would have been without events.
        on: s x (t + h), whether there is an event.
    """

    share: Floats
    sd: Floats
    usual: Floats
    on: np.ndarray


def effects(
    panel: Panel,
    calendar: Calendar,
    *,
    horizon: int,
    season: int,
    regions: Mapping[str, str],
    sums: Sums,
    until: int,
) -> Effects:
    """Estimate the effects of events from what was known before each.

    An event's effect is its value beside the mean of like days before. It is shrunk towards the
    same event's mean in the other regions, and that towards 0: once seen, half believed. A total
    whose parts have regions has their effects by their sizes, and so have its other parts.

    Args:
        panel: The series.
        calendar: What is known of the days to come.
        horizon: Steps ahead.
        season: Steps of a season.
        regions: Region of those series that have one.
        sums: Which series are sums of others.
        until: So many first times say how much usual days differ.
    """
    s, t = panel.values.shape
    made = Effects(
        np.zeros((s, t + horizon)),
        np.zeros((s, t + horizon)),
        panel.values.copy(),
        np.zeros((s, t + horizon), dtype=bool),
    )
    place = {name: row for row, name in enumerate(panel.names)}
    derived: dict[str, list[int]] = {}
    for total, breakdowns in sums.groups.items():
        for parts in breakdowns:
            if all(part in regions for part in parts):
                derived[total] = [place[part] for part in parts]
    times = panel.ahead(horizon)
    cache: dict[str, list[str]] = {}
    families: dict[str, list[int]] = {}
    for name, row in place.items():
        if name in regions or sums.family(name) not in derived:
            families.setdefault(sums.family(name), []).append(row)
    for rows in families.values():
        marks = {}
        for row in rows:
            region = regions.get(panel.names[row], EVERYWHERE)
            if region not in cache:
                cache[region] = _numbered(calendar.dates(region, times), times)
            marks[row] = cache[region]
        _direct(made, rows, marks, horizon=horizon, season=season, until=until)
    for total, rows in derived.items():
        others = [r for name, r in place.items() if sums.family(name) == total and r not in rows]
        _derived(made, place[total], rows, others, horizon=horizon)
    return made


def _numbered(named: Mapping[pd.Timestamp, str], times: pd.DatetimeIndex) -> list[str]:
    """Name each time's event; the second day of one is another event than the first."""
    marks, run = [], 0
    for place, time in enumerate(times):
        name = named.get(time, "")
        run = run + 1 if name and place and named.get(times[place - 1]) == name else 1
        marks.append(f"{name}, day {run}" if name and run > 1 else name)
    return marks


def _direct(
    made: Effects,
    rows: list[int],
    marks: Mapping[int, list[str]],
    *,
    horizon: int,
    season: int,
    until: int,
) -> None:
    t = made.usual.shape[1]
    ratio = {row: _ratios(made.usual[row], marks[row][:t], season, until) for row in rows}
    noise = {
        row: _noise(ratio[row][:until][[not mark for mark in marks[row][:until]]]) for row in rows
    }
    plain = [day for day in range(season, until) if not any(marks[row][day] for row in rows)]
    common = _noise(np.mean([ratio[row][plain] for row in rows], axis=0))
    seen: dict[str, list[tuple[int, int, float]]] = {}
    for row in rows:
        for day in range(t + horizon):
            name = marks[row][day]
            if name:
                value = float(ratio[row][day]) if day < t else np.nan
                seen.setdefault(name, []).append((day, row, value))
    for occurrences in seen.values():
        for day, row, _ in occurrences:
            known = [o for o in occurrences if o[0] <= day - horizon and np.isfinite(o[2])]
            mean, variance = _pooled(known, noise, common)
            own = [value for _, where, value in known if where == row]
            prior = variance + REGION_SD**2
            precision = len(own) / noise[row] + 1.0 / prior
            share = (sum(own) / noise[row] + mean / prior) / precision
            made.share[row, day], made.sd[row, day] = max(share, -1.0), precision**-0.5
            made.on[row, day] = True


def _ratios(usual: Floats, marks: Sequence[str], season: int, until: int) -> Floats:
    """Return each day beside the mean of like days before, which takes an event's place."""
    made = np.full(len(usual), np.nan)
    size = np.abs(usual[:until]).mean()
    for day in range(season, len(usual)):
        base = usual[max(day - _LIKE_DAYS * season, day % season) : day : season].mean()
        if size > 0:
            made[day] = (usual[day] - base) / max(abs(base), 0.1 * size)
        if marks[day]:
            usual[day] = base
    return made


def _noise(ratios: Floats) -> float:
    """Return the variance of usual days; 1.4826 median deviations leave odd days out."""
    there = ratios[np.isfinite(ratios)]
    return max(float(1.4826 * np.median(np.abs(there))) ** 2 if len(there) else 0.0, 1e-8)


def _pooled(
    known: Sequence[tuple[int, int, float]], noise: Mapping[int, float], common: float
) -> tuple[float, float]:
    """Mean effect over regions, shrunk to 0, and its variance."""
    if not known:
        return 0.0, PRIOR_SD**2
    weights = np.array([1.0 / (noise[row] + REGION_SD**2) for _, row, _ in known])
    values = np.array([value for _, _, value in known])
    mean = float(weights @ values / weights.sum())
    # what all regions share on a day is as uncertain as there are few such days
    variance = 1.0 / weights.sum() + common / len({day for day, _, _ in known})
    precision = 1.0 / variance + 1.0 / PRIOR_SD**2
    return mean / variance / precision, 1.0 / precision


def _derived(
    made: Effects, total: int, parts: list[int], others: list[int], *, horizon: int
) -> None:
    t = made.usual.shape[1]
    observed = made.usual[total].copy()
    usual = made.usual[parts].sum(axis=0)
    made.on[total] = made.on[parts].any(axis=0)
    for day in np.flatnonzero(made.on[total]):
        until = min(max(day - horizon + 1, 1), t)
        size = np.abs(made.usual[parts, max(until - _LEVEL_DAYS, 0) : until]).sum(axis=1)
        weight = size / size.sum() if size.sum() > 0 else np.full(len(parts), 1 / len(parts))
        made.share[total, day] = weight @ made.share[parts, day]
        made.sd[total, day] = weight @ made.sd[parts, day]
    for row in others:
        made.share[row], made.sd[row], made.on[row] = (
            made.share[total],
            made.sd[total],
            made.on[total],
        )
        if row != total:
            factor = np.where(observed != 0, usual / np.where(observed != 0, observed, 1.0), 1.0)
            made.usual[row] = made.usual[row] * factor
    made.usual[total] = usual
