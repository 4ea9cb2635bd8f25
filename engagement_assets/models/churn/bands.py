"""The product's rule: what a churn probability asks for.

Belongs here: the bands and their actions. Does not belong here: the probability (`estimator.py`).
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike


@dataclass(frozen=True)
class Band:
    """A range of churn probabilities.

    Attributes:
        name: Name of the band.
        above: A customer is in it when the probability is greater than this.
        action: What the product does.
    """

    name: str
    above: float
    action: str


BANDS = (
    Band("high", 0.7, "retention e-mail with 20 % discount"),
    Band("medium", 0.5, "in-app nudge"),
    Band("low", -1.0, "none"),
)


def band_of(probability: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Band and action of each probability.

    Args:
        probability: n probabilities.

    Returns:
        n band names and n actions.
    """
    p = np.asarray(probability, dtype=np.float64)
    conditions = [p > band.above for band in BANDS]
    return (
        np.select(conditions, [band.name for band in BANDS], default=BANDS[-1].name),
        np.select(conditions, [band.action for band in BANDS], default=BANDS[-1].action),
    )


def with_bands(table: pd.DataFrame) -> pd.DataFrame:
    """Predictions with a `churn_probability`, and beside it `band` and `action`."""
    bands, actions = band_of(table["churn_probability"])
    return table.assign(band=bands, action=actions)
