"""What the graph adds to the features: GraphSAGE beside the same network without it.

Belongs here: fitting on one snapshot, judging on other people at a later one. Does not belong here:
the estimator (`engagement_assets.learning.graph.graphsage`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import xgboost as xgb
from numpy.typing import NDArray

from engagement_assets.learning import markdown
from engagement_assets.learning.evaluation.bootstrap import Interval, bootstrapped
from engagement_assets.learning.evaluation.splits import hash_split
from engagement_assets.learning.graph.graph import SocialGraph
from engagement_assets.learning.graph.graphsage import GraphSageRegressor
from engagement_assets.learning.trees.encoder import TableEncoder
from engagement_assets.lifecycle.adapter import Trained

Floats = NDArray[np.float64]
GRAPHSAGE, ALONE, TREES = "GraphSAGE", "the same network without the graph", "boosted trees"


@dataclass(frozen=True)
class Snapshot:
    """What is known of everybody on one date.

    Attributes:
        features: n rows of features, indexed by customer.
        label: n labels; null where not known.
        graph: Who was connected by then.
    """

    features: pd.DataFrame
    label: pd.Series
    graph: SocialGraph


def train_graph_engagement(
    train: Snapshot, test: Snapshot, *, seed: int, threads: int, n_bootstrap: int
) -> Trained[GraphSageRegressor]:
    """Fit on four of five customers and judge on the fifth at a later snapshot.

    The customers who are judged lend their features to their neighbours, never their label.

    Raises:
        ValueError: Too few customers have a label.
    """
    learnt = train.label.where(~hash_split(train.label.index))
    judged = test.label[hash_split(test.label.index)].dropna()
    if len(judged) < 2:
        raise ValueError("fewer than two test customers have a label")
    settings: dict[str, Any] = {"random_state": seed, "n_jobs": threads}
    model = GraphSageRegressor(**settings).fit(train.features, learnt, graph=train.graph)
    alone = GraphSageRegressor(use_graph=False, **settings)
    alone.fit(train.features, learnt, graph=train.graph)
    everybody = {
        GRAPHSAGE: model.predict(test.features, graph=test.graph),
        ALONE: alone.predict(test.features, graph=test.graph),
        TREES: _trees(train.features, learnt, test.features, seed=seed, threads=threads),
    }
    places = test.features.index.get_indexer(judged.index)
    predicted: dict[str, Floats] = {name: values[places] for name, values in everybody.items()}
    truth = judged.to_numpy(dtype=np.float64)
    how = {"rows": len(truth), "n_bootstrap": n_bootstrap, "seed": seed}
    r2 = bootstrapped(
        {name: partial(_r2, truth, values) for name, values in predicted.items()}, **how
    )
    gains = bootstrapped(
        {
            name: partial(_gain, truth, predicted[GRAPHSAGE], predicted[name])
            for name in (ALONE, TREES)
        },
        **how,
    )
    methods: dict[str, dict[str, Any]] = {
        name: {
            "r2": r2[name].to_dict(),
            "rmse": float(np.sqrt(((truth - values) ** 2).mean())),
        }
        for name, values in predicted.items()
    }
    return Trained(
        model,
        {
            "test_customers": len(truth),
            "training_customers": int(learnt.notna().sum()),
            "metrics": methods[GRAPHSAGE],
            "methods": methods,
            "r2_gain": {name: gain.to_dict() for name, gain in gains.items()},
            "epochs": model.epochs_,
            "seeds": {"training": seed},
        },
    )


def _trees(
    features: pd.DataFrame, label: pd.Series, later: pd.DataFrame, *, seed: int, threads: int
) -> Floats:
    """Predict by boosted trees on the features alone, the strong method without a graph."""
    known = label.notna().to_numpy()
    encoder = TableEncoder.fit(features)
    data = xgb.DMatrix(encoder.transform(features)[known], label=label[known], nthread=threads)
    parameters = {"max_depth": 5, "learning_rate": 0.05, "subsample": 0.8, "colsample_bytree": 0.7}
    trees = xgb.train(parameters | {"seed": seed, "nthread": threads}, data, num_boost_round=200)
    predicted: Floats = trees.predict(xgb.DMatrix(encoder.transform(later))).astype(np.float64)
    return predicted


def _r2(truth: Floats, predicted: Floats, weight: Floats) -> float:
    mean = np.average(truth, weights=weight)
    total = float((weight * (truth - mean) ** 2).sum())
    return 1.0 - float((weight * (truth - predicted) ** 2).sum()) / total if total else 0.0


def _gain(truth: Floats, with_graph: Floats, without: Floats, weight: Floats) -> float:
    """Return R2 with the graph minus R2 without."""
    return _r2(truth, with_graph, weight) - _r2(truth, without, weight)


def gain_markdown(card: Mapping[str, Any]) -> str:
    """Return the comparison as a table."""
    lines = [
        f"Engagement of the next days of {card['test_customers']:,} customers who were not learnt "
        f"from, at a later snapshot; learnt from {card['training_customers']:,}.",
        "",
    ]
    rows = []
    for name, figures in card["methods"].items():
        gain = card["r2_gain"].get(name)
        added = Interval.from_dict(gain) if gain else "–"
        rows.append((name, Interval.from_dict(figures["r2"]), f"{figures['rmse']:.4f}", added))
    head = ("method", "R2 (95 %)", "RMSE", "what the graph adds to R2 (95 %)")
    return "\n".join([*lines, markdown.table(head, rows)])
