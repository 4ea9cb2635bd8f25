"""Segments on planted kinds beside a classifier and a Gaussian mixture, and on one cloud.

    python -m benchmarks.segments --rows 4000 --runs 5

Belongs here: planting and measuring. Does not belong here: clustering (`learning.clustering`).
"""

import argparse
import time

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture

from engagement_assets.learning.clustering.segmenter import NoStructureError, Segmenter

COLUMNS, KINDS = 12, 6


def planted(rows: int, seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Counts of six kinds that differ in some columns, and how active each row is at all."""
    rng = np.random.default_rng(seed)
    rates = np.exp(rng.normal(1.0, 1.0, (KINDS, COLUMNS)))
    kind = rng.choice(KINDS, size=rows, p=[0.3, 0.22, 0.18, 0.13, 0.1, 0.07])
    active = rng.gamma(4.0, 0.25, (rows, 1))
    counts = rng.poisson(rates[kind] * active).astype(float)
    return pd.DataFrame(counts).add_prefix("c"), kind


def main() -> None:
    """Print a line a figure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    figures = []
    for seed in range(asked.runs):
        rows, kind = planted(asked.rows, seed)
        half = asked.rows // 2
        started = time.perf_counter()
        model = Segmenter(random_state=seed, n_jobs=asked.threads).fit(rows[:half])
        seconds = time.perf_counter() - started
        other = Segmenter(random_state=seed + 1_000, n_jobs=asked.threads).fit(rows[:half])
        labels = model.predict(rows[half:])
        tree = HistGradientBoostingClassifier(random_state=seed).fit(rows[:half], kind[:half])
        mixture = GaussianMixture(KINDS, random_state=seed, n_init=3).fit(model.parts(rows[:half]))
        figures.append(
            {
                "segments": model.n_clusters_,
                "index to the kinds": adjusted_rand_score(kind[half:], labels),
                "a classifier's": adjusted_rand_score(kind[half:], tree.predict(rows[half:])),
                "a Gaussian mixture's": adjusted_rand_score(
                    kind[half:], mixture.predict(model.parts(rows[half:]))
                ),
                "index of two seeds": adjusted_rand_score(labels, other.predict(rows[half:])),
                "least Jaccard": model.jaccard_.min(),
                "seconds": seconds,
            }
        )
    table = pd.DataFrame(figures)
    print("| planted kinds | mean | lowest |\n|---|---:|---:|")
    for name, values in table.items():
        print(f"| {name} | {values.mean():.3f} | {values.min():.3f} |")
    clouds = [_has_structure(asked.rows // 2, seed, asked.threads) for seed in range(asked.runs)]
    print(f"| clouds of {asked.runs} in which clusters were seen | {sum(clouds)} | |")


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
