"""Fitting the ensemble, and adopting a correction only where it is better beyond chance.

Belongs here: from rows, base learners and targets to an ensemble and its card. Does not belong
here: reading rows (`adapter.py`), the base learners (their
adapters) and the corrections themselves.

The base stands unless the whole interval of its loss minus the correction's, on the same test
customers, lies above 0: whatever is gained must be more than chance gives.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from engagement_assets.learning.errors import TooLittleDataError
from engagement_assets.learning.evaluation.bootstrap import Interval, interval, resamples
from engagement_assets.learning.stacking.estimator import Correction, Ensemble, Floats, Target
from engagement_assets.learning.stacking.folds import FOLDS, BaseLearner, cross_fitted
from engagement_assets.lifecycle.adapter import Trained


@dataclass(frozen=True)
class TargetRows:
    """What a target is learnt from and judged on.

    Attributes:
        target: The target.
        learn: Labelled rows of training customers at the base model's training snapshots.
        test: Labelled rows of the other customers at a later snapshot.
    """

    target: Target
    learn: pd.DataFrame
    test: pd.DataFrame


def train_ensemble(
    rows: Mapping[str, TargetRows],
    bases: Mapping[str, BaseLearner],
    *,
    features: Sequence[str],
    n_bootstrap: int,
    random_state: int,
    n_jobs: int | None = None,
    folds: int = FOLDS,
) -> Trained[Ensemble]:
    """Fit a correction of every target on what the base models say of customers they did not see.

    Raises:
        ValueError: A table has no rows.
    """
    for name, known in rows.items():
        for side, table in (("training", known.learn), ("test", known.test)):
            if table.empty:
                raise TooLittleDataError(f"{name}: there are no labelled {side} customers")
    unseen = cross_fitted(
        bases, {name: known.learn for name, known in rows.items()}, group="customer_id", folds=folds
    )
    corrections, adopted, figures = {}, {}, {}
    for name, known in rows.items():
        target = known.target
        learn = with_features(unseen[name], known.learn, features)
        labels = known.learn[target.label].to_numpy(np.float64)
        correction = Correction(target, random_state=random_state, n_jobs=n_jobs)
        correction.fit(learn, labels, groups=known.learn["customer_id"])
        test = champions_table(bases, known.test, features)
        gain = judged_gain(correction, test, known.test, n_bootstrap=n_bootstrap, seed=random_state)
        corrections[name] = correction
        adopted[name] = bool(gain["gain"]["low"] > 0.0)
        figures[name] = gain | {
            "adopted": adopted[name],
            "trees": correction.n_trees_,
            "unit": target.unit,
            "training_rows": len(known.learn),
            "test_customers": len(known.test),
        }
    return Trained(Ensemble(corrections, adopted), {"targets": figures})


def with_features(
    predictions: pd.DataFrame, rows: pd.DataFrame, features: Sequence[str]
) -> pd.DataFrame:
    """Return base predictions beside some features of the same rows."""
    return pd.concat(
        [predictions.reset_index(drop=True), rows[list(features)].reset_index(drop=True)], axis=1
    )


def champions_table(
    bases: Mapping[str, BaseLearner], rows: pd.DataFrame, features: Sequence[str]
) -> pd.DataFrame:
    """Return predictions of rows by the champions, beside the features that corrections look at."""
    predictions = pd.DataFrame({base.name: base.champion(rows) for base in bases.values()})
    return with_features(predictions, rows, features)


def judged_gain(
    correction: Correction,
    inputs: pd.DataFrame,
    test: pd.DataFrame,
    *,
    n_bootstrap: int,
    seed: int,
) -> dict[str, Any]:
    """Return loss of base and correction on n test rows, and the gain with its paired interval."""
    target = correction.target
    labels = test[target.label].to_numpy(np.float64)
    base = target.value(target.margin(inputs[target.base].to_numpy(np.float64)))
    losses = target.losses(labels, base), target.losses(labels, correction.predict(inputs))
    before, after = (mean_loss(loss, n_bootstrap=n_bootstrap, seed=seed) for loss in losses)
    gain = mean_loss(losses[0] - losses[1], n_bootstrap=n_bootstrap, seed=seed)
    return {
        "base_loss": before.to_dict(),
        "refined_loss": after.to_dict(),
        "gain": gain.to_dict(),
    }


def mean_loss(losses: Floats, *, n_bootstrap: int, seed: int) -> Interval:
    """Return mean of n losses and its bootstrap interval over rows."""
    draws = resamples(len(losses), n_bootstrap=n_bootstrap, seed=seed)
    total = len(losses)
    return interval(float(losses.mean()), [float(counts @ losses) / total for counts in draws])
