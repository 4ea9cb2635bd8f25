"""Time and memory of every stage of the churn spine, and its AUC against the best possible.

    python -m benchmarks.stages --customers 100000

Each stage runs in a process of its own, so that its peak memory is its own, over a lake in a
temporary folder. Belongs here: measuring the pure stages that the assets wrap. Does not belong
here: the whole of `make run` (`benchmarks.main_job`).
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from engagement_assets.features.labels import LABELS
from engagement_assets.source.known import product_sql

CHURN = LABELS["churn_30_day"]
FIRST_DAY = date(2025, 1, 1)
DAYS = 400
SQL = Path(__file__).resolve().parents[1] / "sql"
GIB = 1024**2
WINDOW = 90


def main() -> None:
    """Run one stage, or all stages one after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=10_000)
    parser.add_argument("--days", type=int, default=DAYS)
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
        figures["peak_gib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / GIB
        print(json.dumps(figures))
        return
    with tempfile.TemporaryDirectory() as folder:
        options.lake = options.lake or folder
        results = {stage: run_stage(stage, options) for stage in STAGES}
    if options.json:
        Path(options.json).write_text(json.dumps(results, indent=1))


def run_stage(stage: str, options: argparse.Namespace) -> dict[str, Any]:
    """Run a stage in a process of its own and print its line."""
    command = [sys.executable, "-m", "benchmarks.stages", "--stage", stage]
    for name in ("customers", "days", "seed", "bootstrap", "lake"):
        command += [f"--{name}", str(getattr(options, name))]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - itself
    figures: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    rest = {name: value for name, value in figures.items() if name not in ("seconds", "peak_gib")}
    print(
        f"| {stage} | {options.customers:,} | {figures['seconds']:.1f} s | "
        f"{figures['peak_gib']:.2f} GiB | {json.dumps(rest)} |",
        flush=True,
    )
    return figures


def simulator(options: argparse.Namespace) -> Any:
    """The simulated world."""
    from engagement_assets.source.simulator import Simulator

    return Simulator(
        customers=options.customers, seed=options.seed, first_day=FIRST_DAY, days=options.days
    )


def take_in(options: argparse.Namespace, first: date, last: date) -> dict[str, Any]:
    """Simulate days and take them into the lake, checks of single rows included."""
    from engagement_assets.source.contract import TABLES
    from engagement_assets.source.ingestion import ingest
    from engagement_assets.source.readers import SimulatedReader
    from resources.lake import Lake

    reader = SimulatedReader(simulator(options), first_day=FIRST_DAY, tables=frozenset(TABLES))
    report = ingest(reader, Lake(options.lake), first, last, progress=lambda _: None)
    shown = ("sessions", "interactions", "messages", "posts")
    return {name: report.rows_of(name) for name in shown} | {
        "rows": report.total_rows,
        "quarantined": report.total_quarantined,
    }


def end(options: argparse.Namespace) -> date:
    """Last day of the range."""
    return FIRST_DAY + timedelta(days=options.days - 1)


def stage_simulate(options: argparse.Namespace) -> dict[str, Any]:
    """The whole range."""
    return take_in(options, FIRST_DAY, end(options))


def stage_one_more_day(options: argparse.Namespace) -> dict[str, Any]:
    """A day after the range, from a fresh process."""
    day = end(options) + timedelta(days=1)
    return take_in(options, day, day)


def engine(options: argparse.Namespace) -> Any:
    """The DuckDB engine over the lake."""
    from engagement_assets.features.tables import KNOWN_TABLES
    from resources.engine import DuckDBEngine
    from resources.lake import Lake
    from resources.tables import by_sql_name

    return DuckDBEngine(Lake(options.lake), declared=by_sql_name(KNOWN_TABLES), threads=2)


def snapshots(options: argparse.Namespace) -> Any:
    """Training and test snapshots."""
    from engagement_assets.lifecycle.dates import Snapshots

    return Snapshots.before(end(options), first_day=FIRST_DAY)


def stage_signals(options: argparse.Namespace) -> dict[str, Any]:
    """Texts and graph of the snapshots that follow, from the first text of their windows on."""
    from engagement_assets.learning.graph.metrics import MetricSettings
    from engagement_assets.signals.network.snapshot import (
        graph_of,
        land_network,
    )
    from engagement_assets.signals.sentiment.scoring import (
        land_customer_sentiment,
        window_days,
    )

    days = sorted({*snapshots(options).all, end(options)})
    windows = {d for day in days for d in window_days(day, first_day=FIRST_DAY, days=WINDOW)}
    scored, seconds = score(options, sorted(windows))
    run, sql, consent = engine(options), product_sql(SQL), agreed(options)
    for day in days:
        land_customer_sentiment(run, sql, day, first_day=FIRST_DAY, days=WINDOW, consent=consent)
        land_network(
            run.lake, graph_of(run, sql, day), day, settings=MetricSettings(seed=7), threads=2
        )
    return {"texts": scored, "texts_per_second": scored / seconds, "snapshots": len(days)}


def stage_signals_of_a_day(options: argparse.Namespace) -> dict[str, Any]:
    """What one more day costs: its texts, everybody's sentiment, the graph and its metrics."""
    from engagement_assets.learning.graph.metrics import MetricSettings
    from engagement_assets.signals.network.snapshot import (
        graph_of,
        land_network,
    )
    from engagement_assets.signals.sentiment.scoring import (
        land_customer_sentiment,
    )

    day = end(options)
    run, sql = engine(options), product_sql(SQL)
    scored, seconds = score(options, [day])
    land_customer_sentiment(
        run, sql, day, first_day=FIRST_DAY, days=WINDOW, consent=agreed(options)
    )
    graph = graph_of(run, sql, day)
    measured = land_network(run.lake, graph, day, settings=MetricSettings(seed=7), threads=2)
    return {"texts": scored, "scoring": seconds, "edges": graph.n_edges} | {
        name: value for name, value in measured.figures.items() if name.startswith("seconds")
    }


def agreed(options: argparse.Namespace) -> Any:
    """The consents of the lake."""
    from engagement_assets.signals.sentiment.scoring import PURPOSE
    from engagement_assets.source.consent import Consent
    from engagement_assets.source.contract import TABLES

    return Consent.of(engine(options).lake, provided=frozenset(TABLES), granted=(), purpose=PURPOSE)


def score(options: argparse.Namespace, days: list[date]) -> tuple[int, float]:
    """Score the texts of some days; how many, and seconds."""
    from engagement_assets.learning.text.sentiment import SentimentModel
    from engagement_assets.signals.sentiment.scoring import score_days

    began = time.perf_counter()
    landed = score_days(
        engine(options),
        product_sql(SQL),
        days,
        scorer=cache(SentimentModel.load),
        consent=agreed(options),
    )
    rows = sum(day.scores.rows for day in landed)
    return rows, time.perf_counter() - began


def stage_snapshot(options: argparse.Namespace) -> dict[str, Any]:
    """One snapshot of all features, at the end of the range."""
    from engagement_assets.features.snapshot import land_snapshot

    landed = land_snapshot(engine(options), product_sql(SQL), end(options))
    return {"customers": landed["features/customer_features"].rows}


def stage_training_snapshots(options: argparse.Namespace) -> dict[str, Any]:
    """The snapshots that training needs, with their churn labels."""
    from engagement_assets.features.snapshot import (
        land_labels,
        land_snapshot,
    )

    run, sql, chosen = engine(options), product_sql(SQL), snapshots(options)
    for day in chosen.all:
        land_snapshot(run, sql, day)
        land_labels(run, sql, day, labels=[CHURN])
    return {}


def stage_train(options: argparse.Namespace) -> dict[str, Any]:
    """Train, calibrate and evaluate, and save the model."""
    from engagement_assets.features.catalogue import MODEL_INPUTS
    from engagement_assets.lifecycle.resource import ModelSettings
    from engagement_assets.lifecycle.rows import (
        labelled_rows,
        labelled_snapshots,
    )
    from engagement_assets.models.churn.adapter import ChurnAdapter
    from engagement_assets.models.churn.spec import SPEC as CHURN_SPEC
    from resources.lake import Lake
    from resources.registry import ModelRegistry

    lake, chosen = Lake(options.lake), snapshots(options)
    trained = ChurnAdapter().learn(
        labelled_snapshots(lake, chosen.train, CHURN),
        labelled_rows(lake, chosen.test, CHURN),
        snapshots=chosen,
        features=MODEL_INPUTS,
        parameters=ModelSettings(seed=options.seed).parameters(CHURN_SPEC.parameters),
        n_bootstrap=options.bootstrap,
        first_day=FIRST_DAY,
    )
    registry = ModelRegistry(Path(options.lake) / ".registry")
    with tempfile.TemporaryDirectory() as folder:
        trained.model.save(Path(folder))
        version = registry.register("churn", Path(folder), trained.card)
    registry.promote("churn", version, "benchmark")
    return {"metrics": trained.card["metrics"], "rows": trained.card["training_rows"]}


def stage_predict_and_explain(options: argparse.Namespace) -> dict[str, Any]:
    """Predict and explain every active customer at the end of the range, and all customers."""
    from engagement_assets.features.catalogue import CUSTOMER_FEATURES
    from engagement_assets.lifecycle.predictor import Context
    from engagement_assets.models.churn.adapter import ChurnAdapter
    from resources.lake import Lake
    from resources.registry import ModelRegistry, registered

    registry = ModelRegistry(Path(options.lake) / ".registry")
    model = registered(registry, "churn", str(registry.champion("churn")))
    rows = Lake(options.lake).read(CUSTOMER_FEATURES, days=[end(options)]).to_pandas()
    # all customers, not only the active ones whom the product scores: the bar says so
    predictor = ChurnAdapter().load(model, parameters={}, threads=2)
    predicted = predictor(rows.assign(logins_month=1), Context())
    explanation = predicted.explanation
    return {
        "customers": len(predicted.table),
        "method": explanation.method,
        "additivity_error": explanation.additivity_error,
        "fallback": explanation.fallback_reason,
    }


def stage_best_possible(options: argparse.Namespace) -> dict[str, Any]:
    """AUC of the truth on the same test people, beside the model's, with a paired interval."""
    from engagement_assets.learning.evaluation.metrics import (
        evaluate,
        paired_auc_difference,
    )
    from engagement_assets.learning.trees.classifier import CalibratedBoostingClassifier
    from engagement_assets.lifecycle.rows import labelled_rows
    from engagement_assets.lifecycle.training import split_rows
    from resources.lake import Lake
    from resources.registry import ModelRegistry, registered

    chosen = snapshots(options)
    truth = simulator(options).truth_churn(chosen.test).to_pandas()
    rows = labelled_rows(Lake(options.lake), chosen.test, CHURN).merge(truth, on="customer_id")
    rows = split_rows(rows, test=True)
    registry = ModelRegistry(Path(options.lake) / ".registry")
    folder = registered(registry, "churn", str(registry.champion("churn"))).folder
    probability = CalibratedBoostingClassifier.load(folder).predict_proba(rows)[:, 1]
    best = rows["churn_probability"].to_numpy()
    scores = {
        name: evaluate(rows[CHURN.name], p, threshold=0.5, n_bootstrap=options.bootstrap)
        for name, p in (("best", best), ("model", probability))
    }
    difference = paired_auc_difference(
        rows[CHURN.name], best, probability, n_bootstrap=options.bootstrap
    )
    return {
        "test_customers": len(rows),
        "base_rate": float(rows[CHURN.name].mean()),
        "best_auc": scores["best"]["auc"].to_dict(),
        "model_auc": scores["model"]["auc"].to_dict(),
        "ratio": scores["model"]["auc"].value / scores["best"]["auc"].value,
        "best_minus_model": difference.to_dict(),
        "calibration_error": scores["model"]["calibration_error"].to_dict(),
    }


STAGES: dict[str, Callable[[argparse.Namespace], dict[str, Any]]] = {
    "simulate": stage_simulate,
    "one more day": stage_one_more_day,
    "signals": stage_signals,
    "signals of a day": stage_signals_of_a_day,
    "snapshot": stage_snapshot,
    "training snapshots": stage_training_snapshots,
    "train": stage_train,
    "predict and explain": stage_predict_and_explain,
    "best possible": stage_best_possible,
}

if __name__ == "__main__":
    main()
