"""A mapping tried on a sample of its customers, in seconds and outside any home.

Belongs here: the sample, taking it in, its profile. Does not belong here: what a profile says
(`profile.py`).
"""

import tempfile
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from engagement_assets.source.contract import CUSTOMERS, TABLES
from engagement_assets.source.ingestion import IngestReport, ingest
from engagement_assets.source.mapping import MappedReader, mapping_of
from engagement_assets.source.profile import Profile, profile
from engagement_assets.source.quarantine import QUARANTINE, SOURCE_TABLES
from resources.engine import DuckDBEngine
from resources.lake import Lake
from resources.sql import quote_name
from resources.tables import by_sql_name


class SampledReader(MappedReader):
    """A mapped source of about so many of its customers, all their rows in one partition.

    Attributes:
        share: One customer in so many is looked at.
    """

    share = 1

    def sample(self, customers: int) -> None:
        """Look at about so many customers from now on."""
        self.share = max(1, round(self.count(CUSTOMERS) / customers))

    def _sql(self, table: str) -> str:
        whole = super()._sql(table)
        if self.share == 1:
            return whole
        column, *_others = TABLES[table].customer_columns
        # what concerns nobody, such as a post of an editor, is looked at in full
        key = f"CAST({quote_name(column)} AS VARCHAR)"
        return f"FROM ({whole}) WHERE {key} IS NULL OR hash({key}) % {self.share} = 0"


def try_mapping(
    name: str, *, root: Path, data: str, customers: int
) -> tuple[Profile, IngestReport, list[dict[str, str]], float]:
    """Take a sample of a source in, in a lake that is thrown away.

    Returns:
        Its profile, what was taken in, examples of rows in quarantine, and the share of customers
        that was looked at.

    Raises:
        SourceError: The mapping cannot be run.
    """
    folder, settings = mapping_of(name, root)
    reader = SampledReader(name, folder=folder, data=data, settings=settings)
    reader.sample(customers)
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    last: date = reader.last_day or yesterday
    reader.begin_on(last)
    with tempfile.TemporaryDirectory() as home:
        lake = Lake(home)
        report = ingest(reader, lake, last, last)
        engine = DuckDBEngine(lake, declared=by_sql_name(SOURCE_TABLES))
        measured = profile(
            engine, timezone=reader.timezone, end=None if reader.last_day else yesterday
        )
        rows = lake.read(QUARANTINE.key, days=[last]).to_pylist()
    return measured, report, rows, 1 / reader.share
