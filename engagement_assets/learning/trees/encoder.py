"""Any table of numbers and categories as a matrix of float32.

Belongs here: the encoding that the tree models share, kept as JSON data beside the model. Does not
belong here: imputation (the trees send a null their own way) or scaling (trees need none).

A category becomes the rank of its frequency in the training rows: 0 for the most frequent. No
label is used, so nothing leaks into out-of-fold scores; one column stays one column, so its
contribution is one exact Shapley value. A category not seen in training gets the rank after the
rarest, a null stays null. XGBoost's native categories are not used since the fast explainer
cannot read them.

A column without any value whose dtype names no type (pandas reads an empty text column as objects
or as floats) has no kind yet: whatever it holds later is null to the model, which learnt nothing
from it.
"""

# ruff: noqa: N803, N806 - X is scikit-learn's name for a table of features

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engagement_assets.learning.tables import as_table, odd_texts

logger = logging.getLogger(__name__)

NUMBER = "number"
CATEGORY = "category"
NO_VALUES = "no values"

_NUMBER_INFERENCES = {"integer", "floating", "mixed-integer-float", "boolean", "decimal"}
# So many rows are read value by value, which is quicker than column by column.
FEW_ROWS = 32
_GREATEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class TableEncoder:
    """How each column of a table becomes a number.

    Attributes:
        kinds: For each feature, in order, `NUMBER`, `CATEGORY` or `NO_VALUES`.
        levels: For each category feature, its levels as text, the most frequent first.
    """

    kinds: dict[str, str]
    levels: dict[str, list[str]]

    @property
    def features(self) -> list[str]:
        """The feature names in order."""
        return list(self.kinds)

    @classmethod
    def fit(cls, X: pd.DataFrame) -> TableEncoder:
        """Learn the kinds and levels of the columns.

        Args:
            X: n x f numbers, booleans, text or categories; nulls allowed.

        Raises:
            TypeError: When X is sparse or a column is of another type; it is named.
            ValueError: When X has no rows or columns, or names that repeat.
        """
        X = _checked(X)
        kinds, levels = {}, {}
        for column in X.columns:
            kinds[column] = column_kind(X[column])
            if kinds[column] == CATEGORY:
                texts = _as_texts(X[column]).dropna()
                counts = texts.value_counts()
                odd = odd_texts(str(column), counts)
                if odd is not None:
                    logger.warning("%s", odd)
                ranked = pd.DataFrame(
                    {"text": counts.index.astype(str), "count": counts.to_numpy()}
                )
                # Ties go by name, so that the order of the rows does not matter.
                ranked = ranked.sort_values(["count", "text"], ascending=[False, True])
                levels[column] = ranked["text"].tolist()
        return cls(kinds, levels)

    def transform(self, X: pd.DataFrame) -> NDArray[np.float32]:
        """Encode rows.

        Args:
            X: n rows with at least the features, in any order; other columns are left alone.

        Returns:
            n x f float32, NaN for null.

        Raises:
            TypeError: When X is sparse or a column has changed its type; it is named.
            ValueError: When X has no rows, lacks features or has infinite values; all are named.
        """
        X = _checked(X, self.features)
        missing = [name for name in self.kinds if name not in X.columns]
        if missing:
            raise ValueError(f"columns are missing: {missing}; the model was fitted on them")
        if len(X) <= FEW_ROWS:
            plain = self._few(X)
            if plain is not None:
                return plain
        out = np.empty((len(X), len(self.kinds)), dtype=np.float32)
        infinite = []
        for i, (name, kind) in enumerate(self.kinds.items()):
            out[:, i] = self._column(X[name], name, kind)
            if np.isinf(out[:, i]).any():
                infinite.append(name)
        if infinite:
            raise ValueError(
                f"columns have infinite values (or beyond 32-bit floats): {infinite}; "
                "make them null or bound them"
            )
        return out

    def frame(self, X: pd.DataFrame) -> pd.DataFrame:
        """Encode rows as `transform` does, as a DataFrame with the index of X."""
        table = as_table(X, self.features)
        return pd.DataFrame(self.transform(table), columns=self.features, index=table.index)

    def _few(self, X: pd.DataFrame) -> NDArray[np.float32] | None:
        """Encode a few rows of plain values, or None where a value needs the careful way.

        One row is scored while an application waits: looking at 46 columns one by one takes
        ten times as long as looking at 46 values.
        """
        cells = X[self.features].to_numpy(dtype=object)
        out = np.empty(cells.shape, dtype=np.float32)
        for i, (name, kind) in enumerate(self.kinds.items()):
            places = self._places[name] if kind == CATEGORY else None
            for row, value in enumerate(cells[:, i]):
                code = _plain_code(value, places)
                if code is None:
                    return None
                out[row, i] = code
            if kind == NO_VALUES:
                out[:, i] = np.nan
        return out

    @cached_property
    def _places(self) -> dict[str, dict[str, int]]:
        """The place of each level by feature."""
        return {
            name: {level: place for place, level in enumerate(levels)}
            for name, levels in self.levels.items()
        }

    def _column(self, values: pd.Series, name: str, kind: str) -> NDArray[Any]:
        if kind == NUMBER and isinstance(values.dtype, np.dtype) and values.dtype.kind in "fiub":
            # the plain case, without a look at each value's type
            with np.errstate(over="ignore"):  # reported by `transform` as infinite
                return values.to_numpy(dtype=np.float32)
        if values.isna().all():
            return np.full(len(values), np.nan, dtype=np.float32)
        kind_now = column_kind(values)
        if kind == NO_VALUES:
            return np.full(len(values), np.nan, dtype=np.float32)
        if kind_now != kind:
            raise TypeError(
                f"column {name!r} was a {kind} when the model was fitted and is a {kind_now} now "
                f"({values.dtype})"
            )
        if kind == NUMBER:
            with np.errstate(over="ignore"):  # reported below as infinite
                return _as_numbers(values).astype(np.float32)
        levels = self.levels[name]
        codes = pd.Index(levels, dtype=object).get_indexer(
            pd.Index(_as_texts(values), dtype=object)
        )
        encoded = np.where(codes >= 0, codes, len(levels)).astype(np.float32)
        encoded[values.isna().to_numpy()] = np.nan
        return encoded

    def to_dict(self) -> dict[str, Any]:
        """Return the encoder as JSON data."""
        return {"kinds": dict(self.kinds), "levels": {k: list(v) for k, v in self.levels.items()}}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> TableEncoder:
        """Read what `to_dict` wrote."""
        return cls(
            {str(k): str(v) for k, v in data["kinds"].items()},
            {str(k): [str(level) for level in v] for k, v in data["levels"].items()},
        )


def typical_values(X: pd.DataFrame, encoder: TableEncoder) -> dict[str, float | str | None]:
    """Return the median of each number and the most frequent level of each category of fitted rows.

    Returns:
        For each feature a float, a text, or None where all values are null.
    """
    X = as_table(X, encoder.features)
    out: dict[str, float | str | None] = {}
    for name, kind in encoder.kinds.items():
        if kind == CATEGORY:
            out[name] = encoder.levels[name][0] if encoder.levels[name] else None
            continue
        if kind == NO_VALUES:
            out[name] = None
            continue
        numbers = _as_numbers(X[name])
        known = numbers[~np.isnan(numbers)]
        out[name] = float(np.median(known)) if known.size else None
    return out


def _checked(X: Any, features: list[str] | None = None) -> pd.DataFrame:
    table: pd.DataFrame = as_table(X, features)
    if len(table) == 0 or table.shape[1] == 0:
        raise ValueError(f"X must have rows and columns, got shape {table.shape}")
    repeated = table.columns[table.columns.duplicated()].tolist()
    if repeated:
        raise ValueError(f"column names repeat: {repeated}")
    unnamed = [column for column in table.columns if not isinstance(column, str)]
    if unnamed:
        raise TypeError(f"column names must be text, got {unnamed[:5]}")
    return table


def column_kind(values: pd.Series) -> str:
    """Return `NUMBER`, `CATEGORY` or, where neither dtype nor a value says which, `NO_VALUES`.

    Raises:
        TypeError: When the column is of another type; it is named.
    """
    dtype = values.dtype
    if isinstance(dtype, (pd.CategoricalDtype, pd.StringDtype)):
        return CATEGORY
    # An empty text column of a file is read as floats too.
    if (dtype.kind == "O" or pd.api.types.is_float_dtype(dtype)) and values.isna().all():
        return NO_VALUES
    if pd.api.types.is_bool_dtype(dtype) or (
        pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_complex_dtype(dtype)
    ):
        return NUMBER
    inferred = pd.api.types.infer_dtype(values, skipna=True)
    if inferred == "string":
        return CATEGORY
    if inferred in _NUMBER_INFERENCES and not pd.api.types.is_datetime64_any_dtype(dtype):
        return NUMBER
    raise TypeError(
        f"column {values.name!r} is of type {dtype} ({inferred}), and each argument must be a "
        "string or a number: expected numbers, booleans, text or categories"
    )


def _plain_code(value: Any, places: Mapping[str, int] | None) -> float | None:
    """Return the code of one value, or None where the careful way must decide or complain."""
    if value is None or value is pd.NA or (isinstance(value, float) and value != value):  # noqa: PLR0124 - NaN
        return math.nan
    if places is not None:
        return float(places.get(value, len(places))) if type(value) is str else None
    if isinstance(value, (bool, int, float, np.bool_, np.integer, np.floating)):
        number = float(value)
        return number if abs(number) <= _GREATEST else None
    return None


def _as_numbers(values: pd.Series) -> NDArray[np.float64]:
    if values.isna().all():
        return np.full(len(values), np.nan)
    return values.to_numpy(dtype=np.float64, na_value=np.nan)


def _as_texts(values: pd.Series) -> pd.Series:
    if isinstance(values.dtype, pd.CategoricalDtype):
        texts = [str(level) for level in values.cat.categories]
        if len(set(texts)) != len(texts):
            raise ValueError(f"column {values.name!r} has categories that read the same as text")
        codes = values.cat.codes.to_numpy()
        taken = np.array([*texts, None], dtype=object)[codes]
        return pd.Series(taken, index=values.index, name=values.name)
    return values.astype(object).where(values.notna(), None)
