"""Tables, models and reports through Dagster and back, on a local folder and on an object store.

One suite for every root: what holds here holds wherever fsspec can write.
"""

import json
import uuid
from dataclasses import replace
from datetime import date
from pathlib import Path

import dagster as dg
import pandas as pd
import pyarrow as pa
import pytest
from upath import UPath

from resources.io_managers import (
    ModelIOManager,
    ModelPackage,
    Report,
    ReportIOManager,
    TableIOManager,
    asset_fields,
)
from resources.lake import Lake, MissingPartitionError
from resources.registry import ModelRegistry, RegisteredModel, TamperedModelError
from resources.tables import Column, SchemaError, Table

SCHEMA = Table(
    "demo/t",
    (
        Column("customer_id", "string", nullable=False, meaning="The customer"),
        Column("score", "float64", meaning="A score (0-1)"),
        Column("day_of", "date", meaning="A day"),
    ),
)
SCORES = replace(SCHEMA, key="demo/scores", owner="team:demo")
DAILY = dg.DailyPartitionsDefinition(start_date="2026-01-01", end_date="2026-02-01")
DAYS = ["2026-01-05", "2026-01-06", "2026-01-07"]


@pytest.fixture(params=["folder", "memory"])
def root(request, tmp_path) -> str:
    if request.param == "folder":
        return str(tmp_path / "root")
    return f"memory://bucket-{uuid.uuid4().hex}/prefix"


def frame(*scores: float | None, day: str = DAYS[0]) -> pd.DataFrame:
    n = len(scores)
    return pd.DataFrame(
        {
            "score": pd.Series(scores, dtype="float64"),
            "customer_id": pd.Series([f"c{i}" for i in range(n)], dtype="object"),
            "day_of": pd.Series([date.fromisoformat(day)] * n, dtype="object"),
        }
    )


def table_asset(make, *, partitions=None):
    @dg.asset(
        **asset_fields(SCORES),
        io_manager_key="tables",
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def scores(context: dg.AssetExecutionContext):
        return make(context)

    return scores


def run(assets, root, manager, name, *, key=None, span=None):
    tags = {}
    if span:
        tags = {
            "dagster/asset_partition_range_start": span[0],
            "dagster/asset_partition_range_end": span[1],
        }
    return dg.materialize(
        assets, resources={name: manager(root=root)}, partition_key=key, tags=tags
    )


def tables(assets, root, **about):
    return run(assets, root, TableIOManager, "tables", **about)


def test_a_table_comes_back_as_it_was_with_its_columns_in_declared_order(root):
    made = tables([table_asset(lambda _: frame(0.5, None))], root)
    there = Lake(root).read("demo/scores")
    assert there.schema.equals(SCHEMA.arrow)
    assert there.to_pydict() == {
        "customer_id": ["c0", "c1"],
        "score": [0.5, None],
        "day_of": [date(2026, 1, 5)] * 2,
    }
    (event,) = made.asset_materializations_for_node("demo__scores")
    assert event.metadata["dagster/row_count"].value == 2


def test_a_downstream_asset_reads_the_table_back(root):
    seen = []

    @dg.asset(key=["demo", "reader"], ins={"scores": dg.AssetIn(["demo", "scores"])})
    def reader(scores: pd.DataFrame) -> None:
        seen.append(scores)

    resources = {"tables": TableIOManager(root=root)}
    dg.materialize([table_asset(lambda _: frame(0.25)), reader], resources=resources)
    assert seen[0]["score"].tolist() == [0.25]
    assert list(seen[0].columns) == list(SCHEMA.names)


def test_partitions_lie_apart_and_are_the_lakes(root):
    asset = table_asset(lambda c: frame(0.1, day=c.partition_key), partitions=DAILY)
    for key in DAYS[:2]:
        made = tables([asset], root, key=key)
    lake = Lake(root)
    days = [date.fromisoformat(key) for key in DAYS[:2]]
    assert lake.days("demo/scores") == days
    assert lake.read("demo/scores", days=days).column("day_of").to_pylist() == days
    (event,) = made.asset_materializations_for_node("demo__scores")
    assert event.metadata["dagster/row_count"].value == 1


def test_a_range_is_one_run_with_a_file_each(root):
    asset = table_asset(
        lambda c: {key: frame(0.1, day=key) for key in c.partition_keys}, partitions=DAILY
    )
    made = tables([asset], root, span=(DAYS[0], DAYS[-1]))
    assert len(made.asset_materializations_for_node("demo__scores")) == 3
    lake = Lake(root)
    days = [date.fromisoformat(key) for key in DAYS]
    assert [lake.read("demo/scores", days=[d]).column("day_of").to_pylist() for d in days] == [
        [d] for d in days
    ]


def test_a_range_that_is_not_given_a_value_for_each_day_writes_nothing(root):
    asset = table_asset(lambda _: {DAYS[0]: frame(0.1)}, partitions=DAILY)
    with pytest.raises(dg.DagsterInvariantViolationError, match="a value for each partition key"):
        tables([asset], root, span=(DAYS[0], DAYS[-1]))
    assert Lake(root).days("demo/scores") == []


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda f: f.drop(columns="score"), "missing: score"),
        (lambda f: f.assign(more=1), "not declared: more"),
        (lambda f: f.assign(score="high"), "score is"),
        (lambda f: f.assign(customer_id=None), "customer_id has 1 nulls"),
    ],
)
def test_a_table_that_breaks_its_schema_leaves_the_old_one(root, wrong, said):
    tables([table_asset(lambda _: frame(0.5))], root)
    with pytest.raises(SchemaError, match=said):
        tables([table_asset(lambda _: wrong(frame(0.9)))], root)
    assert Lake(root).read("demo/scores").column("score").to_pylist() == [0.5]


def test_an_empty_table_replaces_the_old_one_and_keeps_its_columns(root):
    tables([table_asset(lambda _: frame(0.5))], root)
    tables([table_asset(lambda _: frame())], root)
    there = Lake(root).read("demo/scores")
    assert there.num_rows == 0
    assert there.schema.equals(SCHEMA.arrow)


def test_a_table_asset_without_declared_columns_is_an_error(root):
    @dg.asset(key=["demo", "bare"], io_manager_key="tables")
    def bare() -> pd.DataFrame:
        return frame(0.5)

    with pytest.raises(dg.DagsterInvalidDefinitionError, match="demo/bare declares no"):
        tables([bare], root)


def report_asset(report, *, partitions=None):
    @dg.asset(key=["demo", "report"], io_manager_key="reports", partitions_def=partitions)
    def of() -> Report:
        return report

    return of


def test_a_report_is_figures_and_text_and_comes_back(root):
    report = Report({"auc": 0.75, "n": [1, 2]}, "# AUC — 0.75\n")
    seen = []

    @dg.asset(key=["demo", "reader"], ins={"report": dg.AssetIn(["demo", "report"])})
    def reader(report: Report) -> None:
        seen.append(report)

    manager = ReportIOManager(root=root)
    made = dg.materialize([report_asset(report), reader], resources={"reports": manager})
    folder = UPath(root) / "demo" / "report"
    assert json.loads((folder / "report.json").read_text()) == {"auc": 0.75, "n": [1, 2]}
    assert (folder / "report.md").read_bytes().decode() == "# AUC — 0.75\n"
    assert seen == [report]
    (event,) = made.asset_materializations_for_node("demo__report")
    assert event.metadata["report"].value == report.markdown


def test_a_report_that_is_not_json_leaves_the_old_figures(root):
    run([report_asset(Report({"auc": 0.75}, "old"))], root, ReportIOManager, "reports")
    with pytest.raises(ValueError, match="JSON"):
        run([report_asset(Report({"auc": float("nan")}, "new"))], root, ReportIOManager, "reports")
    folder = UPath(root) / "demo" / "report"
    assert json.loads((folder / "report.json").read_text()) == {"auc": 0.75}
    assert (folder / "report.md").read_text() == "old"


def test_a_days_report_lies_in_its_partition(root):
    asset = report_asset(Report({"n": 1}, "one"), partitions=DAILY)
    run([asset], root, ReportIOManager, "reports", key=DAYS[0])
    folder = UPath(root) / "demo" / "report" / f"day={DAYS[0]}"
    assert sorted(path.name for path in folder.iterdir()) == ["report.json", "report.md"]


class Toy:
    """A model of one number."""

    def __init__(self, value: float) -> None:
        self.value = value

    def save(self, folder: Path) -> None:
        (folder / "toy.json").write_text(json.dumps(self.value))


def model_assets(value, seen):
    @dg.asset(key=["toy", "model"], io_manager_key="models")
    def model() -> ModelPackage:
        return ModelPackage(Toy(value), {"value": value})

    @dg.asset(key=["toy", "reader"], ins={"model": dg.AssetIn(["toy", "model"])})
    def reader(model: RegisteredModel) -> None:
        seen.append((model.version, json.loads((model.folder / "toy.json").read_text())))

    return model, reader


def test_a_model_becomes_a_version_and_is_read_back_as_the_one_made_last(root):
    seen: list = []
    for value in (1.0, 2.0, 1.0):
        made = dg.materialize(
            model_assets(value, seen), resources={"models": ModelIOManager(root=root)}
        )
    assert [value for _, value in seen] == [1.0, 2.0, 1.0]
    registry = ModelRegistry(UPath(root))
    assert sorted(registry.versions("toy")) == sorted({version for version, _ in seen})
    assert len(registry.versions("toy")) == 2
    assert registry.card("toy", seen[0][0])["value"] == 1.0
    (event,) = made.asset_materializations_for_node("toy__model")
    assert event.metadata["model_version"].value == seen[-1][0]


def test_a_model_that_was_tampered_with_is_refused(root):
    seen: list = []
    model, reader = model_assets(1.0, seen)
    resources = {"models": ModelIOManager(root=root)}
    with dg.DagsterInstance.ephemeral() as instance:
        dg.materialize([model], resources=resources, instance=instance)
        version = ModelRegistry(UPath(root)).versions("toy")[0]
        (UPath(root) / "toy" / version / "toy.json").write_text("9.0")
        with pytest.raises(TamperedModelError, match=r"toy\.json was changed"):
            dg.materialize(
                [model, reader], resources=resources, instance=instance, selection=[reader]
            )
    assert seen == []


def rows(*scores):
    return pa.table(
        {
            "customer_id": [f"c{i}" for i in range(len(scores))],
            "score": pa.array(scores, pa.float64()),
            "day_of": pa.array([None] * len(scores), pa.date32()),
        }
    )


def test_the_lake_writes_reads_lists_and_counts_days(root):
    lake = Lake(root)
    first, second, third = (date.fromisoformat(key) for key in DAYS)
    assert lake.days("demo/t") == []
    lake.write(SCHEMA, rows(0.1, 0.2), day=second)
    lake.write(SCHEMA, rows(0.3), day=first)
    lake.write_empty(SCHEMA, day=third)
    assert lake.days("demo/t") == [first, second, third]
    assert [lake.row_count("demo/t", day) for day in lake.days("demo/t")] == [1, 2, 0]
    assert lake.schema("demo/t", third).equals(SCHEMA.arrow)
    assert lake.read("demo/t", days=[first, second], columns=["score"]).to_pydict() == {
        "score": [0.3, 0.1, 0.2]
    }


def test_the_lake_replaces_a_day_and_names_what_is_missing(root):
    lake = Lake(root)
    first, second, _ = (date.fromisoformat(key) for key in DAYS)
    lake.write(SCHEMA, rows(0.1), day=first)
    lake.write(SCHEMA, rows(0.9), day=first)
    with pytest.raises(SchemaError):
        lake.write(SCHEMA, rows(0.7).drop(["score"]), day=first)
    assert lake.read("demo/t", days=[first]).column("score").to_pylist() == [0.9]
    lake.require("demo/t", [first])
    with pytest.raises(MissingPartitionError, match="demo/t has no partition for 2026-01-06"):
        lake.require("demo/t", [first, second])
    with pytest.raises(MissingPartitionError, match="not in the lake yet"):
        lake.read("demo/other")
    assert not lake.exists("demo/t", second)
    with pytest.raises(MissingPartitionError):
        lake.row_count("demo/t", second)
