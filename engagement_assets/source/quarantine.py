"""The quarantine: rows that broke the contract, as they came, with the reasons.

Belongs here: its schema, counting it. Does not belong here: what the reasons are (`rules.py`).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from engagement_assets.source.contract import OWNER, TABLES
from engagement_assets.source.rules import DUPLICATE_ROW
from engagement_assets.source.versions import REVISIONS
from resources.lake import Lake
from resources.tables import Column, Table

SEPARATOR = "; "
_PARTICULAR = re.compile(r" = | is not | lies ")
QUARANTINE = Table(
    "source/quarantine",
    (
        Column("table", "string", "The raw table", nullable=False),
        Column(
            "key", "string", "The row's key columns as JSON, as they came", mentions_customer=True
        ),
        Column("customer_id", "string", "Whom the row is about, as it came", names_customer=True),
        Column("reason", "string", "All reasons, joined by '; '", nullable=False),
        Column(
            "row",
            "string",
            "The whole row as JSON, as it came",
            nullable=False,
            personal=True,
            mentions_customer=True,
        ),
    ),
    description="Raw rows that break the contract, with table, reason and the row as it came. "
    "Nothing is dropped silently.",
    owner=OWNER,
)
SOURCE_TABLES: tuple[Table, ...] = (*TABLES.values(), QUARANTINE, REVISIONS)


@dataclass(frozen=True)
class Intake:
    """How many rows of one table one day brought."""

    rows: int
    quarantined: int

    @property
    def share(self) -> float:
        """Share of the delivered rows that are in quarantine; 0 of no rows."""
        delivered = self.rows + self.quarantined
        return self.quarantined / delivered if delivered else 0.0


def intake(lake: Lake, days: Sequence[date]) -> dict[date, dict[str, Intake]]:
    """Count what each of some days brought, from the lake, for each table of the contract.

    A row that was delivered once more is no fault and not counted.

    Raises:
        MissingPartitionError: A day is not ingested.
    """
    rows = {name: lake.row_counts(f"source/{name}", days) for name in TABLES}
    lake.require(QUARANTINE.key, days)
    filled = sorted(set(days) & set(lake.filled_days(QUARANTINE.key)))
    refused = dict(zip(filled, lake.each(filled, partial(_refused, lake)), strict=True))
    return {
        day: {name: Intake(rows[name][day], refused.get(day, {}).get(name, 0)) for name in TABLES}
        for day in days
    }


def _refused(lake: Lake, day: date) -> dict[str, int]:
    rows = lake.read(QUARANTINE.key, days=[day], columns=["table", "reason"])
    tables = rows.filter(pc.field("reason") != DUPLICATE_ROW).column("table")
    return {entry["values"]: entry["counts"] for entry in pc.value_counts(tables).to_pylist()}


def label_of(reason: str) -> str:
    """A reason without what is particular to the row, such as `wrong type: age`."""
    return SEPARATOR.join(
        _PARTICULAR.split(part, maxsplit=1)[0] for part in reason.split(SEPARATOR)
    )


def total(intake: Mapping[str, Intake]) -> Intake:
    """Add up the tables of one day."""
    return Intake(
        sum(part.rows for part in intake.values()),
        sum(part.quarantined for part in intake.values()),
    )


def sorted_quarantine(rows: pa.Table) -> pa.Table:
    """Put quarantined rows in an order that does not depend on how they were delivered."""
    return rows.sort_by([(name, "ascending") for name in ("table", "key", "reason", "row")])
