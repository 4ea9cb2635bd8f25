"""scikit-learn's own checks of every estimator of a table, and each exception with its reason."""

# ruff: noqa: N803 - X is scikit-learn's name for a table of features

import numpy as np
import pytest
from sklearn.utils.estimator_checks import check_estimator

from engagement_assets.learning.anomaly.detector import AnomalyDetector
from engagement_assets.learning.clustering import segmenter
from engagement_assets.learning.clustering.segmenter import Segmenter
from engagement_assets.learning.trees import revenue
from engagement_assets.learning.trees.classifier import CalibratedBoostingClassifier
from engagement_assets.learning.trees.regressor import BoundedBoostingRegressor
from engagement_assets.learning.trees.revenue import ZeroInflatedRevenueRegressor
from engagement_assets.learning.tuning.estimators import TunedClassifier, TunedRegressor

TREES = {"n_estimators": 2, "folds": 2, "n_jobs": 1}
TUNED = {"trials": 1, "folds": 2, "n_jobs": 1, "families": ("xgboost",)}


class Bounded(BoundedBoostingRegressor):
    """The regressor of shares, with the targets of the checks brought between 0 and 1."""

    def fit(self, X, y, *, sample_weight=None):
        y = y if y is None else np.asarray(y)
        if y is not None and y.dtype.kind in "fiO" and np.isfinite(y.astype(float)).all():
            y = (y - y.min()) / (np.ptp(y) or 1.0)
        return super().fit(X, y, sample_weight=sample_weight)


FEW_TREES = "two trees explain less than half of the variance"
ROUNDS = "sums in 32 bits round otherwise by the number of rows"
REPEATED = "a row that is repeated falls into several folds, and a tree draws each copy apart"
ONE_CLUSTER = "asks for one cluster, which is none"
ESTIMATORS = {
    "classifier": (
        CalibratedBoostingClassifier(**TREES),
        {"check_sample_weight_equivalence_on_dense_data": REPEATED},
    ),
    "bounded regressor": (
        Bounded(**TREES),
        {
            "check_regressors_train": FEW_TREES,
            "check_sample_weight_equivalence_on_dense_data": REPEATED,
        },
    ),
    "revenue regressor": (
        ZeroInflatedRevenueRegressor(**TREES),
        {
            "check_regressors_train": FEW_TREES,
            "check_sample_weight_equivalence_on_dense_data": REPEATED,
        },
    ),
    "tuned classifier": (
        TunedClassifier(**TUNED),
        {"check_sample_weight_equivalence_on_dense_data": REPEATED},
    ),
    "tuned regressor": (
        TunedRegressor(**TUNED),
        {"check_sample_weight_equivalence_on_dense_data": REPEATED},
    ),
    "anomaly detector": (
        AnomalyDetector(neighbour_samples=2, n_jobs=1),
        {"check_methods_subset_invariance": ROUNDS},
    ),
    "segmenter": (
        Segmenter(n_clusters=3, resamples=2, n_jobs=1),
        {
            "check_dont_overwrite_parameters": ONE_CLUSTER,
            "check_methods_subset_invariance": ONE_CLUSTER,
            "check_fit2d_1sample": ONE_CLUSTER,
            "check_fit2d_1feature": ONE_CLUSTER,
            "check_fit2d_predict1d": ONE_CLUSTER,
        },
    ),
}


SLOW = ("tuned regressor",)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in ESTIMATORS],
)
def test_an_estimator_passes_the_checks_of_scikit_learn(name, monkeypatch):
    # the checks have some 20 rows, too few to learn from in earnest
    monkeypatch.setattr(segmenter, "LEAST_ROWS_A_CLUSTER", 2)
    monkeypatch.setattr(revenue, "LEAST_PAYERS", 2)
    model, exceptions = ESTIMATORS[name]
    failed = {
        check["check_name"]: f"{check['exception']!r}"
        for check in check_estimator(model, on_fail=None)
        if check["status"] == "failed"
    }
    assert failed.keys() == exceptions.keys(), failed
