"""Where the highest share of some values begins.

Belongs here: the limit, of all customers, by which one customer is judged alone. Does not belong
here: what is done with those above it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True)
class Highest:
    """Where the highest share of some values begins.

    Attributes:
        last: The least value that is among them; None where there are no values.
        least: The least value of all, which never is.
    """

    last: float | None
    least: float | None

    @classmethod
    def of(cls, values: ArrayLike, *, share: float) -> Self:
        """Look at n values; nobody is among the highest of none.

        Raises:
            ValueError: When the share is not in (0, 1].
        """
        if not 0.0 < share <= 1.0:
            raise ValueError(f"share must lie in (0, 1], got {share}")
        known = np.sort(np.asarray(values, dtype=np.float64))
        if not len(known):
            return cls(None, None)
        return cls(float(known[-max(1, math.floor(share * len(known)))]), float(known[0]))

    def __call__(self, values: ArrayLike) -> np.ndarray:
        """Whether each of m values is among them."""
        numbers = np.asarray(values, dtype=np.float64)
        if self.last is None or self.least is None:
            return np.zeros(len(numbers), dtype=bool)
        among: np.ndarray = (numbers >= self.last) & (numbers > self.least)
        return among
