"""Training and scoring the churn model on snapshots: who is learnt from, who is scored, and when.

Learns on 80 % of the customers at earlier snapshots and is scored on the other 20 % at a later one
whose labels are known. Belongs here: putting snapshots, labels, estimator and metrics together.
Does not belong here: the estimator itself (`estimator.py`) and Dagster (`assets.py`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from engagement_assets.evaluation.fairness import age_bands
from engagement_assets.evaluation.metrics import (
    calibration_error_by_chance,
    evaluate,
    lift_table,
    reliability_table,
)
from engagement_assets.evaluation.splits import customer_split
from engagement_assets.models.churn.estimator import ChurnClassifier
from engagement_assets.models.dates import Snapshots
from engagement_assets.models.scores import score_shares

LABEL = "churn_30_day"
RECALL = 0.8
# Explanations are checked on this many test rows when a model is trained; predictions explain all.
EXPLAINED_TEST_ROWS = 2_000
SENSITIVE = ("gender", "age_band", "location")


@dataclass(frozen=True)
class Trained:
    """A fitted churn model and what is known of it.

    Attributes:
        model: The fitted classifier.
        card: JSON data for the registry.
    """

    model: ChurnClassifier
    card: dict[str, Any]


def split_rows(rows: pd.DataFrame, *, test: bool) -> pd.DataFrame:
    """The training people, or the test people, of labelled snapshot rows."""
    held_out = customer_split(rows["customer_id"])
    return rows[held_out if test else ~held_out].reset_index(drop=True)


def sensitive_columns(rows: pd.DataFrame) -> pd.DataFrame:
    """Gender, age band and location of snapshot rows, where the source knows them."""
    columns = {name: rows[name] for name in ("gender", "location") if rows[name].notna().any()}
    if rows["age"].notna().any():
        columns["age_band"] = age_bands(rows["age"])
    return pd.DataFrame(columns, index=rows.index)


def train_churn(
    train_rows: pd.DataFrame,
    test_rows: pd.DataFrame,
    *,
    snapshots: Snapshots,
    features: Sequence[str],
    parameters: Mapping[str, Any],
    n_bootstrap: int,
) -> Trained:
    """Fit on the training people at the training snapshots, score the test people at the later one.

    Args:
        train_rows: Labelled rows of the training snapshots, all people: `customer_id`, the
            features and `churn_30_day`.
        test_rows: The same of the test snapshot.
        snapshots: Their dates.
        features: Columns to learn from.
        parameters: Parameters of `ChurnClassifier`.
        n_bootstrap: Resamples behind each interval.

    Raises:
        OneClassError: When the training or the test people are of one class only.
        ValueError: When there are no people to learn from or to score.
    """
    learn, score = split_rows(train_rows, test=False), split_rows(test_rows, test=True)
    for name, rows in (("training", learn), ("test", score)):
        if rows.empty:
            raise ValueError(f"there are no labelled {name} customers")
    columns = list(features)
    model = ChurnClassifier(**parameters)
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
    explanation = model.explain(score[columns].head(EXPLAINED_TEST_ROWS)).summary()
    # wall time, which would make each refit of the same model another version
    del explanation["seconds"]
    card = {
        "training_snapshot": snapshots.train[0].isoformat(),
        "training_snapshots": [day.isoformat() for day in snapshots.train],
        "test_snapshot": snapshots.test.isoformat(),
        "training_customers": int(learn["customer_id"].nunique()),
        "training_rows": len(learn),
        "test_customers": len(score),
        "features": columns,
        "metrics": {name: found.to_dict() for name, found in metrics.items()},
        "thresholds": {
            **model.threshold_choice_.to_dict(),
            "threshold_at_80_percent_recall": model.threshold_at_recall_,
            "cost_lost_customer_usd": model.cost_lost_customer,
            "cost_intervention_usd": model.cost_intervention,
        },
        "calibration_error_by_chance": calibration_error_by_chance(probability, seed=seed),
        "lift": _records(lift),
        "reliability": _records(reliability_table(score[LABEL], probability)),
        "score_shares": score_shares(probability),
        "explanation": explanation,
        "seeds": {"model": seed},
    }
    return Trained(model, card)


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as JSON data: plain numbers, null for NaN."""
    plain = table.astype(object).where(table.notna(), None)
    return [
        {str(name): getattr(value, "item", lambda v=value: v)() for name, value in row.items()}
        for row in plain.to_dict("records")
    ]
