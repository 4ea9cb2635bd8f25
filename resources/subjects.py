"""Whom an erasure is about, and the one predicate by which everything of theirs is recognised.

Deleting and counting what is left ask the same questions here, so that what one finds the other
cannot pass by. Belongs here: recognising people in rows and texts. Does not belong here: where rows
and texts lie (`engagement_assets.governance.privacy`).
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from resources.tables import Table

# What stands in a text in place of a person.
ERASED = "erased"
# A number can be anything, so an id of digits alone counts in a text only between these,
QUOTES = "[\"'`/#|\\\\]"
# or, if it has so many digits, before or after a word, which no number of JSON is.
LONG_NUMBER = 6


@dataclass(frozen=True)
class Subjects:
    """People by their ids, and by what else names them alone.

    Attributes:
        ids: Customer ids, with those of accounts that were merged.
        values: Names, addresses and telephone numbers that nobody else has.
        known_since: The first day that any of them was known; None where nobody is.
    """

    ids: frozenset[str]
    values: frozenset[str] = field(default=frozenset())
    known_since: date | None = None

    def in_rows(self, table: Table, rows: pa.Table) -> np.ndarray:
        """Return which of n rows are about them, by the columns that the table declares."""
        about = np.zeros(rows.num_rows, dtype=bool)
        for name in table.customer_columns:
            about |= self.named(rows.column(name))
        for name in table.mentioning_columns:
            about |= self.in_texts(rows.column(name))
        return about

    def named(self, ids: pa.ChunkedArray) -> np.ndarray:
        """Return which of n ids are theirs."""
        return _true(pc.is_in(ids, value_set=self._ids))

    def in_texts(self, texts: pa.ChunkedArray | pa.Array) -> np.ndarray:
        """Return which of n texts mention them."""
        return _true(pc.match_substring_regex(texts, self._pattern))

    def in_text(self, text: str) -> bool:
        """Return whether one text mentions them."""
        return bool(self.in_texts(pa.array([text], pa.large_string()))[0])

    def in_bytes(self, content: bytes) -> bool:
        """Return whether some bytes may mention them; more than do, where an id is a figure."""
        values = {form for value in self.ids | self.values for form in _forms(value)}
        return any(value.encode() in content for value in values)

    def redacted(self, text: str) -> str:
        """Return a text with what names them replaced."""
        return self._replaced.sub(ERASED, text)

    @cached_property
    def _ids(self) -> pa.Array:
        return pa.array(sorted(self.ids), pa.string())

    @cached_property
    def _words(self) -> tuple[str, str, str]:
        """Alternatives of what may stand anywhere, in quotes or cells, and beside words."""
        values = {form for value in self.ids | self.values for form in _forms(value)}
        # the longest first: one may begin like another
        ordered = sorted(values, key=lambda value: (-len(value), value))
        free = "|".join(re.escape(value) for value in ordered if not value.isdigit())
        numbers = [value for value in ordered if value.isdigit()]
        long = "|".join(value for value in numbers if len(value) >= LONG_NUMBER)
        return free, "|".join(numbers), long

    @cached_property
    def _pattern(self) -> str:
        """As RE2 reads it, which looks neither ahead nor behind."""
        free, quoted, long = self._words
        parts = [f"(?:^|[^0-9A-Za-z])(?:{free})(?:$|[^0-9A-Za-z])"] if free else []
        parts += [f"{QUOTES}(?:{quoted}){QUOTES}", rf"\| (?:{quoted}) \|"] if quoted else []
        if long:
            # the figure 123456.7 is no id
            end = "(?:$|[^0-9A-Za-z.,]|[.,](?:$|[^0-9]))"
            parts += [
                rf"[A-Za-z][ \t](?:{long}){end}",
                rf"(?:^|[^0-9A-Za-z.,])(?:{long})[ \t][A-Za-z]",
            ]
        return "|".join(parts)

    @cached_property
    def _replaced(self) -> re.Pattern[str]:
        free, quoted, long = self._words
        parts = [f"(?<![0-9A-Za-z])(?:{free})(?![0-9A-Za-z])"] if free else []
        parts += [f"(?<={QUOTES})(?:{quoted})(?={QUOTES})"] if quoted else []
        parts += [rf"(?<=\| )(?:{quoted})(?= \|)"] if quoted else []
        if long:
            parts += [
                rf"(?<=[A-Za-z][ \t])(?:{long})(?![0-9A-Za-z]|[.,][0-9])",
                rf"(?<![0-9A-Za-z.,])(?:{long})(?=[ \t][A-Za-z])",
            ]
        return re.compile("|".join(parts))


def tokens(texts: Sequence[str | None]) -> list[set[str]]:
    """Return the ids that may stand in keys whose parts are joined by `|`."""
    return [set(text.split("|")) | {text} if text else set() for text in texts]


def _forms(value: str) -> set[str]:
    """A value as texts write it: itself, and as JSON within JSON."""
    once = json.dumps(value)[1:-1]
    return {value, once, json.dumps(once)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}


def _true(mask: pa.ChunkedArray | pa.Array) -> np.ndarray:
    """A mask without nulls."""
    filled = pc.fill_null(mask, False)
    return np.asarray(filled.to_numpy(zero_copy_only=False), dtype=bool)
