"""Predict a post's final reach from its first hours by four methods, and choose among them.

Belongs here: choosing among the methods, comparing them. Does not belong here: the methods
(`estimators.py`, `lstm.py`), inputs and label (`cascades.py`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
from scipy.stats import spearmanr

from engagement_assets.learning.cascades.cascades import Cascades
from engagement_assets.learning.cascades.estimators import (
    STATE_FILE,
    BoostedReach,
    EarlyReach,
    Floats,
    Folder,
    LinearReach,
    ReachEstimator,
    learnable,
    split_by_time,
)
from engagement_assets.learning.cascades.lstm import LstmReach
from engagement_assets.learning.evaluation.bootstrap import Interval, bootstrapped, mean
from engagement_assets.learning.json_data import naming

TOP_SHARE = 0.05


@dataclass(frozen=True)
class ReachFigures:
    """Errors of a method's predicted reach.

    Attributes:
        log_mae: Mean absolute error of ln(1 + reach).
        log_rmse: Root mean squared error of it.
        spearman: Rank correlation.
        top_precision: Of the 5 % foretold as largest, the share that are among the largest 5 %.
    """

    log_mae: Interval
    log_rmse: float
    spearman: float
    top_precision: float


@dataclass(frozen=True)
class Comparison:
    """Methods beside one another on the same later posts.

    Attributes:
        figures: By method.
        differences: By method, its log MAE minus that of `default`, paired; over 0 is worse.
        default: The method that `choose` takes on earlier posts set aside.
        posts: How many posts were judged.
    """

    figures: dict[str, ReachFigures]
    differences: dict[str, Interval]
    default: str
    posts: int


def estimators(*, random_state: int = 0, n_jobs: int = 2) -> dict[str, ReachEstimator]:
    """A fresh estimator of every method by name, the simplest first."""
    return {
        EarlyReach.name: EarlyReach(),
        LinearReach.name: LinearReach(),
        BoostedReach.name: BoostedReach(random_state=random_state, n_jobs=n_jobs),
        LstmReach.name: LstmReach(random_state=random_state, n_jobs=n_jobs),
    }


def load_estimator(folder: Folder) -> ReachEstimator:
    """Read an estimator of any method."""
    kinds = {kind.name: kind for kind in (EarlyReach, LinearReach, BoostedReach, LstmReach)}
    with naming(folder / STATE_FILE):
        name = json.loads((folder / STATE_FILE).read_text())["estimator"]
        return kinds[name].load(folder)


def choose(
    posts: Cascades, *, random_state: int = 0, n_jobs: int = 2, n_bootstrap: int = 200
) -> str:
    """The simplest method that none is clearly better than.

    Judged by log MAE on the last fifth of the posts, learnt on those before: a method is clearly
    worse where the paired interval of its error less the best one's lies above 0.
    """
    earlier, later = split_by_time(learnable(posts), share=0.2)
    errors = {
        name: _absolute(later, method.fit(earlier).predict(later))
        for name, method in estimators(random_state=random_state, n_jobs=n_jobs).items()
    }
    best = min(errors, key=lambda name: float(errors[name].mean()))
    gaps = {name: mean(errors[name] - errors[best]) for name in errors}
    intervals = bootstrapped(gaps, rows=len(later), n_bootstrap=n_bootstrap, seed=random_state)
    return next(name for name in errors if intervals[name].low <= 0)


def compare(
    earlier: Cascades,
    later: Cascades,
    *,
    random_state: int = 0,
    n_jobs: int = 2,
    n_bootstrap: int = 200,
) -> Comparison:
    """Fit every method on earlier posts and judge it on later ones.

    The default is chosen on the earlier posts alone.
    """
    judged = learnable(later)
    default = choose(earlier, random_state=random_state, n_jobs=n_jobs, n_bootstrap=n_bootstrap)
    predicted = {
        name: method.fit(earlier).predict(judged)
        for name, method in estimators(random_state=random_state, n_jobs=n_jobs).items()
    }
    errors = {name: _absolute(judged, forecast) for name, forecast in predicted.items()}
    differences = {name: errors[name] - errors[default] for name in errors}

    def intervals(values: dict[str, Floats]) -> dict[str, Interval]:
        means = {name: mean(value) for name, value in values.items()}
        return bootstrapped(means, rows=len(judged), n_bootstrap=n_bootstrap, seed=random_state)

    log_mae = intervals(errors)
    return Comparison(
        figures={
            name: ReachFigures(
                log_mae=log_mae[name],
                log_rmse=float(np.sqrt((errors[name] ** 2).mean())),
                spearman=_spearman(judged.reach, forecast),
                top_precision=_top_precision(judged.reach, forecast),
            )
            for name, forecast in predicted.items()
        },
        differences=intervals(differences),
        default=default,
        posts=len(judged),
    )


def _absolute(posts: Cascades, predicted: Floats) -> Floats:
    errors: Floats = np.abs(np.log1p(predicted) - np.log1p(posts.reach))
    return errors


def _spearman(truth: Floats, predicted: Floats) -> float:
    if np.ptp(truth) == 0 or np.ptp(predicted) == 0:
        return 0.0
    return float(spearmanr(truth, predicted).statistic)


def _top_precision(truth: Floats, predicted: Floats) -> float:
    count = max(1, round(TOP_SHARE * len(truth)))
    floor = np.sort(truth)[-count]
    return float((truth[np.argsort(-predicted, kind="stable")[:count]] >= floor).mean())
