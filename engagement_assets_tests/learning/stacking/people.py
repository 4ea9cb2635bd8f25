"""Rows whose outcome has two causes, and base models that know some of it."""

import numpy as np
import pandas as pd

from engagement_assets.learning.stacking.folds import BaseLearner


def people(n, *, seed=0, prefix="c", hidden=1.5):
    """Customers who leave by two causes, of which a base model may know only the first."""
    rng = np.random.default_rng(seed)
    known, missed = rng.normal(size=n), rng.normal(size=n)
    margin = known + hidden * missed
    return pd.DataFrame(
        {
            "customer_id": [f"{prefix}{i}" for i in range(n)],
            "known": known,
            "missed": missed,
            "left": (rng.random(n) < 1 / (1 + np.exp(-margin))).astype(float),
            "spent": 10 * margin + rng.normal(size=n),
        }
    )


def knows_one_cause(_rows):
    """A base model that sees the first cause alone."""

    def predict(others):
        return (1 / (1 + np.exp(-others["known"]))).to_numpy()

    return predict


def knows_by_heart(rows):
    """A planted leak: it repeats the label of whom it has seen and knows nothing of others."""
    told = dict(zip(rows["customer_id"], rows["left"], strict=True))

    def predict(others):
        return np.array([told.get(name, 0.5) for name in others["customer_id"]])

    return predict


def base(rows, fit):
    return {"base": BaseLearner("base", rows, fit, fit(rows))}
