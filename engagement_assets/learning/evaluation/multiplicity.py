"""Corrections of p-values over the tests of a report.

Belongs here: corrections. Does not belong here: which tests belong together.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p-values by Holm's step-down method (Scandinavian Journal of Statistics 6, 1979)."""
    corrected, greatest = [0.0] * len(p_values), 0.0
    for rank, i in enumerate(np.argsort(p_values, kind="stable")):
        greatest = max(greatest, min(1.0, (len(p_values) - rank) * p_values[int(i)]))
        corrected[int(i)] = greatest
    return corrected
