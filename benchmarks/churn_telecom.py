"""The churn classifier on public telecom data, beside three baselines on the same folds.

Prints a Markdown table of 5-fold AUC (mean over the folds) and of the pooled out-of-fold AUC and
calibration error with bootstrap intervals. The data is the telecom churn set of 5,000 customers
with 19 columns; its CSV is an argument and is not part of the project.

    python -m benchmarks.churn_telecom --data ../shared/data/churn/mlc_churn.csv
"""

# ruff: noqa: N806 - X is scikit-learn's name for a table of features

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from lightgbm import LGBMClassifier
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from engagement_assets.learning.evaluation.metrics import auc, evaluate, paired_auc_difference
from engagement_assets.learning.trees.classifier import CalibratedBoostingClassifier

DEFAULT_DATA = Path("../shared/data/churn/mlc_churn.csv")
FOLDS = 5


def read(path: Path) -> tuple[pd.DataFrame, np.ndarray]:
    """Read the features and the labels; stop with a message when the file is missing."""
    if not path.exists():
        sys.exit(
            f"The telecom churn data is not at {path}. Give the CSV (19 columns and `churn` "
            "yes/no) by --data; this benchmark does not download it."
        )
    table = pd.read_csv(path)
    return table.drop(columns="churn"), (table["churn"] == "yes").to_numpy(dtype=int)


def models(seed: int) -> dict[str, Any]:
    """Make the classifier and the baselines, all with their own defaults."""
    text = make_column_selector(dtype_exclude="number")
    number = make_column_selector(dtype_include="number")
    return {
        "churn classifier": CalibratedBoostingClassifier(random_state=seed),
        "histogram gradient boosting": make_pipeline(
            _categories(text), HistGradientBoostingClassifier(random_state=seed)
        ),
        "LightGBM": make_pipeline(_categories(text), LGBMClassifier(random_state=seed, verbose=-1)),
        "logistic regression": make_pipeline(
            make_column_transformer(
                (OneHotEncoder(handle_unknown="ignore"), text), (StandardScaler(), number)
            ),
            LogisticRegression(max_iter=2000),
        ),
    }


def _categories(text: Any) -> Any:
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    return make_column_transformer((encoder, text), remainder="passthrough")


def main() -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DEFAULT_DATA)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    X, y = read(arguments.data)
    folds = list(StratifiedKFold(FOLDS, shuffle=True, random_state=arguments.seed).split(X, y))
    scores: dict[str, np.ndarray] = {}
    print(f"{len(X):,} customers, {y.mean():.1%} churn, {FOLDS} folds, seed {arguments.seed}\n")
    print(
        "| model | mean fold AUC | pooled AUC | calibration error | log loss "
        "| AUC less the classifier's | seconds |"
    )
    print("|---|--:|--:|--:|--:|--:|--:|")
    for name, model in models(arguments.seed).items():
        started = time.perf_counter()
        p = np.empty(len(y))
        for train, test in folds:
            p[test] = model.fit(X.iloc[train], y[train]).predict_proba(X.iloc[test])[:, 1]
        seconds = time.perf_counter() - started
        scores[name] = p
        measured = evaluate(y, p, threshold=0.5, n_bootstrap=1000, seed=arguments.seed)
        by_fold = np.mean([auc(y[test], p[test]) for _, test in folds])
        gap = paired_auc_difference(y, p, scores["churn classifier"], seed=arguments.seed)
        print(
            f"| {name} | {by_fold:.4f} | {measured['auc']} | {measured['calibration_error']} "
            f"| {measured['log_loss']} | {gap} | {seconds:.1f} |"
        )


if __name__ == "__main__":
    main()
