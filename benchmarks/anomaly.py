"""The anomaly detector on eight public sets: AUROC beside the isolation forest alone, same seeds.

    python -m benchmarks.anomaly

Each set is split 70/30 by class as ADBench does (Han et al., NeurIPS 2022); detectors are fitted on
the 70 without labels and scored on the 30, which they have not seen. The forest alone is
scikit-learn's on the plain table, 200 trees. Times are those of fitting and scoring. The last
column gives the detector the labels of a tenth of the training rows, drawn at random, as verdicts.

Belongs here: measuring. Does not belong here: the detector.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import t as student
from sklearn.ensemble import IsolationForest
from sklearn.model_selection import train_test_split

from engagement_assets.learning.anomaly.components import COMPONENTS
from engagement_assets.learning.anomaly.detector import AnomalyDetector
from engagement_assets.learning.evaluation.metrics import auc

SETS = Path(__file__).resolve().parents[1] / ".." / "shared" / "data" / "anomaly"
FOREST, ENSEMBLE, TAUGHT = "isolation forest alone", "ensemble", "with a tenth of the labels"
TEST_SHARE = 0.3
LABELLED_SHARE = 0.1
TREES = 200


def measure(x: np.ndarray, y: np.ndarray, seed: int) -> dict[str, float]:
    """AUROC of every method on the 30 % that no method has seen."""
    names = [f"x{i}" for i in range(x.shape[1])]
    train, test, y_train, y_test = train_test_split(
        pd.DataFrame(x, columns=names), y, test_size=TEST_SHARE, random_state=seed, stratify=y
    )
    began = time.perf_counter()
    score, parts = AnomalyDetector(random_state=seed).fit(train).scores(test)
    took = time.perf_counter() - began
    began = time.perf_counter()
    forest = IsolationForest(n_estimators=TREES, random_state=seed).fit(train)
    scores = {FOREST: -forest.score_samples(test)}
    forest_took = time.perf_counter() - began
    drawn = np.random.default_rng(seed).random(len(train)) < LABELLED_SHARE
    verdicts = pd.Series(np.where(drawn, y_train, np.nan), index=train.index)
    taught = AnomalyDetector(random_state=seed).fit(train, review_labels=verdicts)
    scores |= {name: parts[name].to_numpy() for name in COMPONENTS}
    scores |= {ENSEMBLE: score}
    measured = {name: auc(y_test, values) for name, values in scores.items()}
    # Too few verdicts of a kind: the unsupervised score stands, and there is nothing to compare.
    learnt = taught.review_label_model_ is not None
    measured[TAUGHT] = auc(y_test, taught.score_samples(test)) if learnt else float("nan")
    return measured | {"seconds": took, "forest_seconds": forest_took}


def spread(values: np.ndarray) -> tuple[float, float]:
    """Mean and half the 95 % interval of the mean over seeds, by Student's t."""
    half = student.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return float(values.mean()), float(half)


def main() -> None:
    """Print a line for each set, the means, and what the ensemble adds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--json", type=Path, default=None)
    options = parser.parse_args()
    files = sorted(SETS.glob("*.npz"))
    if not files:
        print("Not measured: shared/data/anomaly is not here")
        return
    rows: list[dict[str, Any]] = []
    began = time.perf_counter()
    for file in files:
        loaded = np.load(file, allow_pickle=False)
        for seed in range(options.seeds):
            measured = measure(loaded["X"].astype(np.float64), loaded["y"], seed)
            rows.append({"set": file.stem.split("_", 1)[1], "seed": seed, **measured})
    table = pd.DataFrame(rows)
    methods = [FOREST, *COMPONENTS, ENSEMBLE, TAUGHT]
    print(f"AUROC on unseen rows, mean of {options.seeds} seeds.\n")
    print(f"| set | {' | '.join(methods)} |\n|---|{'---:|' * len(methods)}")
    for name, part in table.groupby("set", sort=False):
        shown = [part[m].mean() for m in methods]
        told = ["–" if np.isnan(v) else f"{v:.3f}" for v in shown]
        print(f"| {name} | {' | '.join(told)} |")
    by_seed = table.groupby("seed")[methods].mean()
    means = {m: spread(by_seed[m].to_numpy()) for m in methods}
    told = [f"{mean:.3f} ± {half:.3f}" for mean, half in means.values()]
    print(f"| mean | {' | '.join(told)} |")
    gain = spread((by_seed[ENSEMBLE] - by_seed[FOREST]).to_numpy())
    by_set = table.groupby("set")[[ENSEMBLE, FOREST]].mean()
    lead = by_set[ENSEMBLE] - by_set[FOREST]
    times = table["seconds"].sum() / table["forest_seconds"].sum()
    print(
        f"\nEnsemble less the forest alone, same seeds: {gain[0]:+.4f} ± {gain[1]:.4f} "
        f"({time.perf_counter() - began:.0f} s in all). "
        f"Worst set: {lead.idxmin()}, {lead.min():+.3f}. Time: {times:.2f} times the forest's."
    )
    if options.json:
        figures = {"rows": rows, "means": means, "gain": gain, "worst": lead.min(), "times": times}
        options.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
