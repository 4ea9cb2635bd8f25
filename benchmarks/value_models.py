"""Engagement and lifetime value against the best possible, which the simulator's truth gives.

    python -m benchmarks.value_models --customers 10000 --lake LAKE --json FILE

Simulates a world (a lake that is there is reused), lands the snapshots that both models learn from
and are scored on, trains, evaluates, explains every customer and compares with the truth. Belongs
here: measuring. Does not belong here: the models.
"""

import argparse
import json
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks import stages
from benchmarks.stages import DAYS, FIRST_DAY, SQL
from engagement_assets.features.catalogue import CUSTOMER_FEATURES as _FEATURES
from engagement_assets.features.catalogue import MODEL_INPUTS
from engagement_assets.features.labels import LABELS
from engagement_assets.features.snapshot import land_labels, land_snapshot
from engagement_assets.learning.evaluation.bootstrap import interval
from engagement_assets.learning.evaluation.regression import normalised_gini, r2
from engagement_assets.learning.graph.metrics import MetricSettings
from engagement_assets.lifecycle.dates import ENGAGEMENT_SNAPSHOTS, Snapshots
from engagement_assets.lifecycle.predictor import Context
from engagement_assets.lifecycle.reports import table_markdown
from engagement_assets.lifecycle.rows import labelled_rows, labelled_snapshots
from engagement_assets.lifecycle.training import split_rows
from engagement_assets.models.engagement.adapter import EngagementAdapter
from engagement_assets.models.lifetime_value.adapter import LifetimeValueAdapter
from engagement_assets.signals.network.snapshot import graph_of, land_network
from engagement_assets.signals.sentiment.scoring import land_customer_sentiment, window_days
from engagement_assets.source.known import product_sql
from resources.lake import Lake
from resources.registry import RegisteredModel

ENGAGEMENT = LABELS["engagement_score"]
VALUE = LABELS["lifetime_value_usd"]
MODELS = ("engagement", "value")


def snapshots(options: Any, window_days: int) -> Snapshots:
    """Training and test snapshots of a label."""
    return Snapshots.before(
        stages.end(options), first_day=FIRST_DAY, count=options.snapshots, window_days=window_days
    )


def prepare(options: Any) -> None:
    """Simulate the world and land signals, features and labels; what is there stays."""
    lake, sql = Lake(options.lake), product_sql(SQL)
    if not lake.days("source/sessions"):
        stages.stage_simulate(options)
    wanted: dict[date, list[str]] = {stages.end(options): []}
    for label in (ENGAGEMENT, VALUE):
        for day in snapshots(options, label.window_days).all:
            wanted.setdefault(day, []).append(label.name)
    land_signals(options, [day for day in sorted(wanted) if not lake.exists(_FEATURES, day)])
    run = stages.engine(options)
    for day, labels in sorted(wanted.items()):
        if not lake.exists(_FEATURES, day):
            land_snapshot(run, sql, day)
        missing = [LABELS[name] for name in labels if not lake.exists(LABELS[name].key, day)]
        if missing:
            land_labels(run, sql, day, labels=missing)


def land_signals(options: Any, days: list[date]) -> None:
    """Sentiment and network of some days, with the texts of the windows behind them."""
    if not days:
        return
    there = set(Lake(options.lake).days("sentiment/scores"))
    windows = {
        d for day in days for d in window_days(day, first_day=FIRST_DAY, days=stages.WINDOW)
    } - there
    if windows:
        stages.score(options, sorted(windows))
    run, sql, consent = stages.engine(options), product_sql(SQL), stages.agreed(options)
    for day in days:
        land_customer_sentiment(
            run, sql, day, first_day=FIRST_DAY, days=stages.WINDOW, consent=consent
        )
        land_network(
            run.lake, graph_of(run, sql, day), day, settings=MetricSettings(seed=7), threads=2
        )


def best_possible(options: Any, label: Any, day: date, column: str) -> pd.Series:
    """What the truth expects of each customer at the end of a day."""
    world = stages.simulator(options)
    if label is ENGAGEMENT:
        truth = world.truth_future_engagement(day, days=label.window_days)
    else:
        truth = world.truth_future_revenue(day, days=label.window_days)
    return truth.to_pandas().set_index("customer_id")[column]


def best_of(options: Any, label: Any, day: date) -> pd.Series:
    """`best_possible` of a label, whose column it knows."""
    column = "expected_engagement" if label is ENGAGEMENT else "expected_revenue_usd"
    return best_possible(options, label, day, column)


def compare(
    y: pd.Series, best: pd.Series, model: np.ndarray, *, money: bool, bootstrap: int
) -> dict[str, Any]:
    """R2, and Gini of money, of truth and model on the same rows, with their ratio."""
    target, first = y.to_numpy(dtype=float), best.to_numpy(dtype=float)
    scores = {"r2": r2} | ({"normalised_gini": normalised_gini} if money else {})
    rng, n = np.random.default_rng(0), len(target)
    draws = [rng.integers(0, n, n) for _ in range(bootstrap)]
    measured: dict[str, Any] = {}
    for name, score in scores.items():
        ratios = [score(target[d], model[d]) / score(target[d], first[d]) for d in draws]
        measured[name] = {
            "best": score(target, first),
            "model": score(target, model),
            "ratio": interval(score(target, model) / score(target, first), ratios).to_dict(),
        }
    # Free of the noise of what happened: how near the model is to what was to be expected.
    measured["r2_of_the_expected"] = r2(first, model)
    return measured


def measure(name: str, options: Any) -> dict[str, Any]:
    """Train, evaluate, judge fairness, explain all customers and compare with the best possible."""
    label, money = (VALUE, True) if name == "value" else (ENGAGEMENT, False)
    lake, chosen = Lake(options.lake), snapshots(options, label.window_days)
    train_rows = labelled_snapshots(lake, chosen.train, label)
    test_rows = labelled_rows(lake, chosen.test, label)
    adapter = LifetimeValueAdapter() if money else EngagementAdapter()
    began = time.perf_counter()
    trained = adapter.learn(
        train_rows,
        test_rows,
        snapshots=chosen,
        features=MODEL_INPUTS,
        parameters={"random_state": options.seed, "n_jobs": 2},
        n_bootstrap=options.bootstrap,
        first_day=FIRST_DAY,
    )
    seconds = {"train and evaluate": time.perf_counter() - began}
    test = split_rows(test_rows, test=True)
    target = "future_revenue_usd" if money else "engagement_score"
    column = "expected_revenue_usd" if money else "expected_engagement"
    best = best_possible(options, label, chosen.test, column).loc[test["customer_id"]]
    compared = compare(
        test[target], best, trained.model.predict(test), money=money, bootstrap=options.bootstrap
    )
    with tempfile.TemporaryDirectory() as folder:
        trained.model.save(Path(folder))
        version = RegisteredModel(
            name=name, version="benchmark", folder=Path(folder), card=trained.card
        )
        began = time.perf_counter()
        fair = adapter.fairness(
            version, test_rows, threads=2, seed=options.seed, n_bootstrap=options.bootstrap
        )
        seconds["fairness"] = time.perf_counter() - began
        everybody = lake.read(_FEATURES, days=[stages.end(options)]).to_pandas()
        began = time.perf_counter()
        predict = adapter.load(version, parameters={"channel_cac": {}}, threads=2)
        predicted = predict(everybody, Context())
        seconds["predict and explain all"] = time.perf_counter() - began
    explanation = predicted.explanation
    report = fair.report.to_dict()
    return {
        "card": trained.card,
        "compared": compared,
        "seconds": seconds,
        "customers_explained": len(predicted.table),
        "explanation": explanation.summary(),
        "fairness": {key: report[key] for key in ("verdict", "failures", "notes", "power")},
    }


def told(name: str, found: dict[str, Any]) -> str:
    """The figures of one model as Markdown."""
    card, lines = found["card"], [f"\n## {name}\n", "| metric | value (95 %) |", "|---|---|"]
    lines += [
        f"| {metric} | {v['value']:.4f} ({v['low']:.4f} to {v['high']:.4f}) |"
        for metric, v in card["metrics"].items()
    ]
    lines += ["", "| | best possible | model | ratio (95 %) |", "|---|--:|--:|---|"]
    lines += [
        f"| {metric} | {v['best']:.4f} | {v['model']:.4f} | {v['ratio']['value']:.4f} "
        f"({v['ratio']['low']:.4f} to {v['ratio']['high']:.4f}) |"
        for metric, v in found["compared"].items()
        if isinstance(v, dict)
    ]
    lines += [
        "",
        f"R2 of what was to be expected, free of chance: "
        f"{found['compared']['r2_of_the_expected']:.4f}. Training rows {card['training_rows']:,}, "
        f"test customers {card['test_customers']:,}. Seconds: "
        + ", ".join(f"{what} {value:.1f}" for what, value in found["seconds"].items())
        + f" ({found['customers_explained']:,} customers, {found['explanation']['method']}, "
        f"additivity error {found['explanation']['additivity_error']:.1e}). Fairness "
        f"{found['fairness']['verdict']}: {found['fairness']['failures']}.",
        "",
        table_markdown(pd.DataFrame(card["deciles"])),
    ]
    if "coverage_by_decile" in card:
        lines += ["", table_markdown(pd.DataFrame(card["coverage_by_decile"]))]
        lines += ["", f"Mean: {card['mean']}; out-of-fold RMSE {card['out_of_fold_rmse']}."]
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=10_000)
    parser.add_argument("--days", type=int, default=DAYS)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--bootstrap", type=int, default=200)
    parser.add_argument("--lake", help="keep the lake here instead of a temporary folder")
    parser.add_argument("--snapshots", type=int, default=ENGAGEMENT_SNAPSHOTS)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--json", type=Path, default=None)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        options.lake = options.lake or folder
        prepare(options)
        results = {}
        for name in options.models:
            results[name] = measure(name, options)
            print(told(name, results[name]), flush=True)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
