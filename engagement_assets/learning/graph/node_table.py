"""A table of node features as numbers that a network can learn from.

Belongs here: nulls, categories and scales. Does not belong here: learning (`graphsage.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engagement_assets.learning.json_data import JsonData
from engagement_assets.learning.trees.encoder import CATEGORY, NUMBER, column_kind

_CLIP = 5.0


class NodeTableError(TypeError):
    """A column cannot be used, or is not there."""


@dataclass(frozen=True)
class NodeTable(JsonData):
    """How the columns of a table become numbers; fitted on one table, used on others.

    Numbers are put on one scale (skewed ones by their logarithm first), a null is the median and a
    column of its own says so; a category is a column a value, an unknown value none of them. A
    column without any value is no column: nothing can be learnt of what it holds later.

    Attributes:
        numbers: For each numeric column its median, mean, standard deviation, and whether it is
            taken by logarithm.
        categories: For each category column its values.
    """

    numbers: Mapping[str, tuple[float, float, float, bool]]
    categories: Mapping[str, tuple[str, ...]]

    @classmethod
    def fit(cls, table: pd.DataFrame) -> NodeTable:
        """Learn scales and categories.

        Raises:
            NodeTableError: A column is neither numbers nor text nor categories.
        """
        numbers: dict[str, tuple[float, float, float, bool]] = {}
        categories: dict[str, tuple[str, ...]] = {}
        for name in table.columns:
            column = table[name]
            try:
                kind = column_kind(column)
            except TypeError as error:
                raise NodeTableError(str(error)) from error
            if kind == NUMBER and column.notna().any():
                numbers[str(name)] = _scale(column)
            elif kind == CATEGORY:
                categories[str(name)] = tuple(sorted(map(str, column.dropna().unique())))
        return cls(numbers, categories)

    def transform(self, table: pd.DataFrame) -> NDArray[np.float32]:
        """The table as n x k numbers.

        Raises:
            NodeTableError: A column is missing.
        """
        missing = [name for name in (*self.numbers, *self.categories) if name not in table.columns]
        if missing:
            raise NodeTableError(f"the table has no column {', '.join(missing)}")
        columns: list[NDArray[Any]] = []
        for name, (median, mean, deviation, by_logarithm) in self.numbers.items():
            raw = _as_floats(table[name])
            null = ~np.isfinite(raw)
            filled = _flattened(np.where(null, median, raw), by_logarithm)
            columns += [np.clip((filled - mean) / deviation, -_CLIP, _CLIP), null]
        for name, values in self.categories.items():
            text = table[name].astype(object).map(str, na_action="ignore").to_numpy()
            columns += [text == value for value in values]
        if not columns:
            return np.zeros((len(table), 0), dtype=np.float32)
        return np.column_stack(columns).astype(np.float32)


def _flattened(values: NDArray[np.float64], by_logarithm: bool) -> NDArray[np.float64]:
    flat: NDArray[np.float64] = np.sign(values) * np.log1p(np.abs(values))
    return flat if by_logarithm else values


def _as_floats(column: pd.Series) -> NDArray[np.float64]:
    numbers = pd.to_numeric(column, errors="coerce")
    return numbers.to_numpy(dtype=np.float64, na_value=np.nan)


def _scale(column: pd.Series) -> tuple[float, float, float, bool]:
    values = _as_floats(column)
    known = values[np.isfinite(values)]
    spread = known.std()
    skewed = bool(spread > 0 and np.mean((known - known.mean()) ** 3) / spread**3 > 2.0)
    median = float(np.median(known))
    filled = _flattened(np.where(np.isfinite(values), values, median), skewed)
    return median, float(filled.mean()), float(filled.std()) or 1.0, skewed
