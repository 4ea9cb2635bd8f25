"""Training and scoring the engagement model on snapshots.

Learns on 80 % of the customers at earlier snapshots and is scored on the other 20 % at a later one
whose labels are known. Belongs here: putting snapshots, labels, estimator and metrics together.
Does not belong here: the estimator itself (`learning.trees`) and Dagster (`lifecycle`).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from engagement_assets.learning.evaluation.regression import decile_table, evaluate_regression
from engagement_assets.learning.evaluation.scores import score_shares
from engagement_assets.learning.trees.regressor import BoundedBoostingRegressor
from engagement_assets.lifecycle.dates import Snapshots
from engagement_assets.lifecycle.training import (
    Trained,
    data_card,
    explanation_card,
    learn_and_score,
    records,
)

LABEL = "engagement_score"


def train_engagement(
    train_rows: pd.DataFrame,
    test_rows: pd.DataFrame,
    *,
    snapshots: Snapshots,
    features: Sequence[str],
    parameters: Mapping[str, Any],
    n_bootstrap: int,
) -> Trained[BoundedBoostingRegressor]:
    """Fit on the training people at the training snapshots, score the test people at the later one.

    Args:
        train_rows: Labelled rows of the training snapshots, all people: `customer_id`, the
            features and `engagement_score`.
        test_rows: The same of the test snapshot.
        snapshots: Their dates.
        features: Columns to learn from.
        parameters: Parameters of `BoundedBoostingRegressor`.
        n_bootstrap: Resamples behind each interval.

    Raises:
        ConstantTargetError: When all training customers have the same score.
        ValueError: When there are no people to learn from or to score.
    """
    learn, score = learn_and_score(train_rows, test_rows)
    columns = list(features)
    model = BoundedBoostingRegressor(**parameters)
    model.fit(learn[columns], learn[LABEL], groups=learn["customer_id"])
    prediction = model.predict(score[columns])
    seed = model.random_state
    metrics = evaluate_regression(score[LABEL], prediction, n_bootstrap=n_bootstrap, seed=seed)
    deciles = decile_table(score[LABEL], prediction, n_bootstrap=n_bootstrap, seed=seed)
    card = {
        **data_card(snapshots, learn, score, columns),
        "metrics": {name: found.to_dict() for name, found in metrics.items()},
        "deciles": records(deciles),
        "score_shares": score_shares(prediction),
        "objective": model.objective_,
        "trees": model.n_trees_,
        "out_of_fold_r2": {
            f"{objective}, {count} trees": value
            for (objective, count), value in model.tree_r2_.items()
        },
        "explanation": explanation_card(model, score[columns]),
        "seeds": {"model": seed},
    }
    return Trained(model, card)
