"""What was taken in, so that a person can judge in ten seconds whether it is what they meant.

Belongs here: the figures of a source's raw tables, and which of them look like a mistake in the
mapping. Does not belong here: the rules about single rows (`rules.py`).
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from itertools import accumulate, pairwise
from typing import Any
from zoneinfo import ZoneInfo

from engagement_assets.learning import markdown
from engagement_assets.source.contract import TABLES
from engagement_assets.source.quarantine import label_of
from engagement_assets.source.rules import DUPLICATE_ROW
from resources.engine import Engine
from resources.sql import Query

# Where a figure begins to look like a mistake. None of these stops anything.
SHORT_SESSION_SECONDS, LONG_SESSION_SECONDS = 20.0, 4 * 3600.0
NIGHT = frozenset(range(1, 6))
GAP_DAYS, QUIET_END_DAYS = 60, 14
TWIN_SHARE, DAYS_ONLY_SHARE, INACTIVE_SHARE, QUARANTINE_SHARE = 0.2, 0.5, 0.5, 0.01
SHOWN = 5
# The latest sessions, whose lengths and instants are compared: a daily run does not wait for years.
MOST_COMPARED = 1_000_000


@dataclass(frozen=True)
class Profile:
    """Figures of the raw tables.

    Attributes:
        rows: Good rows by table, all versions; tables without any are left out.
        quarantined: Rows in quarantine by table and reason, the same row again left out.
        customers: Customers, in their latest version.
        versions_per_customer: Rows a customer has on average.
        first: Day of the first session in the zone of the source; None without sessions.
        last: Day of the last.
        days_with_sessions: Days with a session.
        longest_gap: Last day before and first day after the longest time without a session.
        inactive_share: Share of customers who never had a session.
        median_session_seconds: Median length of the latest million sessions.
        twin_share: Share of these that have another of the same customer at the same instant.
        days_only_share: Share of sessions that begin in the first minute of a day.
        hours: Sessions by hour of the day in the zone of the source.
        timezone: That zone.
        categories: The most frequent categories of posts, with their posts.
        warnings: What looks like a mistake, and what to look at.
    """

    rows: Mapping[str, int]
    quarantined: Mapping[tuple[str, str], int]
    customers: int
    versions_per_customer: float
    first: date | None
    last: date | None
    days_with_sessions: int
    longest_gap: tuple[date, date] | None
    inactive_share: float
    median_session_seconds: float | None
    twin_share: float
    days_only_share: float
    hours: Mapping[int, int]
    timezone: str
    categories: Mapping[str, int]
    warnings: tuple[str, ...] = field(default=())

    @property
    def busiest_hours(self) -> list[int]:
        """The three hours with most sessions, the busiest first."""
        return sorted(self.hours, key=lambda hour: (-self.hours[hour], hour))[:3]

    def lines(self) -> list[tuple[str, str]]:
        """The figures in words, as name and value."""
        lines = [(name, f"{count:,} rows") for name, count in self.rows.items()]
        lines.append(
            ("customers", f"{self.customers:,}, {self.versions_per_customer:.2f} versions each")
        )
        lines.append(("customers without a session", f"{self.inactive_share:.1%}"))
        if self.first is not None and self.last is not None:
            span = (self.last - self.first).days + 1
            lines.append(
                (
                    "sessions from, to",
                    f"{self.first}, {self.last}; on {self.days_with_sessions:,} of {span:,} days",
                )
            )
        if self.longest_gap is not None:
            before, after = self.longest_gap
            lines.append(
                ("longest time without", f"{(after - before).days - 1:,} days from {before} on")
            )
        if self.median_session_seconds is not None:
            lines.append(("median session", _duration(self.median_session_seconds)))
        if self.hours:
            busiest = ", ".join(f"{hour:02d}:00" for hour in self.busiest_hours)
            lines.append((f"busiest hours ({self.timezone})", busiest))
        if self.categories:
            named = ", ".join(f"{name} ({count:,})" for name, count in self.categories.items())
            lines.append(("categories of posts", named))
        lines.append(("in quarantine", f"{sum(self.quarantined.values()):,} rows"))
        return lines

    def to_text(self) -> str:
        """The figures and warnings for a terminal."""
        text = "".join(f"  {name:<28} {value}\n" for name, value in self.lines())
        return text + "".join(f"  look at this: {warning}\n" for warning in self.warnings)

    def to_markdown(self) -> str:
        """The figures and warnings as a report."""
        parts = ["# What was taken in", ""]
        if self.warnings:
            parts += [
                "## Look at this",
                "",
                *(f"- {markdown.inline(w)}" for w in self.warnings),
                "",
            ]
        parts.append(markdown.table(("what", "value"), self.lines()))
        if self.quarantined:
            reasons = [(*key, f"{count:,}") for key, count in self.quarantined.items()]
            parts += ["", "## Quarantine", "", markdown.table(("table", "reason", "rows"), reasons)]
        return "\n".join(parts) + "\n"

    def to_data(self) -> dict[str, Any]:
        """The figures as JSON data."""
        data = asdict(self)
        data["quarantined"] = [
            {"table": table, "reason": reason, "rows": count}
            for (table, reason), count in self.quarantined.items()
        ]
        gap = self.longest_gap
        return data | {
            "first": self.first and self.first.isoformat(),
            "last": self.last and self.last.isoformat(),
            "longest_gap": gap and [day.isoformat() for day in gap],
            "hours": {str(hour): count for hour, count in self.hours.items()},
            "warnings": list(self.warnings),
        }


def profile(engine: Engine, *, timezone: str, end: date | None) -> Profile:
    """Measure the raw tables of a lake.

    Args:
        engine: Over a lake of a source.
        timezone: The zone in which hours and days are told.
        end: The last day that was asked for where the source names none of its own, so that data
            which end before are noticed; None otherwise.
    """
    by_day = _counts(engine)
    rows = {name: count for name, days in by_day.items() if (count := sum(days.values()))}
    people = _one(
        engine,
        "SELECT COUNT(*) AS versions, COUNT(DISTINCT customer_id) AS customers "
        "FROM source.customers",
    )
    active = _one(engine, "SELECT COUNT(DISTINCT customer_id) AS active FROM source.sessions")
    hours, days, midnights = _times(engine, ZoneInfo(timezone))
    customers = int(people["customers"] or 0)
    count = sum(hours.values())
    median, twins = _recent_sessions(engine, by_day["sessions"])
    measured = Profile(
        rows=rows,
        quarantined=_quarantined(engine),
        customers=customers,
        versions_per_customer=int(people["versions"] or 0) / max(1, customers),
        first=min(days, default=None),
        last=max(days, default=None),
        days_with_sessions=len(days),
        longest_gap=_longest_gap(sorted(days)),
        inactive_share=1 - min(1.0, int(active["active"] or 0) / max(1, customers)),
        median_session_seconds=median,
        twin_share=twins,
        days_only_share=midnights / count if count else 0.0,
        hours=dict(sorted(hours.items())),
        timezone=timezone,
        categories=_categories(engine),
    )
    return Profile(**{**vars(measured), "warnings": tuple(warnings_of(measured, end=end))})


def warnings_of(measured: Profile, *, end: date | None) -> list[str]:
    """What of a profile looks like a mistake, each with what to look at."""
    doubts = [*_of_times(measured, end), *_of_lengths(measured)]
    if measured.twin_share > TWIN_SHARE:
        doubts.append(
            f"{measured.twin_share:.0%} of the sessions have another of the same customer at the "
            "same instant: does a join in sessions.sql multiply rows?"
        )
    if measured.customers and measured.inactive_share > INACTIVE_SHARE:
        doubts.append(
            f"{measured.inactive_share:.0%} of the customers never had a session: are the ids of "
            "customers.sql and sessions.sql the same ids, written the same way?"
        )
    for (table, reason), count in measured.quarantined.items():
        if count > QUARANTINE_SHARE * (measured.rows.get(table, 0) + count):
            doubts.append(f"{count:,} rows of {table} are in quarantine: {reason}")
    return doubts


def _of_lengths(measured: Profile) -> list[str]:
    median = measured.median_session_seconds
    if median is None:
        return []
    if 0 < median < SHORT_SESSION_SECONDS:
        return [
            f"half of the sessions are shorter than {median:.1f} seconds: is duration_seconds in "
            "minutes?"
        ]
    if median > LONG_SESSION_SECONDS:
        return [
            f"half of the sessions are longer than {median / 3600:.1f} hours: is duration_seconds "
            "in milliseconds?"
        ]
    return []


def _of_times(measured: Profile, end: date | None) -> list[str]:
    doubts = []
    if measured.days_only_share > DAYS_ONLY_SHARE:
        doubts.append(
            f"{measured.days_only_share:.0%} of the sessions begin at midnight sharp: their times "
            "are days alone, and what is made of hours means nothing"
        )
    elif measured.hours and set(measured.busiest_hours) <= NIGHT:
        doubts.append(
            f"the busiest hour is {measured.busiest_hours[0]:02d}:00 in {measured.timezone}: is "
            "timezone in source.toml the zone of the times?"
        )
    if measured.longest_gap is not None:
        before, after = measured.longest_gap
        if (after - before).days > GAP_DAYS:
            doubts.append(f"there is no session between {before} and {after}: is a file missing?")
    if end and measured.last and (end - measured.last).days > QUIET_END_DAYS:
        doubts.append(
            f"the last session is of {measured.last}, {(end - measured.last).days} days before the "
            f"last day, {end}: everybody will look gone; set last_day in source.toml where the "
            "data end"
        )
    return doubts


def _counts(engine: Engine) -> dict[str, dict[date, int]]:
    """Rows of each table by day, in one query: on an object store each file is a request."""
    parts = (
        f"SELECT '{name}' AS table_name, day, COUNT(*) AS row_count FROM source.{name} GROUP BY day"  # noqa: S608 - names of the contract
        for name in TABLES
    )
    counts: dict[str, dict[date, int]] = {name: {} for name in TABLES}
    for row in engine.select(Query("profile", " UNION ALL ".join(parts)), {}).to_pylist():
        counts[row["table_name"]][row["day"]] = row["row_count"]
    return counts


def _one(engine: Engine, sql: str) -> dict[str, Any]:
    row: dict[str, Any] = engine.select(Query("profile", sql), {}).to_pylist()[0]
    return row


def _times(engine: Engine, zone: ZoneInfo) -> tuple[Counter[int], set[date], int]:
    """Sessions by local hour, local days with one, and how many begin in the first minute."""
    rows = engine.select(
        Query(
            "profile: times",
            "SELECT CAST(occurred_at AS DATE) AS utc_day, EXTRACT(HOUR FROM occurred_at) "
            "AS utc_hour, COUNT(*) AS sessions, "
            "COUNT(*) FILTER (WHERE EXTRACT(MINUTE FROM occurred_at) = 0) AS sharp "
            "FROM source.sessions "
            "GROUP BY CAST(occurred_at AS DATE), EXTRACT(HOUR FROM occurred_at)",
        ),
        {},
    ).to_pylist()
    hours: Counter[int] = Counter()
    days: set[date] = set()
    midnights = 0
    for row in rows:
        moment = datetime.combine(row["utc_day"], time(row["utc_hour"]), UTC)
        local = moment.astimezone(zone)
        hours[local.hour] += row["sessions"]
        days.add(local.date())
        midnights += row["sharp"] if (local.hour, local.minute) == (0, 0) else 0
    return hours, days, midnights


def _longest_gap(days: Sequence[date]) -> tuple[date, date] | None:
    longest = max(pairwise(days), key=lambda gap: gap[1] - gap[0], default=None)
    return longest if longest and longest[1] - longest[0] > timedelta(days=1) else None


def _recent_sessions(engine: Engine, counts: Mapping[date, int]) -> tuple[float | None, float]:
    """The median length of the latest sessions, and the share that has a twin.

    Args:
        engine: Over the lake.
        counts: Sessions by day.
    """
    rows, since = 0, None
    for day in sorted(counts, reverse=True):
        rows += counts[day]
        if since and rows > MOST_COMPARED:
            break
        since = day
    if since is None:
        return None, 0.0
    window = {"since": since}
    lengths = engine.select(
        Query(
            "profile: lengths",
            "SELECT ROUND(duration_seconds, 1) AS seconds, COUNT(*) AS sessions "
            "FROM source.sessions WHERE day >= :since GROUP BY ROUND(duration_seconds, 1)",
        ),
        window,
    ).to_pylist()
    lengths.sort(key=lambda row: row["seconds"])
    upto = list(accumulate(row["sessions"] for row in lengths))
    median = lengths[bisect_left(upto, upto[-1] / 2)]["seconds"]
    (distinct,) = engine.select(
        Query(
            "profile: twins",
            "SELECT COUNT(*) AS instants, COALESCE(SUM(sessions), 0) AS sessions FROM "
            "(SELECT COUNT(DISTINCT session_id) AS sessions FROM source.sessions "
            "WHERE day >= :since GROUP BY customer_id, occurred_at) AS once",
        ),
        window,
    ).to_pylist()
    return float(median), 1 - distinct["instants"] / int(distinct["sessions"])


def _categories(engine: Engine) -> dict[str, int]:
    rows = engine.select(
        Query(
            "profile: categories",
            "SELECT category, COUNT(*) AS posts FROM source.posts WHERE category IS NOT NULL "
            "GROUP BY category",
        ),
        {},
    ).to_pylist()
    rows.sort(key=lambda row: (-row["posts"], row["category"]))
    return {row["category"]: row["posts"] for row in rows[:SHOWN]}


def _quarantined(engine: Engine) -> dict[tuple[str, str], int]:
    rows = engine.select(
        Query(
            "profile: quarantine",
            'SELECT "table", reason, COUNT(*) AS refused FROM source.quarantine '
            'GROUP BY "table", reason',
        ),
        {},
    ).to_pylist()
    counts: Counter[tuple[str, str]] = Counter()
    for row in rows:
        if row["reason"] != DUPLICATE_ROW:
            counts[row["table"], label_of(row["reason"])] += row["refused"]
    return dict(sorted(counts.items(), key=lambda one: (-one[1], one[0])))


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} minutes"
