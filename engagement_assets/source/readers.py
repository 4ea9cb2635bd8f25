"""What a source of raw tables is, and the simulator as one.

Belongs here: the protocol and the days a source covers. Does not belong here: sources mapped by
SQL (`mapping.py`) and what happens to their rows (`ingestion.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Protocol

import pyarrow as pa

from engagement_assets.settings.installation import SIMULATED
from engagement_assets.source.contract import REQUIRED_TABLES
from engagement_assets.source.errors import DayOutOfRangeError, MissingTableError
from resources.days import days_between

if TYPE_CHECKING:
    from engagement_assets.source.simulator import Simulator


class SourceReader(Protocol):
    """A source of raw tables.

    Attributes:
        name: Its name, for messages.
        first_day: Its first partition, which also holds all that became known before it.
        last_day: Its last partition, or None where it goes on.
        timezone: The zone of its times that name none.
        granted_consents: Purposes to which its customers agreed, where it has no `consents`.
    """

    @property
    def name(self) -> str: ...  # noqa: D102 - documented with the class

    @property
    def first_day(self) -> date: ...  # noqa: D102 - documented with the class

    @property
    def last_day(self) -> date | None: ...  # noqa: D102 - documented with the class

    @property
    def timezone(self) -> str: ...  # noqa: D102 - documented with the class

    @property
    def granted_consents(self) -> tuple[str, ...]: ...  # noqa: D102 - documented with the class

    def provides(self) -> frozenset[str]:
        """Names of the contract's tables that it has."""
        ...

    def read(self, first: date, last: date) -> Mapping[str, pa.Table]:
        """The raw rows that became known on the days `first` to `last`, both included.

        A row without any readable time belongs to the source's first day.
        """
        ...

    def digest(self, table: str) -> str:
        """A digest of what makes a table's rows of the raw data; "" for a table it has not."""
        ...

    def strays(self, table: str, after: date) -> pa.Table | None:
        """Rows that no day takes: without a readable time, or known after the day `after`.

        None where there can be none.
        """
        ...

    def updates(self, table: str, first: date, last: date) -> pa.Table | None:
        """Rows that became known before the days `first` to `last` and were filled within them.

        None where there are none, or where the source gives such rows again by itself.
        """
        ...


@dataclass(frozen=True)
class PassingReader:
    """A reader that says what another says; what changes something derives from it.

    Attributes:
        reader: The source.
    """

    reader: SourceReader

    @property
    def name(self) -> str:
        """Its name."""
        return self.reader.name

    @property
    def first_day(self) -> date:
        """Its first partition."""
        return self.reader.first_day

    @property
    def last_day(self) -> date | None:
        """Its last partition, or None."""
        return self.reader.last_day

    @property
    def timezone(self) -> str:
        """The zone of its times that name none."""
        return self.reader.timezone

    @property
    def granted_consents(self) -> tuple[str, ...]:
        """Purposes to which its customers agreed."""
        return self.reader.granted_consents

    def provides(self) -> frozenset[str]:
        """Names of the contract's tables that it has."""
        return self.reader.provides()

    def digest(self, table: str) -> str:
        """A digest of what makes a table's rows."""
        return self.reader.digest(table)

    def read(self, first: date, last: date) -> Mapping[str, pa.Table]:
        """The raw rows of the days `first` to `last`."""
        return self.reader.read(first, last)

    def strays(self, table: str, after: date) -> pa.Table | None:
        """Rows that no day takes."""
        return self.reader.strays(table, after)

    def updates(self, table: str, first: date, last: date) -> pa.Table | None:
        """Rows that were filled since."""
        return self.reader.updates(table, first, last)


class SimulatedReader:
    """The simulator as a source."""

    name = SIMULATED
    timezone = "UTC"
    # it has a table of consents, so that nothing is granted beside it
    granted_consents: tuple[str, ...] = ()

    def __init__(self, simulator: "Simulator", *, first_day: date, tables: frozenset[str]) -> None:
        self.simulator = simulator
        self.first_day = first_day
        # its world goes on
        self.last_day: date | None = None
        self._tables = tables

    def provides(self) -> frozenset[str]:
        """Names of the contract's tables that it has."""
        return self._tables

    def read(self, first: date, last: date) -> Mapping[str, pa.Table]:
        """The rows of the days `first` to `last`, both included."""
        check_days(self, first, last)
        parts: dict[str, list[pa.Table]] = {}
        for day in days_between(first, last):
            for name, rows in self.simulator.day(day).items():
                parts.setdefault(name, []).append(rows)
        return {name: pa.concat_tables(tables) for name, tables in parts.items()}

    def digest(self, table: str) -> str:
        """That there is one: a home holds one simulated world, which its settings say."""
        return SIMULATED if table in self._tables else ""

    def strays(self, table: str, after: date) -> pa.Table | None:  # noqa: ARG002 - none
        """None: every row of the simulator has its day."""
        return None

    def updates(self, table: str, first: date, last: date) -> pa.Table | None:  # noqa: ARG002 - none
        """None: the simulator's rows hold what is yet to come, and readers mask it."""
        return None


def check_days(reader: SourceReader, first: date, last: date) -> None:
    """Check that a source covers a range of days.

    Raises:
        DayOutOfRangeError: It does not, or the range runs backwards.
    """
    if last < first:
        raise DayOutOfRangeError(f"the days run backwards: {first} to {last}")
    if first < reader.first_day:
        raise DayOutOfRangeError(
            f"{first} lies before the first day of source {reader.name}, {reader.first_day} (which "
            "also holds all that became known earlier): ask for later days or set an earlier "
            "first_day"
        )
    if reader.last_day is not None and last > reader.last_day:
        raise DayOutOfRangeError(
            f"{last} lies after the last day of source {reader.name}, {reader.last_day}: ask for "
            "earlier days or set a later last_day"
        )


def check_tables(reader: SourceReader) -> None:
    """Check that a source has the tables that the platform cannot run without.

    Raises:
        MissingTableError: It does not.
    """
    missing = [name for name in REQUIRED_TABLES if name not in reader.provides()]
    if missing:
        raise MissingTableError(
            f"source {reader.name} has no {' and no '.join(missing)}: the platform cannot run "
            f"without; add {', '.join(f'{name}.sql' for name in missing)} to its folder"
        )
