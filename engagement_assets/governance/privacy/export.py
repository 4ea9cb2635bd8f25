"""Rows that may leave the platform: nobody stands out in them, nor by what was left out.

Rows that are alike in all exported columns but the sensitive ones are a class. A class leaves with
at least k people and l values of each sensitive column. What is left out must hide too: whoever
knows the totals of any of the columns could take what left from them, so in every such total either
nobody is missing, or k people with l values are (complementary suppression).

Belongs here: choosing rows. Does not belong here: generalising values (`masking.py`), and where
rows are written.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import pandas as pd

from engagement_assets.governance.privacy.masking import Masking, Reader
from resources.tables import SchemaError, Table

LEAST_PEOPLE = 10
LEAST_VALUES = 2
# all totals of so many columns are looked at, which doubles with each
MOST_COLUMNS = 10
# no reader of an export sees people
NOBODY = Reader("export")


@dataclass(frozen=True)
class Export:
    """Rows that may leave.

    Attributes:
        rows: They name nobody, and are in no order that tells who is meant.
        withheld: People who are left out.
        classes: Different combinations of values among the rows.
    """

    rows: pd.DataFrame
    withheld: int
    classes: int


def exported(
    rows: pd.DataFrame,
    table: Table,
    columns: Sequence[str],
    sensitive: Sequence[str],
    *,
    masking: Masking,
    k: int = LEAST_PEOPLE,
    least_values: int = LEAST_VALUES,
) -> Export:
    """Choose the rows of a table that may leave, one a customer.

    Args:
        rows: Of one day, with the customer and all the columns.
        table: Their declaration: ages and places are generalised by it.
        columns: What may be known of a person from elsewhere, all of it together.
        sensitive: What must not be learnt of a person by it.
        masking: Of the home.
        k: Least people of a class, and of what is left out of any total.
        least_values: Least values of each sensitive column among them (l).

    Raises:
        SchemaError: The table has no row a customer, or a column cannot be exported.
    """
    if k < LEAST_PEOPLE or least_values < LEAST_VALUES:
        raise SchemaError(
            f"k = {k} and l = {least_values}: expected at least {LEAST_PEOPLE} and {LEAST_VALUES}"
        )
    names = [*columns, *sensitive]
    check_exportable(rows, table, columns, sensitive)
    masked = masking.masked(rows[[table.customer_columns[0], *names]], table, NOBODY)[names]
    alike = masked.groupby(list(columns), dropna=False, observed=True, sort=True).ngroup()
    facts = masked[list(columns)].assign(alike=alike).drop_duplicates("alike")
    facts = facts.set_index("alike").sort_index()
    values = [
        pd.Series(
            {number: frozenset(group.dropna()) for number, group in masked[name].groupby(alike)}
        )
        for name in sensitive
    ]
    classes = _Classes(facts, alike.value_counts().sort_index(), values, k, least_values)
    leaving = ~alike.isin(classes.withheld())
    # sorted by what is seen: the order of the table would tell who is meant
    chosen = masked[leaving].sort_values(names, ignore_index=True)
    return Export(chosen, int((~leaving).sum()), int(alike[leaving].nunique()))


@dataclass(frozen=True)
class _Classes:
    """Classes of rows, by number: their values, people, and sets of sensitive values."""

    facts: pd.DataFrame
    people: pd.Series
    values: list[pd.Series]
    k: int
    least_values: int

    def withheld(self) -> set[int]:
        """Return the classes that may not leave."""
        out = {number for number in self.facts.index if not self._hides([number])}
        totals = list(self._totals())
        while more := {one for total in totals for one in self._complement(total, out)}:
            out |= more
        return out

    def _totals(self) -> list[list[int]]:
        """The classes of each total that could be known: of any columns but all of them."""
        names = list(self.facts.columns)
        totals: list[list[int]] = [list(self.facts.index)]
        for size in range(1, len(names)):
            for part in combinations(names, size):
                groups = self.facts.groupby(list(part), dropna=False, observed=True).ngroup()
                totals += [list(group.index) for _, group in groups.groupby(groups)]
        return totals

    def _complement(self, total: list[int], out: set[int]) -> list[int]:
        """The smallest class that must be left out besides, where too little of a total is."""
        missing = [number for number in total if number in out]
        there = [number for number in total if number not in out]
        if not missing or not there or self._hides(missing):
            return []
        return [min(there, key=lambda number: (self.people[number], number))]

    def _hides(self, numbers: list[int]) -> bool:
        """Whether the people of some classes together are many and different enough."""
        many = int(self.people[numbers].sum()) >= self.k
        return many and all(
            len(frozenset().union(*values[numbers])) >= self.least_values for values in self.values
        )


def check_exportable(
    rows: pd.DataFrame, table: Table, columns: Sequence[str], sensitive: Sequence[str]
) -> None:
    """Refuse what cannot leave whatever is done to it.

    Raises:
        SchemaError: The table has no row a customer, or a column cannot be exported.
    """
    if not table.customer_columns:
        raise SchemaError(f"{table.key} has no row a customer: its rows need no protection here")
    names = [*columns, *sensitive]
    if not columns or not sensitive or len(set(names)) < len(names):
        raise SchemaError("an export has columns and sensitive columns, each named once")
    if len(columns) > MOST_COLUMNS:
        raise SchemaError(
            f"{len(columns)} columns tell nearly everybody apart: {MOST_COLUMNS} at most"
        )
    declared = {column.name: column for column in table.columns}
    unknown = [name for name in names if name not in declared]
    if unknown:
        raise SchemaError(f"{table.key} has no column {', '.join(unknown)}")
    naming = [name for name in names if declared[name].masking in {"pseudonym", "withheld"}]
    if naming:
        raise SchemaError(f"{', '.join(naming)} may name somebody and is not exported")
    if rows[table.customer_columns[0]].duplicated().any():
        raise SchemaError(f"{table.key} has several rows a customer; an export takes one")
