"""An asset of ad-hoc SQL asks the analysts' catalogue, which it cannot change."""

from datetime import date
from pathlib import Path

import dagster as dg
import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dagster_duckdb import DuckDBResource

from engagement_assets.deployments import local
from engagement_assets.deployments.aws import AthenaInstead
from engagement_assets.settings.fields import SettingsError
from engagement_assets.settings.installation import PROJECT, Settings


@dg.asset
def customers_by_location(analysts: DuckDBResource) -> dg.MaterializeResult:
    """Count customers by location, as an analyst would."""
    with analysts.get_connection() as connection:
        actual = connection.sql(
            "SELECT location, count(*) FROM source.customers GROUP BY location ORDER BY location"
        ).fetchall()
    return dg.MaterializeResult(metadata={"found": [[*row] for row in actual]})


@dg.asset
def vandal(analysts: DuckDBResource) -> None:
    """Try to write."""
    with analysts.get_connection() as connection:
        connection.sql("CREATE TABLE mine (a INTEGER)")


@pytest.fixture
def resources(tmp_path):
    settings = Settings(home=tmp_path / "home", masking_key=str(tmp_path / "masking.key"))
    actual = local.resources(settings, sql_root=str(PROJECT / "sql"))
    path = Path(str(actual["lake"].lake.path("source/customers", date(2026, 3, 1))))
    path.parent.mkdir(parents=True)
    places = {"location": ["AT"] * 11 + ["BE"] * 12, "customer_id": [f"c{n}" for n in range(23)]}
    pq.write_table(pa.table(places), path)
    actual["catalogue"].publish(actual["engine"].engine({}))
    return {"analysts": actual["analysts"]}


def test_ad_hoc_sql_is_answered_from_the_lake(resources):
    outcome = dg.materialize([customers_by_location], resources=resources)
    (made,) = outcome.asset_materializations_for_node("customers_by_location")
    assert made.metadata["found"].value == [["AT", 11], ["BE", 12]]


def test_ad_hoc_sql_cannot_change_the_catalogue(resources):
    with pytest.raises(duckdb.InvalidInputException):
        dg.materialize([vandal], resources=resources)


def test_on_aws_it_is_refused_with_what_to_use_instead():
    with pytest.raises(SettingsError, match="`engine`, which asks Athena"):
        dg.materialize([customers_by_location], resources={"analysts": AthenaInstead(database="")})
