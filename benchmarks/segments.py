"""Segments on planted kinds beside a classifier and Gaussian mixtures, and on one cloud.

    python -m benchmarks.segments --rows 4000 --runs 5
    python -m benchmarks.segments --home data/simulator-10000 --rows 5000

Belongs here: planting and measuring. Does not belong here: clustering (`learning.clustering`).
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture

from engagement_assets.features.catalogue import CUSTOMER_FEATURES
from engagement_assets.learning.clustering.matching import match
from engagement_assets.learning.clustering.segmenter import NoStructureError, Segmenter
from engagement_assets.models.segments.personas import SEGMENT_INPUTS
from engagement_assets.source.simulator import VARIANTS, Simulator
from resources.lake import Lake

COLUMNS, KINDS = 12, 6


def planted(rows: int, seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Counts of six kinds that differ in some columns, and how active each row is at all."""
    rng = np.random.default_rng(seed)
    rates = np.exp(rng.normal(1.0, 1.0, (KINDS, COLUMNS)))
    kind = rng.choice(KINDS, size=rows, p=[0.3, 0.22, 0.18, 0.13, 0.1, 0.07])
    active = rng.gamma(4.0, 0.25, (rows, 1))
    counts = rng.poisson(rates[kind] * active).astype(float)
    return pd.DataFrame(counts).add_prefix("c"), kind


def personas(home: Path) -> tuple[pd.DataFrame, np.ndarray]:
    """Features of the last day of a simulator's home, and the persona of each customer."""
    settings = json.loads((home / "settings.json").read_text())
    lake = Lake(str(home / "lake"))
    first, day = lake.days("source/sessions")[0], lake.days(CUSTOMER_FEATURES)[-1]
    rows = lake.read(CUSTOMER_FEATURES, days=[day]).to_pandas()
    world = Simulator(
        customers=settings["customers"],
        seed=settings["seed"],
        first_day=first,
        days=settings["days"],
        causes=VARIANTS[settings["world"]],
    )
    truth = world.truth_customers(day).to_pandas().set_index("customer_id")["persona"]
    rows = rows[rows["customer_id"].isin(truth.index)].sample(frac=1.0, random_state=0)
    return rows[list(SEGMENT_INPUTS)], pd.factorize(truth.loc[rows["customer_id"]])[0]


def figures(rows: pd.DataFrame, kind: np.ndarray, seed: int, threads: int) -> dict[str, float]:
    """Learn from one half, and measure on the other how well the kinds come out."""
    half, kinds = len(rows) // 2, len(set(kind.tolist()))
    learn, score, truth = rows[:half], rows[half:], kind[half:]
    started = time.perf_counter()
    model = Segmenter(random_state=seed, n_jobs=threads).fit(learn)
    seconds = time.perf_counter() - started
    other = Segmenter(random_state=seed + 1_000, n_jobs=threads).fit(learn)
    labels = model.predict(score)
    # as the product learns again: as many segments, matched by who is in them
    again = Segmenter(
        n_clusters=model.n_clusters_, resamples=1, random_state=seed + 1, n_jobs=threads
    ).fit(learn)
    theirs = again.predict(score)
    same = match(labels, theirs)
    moved = np.array([same.get(int(one), -1) for one in theirs]) != labels
    given = Segmenter(n_clusters=kinds, resamples=1, random_state=seed, n_jobs=threads).fit(learn)
    tree = HistGradientBoostingClassifier(random_state=seed).fit(learn, kind[:half])
    parts = model.parts(learn)
    made = {
        "segments": float(model.n_clusters_),
        "index to the kinds": adjusted_rand_score(truth, labels),
        "of as many segments as kinds": adjusted_rand_score(truth, given.predict(score)),
        "a classifier's": adjusted_rand_score(truth, tree.predict(score)),
    }
    for covariance, shape in (("full", "each of its own shape"), ("tied", "all of one shape")):
        mixture = GaussianMixture(kinds, covariance_type=covariance, random_state=seed, n_init=3)
        measured = mixture.fit(parts).predict(model.parts(score))
        made[f"a Gaussian mixture's, {shape}"] = adjusted_rand_score(truth, measured)
    return made | {
        "index of two seeds": adjusted_rand_score(labels, other.predict(score)),
        "least Jaccard": float(model.jaccard_.min()),
        "changed by learning again": float(moved.mean()),
        "seconds": seconds,
    }


def main() -> None:
    """Print a line a figure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--large", type=int, default=100_000, help="rows of the timed segmentation")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    parser.add_argument("--home", type=Path, help="a simulator's home: its personas instead")
    asked = parser.parse_args()
    if asked.home is not None:
        rows, kind = personas(asked.home)
        rows, kind = rows.head(asked.rows), kind[: asked.rows]
        table = pd.DataFrame([figures(rows, kind, 0, asked.threads)])
        title = f"personas of {len(rows):,} simulated customers"
    else:
        table = pd.DataFrame(
            figures(*planted(asked.rows, seed), seed, asked.threads) for seed in range(asked.runs)
        )
        title = "planted kinds"
    print(f"| {title} | mean | lowest | highest |\n|---|---:|---:|---:|")
    for name, values in table.items():
        print(f"| {name} | {values.mean():.3f} | {values.min():.3f} | {values.max():.3f} |")
    made: dict[str, Any] = {"planted": {str(name): _summed(of) for name, of in table.items()}}
    if asked.home is None:
        seeds = range(asked.runs)
        clouds = sum(_has_structure(asked.rows // 2, seed, asked.threads) for seed in seeds)
        print(f"| clouds of {asked.runs} in which clusters were seen | {clouds} | | |")
        seconds = _timed(asked.large, asked.threads)
        print(
            f"| seconds for {asked.large:,} customers, learnt and told apart | {seconds:.1f} | | |"
        )
        made |= {"clouds": clouds, "runs": asked.runs, "large": {"seconds": seconds}}
    if asked.json:
        asked.json.write_text(json.dumps(made))


def _summed(values: pd.Series) -> dict[str, float]:
    return {"mean": values.mean(), "lowest": values.min(), "highest": values.max()}


def _timed(rows: int, threads: int) -> float:
    """Return the seconds in which so many planted rows are learnt from and get their segments."""
    table, _ = planted(rows, 0)
    started = time.perf_counter()
    Segmenter(random_state=0, n_jobs=threads).fit(table).predict(table)
    return time.perf_counter() - started


def _has_structure(rows: int, seed: int, threads: int) -> bool:
    rng = np.random.default_rng(seed)
    cloud = rng.normal(size=(rows, COLUMNS)) @ rng.normal(size=(COLUMNS, COLUMNS))
    try:
        Segmenter(random_state=seed, n_jobs=threads).fit(pd.DataFrame(cloud).add_prefix("c"))
    except NoStructureError:
        return False
    return True


if __name__ == "__main__":
    main()
