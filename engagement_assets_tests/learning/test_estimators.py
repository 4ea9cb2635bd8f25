"""Every estimator of a table clones, refits equal from one seed, and survives saving."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from engagement_assets.learning.anomaly.detector import AnomalyDetector
from engagement_assets.learning.federated.estimator import FederatedClassifier, Scale
from engagement_assets.learning.graph.graph import build_graph
from engagement_assets.learning.graph.graphsage import GraphSageClassifier, GraphSageRegressor
from engagement_assets.learning.trees.classifier import CalibratedBoostingClassifier
from engagement_assets.learning.trees.regressor import BoundedBoostingRegressor
from engagement_assets.learning.trees.revenue import ZeroInflatedRevenueRegressor
from engagement_assets.learning.tuning.estimators import TunedClassifier, TunedRegressor

N = 240
RNG = np.random.default_rng(0)
X = pd.DataFrame(
    {
        "size": RNG.normal(size=N),
        "weight": np.where(RNG.random(N) < 0.2, np.nan, RNG.normal(size=N)),
        "colour": RNG.choice(["red", "blue"], N),
    }
)
SIZE = X["size"].to_numpy()
LABEL = (SIZE + RNG.normal(size=N) > 0).astype(int)
GRAPH = build_graph(
    pd.DataFrame({"source": RNG.integers(0, N, 600), "target": RNG.integers(0, N, 600)}),
    nodes=range(N),
)
TREES = {"n_estimators": 16, "folds": 2, "n_jobs": 1}
SAGE = {"hidden": 4, "epochs": 3}
TUNED = {"trials": 1, "folds": 2, "n_jobs": 1, "families": ("xgboost",)}
CASES = {
    "classifier": (
        CalibratedBoostingClassifier(**TREES),
        lambda model, table: model.fit(table, LABEL),
        lambda model, table: model.predict_proba(table),
    ),
    "bounded regressor": (
        BoundedBoostingRegressor(**TREES),
        lambda model, table: model.fit(table, 1 / (1 + np.exp(-SIZE))),
        lambda model, table: model.predict(table),
    ),
    "revenue regressor": (
        ZeroInflatedRevenueRegressor(**TREES),
        lambda model, table: model.fit(table, LABEL * np.exp(SIZE)),
        lambda model, table: np.column_stack(
            [model.predict(table), model.predict_quantiles(table)]
        ),
    ),
    "tuned classifier": (
        TunedClassifier(**TUNED),
        lambda model, table: model.fit(table, LABEL),
        lambda model, table: model.predict_proba(table),
    ),
    "tuned regressor": (
        TunedRegressor(**TUNED),
        lambda model, table: model.fit(table, SIZE),
        lambda model, table: model.predict(table),
    ),
    "anomaly detector": (
        AnomalyDetector(neighbour_samples=5, n_jobs=1),
        lambda model, table: model.fit(table),
        lambda model, table: model.score_samples(table),
    ),
    "graph regressor": (
        GraphSageRegressor(**SAGE),
        lambda model, table: model.fit(table, SIZE, graph=GRAPH),
        lambda model, table: model.predict(table, graph=GRAPH),
    ),
    "federated classifier": (
        FederatedClassifier(
            scales={"size": Scale(4.0), "weight": Scale(4.0, nullable=True)},
            rounds=2,
            epochs=2,
            epsilon=None,
        ),
        lambda model, table: model.fit(table, LABEL, groups=range(N)),
        lambda model, table: model.predict_proba(table),
    ),
    "graph classifier": (
        GraphSageClassifier(**SAGE),
        lambda model, table: model.fit(table, LABEL, graph=GRAPH),
        lambda model, table: model.predict_proba(table, graph=GRAPH),
    ),
}
# What a column that was null for everybody may hold later.
FILLED_LATER = {
    "bool": pd.Series([True, False] * (N // 2)),
    "some bool": pd.Series([True, None] * (N // 2), dtype=object),
    "integer": pd.Series(range(N)),
    "nullable integer": pd.Series([1, None] * (N // 2), dtype="Int64"),
    "float": pd.Series(SIZE),
    "text": pd.Series(["pro", None] * (N // 2), dtype=object),
    "string": pd.Series(["pro", "basic"] * (N // 2), dtype="string"),
    "category": pd.Series(["pro", None] * (N // 2), dtype="category"),
}


@pytest.mark.parametrize("name", CASES)
def test_an_estimator_follows_the_protocol(name, tmp_path):
    unfitted, fit, predict = CASES[name]
    model = fit(clone(unfitted).set_params(random_state=7), X)
    assert model.get_params()["random_state"] == 7
    assert list(model.feature_names_in_) == list(X.columns[: model.n_features_in_])
    first = predict(model, X)

    again = clone(model)
    assert again.get_params() == model.get_params()
    assert not hasattr(again, "feature_names_in_"), "a clone has learnt nothing"
    np.testing.assert_array_equal(predict(fit(again, X), X), first)

    model.save(tmp_path)
    loaded = type(model).load(tmp_path)
    assert loaded.get_params() == model.get_params()
    np.testing.assert_array_equal(predict(loaded, X), first)


@pytest.mark.parametrize("name", CASES)
def test_another_seed_is_another_model(name):
    unfitted, fit, predict = CASES[name]
    one, other = (
        predict(fit(clone(unfitted).set_params(random_state=seed), X), X) for seed in (1, 2)
    )
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("name", CASES)
def test_a_column_that_is_filled_after_training_changes_nothing(name, tmp_path):
    unfitted, fit, predict = CASES[name]
    empty = {"objects": None, "floats": np.nan, "missing": pd.NA}
    trained = X.assign(**{column: pd.Series([null] * N) for column, null in empty.items()})
    fit(clone(unfitted), trained).save(tmp_path)
    model = type(unfitted).load(tmp_path)
    before = predict(model, trained)
    for values in FILLED_LATER.values():
        filled = trained.assign(**dict.fromkeys(empty, values))
        np.testing.assert_array_equal(predict(model, filled), before)
