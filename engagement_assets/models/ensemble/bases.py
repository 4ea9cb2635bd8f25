"""The models that the ensemble listens to, as it fits them again without some customers.

Belongs here: one base learner a model. Does not belong here: dealing the folds (`stacking.py`).

A refit keeps the champion's parameters and number of trees, so it is as good as the champion but
for the customers it did not see. A customer whom the product does not score (no session in the
month) has no prediction here either: training sees what serving sees.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engagement_assets.learning.anomaly.detector import AnomalyDetector
from engagement_assets.learning.stacking.folds import BaseLearner, Predictor
from engagement_assets.learning.trees.classifier import CalibratedBoostingClassifier
from engagement_assets.learning.trees.regressor import BoundedBoostingRegressor
from engagement_assets.models.anomaly.rules import shows_life
from engagement_assets.models.lifetime_value.model import ValueModel
from resources.registry import RegisteredModel

Floats = NDArray[np.float64]


def _columns(model: object) -> list[str]:
    return list(model.feature_names_in_)  # type: ignore[attr-defined] # every estimator has it


def _where(
    rows: pd.DataFrame, scored: NDArray[np.bool_], predict: Callable[[pd.DataFrame], Floats]
) -> Floats:
    found = np.full(len(rows), np.nan)
    if scored.any():
        found[scored] = predict(rows[scored])
    return found


def churn_base(champion: RegisteredModel, rows: pd.DataFrame | None, *, n_jobs: int) -> BaseLearner:
    """The churn model; `rows` have `churn_30_day`."""
    model = CalibratedBoostingClassifier.load(champion.folder).set_params(n_jobs=n_jobs)
    columns = _columns(model)

    def predictor(fitted: CalibratedBoostingClassifier) -> Predictor:
        def predict(others: pd.DataFrame) -> Floats:
            active = (others["logins_month"] > 0).to_numpy()
            return _where(others, active, lambda some: fitted.predict_proba(some[columns])[:, 1])

        return predict

    return BaseLearner(
        "churn_probability",
        rows,
        fit=lambda some: predictor(model.refitted(some[columns], some["churn_30_day"])),
        champion=predictor(model),
    )


def engagement_base(
    champion: RegisteredModel, rows: pd.DataFrame | None, *, n_jobs: int
) -> BaseLearner:
    """The engagement model; `rows` have `engagement_score`."""
    model = BoundedBoostingRegressor.load(champion.folder).set_params(n_jobs=n_jobs)
    columns = _columns(model)

    def predictor(fitted: BoundedBoostingRegressor) -> Predictor:
        return lambda others: fitted.predict(others[columns])

    return BaseLearner(
        "engagement_score",
        rows,
        fit=lambda some: predictor(model.refitted(some[columns], some["engagement_score"])),
        champion=predictor(model),
    )


def value_base(champion: RegisteredModel, rows: pd.DataFrame | None, *, n_jobs: int) -> BaseLearner:
    """The lifetime value model; `rows` have `future_revenue_usd`."""
    model = ValueModel.load(champion.folder)
    model.regressor.set_params(n_jobs=n_jobs)

    def fit(some: pd.DataFrame) -> Predictor:
        return model.refitted(some, some["future_revenue_usd"]).predict

    return BaseLearner("future_revenue_usd", rows, fit=fit, champion=model.predict)


def anomaly_base(
    champion: RegisteredModel, rows: pd.DataFrame | None, *, n_jobs: int
) -> BaseLearner:
    """The anomaly detector, without verdicts: it learns no label that could leak."""
    model = AnomalyDetector.load(champion.folder).set_params(n_jobs=n_jobs)
    columns = _columns(model)
    lively = None if rows is None else rows[shows_life(rows)].reset_index(drop=True)

    def predictor(fitted: AnomalyDetector) -> Predictor:
        def predict(others: pd.DataFrame) -> Floats:
            alive = np.asarray(shows_life(others), dtype=np.bool_)
            return _where(others, alive, lambda some: fitted.score_samples(some[columns]))

        return predict

    return BaseLearner(
        "anomaly_score",
        lively,
        fit=lambda some: predictor(AnomalyDetector(**model.get_params()).fit(some[columns])),
        champion=predictor(model),
    )


MAKERS: Mapping[str, Callable[..., BaseLearner]] = {
    "engagement": engagement_base,
    "churn": churn_base,
    "lifetime_value": value_base,
    "anomaly": anomaly_base,
}
