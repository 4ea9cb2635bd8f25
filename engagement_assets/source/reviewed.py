"""A source with the verdicts that were given here as further rows of `reviews`.

Belongs here: adding the rows of decided cases. Does not belong here: when a case is decided
(`resources.reviews`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pyarrow as pa

from engagement_assets.source.contract import TABLES
from engagement_assets.source.readers import PassingReader, SourceReader
from resources.reviews import Case

REVIEWS = "reviews"


@dataclass(frozen=True)
class WithVerdicts(PassingReader):
    """A reader that adds the verdicts of a day to what its source has of it.

    Attributes:
        cases: The decided cases.
    """

    cases: Sequence[Case]

    def provides(self) -> frozenset[str]:
        """Names of the contract's tables that it has."""
        return self.reader.provides() | {REVIEWS}

    def read(self, first: date, last: date) -> Mapping[str, pa.Table]:
        """The raw rows of the days `first` to `last`, and their verdicts."""
        tables = self.reader.read(first, last)
        own = self._rows(first, last)
        if not own.num_rows:
            return tables
        rows = tables[REVIEWS] if REVIEWS in tables else None  # noqa: SIM401 - `get` hides errors
        if rows is not None:
            # a mapped source may have its own types, which are cast later
            fields = [
                rows.schema.field(n) if n in rows.schema.names else own.schema.field(n)
                for n in own.schema.names
            ]
            own = pa.concat_tables([rows, own.cast(pa.schema(fields))], promote_options="default")
        return {**tables, REVIEWS: own}

    def _rows(self, first: date, last: date) -> pa.Table:
        zone = ZoneInfo(self.reader.timezone)
        rows = []
        for case in self.cases:
            at = datetime.fromisoformat(case.decided_at or "").astimezone(UTC)
            # by the calendar of the lake, which is UTC; written by the clock of the source
            if first <= at.date() <= last:
                when = at.astimezone(zone).replace(tzinfo=None)
                rows.append(
                    {
                        "customer_id": case.customer_id,
                        "confirmed_fraud": case.fraud,
                        "occurred_at": when,
                    }
                )
        schema = pa.schema(
            [
                TABLES[REVIEWS].arrow.field(name)
                for name in ("customer_id", "confirmed_fraud", "occurred_at")
            ]
        )
        return pa.Table.from_pylist(rows, schema=schema)


def with_verdicts(reader: SourceReader, cases: Sequence[Case]) -> SourceReader:
    """Return a source with the verdicts of cases; the source itself where none is decided."""
    decided = [case for case in cases if case.fraud is not None]
    return WithVerdicts(reader, decided) if decided else reader
