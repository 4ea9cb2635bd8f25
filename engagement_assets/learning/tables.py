"""What the estimators take: a table with names or an array, and a column of targets.

Belongs here: from what a caller gives to what an estimator works on, and what of it is refused.
Does not belong here: encodings, and what a target must be for one estimator.
"""

# ruff: noqa: N803 - X is scikit-learn's name for a table of features

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

# Fewer different texts are a category, whatever they look like.
_LEAST_TEXTS = 20
_FEW_OTHERS = 0.05


class TakesTables:
    """Says to scikit-learn that nulls, text and categories may be in X; before its base class."""

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()  # type: ignore[misc] # of the base beside
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        return tags


def as_table(X: Any, features: Sequence[str] | None = None) -> pd.DataFrame:
    """Return a DataFrame as it is, and the columns of an array under their names.

    Args:
        X: A DataFrame, or n x f values. A DataFrame whose columns are only counted (0, 1, …) is
            taken for an array.
        features: The f names of the fit; x0, x1, … where X is fitted.

    Raises:
        TypeError: When X is sparse.
        ValueError: When an array has not two dimensions or another number of columns.
    """
    if isinstance(X, pd.DataFrame) and not isinstance(X.columns, pd.RangeIndex):
        return X
    if isinstance(X, pd.DataFrame):
        table = X.copy(deep=False)
    else:
        from sklearn.utils.validation import check_array  # noqa: PLC0415 - metrics load without it

        # nulls and infinite values are named by the encoder, by column
        array = check_array(X, dtype=None, ensure_all_finite=False, input_name="X")
        table = pd.DataFrame(array)
        if array.dtype == object:
            table = table.infer_objects()
    if features is None:
        features = [f"x{place}" for place in range(table.shape[1])]
    if table.shape[1] != len(features):
        raise ValueError(
            f"X has {table.shape[1]} features, but it is expecting {len(features)} features as "
            "input: as many as the model was fitted on"
        )
    return table.set_axis(list(features), axis="columns")


def as_column(y: Any) -> pd.Series:
    """Return targets or labels as a column of values.

    Raises:
        ValueError: When there are none, they are complex, or they are no column.
    """
    if y is None:
        raise ValueError("fit requires y to be passed, but the target y is None")
    if isinstance(y, pd.Series):
        series = y
    else:
        from sklearn.utils.validation import column_or_1d  # noqa: PLC0415 - metrics load without it

        values = np.asarray(y)
        series = pd.Series(column_or_1d(values, warn=True) if values.ndim else values[None])
    series = series.infer_objects()
    if pd.api.types.is_complex_dtype(series.dtype):
        raise ValueError("Complex data not supported: targets must be real numbers or names")
    return series


def odd_texts(name: str, counts: pd.Series) -> str | None:
    """Return what is odd about a column of text, or None: numbers with blanks, or identifiers.

    Args:
        name: Of the column.
        counts: How many rows have each text.
    """
    rows = int(counts.sum())
    if len(counts) < _LEAST_TEXTS:
        return None
    numbers = pd.to_numeric(pd.Series(counts.index.astype(str)).str.strip(), errors="coerce")
    others = int(counts.to_numpy()[numbers.isna().to_numpy()].sum())
    if others < _FEW_OTHERS * rows:
        examples = [text for text, odd in zip(counts.index, numbers.isna(), strict=True) if odd][:3]
        rest = f": {others:,} of {rows:,} values are not, such as {examples}" if others else ""
        return (
            f"column {name!r} is text that looks like numbers{rest}; it is learnt as categories: "
            "make numbers of it, with nulls for the rest"
        )
    if len(counts) == rows:
        return (
            f"column {name!r} is text with another value in each of {rows:,} rows, as identifiers "
            "are: nothing can be learnt from it, leave it out"
        )
    return None
