"""The anomaly detector against the simulator's planted bots and fraud, which it never learns from.

    python -m benchmarks.anomaly_planted --customers 10000

Fitted on four of five customers who used the app in the month, 30 days before the end; scored on
everybody who did at the end, and on the fifth customer alone. The truth is only compared with, but
for the variant with drawn verdicts: there a random share of the top-scored training customers is
reviewed, by the truth. Each stage runs in a process of its own, so that its peak memory is its own.

Belongs here: measuring. Does not belong here: the detector; the stages of the spine
(`benchmarks.stages`), which simulate and land the tables.
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
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks import stages
from benchmarks.stages import DAYS, FIRST_DAY, GIB, SQL, WINDOW
from engagement_assets.source.known import product_sql

BACK_DAYS = 30
TOP_SHARE = 0.01
REVIEWED_OF, REVIEWED_SHARE = 0.05, 0.3
SEED = 7


def main() -> None:
    """Run one stage, or all stages one after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=10_000)
    parser.add_argument("--days", type=int, default=DAYS)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--bootstrap", type=int, default=200)
    parser.add_argument("--lake", help="keep the lake here, and use what is there already")
    parser.add_argument("--stage", choices=list(STAGES), help="run this stage alone, over --lake")
    parser.add_argument("--json", type=Path, help="write the figures here too")
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
        print("| stage | customers | time | peak memory | |\n|---|---:|---:|---:|---|")
        results = {stage: run_stage(stage, options) for stage in STAGES}
    print_planted(results["planted"])
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))


def run_stage(stage: str, options: argparse.Namespace) -> dict[str, Any]:
    """Run a stage in a process of its own and print its line."""
    command = [sys.executable, "-m", "benchmarks.anomaly_planted", "--stage", stage]
    for name in ("customers", "days", "seed", "bootstrap", "lake"):
        command += [f"--{name}", str(getattr(options, name))]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603 - itself
    figures: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    rest = {n: v for n, v in figures.items() if n not in ("seconds", "peak_gib", "variants")}
    print(
        f"| {stage} | {options.customers:,} | {figures['seconds']:.1f} s | "
        f"{figures['peak_gib']:.2f} GiB | {json.dumps(rest)} |",
        flush=True,
    )
    return figures


def dates(options: argparse.Namespace) -> tuple[date, date]:
    """The snapshot that is learnt from, and the one that is scored."""
    end = stages.end(options)
    return end - timedelta(days=BACK_DAYS), end


def stage_tables(options: argparse.Namespace) -> dict[str, Any]:
    """Simulate, take in, score texts, measure the graph, and land both snapshots."""
    from engagement_assets.features.catalogue import CUSTOMER_FEATURES
    from engagement_assets.features.snapshot import land_snapshot
    from engagement_assets.learning.graph.metrics import MetricSettings
    from engagement_assets.signals.network.snapshot import (
        graph_of,
        land_network,
    )
    from engagement_assets.signals.sentiment.scoring import (
        land_customer_sentiment,
        window_days,
    )
    from engagement_assets.signals.tables import SENTIMENT_SCORES
    from resources.lake import Lake

    lake, days = Lake(options.lake), dates(options)
    if not lake.days("source/sessions"):
        stages.take_in(options, FIRST_DAY, stages.end(options))
    missing = [day for day in days if not lake.exists(CUSTOMER_FEATURES, day)]
    windows = {d for day in missing for d in window_days(day, first_day=FIRST_DAY, days=WINDOW)}
    there = set(lake.days(SENTIMENT_SCORES.key))
    scored, _ = stages.score(options, sorted(windows - there))
    run, sql = stages.engine(options), product_sql(SQL)
    for day in missing:
        land_customer_sentiment(
            run, sql, day, first_day=FIRST_DAY, days=WINDOW, consent=stages.agreed(options)
        )
        graph = graph_of(run, sql, day)
        land_network(lake, graph, day, settings=MetricSettings(seed=SEED), threads=2)
        land_snapshot(run, sql, day)
    return {"texts": scored, "snapshots_made": len(missing)}


def rows_of(options: argparse.Namespace, day: date) -> pd.DataFrame:
    """Everybody's features at a snapshot."""
    from engagement_assets.features.catalogue import CUSTOMER_FEATURES
    from resources.lake import Lake

    return Lake(options.lake).read(CUSTOMER_FEATURES, days=[day]).to_pandas()


def reviews_of(options: argparse.Namespace) -> pd.DataFrame:
    """The table of reviews."""
    from resources.lake import Lake

    lake = Lake(options.lake)
    return lake.read("source/reviews", days=lake.days("source/reviews")).to_pandas()


def stage_train(options: argparse.Namespace) -> dict[str, Any]:
    """Train with the reviews known by then, describe on other people, and save."""
    from engagement_assets.models.anomaly.rules import (
        ANOMALY_INPUTS,
        PLATFORM_RULES,
    )
    from engagement_assets.models.anomaly.training import (
        latest_verdicts,
        train_anomaly,
    )

    learn_day, score_day = dates(options)
    train, test = rows_of(options, learn_day), rows_of(options, score_day)
    reviews = reviews_of(options)
    trained = train_anomaly(
        train,
        test,
        training_snapshot=learn_day,
        test_snapshot=score_day,
        features=ANOMALY_INPUTS,
        parameters={"rules": PLATFORM_RULES, "n_jobs": 2},
        verdicts=latest_verdicts(reviews, train["customer_id"], until=learn_day),
        test_verdicts=latest_verdicts(reviews, test["customer_id"], until=score_day),
        n_bootstrap=options.bootstrap,
        seed=options.seed,
    )
    trained.model.save(Path(options.lake) / ".anomaly")
    kept = ("training_customers", "test_customers", "metrics", "verdicts", "statements")
    return {name: trained.card[name] for name in kept}


def stage_predict(options: argparse.Namespace) -> dict[str, Any]:
    """Load the model and score everybody at the end, with reasons for those who go to review."""
    from engagement_assets.learning.anomaly.detector import AnomalyDetector
    from engagement_assets.models.anomaly.prediction import score_anomaly

    measured = score_anomaly(
        AnomalyDetector.load(Path(options.lake) / ".anomaly"),
        rows_of(options, dates(options)[1]),
        k=3,
    )
    kinds = measured["kind"].value_counts().to_dict()
    return {
        "scored": len(measured),
        "for_review": int(measured["kind"].notna().sum()),
        "kinds": kinds,
    }


@cache
def _truth(customers: int, days: int, seed: int, day: date) -> pd.DataFrame:
    options = argparse.Namespace(customers=customers, days=days, seed=seed)
    return stages.simulator(options).truth_customers(day).to_pandas()


def planted(options: argparse.Namespace, rows: pd.DataFrame, day: date) -> pd.DataFrame:
    """Whether each customer is a bot, a fraud, or either."""
    truth = _truth(options.customers, options.days, options.seed, day)
    measured = rows[["customer_id"]].merge(truth, on="customer_id", how="left", validate="1:1")
    measured = measured[["is_bot", "is_fraud"]].set_index(rows.index)
    return measured.assign(planted=measured["is_bot"] | measured["is_fraud"])


def stage_planted(options: argparse.Namespace) -> dict[str, Any]:
    """Every variant against the truth."""
    from engagement_assets.learning.evaluation.splits import hash_split
    from engagement_assets.models.anomaly.rules import shows_life

    learn_day, score_day = dates(options)
    everybody = {day: rows_of(options, day) for day in (learn_day, score_day)}
    rows = {day: frame[shows_life(frame)] for day, frame in everybody.items()}
    learn = rows[learn_day][~hash_split(rows[learn_day]["customer_id"])]
    score = rows[score_day]
    truth = planted(options, score, score_day)
    all_truth = planted(options, everybody[score_day], score_day)
    paid = everybody[score_day]["revenue_to_date_usd"] != 0
    visible = {
        "customers": len(everybody[score_day]),
        "planted": int(all_truth["planted"].sum()),
        "bots": int(all_truth["is_bot"].sum()),
        "planted_who_used_it_in_the_month": int(truth["planted"].sum()),
        "frauds": int(all_truth["is_fraud"].sum()),
        "frauds_who_used_it_in_the_month": int(truth["is_fraud"].sum()),
        "frauds_with_money_on_file": int((all_truth["is_fraud"] & paid).sum()),
    }
    variants = measured(options, learn, score, truth)
    return {**visible, "learnt_from": len(learn), "scored": len(score), "variants": variants}


def measured(
    options: argparse.Namespace, learn: pd.DataFrame, score: pd.DataFrame, truth: pd.DataFrame
) -> dict[str, Any]:
    """The metrics of each variant on everybody and on other people."""
    from sklearn.ensemble import IsolationForest

    from engagement_assets.learning.anomaly.detector import AnomalyDetector
    from engagement_assets.learning.evaluation.splits import hash_split
    from engagement_assets.models.anomaly.rules import (
        ANOMALY_INPUTS,
        PLATFORM_RULES,
    )
    from engagement_assets.models.anomaly.training import latest_verdicts

    columns, learn_day = list(ANOMALY_INPUTS), dates(options)[0]
    others = np.asarray(hash_split(score["customer_id"]))
    made = {"rules": PLATFORM_RULES, "random_state": options.seed, "n_jobs": 2}
    out: dict[str, Any] = {}

    def tell(name: str, scores: np.ndarray, judged: pd.Series | None = None) -> None:
        seen = set() if judged is None else set(learn.loc[judged.notna(), "customer_id"])
        unseen = ~score["customer_id"].isin(seen).to_numpy()
        out[name] = {
            "verdicts": 0 if judged is None else int(judged.notna().sum()),
            "everybody": figures(options, truth, scores, np.ones(len(scores), dtype=bool)),
            "without_a_verdict": figures(options, truth, scores, unseen),
            "other_people": figures(options, truth, scores, others),
        }

    unsupervised = AnomalyDetector(**made).fit(learn[columns])
    encoded = unsupervised.preparation_
    forest = IsolationForest(n_estimators=200, random_state=options.seed)
    forest.fit(encoded.transform(learn[columns]))
    tell("isolation forest alone", -forest.score_samples(encoded.transform(score[columns])))
    undeclared = AnomalyDetector(**made, trace_weight=0.0).fit(learn[columns])
    tell("unsupervised, no declared traces", undeclared.score_samples(score[columns]))
    tell("unsupervised", unsupervised.score_samples(score[columns]))
    drawn = drawn_verdicts(options, unsupervised.score_samples(learn[columns]), learn)
    known = latest_verdicts(reviews_of(options), learn["customer_id"], until=learn_day)
    for name, verdicts in (("with drawn verdicts", drawn), ("with the table of reviews", known)):
        taught = AnomalyDetector(**made).fit(learn[columns], review_labels=verdicts)
        tell(name, taught.score_samples(score[columns]), verdicts)
        out[name]["blend"] = taught.blend_
        out[name]["counts"] = taught.review_label_counts_
    return out


def drawn_verdicts(
    options: argparse.Namespace, scores: np.ndarray, learn: pd.DataFrame
) -> pd.Series:
    """The truth of a random share of the top-scored training customers, as a reviewer finds it."""
    top = scores >= np.quantile(scores, 1.0 - REVIEWED_OF)
    drawn = np.random.default_rng(options.seed).random(len(learn)) < REVIEWED_SHARE
    truth = planted(options, learn, dates(options)[0])["planted"].astype(float)
    return truth.where(top & drawn)


def figures(
    options: argparse.Namespace, truth: pd.DataFrame, scores: np.ndarray, who: np.ndarray
) -> dict[str, Any]:
    """Metrics of some customers, with intervals; bots and frauds apart in the top."""
    from engagement_assets.models.anomaly.training import detection_metrics

    some, ranked = truth[who], scores[who]
    measured = detection_metrics(
        some["planted"].astype(float),
        ranked,
        top_share=TOP_SHARE,
        n_bootstrap=options.bootstrap,
        seed=options.seed,
    )
    top = np.argsort(-ranked, kind="stable")[: max(1, round(len(ranked) * TOP_SHARE))]
    return {name: value.to_dict() for name, value in measured.items()} | {
        "customers": len(some),
        "planted": int(some["planted"].sum()),
        "top": len(top),
        "bots_in_top": int(some["is_bot"].to_numpy()[top].sum()),
        "frauds_in_top": int(some["is_fraud"].to_numpy()[top].sum()),
    }


def print_planted(found: dict[str, Any]) -> None:
    """The table of the variants."""
    print("\n| variant | verdicts | scored on | top 1 % | precision | recall | AUROC | AP |")
    print("|---|---:|---|---:|---|---|---|---|")
    names = ("precision_at_top", "recall_at_top", "auroc", "average_precision")
    for variant, parts in found["variants"].items():
        for who in ("everybody", "without_a_verdict", "other_people"):
            part = parts[who]
            if who == "without_a_verdict" and not parts["verdicts"]:
                continue
            told = [
                f"{part[n]['value']:.3f} ({part[n]['low']:.3f} to {part[n]['high']:.3f})"
                for n in names
            ]
            print(
                f"| {variant} | {parts['verdicts']} | {who.replace('_', ' ')}: "
                f"{part['customers']:,}, {part['planted']} planted | {part['top']} "
                f"({part['bots_in_top']} bots, {part['frauds_in_top']} frauds) | "
                f"{' | '.join(told)} |"
            )


STAGES: dict[str, Callable[[argparse.Namespace], dict[str, Any]]] = {
    "tables": stage_tables,
    "train": stage_train,
    "predict": stage_predict,
    "planted": stage_planted,
}

if __name__ == "__main__":
    main()
