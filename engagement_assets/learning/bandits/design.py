"""A context as the numbers of a linear model: standardised numbers, categories, what is missing.

Belongs here: from a table to a matrix, the same for the same rows in any order. Does not belong
here: what is learnt from it (`posterior`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engagement_assets.learning.json_data import JsonData

Floats = NDArray[np.float64]
INTERCEPT = "intercept"
# A standardised number beyond it says no more: one wild value must not decide alone.
_MOST = 4.0
# Numbers beyond it overflow when they are squared.
_GREATEST = 1e100


@dataclass(frozen=True)
class Design(JsonData):
    """The columns of a context.

    Attributes:
        numbers: Mean and standard deviation by numeric column.
        missing: Numeric columns that had nulls, each with an indicator.
        levels: Categories by other column; a new one or a null is none of them.
    """

    numbers: Mapping[str, tuple[float, float]]
    missing: tuple[str, ...]
    levels: Mapping[str, tuple[str, ...]]

    @classmethod
    def fit(cls, contexts: pd.DataFrame) -> Self:
        """Look at n contexts.

        Raises:
            ValueError: A column has infinite values, or such that their squares are.
        """
        numbers, missing, levels = {}, [], {}
        for name, values in contexts.items():
            if values.dtype.kind == "c":
                raise ValueError(f"column {str(name)!r} has complex numbers: give their parts")
            if pd.api.types.is_numeric_dtype(values.dtype):
                # sorted, so that the order of the rows changes no sum
                known = np.sort(values.dropna().to_numpy(np.float64))
                if np.abs(known).max(initial=0.0) > _GREATEST:
                    raise ValueError(
                        f"column {str(name)!r} has infinite or too great values: leave them out, "
                        "or cap them"
                    )
                spread = float(known.std()) if len(known) else 0.0
                middle = float(known.mean()) if len(known) else 0.0
                numbers[str(name)] = (middle, spread if spread > 0.0 else 1.0)
                if values.isna().any():
                    missing.append(str(name))
            else:
                levels[str(name)] = tuple(sorted({str(one) for one in values.dropna()}))
        return cls(numbers, tuple(missing), levels)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the d columns: the intercept, then `column` or `column=level`."""
        return (
            INTERCEPT,
            *self.numbers,
            *(f"{name} is missing" for name in self.missing),
            *(f"{name}={level}" for name, levels in self.levels.items() for level in levels),
        )

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the context."""
        return (*self.numbers, *self.levels)

    @property
    def owners(self) -> Floats:
        """Which column of the context each column of the design is of: d x columns, 0 or 1."""
        owned = [
            *(self.numbers),
            *self.missing,
            *(name for name, levels in self.levels.items() for _ in levels),
        ]
        places = {name: place for place, name in enumerate(self.columns)}
        own = np.eye(len(places))[[places[name] for name in owned]]
        return np.vstack([np.zeros((1, len(places))), own])

    def transform(self, contexts: pd.DataFrame) -> Floats:
        """Return n x d numbers.

        Raises:
            KeyError: A column is not there.
        """
        columns, nulls = [np.ones(len(contexts))], {}
        for name, (middle, spread) in self.numbers.items():
            values = contexts[name].to_numpy(dtype=np.float64, na_value=np.nan)
            nulls[name] = np.isnan(values)
            standard = np.where(nulls[name], 0.0, (values - middle) / spread)
            columns.append(np.clip(standard, -_MOST, _MOST))
        columns += [nulls[name].astype(np.float64) for name in self.missing]
        for name, levels in self.levels.items():
            texts = np.asarray(contexts[name], dtype=object)
            columns += [(texts == level).astype(np.float64) for level in levels]
        return np.column_stack(columns)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read what `to_dict` wrote."""
        return cls(
            {name: (float(both[0]), float(both[1])) for name, both in data["numbers"].items()},
            tuple(data["missing"]),
            {name: tuple(levels) for name, levels in data["levels"].items()},
        )
