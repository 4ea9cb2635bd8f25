"""Every model of the platform on one simulated world: time, memory, quality against the truth.

    python -m benchmarks.models --customers 100000 --lake LAKE --json FILE

Over a lake that holds the raw tables (`benchmarks.stages` makes one, or this does), each stage in a
process of its own: the snapshots and labels that the models are learnt from, training with
evaluation and fairness, prediction with explanation, the unified tables. The methods are those that
the assets wrap. Belongs here: measuring. Does not belong here: the models.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import stages
from benchmarks.value_models import land_signals
from engagement_assets.features.labels import LABELS
from engagement_assets.models.specs import MODELS
from engagement_assets.settings.pairs import CHANNEL_CAC, channel_costs
from engagement_assets.source.known import product_sql
from resources.lake import Lake
from resources.registry import ModelRegistry, registered
from resources.tables import by_sql_name

FEATURES = "features/customer_features"
BY_NAME = {spec.name: spec for spec in MODELS}


def inputs(options: argparse.Namespace, model: str) -> Any:
    """What a model's methods read from."""
    from engagement_assets.decisions.customers.unified import (
        KNOWN_TABLES,
    )
    from engagement_assets.lifecycle.adapter import Inputs
    from engagement_assets.lifecycle.resource import ModelSettings
    from engagement_assets.source.contract import TABLES
    from engagement_assets.source.readers import SimulatedReader
    from resources.engine import DuckDBEngine

    settings = ModelSettings(
        seed=options.seed, bootstrap=options.bootstrap, channel_cac=channel_costs(CHANNEL_CAC)
    )
    return Inputs(
        engine=DuckDBEngine(Lake(options.lake), declared=by_sql_name(KNOWN_TABLES), threads=2),
        sql=product_sql(stages.SQL),
        registry=registry(options),
        first_day=stages.FIRST_DAY,
        parameters=settings.parameters(BY_NAME[model].parameters),
        threads=2,
        seed=options.seed,
        bootstrap=options.bootstrap,
        judging=settings.judging(model),
        reader=SimulatedReader(
            stages.simulator(options), first_day=stages.FIRST_DAY, tables=frozenset(TABLES)
        ),
    )


def registry(options: argparse.Namespace) -> ModelRegistry:
    """The benchmark's own registry, beside the lake."""
    return ModelRegistry(Path(options.lake) / ".models")


def prepare(options: argparse.Namespace) -> dict[str, Any]:
    """Raw tables, signals, snapshots and labels; what is there stays."""
    from engagement_assets.features.snapshot import (
        land_labels,
        land_snapshot,
    )

    lake, sql, end = Lake(options.lake), product_sql(stages.SQL), stages.end(options)
    if not lake.days("source/sessions"):
        stages.stage_simulate(options)
    labels: dict[date, set[str]] = {end: set()}
    for spec in MODELS:
        if not spec.reads_snapshots:
            continue
        taught = [label for label in LABELS.values() if label.key in spec.learns_from]
        for day in spec.dates(end, first_day=stages.FIRST_DAY).all:
            labels.setdefault(day, set()).update(label.name for label in taught)
    land_signals(options, [day for day in sorted(labels) if not lake.exists(FEATURES, day)])
    run = stages.engine(options)
    for day, names in sorted(labels.items()):
        if not lake.exists(FEATURES, day):
            land_snapshot(run, sql, day)
        missing = [LABELS[name] for name in sorted(names) if not lake.exists(LABELS[name].key, day)]
        if missing:
            land_labels(run, sql, day, labels=missing)
    return {"snapshots": len(labels)}


def train(model: str) -> Callable[[argparse.Namespace], dict[str, Any]]:
    """Train, evaluate and judge the fairness of a model, and let it serve."""

    def stage(options: argparse.Namespace) -> dict[str, Any]:
        spec, told = BY_NAME[model], inputs(options, model)
        methods = spec.adapter()
        snapshots = spec.dates(stages.end(options), first_day=stages.FIRST_DAY)
        trained = methods.train(told, snapshots)
        store = registry(options)
        with tempfile.TemporaryDirectory() as folder:
            trained.model.save(Path(folder))
            version = store.register(model, Path(folder), trained.card)
        store.promote(model, version, "benchmark")
        assessed = methods.assess(told, registered(store, model, version))
        shown = (
            "metrics", "targets", "estimator", "validation_ndcg", "winner_minus", "mean",
            "coverage_by_decile",
        )  # fmt: skip
        return {
            **{name: trained.card[name] for name in shown if name in trained.card},
            "fair": assessed.report.passes,
            "failures": assessed.report.failures,
        }

    return stage


def predict(model: str) -> Callable[[argparse.Namespace], dict[str, Any]]:
    """Predict and explain every customer at the end of the range."""

    def stage(options: argparse.Namespace) -> dict[str, Any]:
        spec, told, day = BY_NAME[model], inputs(options, model), stages.end(options)
        store = registry(options)
        version = registered(store, model, str(store.champion(model)))
        predicted = spec.adapter().predict(told, version, day)
        table = predicted.table.assign(snapshot_date=day, model_version=version.version)
        import pyarrow as pa

        rows = pa.Table.from_pandas(table[list(spec.table.names)], preserve_index=False)
        told.engine.lake.write(spec.table, rows, day=day)
        seconds = predicted.explanation.get("seconds")
        return {
            "rows": len(table),
            **predicted.figures,
            **predicted.explanation_figures,
            **({"explanation_seconds": seconds} if seconds is not None else {}),
        }

    return stage


def unify(options: argparse.Namespace) -> dict[str, Any]:
    """The table of everything, and what moved."""
    from engagement_assets.decisions.customers.unified import (
        CHANGES_TABLE,
        CUSTOMERS_TABLE,
        changes_parameters,
        changes_query,
        customers_query,
    )

    told, day = inputs(options, "churn"), stages.end(options)
    landed = told.engine.land(
        customers_query(),
        {"snapshot_date": day},
        into=CUSTOMERS_TABLE,
        day=day,
    )
    told.engine.land(
        changes_query(),
        changes_parameters(day),
        into=CHANGES_TABLE,
        day=day,
    )
    return {"rows": landed.rows}


def best_possible(options: argparse.Namespace) -> dict[str, Any]:
    """What the truth foresees on the same test rows, beside what the models do."""
    from benchmarks.value_models import best_of, compare
    from engagement_assets.learning.evaluation.metrics import auc
    from engagement_assets.learning.trees.classifier import CalibratedBoostingClassifier
    from engagement_assets.learning.trees.regressor import (
        BoundedBoostingRegressor,
    )
    from engagement_assets.lifecycle.rows import labelled_rows
    from engagement_assets.lifecycle.training import split_rows
    from engagement_assets.models.lifetime_value.model import ValueModel

    store, lake, measured = registry(options), Lake(options.lake), {}
    for model, label, target, money in (
        ("engagement", LABELS["engagement_score"], "engagement_score", False),
        ("lifetime_value", LABELS["lifetime_value_usd"], "future_revenue_usd", True),
    ):
        version = registered(store, model, str(store.champion(model)))
        day = date.fromisoformat(version.card["test_snapshot"])
        rows = split_rows(labelled_rows(lake, day, label), test=True)
        best = best_of(options, label, day).loc[rows["customer_id"]]
        served: Any = (ValueModel if money else BoundedBoostingRegressor).load(version.folder)
        inputs_ = rows if money else rows[list(served.feature_names_in_)]
        measured[model] = compare(
            rows[target], best, served.predict(inputs_), money=money, bootstrap=options.bootstrap
        )
    version = registered(store, "churn", str(store.champion("churn")))
    day = date.fromisoformat(version.card["test_snapshot"])
    truth = stages.simulator(options).truth_churn(day).to_pandas()
    rows = split_rows(
        labelled_rows(lake, day, LABELS["churn_30_day"]).merge(truth, on="customer_id"), test=True
    )
    label, p = (
        rows["churn_30_day"].to_numpy(np.float64),
        CalibratedBoostingClassifier.load(version.folder).predict_proba(rows)[:, 1],
    )
    best_auc, own = auc(label, rows["churn_probability"].to_numpy()), auc(label, p)
    measured["churn"] = {"auc": {"best": best_auc, "model": own, "ratio": own / best_auc}}
    return measured


STAGES: dict[str, Callable[[argparse.Namespace], dict[str, Any]]] = {
    "prepare": prepare,
    **{f"train {spec.name}": train(spec.name) for spec in MODELS if spec.name != "ensemble"},
    "train ensemble": train("ensemble"),
    **{f"predict {spec.name}": predict(spec.name) for spec in MODELS},
    "unify": unify,
    "best possible": best_possible,
}


def main() -> None:
    """Run one stage, or all stages one after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=10_000)
    parser.add_argument("--days", type=int, default=stages.DAYS)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--bootstrap", type=int, default=200)
    parser.add_argument("--lake", help="keep the lake here instead of a temporary folder")
    parser.add_argument("--stage", choices=list(STAGES), help="run this stage alone, over --lake")
    parser.add_argument("--json", help="write the figures here too")
    options = parser.parse_args()
    if options.stage:
        began = time.perf_counter()
        figures = STAGES[options.stage](options)
        figures["seconds"] = time.perf_counter() - began
        figures["peak_gib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / stages.GIB
        print(json.dumps(figures))
        return
    with tempfile.TemporaryDirectory() as folder:
        options.lake = options.lake or folder
        results = {stage: run_stage(stage, options) for stage in STAGES}
    training = [results[name] for name in STAGES if name.startswith("train ")]
    daily = [results[name] for name in STAGES if name.startswith("predict ")] + [results["unify"]]
    for what, parts in (("all training", training), ("all predictions", daily)):
        results[what] = {
            "seconds": sum(part["seconds"] for part in parts),
            "peak_gib": max(part["peak_gib"] for part in parts),
        }
        print(line(what, options.customers, results[what]))
    if options.json:
        Path(options.json).write_text(json.dumps(results, indent=1))


def run_stage(stage: str, options: argparse.Namespace) -> dict[str, Any]:
    """Run a stage in a process of its own and print its line."""
    command = [sys.executable, "-m", "benchmarks.models", "--stage", stage]
    for name in ("customers", "days", "seed", "bootstrap", "lake"):
        command += [f"--{name}", str(getattr(options, name))]
    began = time.perf_counter()
    done = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603 - itself
    if done.returncode:
        raise RuntimeError(f"{stage}: {done.stderr[-3000:]}")
    figures: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    # with the start of the process, which an installation pays too
    figures["seconds"] = time.perf_counter() - began
    print(line(stage, options.customers, figures), flush=True)
    return figures


def line(stage: str, customers: int, figures: dict[str, Any]) -> str:
    """A stage as a line of the table."""
    rest = {name: value for name, value in figures.items() if name not in ("seconds", "peak_gib")}
    return (
        f"| {stage} | {customers:,} | {figures['seconds']:.1f} s | {figures['peak_gib']:.2f} GiB | "
        f"{json.dumps(rest)} |"
    )


if __name__ == "__main__":
    main()
