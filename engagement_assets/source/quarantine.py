"""The quarantine: rows that broke the contract, as they came, with the reasons.

Belongs here: its schema, counting it. Does not belong here: what the reasons are (`rules.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from engagement_assets.source.contract import TABLES
from resources.lake import Lake
from resources.schema import Column, TableSchema

QUARANTINE = "source/quarantine"
SEPARATOR = "; "
QUARANTINE_SCHEMA = TableSchema(
    (
        Column("table", "string", nullable=False, description="The raw table"),
        Column("key", "string", description="The row's key columns as JSON, as they came"),
        Column("customer_id", "string", description="Whom the row is about, as it came"),
        Column("reason", "string", nullable=False, description="All reasons, joined by '; '"),
        Column("row", "string", nullable=False, description="The whole row as JSON, as it came"),
    )
)


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


def intake_of_day(lake: Lake, day: date) -> Mapping[str, Intake]:
    """Count what one day brought, from the lake, for each table of the contract.

    Raises:
        MissingPartitionError: The day is not ingested.
    """
    quarantined = lake.read(QUARANTINE, days=[day], columns=["table"]).column("table")
    counts = {
        entry["values"]: entry["counts"] for entry in pc.value_counts(quarantined).to_pylist()
    }
    return {
        name: Intake(lake.row_count(f"source/{name}", day), counts.get(name, 0)) for name in TABLES
    }


def total(intake: Mapping[str, Intake]) -> Intake:
    """Add up the tables of one day."""
    return Intake(
        sum(part.rows for part in intake.values()),
        sum(part.quarantined for part in intake.values()),
    )


def sorted_quarantine(rows: pa.Table) -> pa.Table:
    """Put quarantined rows in an order that does not depend on how they were delivered."""
    return rows.sort_by([(name, "ascending") for name in ("table", "key", "reason", "row")])
