"""A source without those who were erased, however often it delivers them.

Belongs here: leaving their rows out before anything is made of them. Does not belong here: erasing
what was taken in before (`engagement_assets.governance.privacy`).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from engagement_assets.source.contract import TABLES
from engagement_assets.source.readers import PassingReader, SourceReader
from resources.erasures import Erasures
from resources.subjects import tokens

# as a key is read (`casting.py`)
WHOLE = re.compile(r"^([0-9]+)[.]0+$")


@dataclass(frozen=True)
class _Tables(Mapping[str, pa.Table]):
    """Tables without the erased, each read when it is asked for."""

    source: "WithoutErased"
    tables: Mapping[str, pa.Table]

    def __getitem__(self, name: str) -> pa.Table:
        return self.source.without(name, self.tables[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self.tables)

    def __len__(self) -> int:
        return len(self.tables)


@dataclass(frozen=True)
class WithoutErased(PassingReader):
    """A reader that leaves out every row that names somebody who was erased.

    Backfills, deliveries of the same file and restored sources come through here alike.

    Attributes:
        erasures: Who was erased.
    """

    erasures: Erasures

    def read(self, first: date, last: date) -> Mapping[str, pa.Table]:
        """The raw rows of the days `first` to `last`, without theirs."""
        return _Tables(self, self.reader.read(first, last))

    def strays(self, table: str, after: date) -> pa.Table | None:
        """Rows that no day takes, without theirs."""
        rows = self.reader.strays(table, after)
        return None if rows is None else self.without(table, rows)

    def updates(self, table: str, first: date, last: date) -> pa.Table | None:
        """Rows that were filled since, without theirs."""
        rows = self.reader.updates(table, first, last)
        return None if rows is None else self.without(table, rows)

    def without(self, name: str, rows: pa.Table) -> pa.Table:
        """Some rows of a table, without theirs."""
        table = TABLES.get(name)
        if table is None or not rows.num_rows:
            return rows
        about = np.zeros(rows.num_rows, dtype=bool)
        for column in set(table.customer_columns) & set(rows.column_names):
            about |= self.erasures.rows(_keys(rows.column(column)))
        for column in set(table.mentioning_columns) & set(rows.column_names):
            texts = rows.column(column).cast(pa.string()).to_pylist()
            parts = [{WHOLE.sub(r"\1", one) for one in part} for part in tokens(texts)]
            erased = self.erasures.erased(set().union(*parts))
            about |= np.array([bool(part & erased) for part in parts], dtype=bool)
        return rows.filter(pa.array(~about)) if about.any() else rows


def _keys(ids: pa.ChunkedArray) -> pa.ChunkedArray:
    """Ids as the lake has them: a whole number that was stored with a fraction is the same key."""
    return pc.replace_substring_regex(ids.cast(pa.string()), WHOLE.pattern, r"\1")


def without_erased(reader: SourceReader, erasures: Erasures) -> SourceReader:
    """Return a source without those who were erased; the source itself where nobody was."""
    return WithoutErased(reader, erasures) if erasures.tombstones() else reader
