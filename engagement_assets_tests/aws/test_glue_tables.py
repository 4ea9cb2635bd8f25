"""Glue tables are made when missing, and refused where they are not what is declared."""

from collections.abc import Callable
from typing import Any

import pytest

from engagement_assets_tests.aws.cloud import FIRST_DAY, Cloud
from engagement_assets_tests.resources.test_lake import ROWS, write
from resources.aws import glue
from resources.aws.errors import GlueTableError
from resources.sql import Query
from resources.tables import Column, Table

SCHEMA = Table("people/all", (Column("name", "string", nullable=False), Column("age", "int64")))
NAMES = Query("names", "SELECT name FROM people.all ORDER BY name")


def table_of(cloud: Cloud) -> dict[str, Any]:
    actual = cloud.client("glue").get_table(DatabaseName=cloud.database, Name="people_all")
    return actual["Table"]


def change(cloud: Cloud, alter: Callable[[dict[str, Any]], object]) -> None:
    """Change a table behind the platform's back, as another process finds it."""
    there = table_of(cloud)
    known = ("Name", "StorageDescriptor", "PartitionKeys", "TableType", "Parameters")
    wanted = {name: there[name] for name in known}
    alter(wanted)
    cloud.client("glue").update_table(DatabaseName=cloud.database, TableInput=wanted)
    glue._verified.cache_clear()


@pytest.fixture
def made(installed: Cloud) -> Cloud:
    write(installed.lake)
    assert installed.engine(people__all=SCHEMA).select(NAMES, {}).num_rows == ROWS.num_rows
    return installed


def test_a_missing_table_is_made_with_the_projection_of_its_days(made):
    table = table_of(made)
    location = f"{made.root}/people/all/"
    assert table["StorageDescriptor"]["Location"] == location
    assert table["StorageDescriptor"]["Columns"] == [
        {"Name": "name", "Type": "string"},
        {"Name": "age", "Type": "bigint"},
    ]
    assert table["PartitionKeys"] == [{"Name": "day", "Type": "date"}]
    parameters = table["Parameters"]
    assert parameters["projection.day.range"] == f"{FIRST_DAY},NOW+1DAYS"
    assert parameters["storage.location.template"] == location + "day=${day}/"


@pytest.mark.parametrize(
    ("alter", "said"),
    [
        (lambda t: t["StorageDescriptor"]["Columns"].pop(), "column age is missing"),
        (
            lambda t: t["StorageDescriptor"]["Columns"][1].update(Type="string"),
            "column age is string, declared bigint",
        ),
        (
            lambda t: t["StorageDescriptor"]["Columns"].append({"Name": "x", "Type": "int"}),
            "column x is not declared",
        ),
        (
            lambda t: t["StorageDescriptor"].update(Location="s3://elsewhere/people/"),
            "it lies at s3://elsewhere/people/, not at s3://",
        ),
        (
            lambda t: t["Parameters"].update({"projection.day.range": "2020-01-01,NOW"}),
            "projection.day.range is '2020-01-01,NOW'",
        ),
    ],
)
def test_a_table_that_is_not_as_declared_is_refused_by_name_and_can_be_mended(made, alter, said):
    change(made, alter)
    with pytest.raises(GlueTableError, match=rf"{made.database}.people_all .*{said}") as caught:
        made.engine(people__all=SCHEMA).select(NAMES, {})
    assert "engagement aws sync-tables" in str(caught.value)
    assert made.tables.sync([SCHEMA]) == [f"{made.database}.people_all"]
    assert made.engine(people__all=SCHEMA).select(NAMES, {}).num_rows == ROWS.num_rows


def test_a_table_is_looked_at_once_a_process(made, monkeypatch):
    looks = []
    monkeypatch.setattr(
        glue.GlueTables, "problems", lambda *arguments: looks.append(arguments) or []
    )
    glue._verified.cache_clear()
    for _ in range(3):
        made.engine(people__all=SCHEMA).select(NAMES, {})
    assert len(looks) == 1


def test_a_name_that_athena_would_change_is_refused(installed):
    with pytest.raises(GlueTableError, match="'Age' is no name that Athena keeps"):
        installed.tables.definition(Table("people/all", (Column("Age", "int64"),)))


def test_a_partition_before_the_first_day_is_not_seen(made):
    early = FIRST_DAY.replace(year=2020)
    write(made.lake, day=early)
    query = Query("days", "SELECT day, COUNT(*) AS n FROM people.all GROUP BY day ORDER BY day")
    actual = made.engine(people__all=SCHEMA).select(query, {}).column("day").to_pylist()
    assert early not in actual
    assert len(actual) == 1


def test_syncing_again_leaves_a_table_that_is_as_it_should_be_alone(made):
    def versions() -> int:
        glue_client = made.client("glue")
        actual = glue_client.get_table_versions(DatabaseName=made.database, TableName="people_all")
        return len(actual["TableVersions"])

    before = versions()
    made.tables.sync([SCHEMA])
    assert versions() == before
    change(made, lambda table: table["StorageDescriptor"]["Columns"].pop())
    changed = versions()
    made.tables.sync([SCHEMA])
    assert versions() == changed + 1


def test_syncing_makes_the_database_too(installed):
    installed.client("glue").delete_database(Name=installed.database)
    assert installed.tables.sync([SCHEMA])
    assert installed.tables.problems(SCHEMA) == []
