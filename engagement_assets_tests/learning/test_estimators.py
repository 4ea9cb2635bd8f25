"""Every estimator of a table clones, refits equal from one seed, and survives saving."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from engagement_assets.learning.anomaly.detector import AnomalyDetector
from engagement_assets.learning.graph.graph import build_graph
from engagement_assets.learning.graph.graphsage import GraphSageClassifier, GraphSageRegressor
from engagement_assets.learning.trees.classifier import CalibratedBoostingClassifier
from engagement_assets.learning.trees.regressor import BoundedBoostingRegressor
from engagement_assets.learning.trees.revenue import ZeroInflatedRevenueRegressor

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
NODES = X[["size"]]
TREES = {"n_estimators": 16, "folds": 2, "n_jobs": 1}
SAGE = {"hidden": 4, "epochs": 3}
CASES = {
    "classifier": (
        CalibratedBoostingClassifier(**TREES),
        lambda model: model.fit(X, LABEL),
        lambda model: model.predict_proba(X),
    ),
    "bounded regressor": (
        BoundedBoostingRegressor(**TREES),
        lambda model: model.fit(X, 1 / (1 + np.exp(-SIZE))),
        lambda model: model.predict(X),
    ),
    "revenue regressor": (
        ZeroInflatedRevenueRegressor(**TREES),
        lambda model: model.fit(X, LABEL * np.exp(SIZE)),
        lambda model: np.column_stack([model.predict(X), model.predict_quantiles(X)]),
    ),
    "anomaly detector": (
        AnomalyDetector(n_estimators=20, epochs=2, neighbour_samples=5, n_jobs=1),
        lambda model: model.fit(X),
        lambda model: model.score_samples(X),
    ),
    "graph regressor": (
        GraphSageRegressor(**SAGE),
        lambda model: model.fit(NODES, SIZE, graph=GRAPH),
        lambda model: model.predict(NODES, graph=GRAPH),
    ),
    "graph classifier": (
        GraphSageClassifier(**SAGE),
        lambda model: model.fit(NODES, LABEL, graph=GRAPH),
        lambda model: model.predict_proba(NODES, graph=GRAPH),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_an_estimator_follows_the_protocol(name, tmp_path):
    unfitted, fit, predict = CASES[name]
    model = fit(clone(unfitted).set_params(random_state=7))
    assert model.get_params()["random_state"] == 7
    assert list(model.feature_names_in_) == list(X.columns[: model.n_features_in_])
    first = predict(model)

    again = clone(model)
    assert again.get_params() == model.get_params()
    assert not hasattr(again, "feature_names_in_"), "a clone has learnt nothing"
    np.testing.assert_array_equal(predict(fit(again)), first)

    model.save(tmp_path)
    loaded = type(model).load(tmp_path)
    assert loaded.get_params() == model.get_params()
    np.testing.assert_array_equal(predict(loaded), first)


@pytest.mark.parametrize("name", CASES)
def test_another_seed_is_another_model(name):
    unfitted, fit, predict = CASES[name]
    one, other = (predict(fit(clone(unfitted).set_params(random_state=seed))) for seed in (1, 2))
    assert not np.array_equal(one, other)
