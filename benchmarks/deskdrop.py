"""Churn on the public Deskdrop log: the churn classifier beside two simple rules.

Takes the log into a lake by `sql/source/deskdrop/`, makes weekly snapshots, and scores everybody
out of sample: customers are dealt into five parts by a hash of their id; for each later test date,
the models learn on four parts at earlier snapshots whose labels were known by then, and score the
fifth part. Other people, later time. The AUC is the mean over the test dates; intervals and
differences are bootstraps over customers, the same resamples for every model.

How many earlier snapshots to learn from and how strongly to regularise was chosen by `--tune`,
which looks only at dates whose labels had closed before the first test date.

    python -m benchmarks.deskdrop --data ../shared/data/deskdrop
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from engagement_assets.features.catalogue import CUSTOMER_FEATURES, MODEL_INPUTS
from engagement_assets.features.labels import LABELS
from engagement_assets.features.snapshot import land_labels, land_snapshot
from engagement_assets.features.tables import KNOWN_TABLES
from engagement_assets.learning.evaluation.binary import Ranked
from engagement_assets.learning.evaluation.bootstrap import Interval, interval, resamples
from engagement_assets.learning.trees.classifier import CalibratedBoostingClassifier
from engagement_assets.source.ingestion import ingest
from engagement_assets.source.known import product_sql
from engagement_assets.source.mapping import open_mapped
from resources.engine import DuckDBEngine
from resources.lake import Lake
from resources.tables import by_sql_name

ROOT = Path(__file__).parents[1]
LABEL = "churn_30_day"
WINDOW = timedelta(days=30)
LAST_SNAPSHOT = date(2017, 1, 29)
SNAPSHOTS = [LAST_SNAPSHOT - timedelta(days=7 * back) for back in range(40)][::-1]
TEST_DATES = [LAST_SNAPSHOT - timedelta(days=28 * back) for back in range(5)][::-1]
# Their labels, and all that they learn from, had closed before the first test date.
TUNING_DATES = [SNAPSHOTS[SNAPSHOTS.index(TEST_DATES[0]) - back] for back in (14, 11, 8, 5)]
FOLDS = 5
RECENCY = "days_since_last_login"
SIMPLE = [RECENCY, "logins_month", "session_duration_avg_minutes"]
CLASSIFIER, RULE, LOGISTIC = "churn classifier, all features", "recency alone", "logistic, three"
# Chosen by --tune: the log is small and noisy, so twelve weeks of snapshots and shallow trees.
CHOSEN: dict[str, Any] = {
    "snapshots": 12,
    "max_depth": 2,
    "min_child_weight": 30.0,
    "reg_lambda": 30.0,
    "n_estimators": 120,
    "folds": 3,
}


def prepare(data: str, lake: Lake) -> None:
    """Take the log in and land all snapshots that are not in the lake yet."""
    source = open_mapped("deskdrop", root=ROOT / "sql" / "source", data=data)
    days = lake.days("source/quarantine")
    if source.last_day is None or not days or days[-1] < source.last_day:
        ingest(source, lake, source.first_day, source.last_day or LAST_SNAPSHOT, progress=note)
    engine = DuckDBEngine(lake, declared=by_sql_name(KNOWN_TABLES))
    sql = product_sql(ROOT / "sql")
    for day in SNAPSHOTS:
        if not lake.exists(f"labels/{LABEL}", day):
            land_snapshot(engine, sql, day, first_day=source.first_day)
            land_labels(engine, sql, day, labels=[LABELS[LABEL]], first_day=source.first_day)
            note(f"snapshot of {day} landed")


def load(lake: Lake) -> pd.DataFrame:
    """Features and label of everybody who was active, for all snapshots, with their fold."""
    parts = []
    for day in SNAPSHOTS:
        features = lake.read(CUSTOMER_FEATURES, days=[day]).to_pandas()
        labels = lake.read(f"labels/{LABEL}", days=[day]).to_pandas()
        parts.append(labels.merge(features, on=["customer_id", "snapshot_date"], validate="1:1"))
    table = pd.concat(parts, ignore_index=True)
    table["fold"] = [fold_of(customer) for customer in table["customer_id"]]
    return table


def fold_of(customer: str) -> int:
    """The part that a customer is dealt into."""
    digest = hashlib.blake2b(customer.encode(), digest_size=8, key=b"deskdrop").digest()
    return int.from_bytes(digest, "big") % FOLDS


def features_of(table: pd.DataFrame) -> list[str]:
    """The model inputs that the log can tell."""
    return [name for name in MODEL_INPUTS if table[name].notna().any()]


def score(
    table: pd.DataFrame, dates: Sequence[date], *, snapshots: int, model: Any, columns: list[str]
) -> pd.DataFrame:
    """Score everybody at each date by a model that learnt on others at earlier snapshots."""
    parts = []
    for day in dates:
        known = [earlier for earlier in SNAPSHOTS if earlier + WINDOW <= day][-snapshots:]
        now = table[table["snapshot_date"] == day]
        past = table[table["snapshot_date"].isin(known)]
        for fold in range(FOLDS):
            others = past[past["fold"] != fold]
            asked = now[now["fold"] == fold]
            model.fit(others[columns], others[LABEL].to_numpy())
            probability = model.predict_proba(asked[columns])[:, 1]
            parts.append(asked[["customer_id", "snapshot_date", LABEL]].assign(p=probability))
    return pd.concat(parts, ignore_index=True).sort_values(["snapshot_date", "customer_id"])


def logistic() -> Any:
    """Logistic regression on recency, frequency and duration."""
    return make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression())


def mean_auc(scored: pd.DataFrame) -> float:
    """Mean over the dates of the AUC of a date."""
    return float(np.mean([ranked.auc(np.ones(len(ranked.y))) for ranked, _ in by_date(scored)]))


def by_date(scored: pd.DataFrame) -> list[tuple[Ranked, np.ndarray]]:
    """The ranked rows of each date, and the number of each row's customer."""
    number = pd.factorize(scored["customer_id"], sort=True)[0]
    measured = []
    for day in sorted(scored["snapshot_date"].unique()):
        rows = (scored["snapshot_date"] == day).to_numpy()
        y = scored.loc[rows, LABEL].to_numpy(float)
        ranked = Ranked(y, scored.loc[rows, "p"].to_numpy(float))
        measured.append((ranked, number[rows][ranked.order]))
    return measured


def intervals(
    scores: Mapping[str, pd.DataFrame], *, n: int, seed: int
) -> dict[str, list[Interval]]:
    """AUC of each model and its difference from the first, by resampling customers."""
    people = next(iter(scores.values()))["customer_id"].nunique()
    dated = {name: by_date(scored) for name, scored in scores.items()}
    draws = {name: np.empty(n) for name in scores}
    for index, counts in enumerate(resamples(people, n_bootstrap=n, seed=seed)):
        for name, dates in dated.items():
            draws[name][index] = np.mean([ranked.auc(counts[who]) for ranked, who in dates])
    values = {name: mean_auc(scored) for name, scored in scores.items()}
    first = next(iter(scores))
    return {
        name: [
            interval(values[name], draws[name]),
            interval(values[first] - values[name], draws[first] - draws[name]),
        ]
        for name in scores
    }


def tune(table: pd.DataFrame, *, seed: int) -> None:
    """Compare settings at dates before the test period."""
    print("| snapshots | depth | min_child_weight | reg_lambda | AUC before the test period |")
    print("|--:|--:|--:|--:|--:|")
    columns = features_of(table)
    for snapshots in (4, 12, 40):
        for depth, weight, penalty in ((3, 10.0, 10.0), (3, 50.0, 50.0), (2, 30.0, 30.0)):
            model = CalibratedBoostingClassifier(
                max_depth=depth,
                min_child_weight=weight,
                reg_lambda=penalty,
                n_estimators=CHOSEN["n_estimators"],
                folds=CHOSEN["folds"],
                random_state=seed,
                n_jobs=2,
            )
            scored = score(table, TUNING_DATES, snapshots=snapshots, model=model, columns=columns)
            print(f"| {snapshots} | {depth} | {weight} | {penalty} | {mean_auc(scored):.4f} |")
        scored = score(table, TUNING_DATES, snapshots=snapshots, model=logistic(), columns=SIMPLE)
        print(f"| {snapshots} | {LOGISTIC} | | | {mean_auc(scored):.4f} |")
    recent = table[table["snapshot_date"].isin(TUNING_DATES)]
    print(f"| | {RULE} | | | {mean_auc(recent.assign(p=recent[RECENCY])):.4f} |")


def compare(table: pd.DataFrame, *, seed: int, bootstrap: int) -> None:
    """Score the test dates by every model and print the table."""
    settings = dict(CHOSEN)
    snapshots = settings.pop("snapshots")
    columns = features_of(table)
    started = time.perf_counter()
    model = CalibratedBoostingClassifier(random_state=seed, n_jobs=2, **settings)
    tested = table[table["snapshot_date"].isin(TEST_DATES)].sort_values(
        ["snapshot_date", "customer_id"]
    )
    scores = {
        CLASSIFIER: score(table, TEST_DATES, snapshots=snapshots, model=model, columns=columns),
        RULE: tested.assign(p=tested[RECENCY].astype(float)),
        LOGISTIC: score(table, TEST_DATES, snapshots=snapshots, model=logistic(), columns=SIMPLE),
    }
    people = tested["customer_id"].nunique()
    print(
        f"{len(tested):,} predictions of {people:,} customers at {len(TEST_DATES)} dates, "
        f"{TEST_DATES[0]} to {TEST_DATES[-1]}; {tested[LABEL].mean():.1%} left; "
        f"{len(columns)} features; {time.perf_counter() - started:.0f} s\n"
    )
    print("| model | AUC, mean over the dates (95 %) | classifier's lead (95 %) |")
    print("|---|--:|--:|")
    for name, (area, lead) in intervals(scores, n=bootstrap, seed=seed).items():
        print(f"| {name} | {area} | {'' if name == CLASSIFIER else lead} |")


def note(line: str) -> None:
    """Show progress beside the table."""
    print(line, file=sys.stderr)


def main() -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="../shared/data/deskdrop", help="folder of the log")
    parser.add_argument("--lake", help="folder to keep the lake in; a temporary one without")
    parser.add_argument("--tune", action="store_true", help="compare settings before the tests")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--bootstrap", type=int, default=2000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        lake = Lake(arguments.lake or temporary)
        prepare(arguments.data, lake)
        table = load(lake)
    if arguments.tune:
        tune(table, seed=arguments.seed)
    else:
        compare(table, seed=arguments.seed, bootstrap=arguments.bootstrap)


if __name__ == "__main__":
    main()
