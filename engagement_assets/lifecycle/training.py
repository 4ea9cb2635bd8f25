"""What the training of every model on snapshots shares: who is learnt from and who is scored.

Belongs here: the split of people, the sensitive columns of a report, and the parts of a card that
are the same for every model. Does not belong here: fitting and metrics (each model's folder)
or reading the lake (`rows.py`).
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from engagement_assets.learning.evaluation.splits import hash_split
from engagement_assets.learning.fairness.groups import age_bands
from engagement_assets.lifecycle.dates import Snapshots
from engagement_assets.lifecycle.errors import NotTrainableError

# Explanations are checked on this many test rows when a model is trained; predictions explain all.
EXPLAINED_TEST_ROWS = 2_000
SENSITIVE = ("gender", "age_band", "location")
# By what FAIRNESS_MITIGATION makes customers be treated alike.
EVENED = ("gender", "age_band")


def split_rows(rows: pd.DataFrame, *, test: bool) -> pd.DataFrame:
    """Return the training people, or the test people, of labelled snapshot rows."""
    held_out = hash_split(rows["customer_id"])
    return rows[held_out if test else ~held_out].reset_index(drop=True)


def learn_and_score(
    train_rows: pd.DataFrame, test_rows: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the training people at the training snapshots and the test people at the later one.

    Raises:
        NotTrainableError: When there are no people to learn from or to score.
    """
    learn, score = split_rows(train_rows, test=False), split_rows(test_rows, test=True)
    for name, rows in (("training", learn), ("test", score)):
        if rows.empty:
            raise NotTrainableError(f"there are no labelled {name} customers")
    return learn, score


def sensitive_columns(rows: pd.DataFrame, *, unknown_too: bool = False) -> pd.DataFrame:
    """Gender, age band and location of snapshot rows, where the source knows them.

    With `unknown_too` all of them are there, also where none of the rows has a value.
    """
    columns = {
        name: rows[name]
        for name in ("gender", "location")
        if unknown_too or rows[name].notna().any()
    }
    if unknown_too or rows["age"].notna().any():
        columns["age_band"] = age_bands(rows["age"])
    return pd.DataFrame(columns, index=rows.index)


def data_card(
    snapshots: Snapshots, learn: pd.DataFrame, score: pd.DataFrame, features: Sequence[str]
) -> dict[str, Any]:
    """Return what a card says of the data of a training."""
    return {
        "training_snapshot": snapshots.train[0].isoformat(),
        "training_snapshots": [day.isoformat() for day in snapshots.train],
        "test_snapshot": snapshots.test.isoformat(),
        "test_snapshots": [day.isoformat() for day in snapshots.tested],
        "training_customers": int(learn["customer_id"].nunique()),
        "training_rows": len(learn),
        "test_customers": int(score["customer_id"].nunique()),
        "test_rows": len(score),
        "features": list(features),
    }


def explanation_card(model: Any, inputs: pd.DataFrame) -> dict[str, Any]:
    """Return what a card says of the explanations that a model gives of the first test rows."""
    explanation: dict[str, Any] = model.explain(inputs.head(EXPLAINED_TEST_ROWS)).summary()
    # wall time, which would make each refit of the same model another version
    del explanation["seconds"]
    return explanation


def without_nan(data: Any) -> Any:
    """Return JSON data with None for every number that is not finite: few rows leave some."""
    if isinstance(data, float):
        return data if math.isfinite(data) else None
    if isinstance(data, Mapping):
        return {name: without_nan(value) for name, value in data.items()}
    return [without_nan(value) for value in data] if isinstance(data, list | tuple) else data


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return rows as JSON data: plain numbers, null for NaN."""
    plain = table.astype(object).where(table.notna(), None)
    return [
        {str(name): getattr(value, "item", lambda v=value: v)() for name, value in row.items()}
        for row in plain.to_dict("records")
    ]
