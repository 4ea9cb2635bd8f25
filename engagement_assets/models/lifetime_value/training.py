"""Training and scoring the lifetime value model on snapshots.

Learns on 80 % of the customers at earlier snapshots and is scored on the other 20 % at a later one
whose labels are known. All metrics are of the future part: revenue to date is known and would
flatter any model. Belongs here: putting snapshots, labels, model and metrics together. Does not
belong here: the model itself (`model.py`) and Dagster (`assets.py`).
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import pandas as pd

from engagement_assets.features.labels import LABELS
from engagement_assets.learning.evaluation.quantiles import coverage_table, evaluate_quantiles
from engagement_assets.learning.evaluation.regression import decile_table, evaluate_regression
from engagement_assets.learning.evaluation.scores import score_shares
from engagement_assets.learning.trees.revenue import LEVELS
from engagement_assets.lifecycle.dates import Snapshots
from engagement_assets.lifecycle.training import (
    Trained,
    data_card,
    explanation_card,
    learn_and_score,
    records,
)
from engagement_assets.models.lifetime_value.model import ValueModel

LABEL = "future_revenue_usd"
WINDOW_DAYS = LABELS["lifetime_value_usd"].window_days
# Predicted USD; the reference of the drift of predictions.
VALUE_EDGES = (0.01, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)


def train_value(
    train_rows: pd.DataFrame,
    test_rows: pd.DataFrame,
    *,
    snapshots: Snapshots,
    features: Sequence[str],
    parameters: Mapping[str, Any],
    n_bootstrap: int,
    first_day: date,
) -> Trained[ValueModel]:
    """Fit on the training people at the training snapshots, score the test people at the later one.

    Args:
        train_rows: Labelled rows of the training snapshots, all people: `customer_id`,
            `snapshot_date`, the features and `future_revenue_usd`.
        test_rows: The same of the test snapshot.
        snapshots: Their dates.
        features: Columns to learn from.
        parameters: Parameters of `ZeroInflatedRevenueRegressor`.
        n_bootstrap: Resamples behind each interval.
        first_day: First day of the data.

    Raises:
        TooFewPayersError: When too few training customers pay to learn from.
        ValueError: When there are no people to learn from or to score, or nobody's revenue is
            known.
    """
    learn, score = learn_and_score(known(train_rows), known(test_rows))
    model = ValueModel.fit(
        learn,
        learn[LABEL],
        features=features,
        first_day=first_day,
        window_days=WINDOW_DAYS,
        parameters=parameters,
    )
    regressor = model.regressor
    seed = regressor.random_state
    how: dict[str, Any] = {"n_bootstrap": n_bootstrap, "seed": seed}
    prediction = model.predict(score)
    quantiles, chance = model.predict_quantiles(score), model.predict_chance(score)
    atom: dict[str, Any] = {"levels": LEVELS, "atom_chance": 1.0 - chance}
    metrics = evaluate_regression(score[LABEL], prediction, payers=True, **how)
    metrics |= evaluate_quantiles(score[LABEL], quantiles, **atom, **how)
    card = {
        **data_card(snapshots, learn, score, list(features)),
        "metrics": {name: found.to_dict() for name, found in metrics.items()},
        "zero_share": float((score[LABEL] == 0.0).mean()),
        "deciles": records(decile_table(score[LABEL], prediction, **how)),
        "coverage_by_decile": records(
            coverage_table(score[LABEL], quantiles, by=prediction, **atom, **how)
        ),
        "score_edges": list(VALUE_EDGES),
        "score_shares": score_shares(prediction, edges=VALUE_EDGES),
        "mean": regressor.mean_,
        "out_of_fold_rmse": regressor.mean_losses_,
        "trees": regressor.trees_,
        "conformal_shift": regressor.shift_.to_dict(),
        "first_day": first_day.isoformat(),
        "prior_days": model.inputs.prior_days,
        "explained": regressor.margin_unit,
        "explanation": explanation_card(model, score),
        "seeds": {"model": seed},
    }
    return Trained(model, card)


def known(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows whose future revenue is known.

    Raises:
        ValueError: When there are rows and none is known: the source has no transactions.
    """
    there = rows[rows[LABEL].notna()].reset_index(drop=True)
    if len(rows) and there.empty:
        raise ValueError("nobody's revenue is known: the source has no transactions")
    return there
