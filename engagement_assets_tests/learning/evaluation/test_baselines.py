"""Baselines learn what there is, take any nulls, and give the same figures on any machine."""

# ruff: noqa: N806 - X is scikit-learn's name for a table of features

import numpy as np
import pandas as pd
import pytest

from engagement_assets.learning.evaluation.baselines import (
    BOOSTING,
    FOREST,
    LINEAR,
    MOST_ROWS,
    baseline_predictions,
)
from engagement_assets.learning.evaluation.metrics import auc
from engagement_assets.learning.evaluation.regression import r2


def people(n, *, seed):
    rng = np.random.default_rng(seed)
    days = rng.integers(0, 30, n)
    X = pd.DataFrame(
        {
            "days": pd.array(np.where(rng.random(n) < 0.1, None, days), dtype="Int64"),
            "volume": rng.gamma(2.0, 10.0, n),
            "absent": np.full(n, np.nan),
        }
    )
    return X, days, rng


@pytest.mark.parametrize("classify", [True, False])
def test_each_baseline_predicts_other_rows_alike_with_any_threads(classify):
    (X, days, rng), (new, later, later_rng) = people(1500, seed=0), people(1500, seed=1)

    def target(days, rng):
        chance = 1 / (1 + np.exp(5 - days / 3))
        return (rng.random(len(days)) < chance).astype(int) if classify else 100 * chance

    y, truth = target(days, rng), target(later, later_rng)
    first = baseline_predictions(X, y, new, classify=classify, n_jobs=1)
    again = baseline_predictions(X, y, new, classify=classify, n_jobs=2)
    assert set(first) == {LINEAR, BOOSTING, FOREST}
    for name, predicted in first.items():
        np.testing.assert_array_equal(predicted, again[name])
        assert (auc if classify else r2)(truth, predicted) > 0.7, name


def test_many_rows_are_sampled():
    X, days, _ = people(MOST_ROWS + 500, seed=0)
    predicted = baseline_predictions(X, days.astype(float), X.head(20), classify=False)
    assert all(len(values) == 20 for values in predicted.values())
