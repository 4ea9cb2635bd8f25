"""MovieLens-100K: every recommender by the protocol of the published figures.

A random 25 % of each user's ratings is held out; every rating is a positive; all items that the
user has not rated in the rest are ranked; NDCG, precision and recall at 10 with binary relevance.
The champion is the method with the best NDCG on 25 % set aside within the training ratings. All
methods run by their defaults but the neural one, whose parameters were chosen there for the first
split (`--tune`).

    python -m benchmarks.movielens

Belongs here: measuring. Does not belong here: the methods.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from engagement_assets.learning.evaluation.ranking import list_metrics, user_metrics
from engagement_assets.learning.recommendation.data import Dataset, Ints
from engagement_assets.learning.recommendation.fallback import ESTIMATORS
from engagement_assets.learning.recommendation.tables import prepare

DATA = Path(__file__).resolve().parents[1] / ".." / "shared" / "data" / "movielens-100k"
PUBLISHED = "published for this protocol: BiVAE .475, BPR .442, LightGCN .420, NCF .396, SAR .382"
K = 10
# Popularity, EASE, ALS and the hybrid choose their parameters themselves within the training rows.
NEURAL = {
    "epochs": 40,
    "batch_size": 4_096,
    "learning_rate": 0.004,
    "l2": 0.03,
    "shortlist": None,
    "use_weights": False,
    "n_jobs": 1,
}
SETTINGS: dict[str, dict[str, Any]] = {
    "popularity": {},
    "ease": {},
    "als": {},
    "neural": NEURAL,
    "hybrid": {},
}
TUNE: list[dict[str, Any]] = [
    *({"l2": penalty} for penalty in (0.0, 0.01, 0.03)),
    {"id_dropout": 0.0, "dropout": 0.2},
    {"batch_size": 1_024, "learning_rate": 0.001},
]


def read() -> Dataset:
    """All ratings, each a positive of weight 1."""
    rows = pd.read_csv(DATA / "ml-100k.inter", sep="\t")
    rows.columns = pd.Index(["user", "item", "rating", "time"])
    rows["time"] = rows["time"] / 86_400
    items = pd.read_csv(DATA / "ml-100k.item", sep="\t", encoding="utf-8")
    items.columns = pd.Index(["item", "title", "year", "genres"])
    items["category"] = items["genres"].str.split().str[0]
    return prepare(rows.assign(weight=1.0), items=items[["item", "category"]])


def held_out(data: Dataset, seed: int, share: float = 0.25) -> np.ndarray:
    """A random share of each user's interactions."""
    drawn = pd.Series(np.random.default_rng(seed).random(len(data.user)))
    return drawn.groupby(data.user).rank(pct=True).to_numpy() <= share


def rank(data: Dataset, name: str, settings: dict[str, Any]) -> tuple[Ints, float]:
    """Lists of all users among the items of the training ratings, and seconds to fit."""
    began = time.perf_counter()
    model = ESTIMATORS[name](**settings).fit_dataset(data)
    seconds = time.perf_counter() - began
    used = np.flatnonzero(data.people())
    users = np.arange(data.shape[0])
    return model.lists(users, used, k=K, min_categories=1).items, seconds


def ndcg(data: Dataset, out: np.ndarray, name: str, settings: dict[str, Any]) -> float:
    """NDCG on what is held out of the data."""
    lists, _ = rank(data.rows(~out), name, settings)
    return float(user_metrics(lists, data.rows(out).matrix(), k=K).values["ndcg"].mean())


def split(data: Dataset, seed: int, names: list[str]) -> dict[str, Any]:
    """Measure every method on one split and choose the champion on an inner one."""
    out = held_out(data, seed)
    train, test = data.rows(~out), data.rows(out).matrix()
    inner = held_out(train, seed + 1_000)
    methods: dict[str, Any] = {}
    for name in names:
        settings = SETTINGS[name]
        lists, seconds = rank(train, name, settings)
        measured = user_metrics(lists, test, k=K)
        used = train.people()
        methods[name] = {
            "validation_ndcg": ndcg(train, inner, name, settings),
            "seconds": seconds,
            "metrics": {
                key: value.to_dict()
                for key, value in measured.intervals(n_bootstrap=500, seed=seed).items()
            },
            "lists": list_metrics(
                lists,
                n_candidates=int((used > 0).sum()),
                category=train.category,
                popularity=used,
            ),
        }
    champion = max(methods, key=lambda name: methods[name]["validation_ndcg"])
    return {"seed": seed, "champion": champion, "methods": methods}


def tune(data: Dataset) -> None:
    """NDCG of the neural model by parameters on the inner split of the first split."""
    train = data.rows(~held_out(data, 42))
    inner = held_out(train, 1_042)
    for changed in TUNE:
        print(f"neural {changed}: {ndcg(train, inner, 'neural', NEURAL | changed):.4f}", flush=True)


def main() -> None:
    """Measure on several splits."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--splits", type=int, default=3)
    parser.add_argument("--methods", nargs="+", default=list(SETTINGS), choices=list(SETTINGS))
    parser.add_argument("--tune", action="store_true")
    parser.add_argument("--json", type=Path, default=None)
    options = parser.parse_args()
    if not DATA.exists():
        print("MovieLens-100K: not measured, shared/data/movielens-100k is not here")
        return
    data = read()
    if options.tune:
        tune(data)
        return
    runs = [split(data, 42 + n, options.methods) for n in range(options.splits)]
    print(f"MovieLens-100K, {options.splits} random 75/25 splits, full ranking; {PUBLISHED}\n")
    print(
        "| method | NDCG@10, mean of the splits | first split (95 % over users) | Precision@10 "
        "| Recall@10 | coverage | novelty, bits | fit |"
    )
    print("|---|---:|---|---:|---:|---:|---:|---:|")
    for name in options.methods:
        measured = [run["methods"][name] for run in runs]
        mean = {
            key: np.mean([one["metrics"][key]["value"] for one in measured])
            for key in ("ndcg", "precision", "recall")
        }
        first, lists = measured[0]["metrics"]["ndcg"], measured[0]["lists"]
        print(
            f"| {name} | {mean['ndcg']:.4f} | {first['value']:.4f} ({first['low']:.4f} to "
            f"{first['high']:.4f}) | {mean['precision']:.4f} | {mean['recall']:.4f} | "
            f"{lists['coverage']:.2f} | {lists['novelty']:.1f} | {measured[0]['seconds']:.1f} s |"
        )
    champions = [run["champion"] for run in runs]
    values = [run["methods"][run["champion"]]["metrics"]["ndcg"]["value"] for run in runs]
    print(f"\nChampions by the inner split: {champions}; NDCG@10 {np.mean(values):.4f}")
    if options.json:
        options.json.write_text(json.dumps(runs, indent=1))


if __name__ == "__main__":
    main()
