"""Reading the lake for a person: what is newest, without what they may not see.

Belongs here: which rows and columns a page gets. Does not belong here: what it draws.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import pandas as pd
import pyarrow as pa

from engagement_assets.governance.tables import KNOWN_TABLES
from resources.lake import Lake
from resources.registry import ModelRegistry
from resources.tables import Table

TABLES = {table.key: table for table in KNOWN_TABLES}
# what groups of fairness are made of is shown of groups only
OF_GROUPS_ONLY = frozenset({"age", "gender", "location"})
HIDDEN = "hidden"


class NotAllowedError(PermissionError):
    """A person asked for what their role may not see; the message names no row."""


@dataclass(frozen=True)
class Reading:
    """Rows of a table of a day.

    Attributes:
        rows: Its rows; none where the table has no day.
        table: Its key.
        day: The day, or None where the table has none or is not partitioned.
    """

    rows: pd.DataFrame
    table: str
    day: date | None


@dataclass(frozen=True)
class Reader:
    """Reads the lake and the registry of a home, and writes nothing.

    Attributes:
        lake: The tables.
        registry: The models.
        sees_customers: Whether rows of single customers may be handed out.
    """

    lake: Lake
    registry: ModelRegistry
    sees_customers: bool

    def last_day(self, table: str, *, until: date | None = None) -> date | None:
        """Return the newest day of a table, or None where there is none."""
        days = [day for day in self.lake.days(table) if until is None or day <= until]
        return days[-1] if days else None

    def newest(
        self, table: str, columns: Sequence[str] = (), *, until: date | None = None
    ) -> Reading:
        """Return the rows of the newest day of a table.

        Args:
            table: Its key.
            columns: Those that are needed; all by default. Personal ones never come, nor, for who
                may not see customers, those that name one.
            until: Newest day that counts.
        """
        day = self.last_day(table, until=until)
        names = self._shown(table, columns)
        if day is None:
            empty = pa.schema([TABLES[table].arrow.field(name) for name in names]).empty_table()
            return Reading(empty.to_pandas(), table, None)
        rows = self.lake.read(table, days=[day], columns=names)
        return Reading(rows.to_pandas(), table, day)

    def of_customer(self, table: str, customer: str) -> Reading:
        """Return the newest rows of one customer.

        Raises:
            NotAllowedError: The person may not see customers.
        """
        if not self.sees_customers:
            raise NotAllowedError("your role shows no single customer")
        day = self.last_day(table)
        names = self._shown(table, ())
        if day is None:
            empty = pa.schema([TABLES[table].arrow.field(name) for name in names]).empty_table()
            return Reading(empty.to_pandas(), table, None)
        rows = self.lake.read_where(table, day=day, column="customer_id", values=[customer])
        return Reading(rows.select(names).to_pandas(), table, day)

    def _shown(self, table: str, columns: Sequence[str]) -> list[str]:
        declared: Table = TABLES[table]
        hidden = {
            column.name
            for column in declared.columns
            if column.personal
            or (column.masking and not column.names_customer)
            or column.name in OF_GROUPS_ONLY
            or (not self.sees_customers and (column.names_customer or column.mentions_customer))
        }
        return [name for name in columns or declared.names if name not in hidden]
