"""Reading the lake for a person: what is newest, without what they may not see.

Belongs here: which rows and columns a page gets. Does not belong here: what it draws.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

import pandas as pd
import pyarrow as pa
from upath import UPath

from engagement_assets.features.catalogue import FEATURES
from engagement_assets.governance.privacy.masking import Masking, of_groups_only
from engagement_assets.governance.privacy.masking import Reader as Person
from engagement_assets.governance.tables import KNOWN_TABLES
from resources.io_managers import Report, newest_report
from resources.lake import Lake
from resources.registry import ModelRegistry
from resources.tables import Table

TABLES = {table.key: table for table in KNOWN_TABLES}
OF_GROUPS_ONLY = frozenset(name for name, one in FEATURES.items() if of_groups_only(one))
# who may not see customers sees what any analyst sees
ANALYST = Person("dashboard")
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
    """Reads the lake, the registry and the reports of a home, and writes nothing.

    Attributes:
        lake: The tables.
        registry: The models.
        reports: Folder of the reports.
        sees_customers: Whether rows of single customers may be handed out.
        masking: Gives what masks the ids for who may not see customers; called when one is read.
    """

    lake: Lake
    registry: ModelRegistry
    reports: UPath
    sees_customers: bool
    masking: Callable[[], Masking]

    def report(self, asset: str) -> tuple[Report, date | None] | None:
        """Return the newest report of an asset and its day, or None where none was made."""
        newest = newest_report(self.reports, asset.split("/"))
        if newest is None:
            return None
        report, partition = newest
        return report, date.fromisoformat(partition) if partition else None

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
            columns: Those that are needed; all by default. Personal ones never come; for who may
                not see customers, those that name one come as pseudonyms.
            until: Newest day that counts.
        """
        day = self.last_day(table, until=until)
        names = self._shown(table, columns)
        if day is None:
            empty = pa.schema([TABLES[table].arrow.field(name) for name in names]).empty_table()
            return Reading(empty.to_pandas(), table, None)
        rows = self.lake.read(table, days=[day], columns=names).to_pandas()
        if not self.sees_customers and {*TABLES[table].customer_columns} & {*names}:
            rows = self.masking().masked(rows, TABLES[table], ANALYST)
        return Reading(rows, table, day)

    def of_customer(self, table: str, customer: str) -> Reading:
        """Return the newest rows of one customer.

        Raises:
            NotAllowedError: The person may not see customers.
        """
        day = self.last_day(table)
        return self.days_of_customer(table, customer, [] if day is None else [day])

    def days_of_customer(
        self, table: str, customer: str, days: Sequence[date], columns: Sequence[str] = ()
    ) -> Reading:
        """Return the rows of one customer on some days, in order; of all columns by default.

        Raises:
            NotAllowedError: The person may not see customers.
        """
        if not self.sees_customers:
            raise NotAllowedError("your role shows no single customer")
        names = self._shown(table, columns)
        empty = pa.schema([TABLES[table].arrow.field(name) for name in names]).empty_table()
        rows = [empty]
        if days:
            rows.append(
                self.lake.read_where(
                    table, days=days, column="customer_id", values=[customer], columns=names
                )
            )
        whole = pa.concat_tables(rows, promote_options="permissive")
        return Reading(whole.to_pandas(), table, days[-1] if days else None)

    def _shown(self, table: str, columns: Sequence[str]) -> list[str]:
        declared: Table = TABLES[table]
        hidden = {
            column.name
            for column in declared.columns
            if column.masking == "withheld"
            or of_groups_only(column)
            or column.name in OF_GROUPS_ONLY
        }
        return [name for name in columns or declared.names if name not in hidden]
