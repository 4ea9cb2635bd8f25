"""Training and scoring the churn model on snapshots: who is learnt from, who is scored, and when.

Learns on 80 % of the customers at earlier snapshots and is scored on the other 20 % at a later one
whose labels are known. Belongs here: putting snapshots, labels, estimator and metrics together.
Does not belong here: the estimator itself (`learning.trees`) and Dagster (`lifecycle`).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from engagement_assets.learning.evaluation.metrics import (
    calibration_error_by_chance,
    evaluate,
    lift_table,
    reliability_table,
)
from engagement_assets.learning.evaluation.scores import score_shares
from engagement_assets.learning.trees.classifier import CalibratedBoostingClassifier
from engagement_assets.lifecycle.dates import Snapshots
from engagement_assets.lifecycle.training import (
    Trained,
    data_card,
    explanation_card,
    learn_and_score,
    records,
)

LABEL = "churn_30_day"
RECALL = 0.8
# The installation's settings by the estimator's names.
COSTS = {
    "cost_lost_customer": "cost_miss",
    "cost_intervention": "cost_action",
    "save_rate": "success_rate",
}


def train_churn(
    train_rows: pd.DataFrame,
    test_rows: pd.DataFrame,
    *,
    snapshots: Snapshots,
    features: Sequence[str],
    parameters: Mapping[str, Any],
    n_bootstrap: int,
) -> Trained[CalibratedBoostingClassifier]:
    """Fit on the training people at the training snapshots, score the test people at the later one.

    Args:
        train_rows: Labelled rows of the training snapshots, all people: `customer_id`, the
            features and `churn_30_day`.
        test_rows: The same of the test snapshot.
        snapshots: Their dates.
        features: Columns to learn from.
        parameters: Parameters of `CalibratedBoostingClassifier`.
        n_bootstrap: Resamples behind each interval.

    Raises:
        OneClassError: When the training or the test people are of one class only.
        ValueError: When there are no people to learn from or to score.
    """
    learn, score = learn_and_score(train_rows, test_rows)
    columns = list(features)
    model = CalibratedBoostingClassifier(
        **{COSTS.get(name, name): value for name, value in parameters.items()}
    )
    model.fit(learn[columns], learn[LABEL], groups=learn["customer_id"])
    probability = model.predict_proba(score[columns])[:, 1]
    seed = model.random_state
    metrics = evaluate(
        score[LABEL],
        probability,
        threshold=model.threshold_,
        recall=RECALL,
        n_bootstrap=n_bootstrap,
        seed=seed,
    )
    lift = lift_table(score[LABEL], probability, n_bootstrap=n_bootstrap, seed=seed)
    card = {
        **data_card(snapshots, learn, score, columns),
        "metrics": {name: found.to_dict() for name, found in metrics.items()},
        "thresholds": {
            **model.threshold_choice_.to_dict(),
            "threshold_at_80_percent_recall": model.threshold_at_recall_,
            "cost_lost_customer_usd": model.cost_miss,
            "cost_intervention_usd": model.cost_action,
            "save_rate": model.success_rate,
        },
        "calibration_error_by_chance": calibration_error_by_chance(probability, seed=seed),
        "lift": records(lift),
        "reliability": records(reliability_table(score[LABEL], probability)),
        "score_shares": score_shares(probability),
        "explanation": explanation_card(model, score[columns]),
        "seeds": {"model": seed},
    }
    return Trained(model, card)
