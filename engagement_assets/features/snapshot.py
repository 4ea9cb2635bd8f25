"""Snapshots: the features and labels of every customer at one date, landed in the lake.

Belongs here: which days a snapshot needs, its parameters, and landing its tables. Does not belong
here: what the features are (`catalogue.py`), how they are computed (`sql/features/`) and when a
snapshot is made (`assets.py`).
"""

import logging
from collections.abc import Iterable, Sequence
from datetime import date, timedelta

from engagement_assets.features.catalogue import (
    CUSTOMER_FEATURES,
    CUSTOMER_FEATURES_TABLE,
    FEATURE_TABLES,
    FEATURES,
    GROUP_FEATURES,
)
from engagement_assets.features.labels import LABELS, Label
from engagement_assets.features.windows import WindowSuggestion, suggest_window
from engagement_assets.source.contract import REQUIRED_TABLES, TABLES
from resources.days import days_between
from resources.engine import Engine
from resources.lake import Lake, MissingPartitionError, Written
from resources.sql import ParameterValue, Query, SqlFolder

logger = logging.getLogger(__name__)

MONTH_DAYS = 30
TREND_DAYS = 7


class SnapshotError(RuntimeError):
    """A snapshot cannot be made, or its tables do not fit together."""


class SnapshotDateError(SnapshotError):
    """A snapshot date lies before the data begins or after it ends."""


def required_days(snapshot_date: date, first_day: date) -> list[date]:
    """Days of the source that a snapshot needs: all from the first day to the snapshot date.

    The whole history, not the last 30 days alone: customers, connections, revenue, ratings and the
    last login come from any day, and a day left out would change them without a word.

    Raises:
        SnapshotDateError: The snapshot date lies before the first day.
    """
    if snapshot_date < first_day:
        raise SnapshotDateError(
            f"there is no snapshot of {snapshot_date}: the data begins on {first_day}"
        )
    return days_between(first_day, snapshot_date)


def month_days(snapshot_date: date, first_day: date) -> list[date]:
    """The days of "the month" of a snapshot: the 30 that end with it, from the first day on."""
    return days_between(
        max(first_day, snapshot_date - timedelta(days=MONTH_DAYS - 1)), snapshot_date
    )


def require_source(
    lake: Lake, days: Sequence[date], *, first_day: date | None = None
) -> dict[str, list[date]]:
    """Check that the required source tables are there for every day up to the last of `days`.

    Args:
        lake: The lake.
        days: The days that are needed, in order.
        first_day: The first day of the data, for the error message only.

    Returns:
        For every optional source table that has partitions, the days of `days` that it lacks from
        its own first partition on; they are logged as a warning. A table without any partition is
        not here: its features are null.

    Raises:
        MissingPartitionError: Days of a required table are missing; the message names them.
        SnapshotDateError: The last of the days lies after the data.
    """
    there = {name: lake.days(f"source/{name}") for name in TABLES}
    for name in REQUIRED_TABLES:
        if not there[name]:
            raise MissingPartitionError(
                f"table source/{name} has no partition; ingest the source first"
                + (f", from {first_day} on" if first_day else "")
            )
    ends = min(there[name][-1] for name in REQUIRED_TABLES)
    if days[-1] > ends:
        raise SnapshotDateError(
            f"{days[-1]} lies after the data, which ends on {ends}; ingest up to {days[-1]} first"
        )
    for name in REQUIRED_TABLES:
        lake.require(f"source/{name}", days)
    gaps = {
        name: missing
        for name, have in there.items()
        if have and (missing := [day for day in days if day >= have[0] and day not in set(have)])
    }
    if gaps:
        listed = "; ".join(
            f"{name} lacks {len(lacks)} from {lacks[0]}" for name, lacks in gaps.items()
        )
        logger.warning("what happened on days that are missing is not counted: %s", listed)
    return gaps


def query_parameters(
    query: Query, snapshot_date: date, *, label: Label | None = None
) -> dict[str, ParameterValue]:
    """The parameters that a feature query, or the query of a label, takes."""
    if label is None:
        first, last = snapshot_date - timedelta(days=TREND_DAYS - 1), snapshot_date
    else:
        first, last = snapshot_date + timedelta(days=1), label.closes_on(snapshot_date)
    known: dict[str, ParameterValue] = {
        "snapshot_date": snapshot_date,
        "first_day": first,
        "last_day": last,
        "known_by_day": last,
    }
    if label is not None:
        known["window_days"] = label.window_days
        # as long before the snapshot as after it
        known["active_from"] = snapshot_date - timedelta(days=label.window_days - 1)
    return {name: value for name, value in known.items() if name in query.parameters}


def wide_query() -> Query:
    """The SQL of the table of all features: the groups of `:snapshot_date` side by side."""
    first, *others = GROUP_FEATURES
    columns = ", ".join(f"{feature.group}.{feature.name}" for feature in FEATURES.values())
    joins = " ".join(
        f"LEFT JOIN features.{group} AS {group} ON {group}.customer_id = {first}.customer_id "
        f"AND {group}.day = :snapshot_date"
        for group in others
    )
    return Query(
        CUSTOMER_FEATURES,
        f"SELECT {first}.customer_id, {first}.snapshot_date, {columns} "  # noqa: S608 - names are declared
        f"FROM features.{first} AS {first} {joins} WHERE {first}.day = :snapshot_date "
        f"ORDER BY {first}.customer_id",
    )


def land_feature_table(engine: Engine, sql: SqlFolder, table: str, snapshot_date: date) -> Written:
    """Land one of the feature tables for one snapshot date.

    It does not check the source: call `require_source` before. The table of all features checks
    that the groups are there and hold the same number of customers.

    Raises:
        MissingPartitionError: A group has no partition yet.
        SnapshotError: The groups, or the result, hold different numbers of customers.
    """
    wide = table == CUSTOMER_FEATURES
    expected = _customers_of_groups(engine.lake, snapshot_date) if wide else None
    query = wide_query() if wide else sql.query(table)
    written = engine.land(
        query,
        query_parameters(query, snapshot_date),
        into=FEATURE_TABLES[table],
        day=snapshot_date,
    )
    if expected is not None and written.rows != expected:
        raise SnapshotError(
            f"{table} of {snapshot_date} has {written.rows} rows for {expected} customers: a group "
            "holds a customer twice; materialise the groups again"
        )
    return written


def land_snapshot(
    engine: Engine, sql: SqlFolder, snapshot_date: date, *, first_day: date | None = None
) -> dict[str, Written]:
    """Land the feature tables of one snapshot date; gives what was written, by lake table.

    Without a `first_day` the data begin with the first partition of `source/sessions`.

    Raises:
        SnapshotDateError: The date lies before the data begins or after it ends.
        MissingPartitionError: Days of a required table are missing.
    """
    begins = first_day or data_days(engine.lake)[0]
    require_source(engine.lake, required_days(snapshot_date, begins), first_day=begins)
    return {
        table: land_feature_table(engine, sql, table, snapshot_date) for table in FEATURE_TABLES
    }


def land_labels(
    engine: Engine,
    sql: SqlFolder,
    snapshot_date: date,
    *,
    labels: Iterable[Label] = tuple(LABELS.values()),
    first_day: date | None = None,
) -> dict[str, Written]:
    """Land labels of one snapshot date; gives what was written, by lake table.

    A label whose required table has no rows is null, which is logged: `missing_tables` says so
    beforehand.

    Without a `first_day` the data begin with the first partition of `source/sessions`.

    Raises:
        LabelWindowOpenError: The window of a label has not closed; then nothing is written.
        SnapshotDateError: The date lies before the data begins.
        MissingPartitionError: Days of a required table are missing.
    """
    begins, ends = data_days(engine.lake)
    begins = first_day or begins
    labels = list(labels)
    for label in labels:
        label.require_closed(snapshot_date, last_day=ends)
    written = {}
    for label in labels:
        required_days(snapshot_date, begins)
        require_source(
            engine.lake, days_between(begins, label.closes_on(snapshot_date)), first_day=begins
        )
        for table in missing_tables(engine.lake, label):
            logger.warning("%s of %s is null: %s is not there", label.name, snapshot_date, table)
        query = sql.query(label.key)
        parameters = query_parameters(query, snapshot_date, label=label)
        written[label.key] = engine.land(query, parameters, into=label, day=snapshot_date)
    return written


def churn_window(
    engine: Engine, sql: SqlFolder, snapshot_date: date, *, window_days: int
) -> WindowSuggestion:
    """Suggest a churn window from the visits known by a snapshot date."""
    query = sql.query("labels/visit_gaps")
    gaps = engine.select(query, {"snapshot_date": snapshot_date})
    return suggest_window(
        gaps.column("gap_days").to_numpy(),
        gaps.column("customers").to_numpy(),
        window_days=window_days,
    )


def missing_tables(lake: Lake, label: Label) -> list[str]:
    """Required source tables of a label that have no partition at all."""
    return [table for table in label.required_tables if not lake.days(table)]


def data_days(lake: Lake) -> tuple[date, date]:
    """First and last day of `source/sessions`.

    Raises:
        MissingPartitionError: It has no partition.
    """
    days = lake.days("source/sessions")
    if not days:
        raise MissingPartitionError(
            "table source/sessions has no partition; ingest the source first"
        )
    return days[0], days[-1]


def _customers_of_groups(lake: Lake, snapshot_date: date) -> int:
    groups = [table for table in FEATURE_TABLES.values() if table is not CUSTOMER_FEATURES_TABLE]
    for table in groups:
        lake.require(table.key, [snapshot_date])
    counts = {table.noun: lake.row_count(table.key, snapshot_date) for table in groups}
    if len(set(counts.values())) != 1:
        listed = ", ".join(f"{group} {count}" for group, count in counts.items())
        raise SnapshotError(
            f"the feature groups of {snapshot_date} hold different numbers of customers "
            f"({listed}); materialise them again from the same source"
        )
    return next(iter(counts.values()))
