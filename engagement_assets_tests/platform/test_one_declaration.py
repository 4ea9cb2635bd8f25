"""A table is declared once: schema, checks, dictionary and privacy register follow from it."""

from datetime import date
from pathlib import Path

import dagster as dg
import pyarrow as pa
import pytest

from engagement_assets.definitions import defs
from engagement_assets.features.catalogue import FEATURE_TABLES
from engagement_assets.features.checks import CHECKS as FEATURE_CHECKS
from engagement_assets.governance.dictionary import document
from engagement_assets.governance.tables import KNOWN_TABLES
from engagement_assets.settings.installation import PROJECT
from resources.checks import blocking_keys, table_checks
from resources.engine import DuckDBEngine, EngineError
from resources.io_managers import COLUMN_SCHEMA, asset_fields
from resources.lake import Lake
from resources.platform import DuckDBEngineResource, LakeResource
from resources.tables import Column, SchemaError, Table, privacy_register

# of a resource that stands on another, by Dagster itself
pytestmark = pytest.mark.filterwarnings("ignore:.*dagster_run:DeprecationWarning")
DAY = date(2026, 1, 5)
ORDERS = Table(
    "shop/orders",
    (
        Column("order_id", "string", "The order", nullable=False),
        Column("customer_id", "string", "Who ordered", nullable=False, names_customer=True),
        Column("ordered_at", "timestamp", "When", nullable=False),
        Column("paid_at", "timestamp", "When it was paid", not_before="ordered_at"),
        Column("amount_usd", "float64", "Price", "USD", minimum=0),
        Column("channel", "string", "Where", allowed=("web", "app")),
    ),
    description="One order of a customer.",
    unique=("order_id",),
    owner="team:shop",
    steady=True,
)
GOOD = {
    "order_id": "o1",
    "customer_id": "c1",
    "ordered_at": 2,
    "paid_at": 3,
    "amount_usd": 5.0,
    "channel": "web",
}


def judged(root: Path, *rows: dict[str, object]) -> dict[str, bool]:
    """Land rows and run the generated checks."""
    land(root, ORDERS, *rows)
    return {check.check_name: check.passed for check in evaluations(root)}


def land(root: Path, table: Table, *rows: dict[str, object], day: date = DAY) -> None:
    known = [{name: row[name] for name in table.names} for row in rows]
    Lake(str(root)).write(table, pa.Table.from_pylist(known, schema=table.arrow), day=day)


def evaluations(root: Path) -> list[dg.AssetCheckEvaluation]:
    """Run the generated checks as Dagster runs them, on the last day."""

    @dg.asset(**asset_fields(ORDERS))
    def orders() -> None:
        """Made already."""

    resource = LakeResource(root=str(root))
    made = dg.materialize(
        [orders, table_checks("order_checks", [ORDERS])],
        resources={
            "lake": resource,
            "engine": DuckDBEngineResource(lake=resource, sql_root=str(PROJECT / "sql")),
        },
        raise_on_error=False,
    )
    return made.get_asset_check_evaluations()


def test_a_declared_table_gets_every_check(tmp_path: Path) -> None:
    assert judged(tmp_path, GOOD) == {"schema": True, "keys": True, "bounds": True, "volume": True}
    names = {key.name for key in blocking_keys([ORDERS.key])}
    assert names == {"schema", "keys", "bounds"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"amount_usd": -1.0},
        {"amount_usd": float("nan")},
        {"channel": "letter"},
        {"paid_at": 1},
    ],
    ids=["below the least", "not a number", "not in the list", "before the order"],
)
def test_an_illegal_value_fails_the_check_of_bounds_alone(
    tmp_path: Path, wrong: dict[str, object]
) -> None:
    actual = judged(tmp_path, GOOD | wrong)
    assert [name for name, passed in actual.items() if not passed] == ["bounds"]


def test_a_repeated_key_fails_the_check_of_keys_alone(tmp_path: Path) -> None:
    actual = judged(tmp_path, GOOD, GOOD)
    assert [name for name, passed in actual.items() if not passed] == ["keys"]


# as an older release declared it
OLDER = Table(ORDERS.key, ORDERS.columns[:-1], description=ORDERS.description, owner=ORDERS.owner)


def test_a_partition_of_an_older_release_is_named_with_the_command_that_makes_it_anew(
    tmp_path: Path,
) -> None:
    land(tmp_path, OLDER, GOOD)
    made = {check.check_name: check for check in evaluations(tmp_path)}
    assert {name for name, check in made.items() if check.passed} == {"volume"}
    for name in ("schema", "keys", "bounds"):
        words = made[name].description or ""
        assert "partition 2026-01-05 is of an older release, which had no channel" in words, name
        assert "make run REINGEST=1" in words


def test_partitions_of_an_older_release_do_not_stop_the_checks_of_a_newer_one(
    tmp_path: Path,
) -> None:
    land(tmp_path, OLDER, GOOD, day=date(2026, 1, 4))
    assert judged(tmp_path, GOOD) == {"schema": True, "keys": True, "bounds": True, "volume": True}
    wrong = judged(tmp_path, GOOD | {"channel": "letter"})
    assert [name for name, passed in wrong.items() if not passed] == ["bounds"]


def test_an_engine_that_fails_otherwise_is_not_taken_for_an_older_release(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise EngineError("out of memory")

    land(tmp_path, ORDERS, GOOD)
    monkeypatch.setattr(DuckDBEngine, "select", broken)
    # the step failed
    assert evaluations(tmp_path) == []


def test_a_declared_table_has_its_part_of_the_dictionary_and_the_register() -> None:
    text = document([ORDERS])
    assert "### `shop/orders`" in text
    assert "| `amount_usd` | float64 | yes | ≥ 0 |  | Price (USD) |" in text
    assert privacy_register([ORDERS]) == {"shop/orders": ("customer_id",)}


def test_a_table_that_names_no_customer_is_refused_by_the_register() -> None:
    with pytest.raises(SchemaError, match="shop/prices"):
        privacy_register([Table("shop/prices", (Column("price_usd", "float64"),))])


def test_every_table_of_the_lake_is_declared_with_all_that_is_asked_of_it() -> None:
    by_key = {table.key: table for table in KNOWN_TABLES}
    assert len(by_key) == len(KNOWN_TABLES)
    graph = defs.resolve_asset_graph()
    shown = {
        key.to_user_string()
        for key in graph.get_all_asset_keys()
        if COLUMN_SCHEMA in graph.get(key).metadata
    }
    assert shown == set(by_key)
    for table in KNOWN_TABLES:
        assert table.owner.startswith("team:"), table.key
        assert table.description.endswith("."), table.key
        assert all(column.meaning for column in table.columns), table.key
        assert graph.get(dg.AssetKey(table.asset_key)).owners == [table.owner]


def test_every_table_of_the_lake_names_its_customer() -> None:
    register = privacy_register(KNOWN_TABLES)
    about_groups = {"governance/fairness_measures", "experiments/results"}
    about_groups |= {"value/programme", "value/business_case"}
    about_groups |= {"forecast/predictions", "forecast/accuracy", "forecast/hours"}
    about_groups.add("segments/transitions")
    assert {table.key for table in KNOWN_TABLES} - set(register) == about_groups
    # a column so named is always one by which a customer's rows are found
    for table in KNOWN_TABLES:
        named = {name for name in table.names if name.endswith("customer_id")}
        assert named <= set(register.get(table.key, ())) | {"recipient_id"}, table.key


def test_every_declared_table_is_checked_for_its_schema() -> None:
    keys = {key.to_user_string() for key in defs.resolve_asset_graph().asset_check_keys}
    groups = set(FEATURE_TABLES) - {"features/customer_features"}
    for table in KNOWN_TABLES:
        assert (f"{table.key}:schema" in keys) == (table.key not in groups)


def test_the_checks_of_features_ask_no_registry_of_models() -> None:
    for checks in FEATURE_CHECKS:
        assert "registry" not in checks.required_resource_keys
