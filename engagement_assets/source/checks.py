"""Asset checks of the raw tables.

Belongs here: what raw tables are checked for besides their declaration. Does not belong here: the
rules on single rows, which ingestion applies before anything is written (`rules.py`).
"""

from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta

from engagement_assets.source.contract import CUSTOMERS, TABLES
from engagement_assets.source.quarantine import (
    QUARANTINE,
    SOURCE_TABLES,
    intake,
    label_of,
    total,
)
from engagement_assets.source.rules import DUPLICATE_ROW
from resources.checks import (
    WEEKS,
    CheckedTable,
    FurtherCheck,
    Outcome,
    blocking_keys,
    daily_counts,
    table_checks,
)
from resources.lake import Lake
from resources.sql import quote_name


def _freshness(checked: CheckedTable) -> Outcome:
    table = TABLES[checked.table.noun]
    latest = {"latest": f"max({quote_name(table.event_time)})"}
    counts = daily_counts(checked.engine, table, latest, checked.days)
    stale = [
        day
        for day in checked.days
        if day not in counts or counts[day]["latest"].date() < day  # type: ignore[attr-defined] # a timestamp
    ]
    last = checked.days[-1]
    if last in stale:
        alike = [last - timedelta(weeks=week) for week in range(1, WEEKS + 1)]
        rows = [
            checked.lake.row_count(table.key, day)
            for day in alike
            if checked.lake.exists(table.key, day)
        ]
        if len(rows) > 1 and not any(rows):
            note = f"nothing happened on {last}, as on the {len(rows)} {last:%A}s before"
            return Outcome(note=note, metadata={"days_without_events": len(stale)})
        return Outcome(f"nothing happened on {last}, as far as this table knows", stale)
    return Outcome(metadata={"days_without_events": len(stale)})


def _quarantine_share(checked: CheckedTable) -> Outcome:
    settings = checked.resources.source.settings
    return quarantine_outcome(
        checked.lake,
        checked.days,
        limit=settings.quarantine_share_limit,
        least_rows=settings.quarantine_least_rows,
    )


EXAMPLES = 3
FURTHER = [
    *(
        FurtherCheck(
            table,
            "freshness",
            "The partition's latest event lies on its own day.",
            _freshness,
        )
        for table in TABLES.values()
        # a day without sign-ups is a quiet day; one without sessions is a broken feed
        if table.required and table.noun != CUSTOMERS
    ),
    FurtherCheck(
        QUARANTINE,
        "quarantine_share",
        "Not too large a share of the day's rows breaks the contract; the limit is the setting "
        "QUARANTINE_SHARE_LIMIT.",
        _quarantine_share,
        blocking=True,
    ),
]
SOURCE_BLOCKING = blocking_keys((table.key for table in SOURCE_TABLES), FURTHER)
source_checks = table_checks("source_checks", SOURCE_TABLES, further=FURTHER, resources=["source"])


def _most_frequent(lake: Lake, day: date) -> str:
    """The reason that most rows of a day have, with its table and some of the rows."""
    rows = lake.read(QUARANTINE.key, days=[day]).to_pylist()
    counts = Counter(
        (row["table"], label_of(row["reason"])) for row in rows if row["reason"] != DUPLICATE_ROW
    )
    ((table, reason), count) = counts.most_common(1)[0]
    examples = [
        row["row"] for row in rows if (row["table"], label_of(row["reason"])) == (table, reason)
    ]
    return f"{count:,} of {table}: {reason}, such as {' and '.join(examples[:EXAMPLES])}"


def quarantine_outcome(
    lake: Lake, days: Sequence[date], *, limit: float, least_rows: int
) -> Outcome:
    """Whether on every day the share of rows in quarantine is within the limit.

    A day with no more than the least number of such rows is.
    """
    intakes = {day: total(tables) for day, tables in intake(lake, days).items()}
    bad = [
        day
        for day, brought in intakes.items()
        if brought.share > limit and brought.quarantined > least_rows
    ]
    worst = max((brought.share for brought in intakes.values()), default=0.0)
    figures = {"worst_share": worst, "limit": limit}
    if bad:
        day = max(bad, key=lambda day: intakes[day].share)
        return Outcome(
            f"{intakes[day].share:.1%} of the rows of {day} are in quarantine, more than "
            f"{limit:.1%} ({_most_frequent(lake, day)}); see `make quarantine`, mend the "
            "mapping, or raise QUARANTINE_SHARE_LIMIT",
            bad,
            figures,
        )
    return Outcome(metadata=figures)
