"""The configured source as a Dagster resource.

Belongs here: making the reader that the settings name. Does not belong here: reading
(`readers.py`, `mapping.py`).
"""

from datetime import date
from functools import cached_property
from pathlib import Path

import dagster as dg
from pydantic import Field

from engagement_assets.settings.fields import same
from engagement_assets.settings.installation import SIMULATED, Settings
from engagement_assets.source.consent import Consent
from engagement_assets.source.contract import TABLES
from engagement_assets.source.mapping import open_mapped
from engagement_assets.source.readers import SimulatedReader, SourceReader
from engagement_assets.source.settings import IngestionSettings
from resources.lake import Lake


class SourceResource(dg.ConfigurableResource):
    """Where the raw tables come from."""

    name: str = Field(description="`simulator`, or a folder of the mappings.")
    mappings: str = Field(description="Folder that holds one folder of SQL files a source.")
    data: str = Field(default="", description="Folder or URL of a mapped source's files.")
    customers: int = same(Settings, "customers")
    seed: int = same(Settings, "seed")
    days: int = same(Settings, "days")
    world: str = same(Settings, "world")
    first_day: str = Field(description="First partition, as an ISO date.")
    quarantine_share_limit: float = same(Settings, "quarantine_share_limit")
    quarantine_least_rows: int = Field(
        default=IngestionSettings.quarantine_least_rows,
        description="Rows in quarantine up to which no share of a day is too large.",
    )
    duplicate_lookback_days: int = Field(
        default=IngestionSettings.duplicate_lookback_days,
        description="Earlier partitions in which a key must not occur already.",
    )
    threads: int = same(Settings, "threads")

    @cached_property
    def reader(self) -> SourceReader:
        """The reader of this source."""
        first_day = date.fromisoformat(self.first_day)
        if self.name == SIMULATED:
            from engagement_assets.source.simulator import VARIANTS, Simulator  # noqa: PLC0415 - loads slowly

            simulator = Simulator(
                customers=self.customers,
                seed=self.seed,
                first_day=first_day,
                days=self.days,
                causes=VARIANTS[self.world],
            )
            return SimulatedReader(simulator, first_day=first_day, tables=frozenset(TABLES))
        return open_mapped(self.name, root=Path(self.mappings), data=self.data, first_day=first_day)

    def consent(self, lake: Lake, *, purpose: str) -> Consent:
        """By what consent to a purpose is judged in a lake of this source."""
        reader = self.reader
        return Consent.of(
            lake, provided=reader.provides(), granted=reader.granted_consents, purpose=purpose
        )

    @property
    def settings(self) -> IngestionSettings:
        """How rows are taken in."""
        return IngestionSettings(
            quarantine_share_limit=self.quarantine_share_limit,
            quarantine_least_rows=self.quarantine_least_rows,
            duplicate_lookback_days=self.duplicate_lookback_days,
            threads=self.threads,
        )
