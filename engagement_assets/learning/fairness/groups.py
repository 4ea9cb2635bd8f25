"""The groups of people that a fairness report is by.

Belongs here: naming a person's group. Does not belong here: measuring or judging groups.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

UNKNOWN = "unknown"
AGE_BANDS = ("18-24", "25-34", "35-44", "45-54", "55+", UNKNOWN)
_AGE_EDGES = (18.0, 25.0, 35.0, 45.0, 55.0, math.inf)


def age_bands(age: pd.Series | ArrayLike) -> pd.Series:
    """Put ages into bands.

    Args:
        age: n ages in years; null or under 18 becomes "unknown".

    Returns:
        n ordered categories out of `AGE_BANDS`.
    """
    years = pd.to_numeric(pd.Series(age), errors="coerce").astype("float64")
    bands = pd.cut(years, bins=list(_AGE_EDGES), right=False, labels=list(AGE_BANDS[:-1]))
    return bands.cat.add_categories([UNKNOWN]).fillna(UNKNOWN)


def group_names(values: pd.Series) -> NDArray[np.object_]:
    """Write the group of each person as text; null is a group of its own, "unknown"."""
    texts = values.astype(object).where(values.notna(), UNKNOWN).map(str)
    return texts.to_numpy(dtype=object)
