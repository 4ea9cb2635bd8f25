"""What `engagement export` does.

Belongs here: from the settings to a file. Does not belong here: which rows may leave
(`governance.privacy.export`).
"""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pandas as pd

from engagement_assets.deployments.resources import resources_of
from engagement_assets.governance.privacy.aggregates import aggregated
from engagement_assets.governance.privacy.export import exported
from engagement_assets.governance.privacy.masking import Masking
from engagement_assets.governance.tables import KNOWN_TABLES
from engagement_assets.settings.installation import Settings
from resources.quarter import Quarter
from resources.tables import SchemaError, Table


def export_rows(
    settings: Settings,
    key: str,
    to: Path,
    *,
    columns: Sequence[str],
    sensitive: Sequence[str],
    day: date | None,
    k: int,
    epsilon: float | None = None,
) -> str:
    """Write the rows of a table that may leave as CSV; returns what was done, in words.

    Args:
        settings: Of the home.
        key: The table, `<group>/<noun>`.
        to: The file.
        columns: What may be known of a person from elsewhere.
        sensitive: What must not be learnt by it.
        day: Of the table; the latest by default.
        k: Least people who are alike.
        epsilon: Write counts and means by segment that spend this instead of rows.

    Raises:
        SchemaError: There is no such table or day, or it cannot be exported.
    """
    tables = {table.key: table for table in KNOWN_TABLES}
    if key not in tables:
        raise SchemaError(f"{key} is no table; docs/data-dictionary.md lists them")
    if to.resolve().is_relative_to(settings.home.resolve()):
        raise SchemaError(f"{to} lies in the home, where an erasure would not know it")
    resources = resources_of(settings)
    lake, table = resources["lake"].lake, tables[key]
    days = lake.filled_days(key)
    if not days or (day is not None and day not in days):
        raise SchemaError(f"{key} has no rows of {day or 'any day'}: run `make run`")
    day = day or days[-1]
    wanted = [*table.customer_columns[:1], *columns, *sensitive]
    unknown = [name for name in wanted if name not in table.names]
    if unknown:
        raise SchemaError(f"{key} has no column {', '.join(unknown)}")
    rows = lake.read(key, days=[day], columns=wanted).to_pandas()
    if epsilon is not None:
        return _aggregated(settings, rows, table, to, columns, sensitive, day=day, epsilon=epsilon)
    masking = Masking.of(settings, resources["erasures"].erasures.root)
    export = exported(rows, table, columns, sensitive, masking=masking, k=k)
    export.rows.to_csv(to, index=False)
    return (
        f"{len(export.rows):,} of {len(rows):,} rows of {key} of {day} are in {to}, in "
        f"{export.classes:,} classes of at least {k}; {export.withheld:,} people are withheld\n"
    )


def _aggregated(
    settings: Settings,
    rows: pd.DataFrame,
    table: Table,
    to: Path,
    columns: Sequence[str],
    measured: Sequence[str],
    *,
    day: date,
    epsilon: float,
) -> str:
    released = aggregated(
        rows,
        table,
        columns,
        measured,
        day=day,
        epsilon=epsilon,
        budget=settings.release_epsilon,
        ledgers=resources_of(settings)["settings"].ledgers,
    )
    released.rows.to_csv(to, index=False)
    return (
        f"{len(released.rows):,} segments of {table.key} of {day} are in {to}; counts within "
        f"{released.count_error:.0f} in 95 of 100. Epsilon {released.epsilon:.3f} was spent; "
        f"{released.left:.3f} of {settings.release_epsilon:g} is left in {Quarter.of(day)}\n"
    )
