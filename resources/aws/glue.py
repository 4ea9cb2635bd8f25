"""The lake's tables in the Glue catalogue, as Athena reads them.

Days are not registered: with partition projection Athena computes them from the day that a query
asks for, so that a partition is there as soon as its file is. Belongs here: making these tables and
refusing those that are not as declared. Does not belong here: queries (`athena.py`).
"""

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any

from resources.aws.clients import aws_call, client
from resources.aws.errors import GlueTableError
from resources.aws.storage import split_url
from resources.lake import PARTITION_COLUMN
from resources.tables import Table

MEND = "run `engagement aws sync-tables`"
GLUE_TYPES = {
    "string": "string",
    "int64": "bigint",
    "float32": "float",
    "float64": "double",
    "bool": "boolean",
    "date": "date",
    "timestamp": "timestamp",
}
_PARQUET = "org.apache.hadoop.hive.ql.io.parquet"
_NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class GlueTables:
    """The tables of one lake in one Glue database.

    Attributes:
        database: The Glue database.
        region: Its region.
        root: Root of the lake, `s3://bucket/prefix`.
        first_day: First day that a partition may have.
    """

    database: str
    region: str
    root: str
    first_day: date

    def name(self, group: str, table: str) -> str:
        """The name of a table in SQL, `<database>.<group>_<table>`."""
        return f"{self.database}.{group}_{table}"

    def verify(self, table: Table) -> None:
        """Make a table if it is missing, and check it; once a process for each.

        Raises:
            GlueTableError: It is there and is not what is declared.
            AwsError: Glue cannot be asked.
        """
        _verified(self, table)

    def sync(self, tables: Iterable[Table]) -> list[str]:
        """Make or mend every declared table, and the database; gives the names in Glue."""
        glue = self._client
        with (
            aws_call(f"making the Glue database {self.database}"),
            suppress(glue.exceptions.AlreadyExistsException),
        ):
            glue.create_database(DatabaseInput={"Name": self.database})
        names = []
        for table in tables:
            names.append(f"{self.database}.{_name(table)}")
            self.ensure(table)
            # one that is as it should be is left alone: Glue keeps every change as a version
            if self.problems(table):
                wanted = self.definition(table)
                with aws_call(f"mending the Glue table {self.database}.{wanted['Name']}"):
                    glue.update_table(DatabaseName=self.database, TableInput=wanted)
        _verified.cache_clear()
        return sorted(names)

    def problems(self, table: Table) -> list[str]:
        """What is not as declared in a table that is there; "missing" where it is not."""
        there = self._there(table)
        return ["it is missing"] if there is None else _differences(there, self.definition(table))

    def ensure(self, table: Table) -> None:
        """Make a table if it is missing.

        Raises:
            AwsError: Glue refuses.
        """
        glue = self._client
        wanted = self.definition(table)
        with (
            aws_call(f"making the Glue table of {table.key} in {self.database}"),
            # another process made it in the meantime; it is checked like any other
            suppress(glue.exceptions.AlreadyExistsException),
        ):
            glue.create_table(DatabaseName=self.database, TableInput=wanted)

    def definition(self, table: Table) -> dict[str, Any]:
        """The table as Glue is told it."""
        for word in (table.group, table.noun, *table.names):
            if not _NAME.fullmatch(word):
                raise GlueTableError(
                    f"table {table.key}: {word!r} is no name that Athena keeps as it is; use "
                    "lower-case letters, digits and underscores"
                )
        location = f"{self.root.rstrip('/')}/{table.key}/"
        split_url(location)
        template = f"{location}{PARTITION_COLUMN}=${{{PARTITION_COLUMN}}}/"
        return {
            "Name": _name(table),
            "TableType": "EXTERNAL_TABLE",
            "PartitionKeys": [{"Name": PARTITION_COLUMN, "Type": "date"}],
            "StorageDescriptor": {
                "Columns": [
                    {"Name": column.name, "Type": GLUE_TYPES[column.type]}
                    for column in table.columns
                ],
                "Location": location,
                "InputFormat": f"{_PARQUET}.MapredParquetInputFormat",
                "OutputFormat": f"{_PARQUET}.MapredParquetOutputFormat",
                "SerdeInfo": {"SerializationLibrary": f"{_PARQUET}.serde.ParquetHiveSerDe"},
            },
            "Parameters": {
                "EXTERNAL": "TRUE",
                "classification": "parquet",
                "projection.enabled": "true",
                f"projection.{PARTITION_COLUMN}.type": "date",
                f"projection.{PARTITION_COLUMN}.format": "yyyy-MM-dd",
                f"projection.{PARTITION_COLUMN}.interval": "1",
                f"projection.{PARTITION_COLUMN}.interval.unit": "DAYS",
                f"projection.{PARTITION_COLUMN}.range": f"{self.first_day},NOW+1DAYS",
                "storage.location.template": template,
            },
        }

    @property
    def _client(self) -> Any:
        return client("glue", self.region)

    def _there(self, table: Table) -> dict[str, Any] | None:
        glue = self._client
        with aws_call(f"reading the Glue table of {table.key} in {self.database}"):
            try:
                answer = glue.get_table(DatabaseName=self.database, Name=_name(table))
            except glue.exceptions.EntityNotFoundException:
                return None
        return dict(answer["Table"])


@lru_cache(maxsize=1024)
def _verified(tables: GlueTables, table: Table) -> None:
    problems = tables.problems(table)
    if problems == ["it is missing"]:
        tables.ensure(table)
        problems = tables.problems(table)
    if problems:
        raise GlueTableError(
            f"the Glue table {tables.database}.{_name(table)} is not as declared: "
            f"{'; '.join(problems)}; {MEND}"
        )


def _name(table: Table) -> str:
    return f"{table.group}_{table.noun}"


def _differences(there: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """How a table in Glue differs from the declared one, a sentence each."""
    problems = []
    have, want = _columns(there), _columns(wanted)
    for name, kind in want.items():
        if name not in have:
            problems.append(f"column {name} is missing")
        elif have[name] != kind:
            problems.append(f"column {name} is {have[name]}, declared {kind}")
    problems += [f"column {name} is not declared" for name in have if name not in want]
    places = [table["StorageDescriptor"].get("Location", "") for table in (there, wanted)]
    if places[0].rstrip("/") != places[1].rstrip("/"):
        problems.append(f"it lies at {places[0]}, not at {places[1]}")
    parameters = there.get("Parameters", {})
    problems += [
        f"{name} is {parameters.get(name)!r}, not {value!r}"
        for name, value in wanted["Parameters"].items()
        if name.startswith(("projection.", "storage.")) and parameters.get(name) != value
    ]
    return problems


def _columns(table: Mapping[str, Any]) -> dict[str, str]:
    described = [*table["StorageDescriptor"]["Columns"], *table.get("PartitionKeys", [])]
    return {column["Name"]: column["Type"] for column in described}
