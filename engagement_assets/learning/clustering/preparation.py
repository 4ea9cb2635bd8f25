"""A table of numbers as a matrix that distances make sense in.

Belongs here: nulls, tails, scales and the rotation to a few parts. Does not belong here: clusters.

Each column is winsorised at its training quantiles, put on a log scale where it has no negative
value (with the median of its positive values for a unit, so that the unit of the table does not
matter), centred at its median, divided by its robust spread and cut far out. What results has unit
variance, so that no column counts for more because it is often 0, and is rotated to the principal
components that hold most of the variance. A null becomes the median of what is known. Columns
without two values tell nobody apart and are left out, and named.
"""

# ruff: noqa: N803, N806 - X is scikit-learn's name for a table of features

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engagement_assets.learning.errors import TooLittleDataError
from engagement_assets.learning.tables import as_table

Floats = NDArray[np.float64]

WINSORISED = 0.005
# After the log, a value further out than so many spreads says no more than one at that distance.
FARTHEST = 5.0
# Share of the variance that the parts hold, if so many parts are allowed.
HELD = 0.95
_QUARTILES_OF_A_NORMAL = 1.349


@dataclass(frozen=True)
class Preparation:
    """How n x f values become n x p parts.

    Attributes:
        features: All f columns of the table that are looked at, in order.
        used: The u of them that vary.
        medians: u values that fill a null.
        lows: u values below which a value is winsorised.
        highs: u values above which it is.
        units: u units of the log scale; 0 for a column that stays straight.
        centres: u centres after it.
        spreads: u spreads after it.
        means: u means of what results.
        deviations: u standard deviations of it.
        rotation: u x p.
    """

    features: tuple[str, ...]
    used: tuple[str, ...]
    medians: Floats
    lows: Floats
    highs: Floats
    units: Floats
    centres: Floats
    spreads: Floats
    means: Floats
    deviations: Floats
    rotation: Floats

    @property
    def left_out(self) -> list[str]:
        """Columns without two values."""
        return [name for name in self.features if name not in self.used]

    @classmethod
    def fit(cls, X: pd.DataFrame, *, parts: int) -> Preparation:
        """Learn the scales of n rows and the rotation to at most `parts` parts.

        Raises:
            TypeError: X is sparse, or a column is no number.
            ValueError: A value is infinite.
            TooLittleDataError: No column has two values.
        """
        X = as_table(X)
        values = numbers(X, list(X.columns))
        learnt, names, columns = [], [], []
        for name, value in zip(X.columns, values.T, strict=True):
            known = value[~np.isnan(value)]
            scale = _scale(known) if known.size else None
            if scale is not None:
                learnt.append(scale)
                names.append(str(name))
                columns.append(_scaled(value[:, None], *np.array([scale]).T)[:, 0])
        if not names:
            raise TooLittleDataError(
                "no column has two different values: there is nothing to tell rows apart by; "
                f"columns: {list(X.columns)}"
            )
        matrix = np.column_stack(columns)
        means, deviations = matrix.mean(axis=0), matrix.std(axis=0)
        medians, lows, highs, units, centres, spreads = np.array(learnt, dtype=np.float64).T
        return cls(
            tuple(map(str, X.columns)),
            tuple(names),
            medians,
            lows,
            highs,
            units,
            centres,
            spreads,
            means,
            deviations,
            _rotation((matrix - means) / deviations, parts),
        )

    def scaled(self, X: pd.DataFrame) -> Floats:
        """Return n x u values of mean 0 and variance 1 in training, before the rotation."""
        scaled = _scaled(
            numbers(as_table(X, self.features), list(self.used)),
            self.medians,
            self.lows,
            self.highs,
            self.units,
            self.centres,
            self.spreads,
        )
        standard: Floats = (scaled - self.means) / self.deviations
        return standard

    def transform(self, X: pd.DataFrame) -> Floats:
        """Return n x p parts.

        Raises:
            TypeError: X is sparse, or a column is no number.
            ValueError: X lacks columns, or a value is infinite.
        """
        parts: Floats = self.scaled(X) @ self.rotation
        return parts

    def to_dict(self) -> dict[str, Any]:
        """Return the preparation as JSON data."""
        return {
            name: value.tolist() if isinstance(value, np.ndarray) else list(value)
            for name, value in vars(self).items()
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Preparation:
        """Read what `to_dict` wrote."""
        arrays = {
            name: np.array(value, dtype=np.float64)
            for name, value in data.items()
            if name not in ("features", "used")
        }
        return cls(features=tuple(data["features"]), used=tuple(data["used"]), **arrays)


def numbers(X: pd.DataFrame, columns: list[str]) -> Floats:
    """Return n x c columns of a table as floats, NaN for null.

    Raises:
        TypeError: A column is no number.
        ValueError: X lacks columns, or a value is infinite.
    """
    missing = [name for name in columns if name not in X.columns]
    if missing:
        raise ValueError(f"columns are missing: {missing}; the model was fitted on them")
    values = np.empty((len(X), len(columns)))
    for place, name in enumerate(columns):
        column = X[name]
        if column.isna().all():
            values[:, place] = np.nan
            continue
        try:
            values[:, place] = pd.to_numeric(column).to_numpy(np.float64, na_value=np.nan)
        except (TypeError, ValueError) as error:
            raise TypeError(
                f"column {name!r} is no number ({column.dtype}): leave it out, or make numbers of "
                "it that distances make sense in"
            ) from error
    if np.isinf(values).any():
        infinite = [columns[place] for place in np.flatnonzero(np.isinf(values).any(axis=0))]
        raise ValueError(f"columns have infinite values: {infinite}; make them null or bound them")
    return values


def _scale(known: Floats) -> tuple[float, float, float, float, float, float] | None:
    """Return median, winsorising bounds, unit, centre and spread; None without two values."""
    if known.min() == known.max():
        return None
    low, high = np.quantile(known, [WINSORISED, 1.0 - WINSORISED])
    if low == high:  # so few differ that the bounds would leave one value
        low, high = known.min(), known.max()
    median = float(np.median(known))
    positive = known[known > 0.0]
    unit = float(np.median(positive)) if known.min() >= 0.0 else 0.0
    bent = _bent(np.clip(known, low, high), np.float64(unit))
    first, third = np.quantile(bent, [0.25, 0.75])
    spread = (third - first) / _QUARTILES_OF_A_NORMAL or bent.std()
    return median, float(low), float(high), unit, float(np.median(bent)), float(spread)


def _bent(value: Floats, unit: Floats | np.float64) -> Floats:
    """Return the log scale of values, or the values where the unit is 0."""
    straight = unit == 0.0
    bent: Floats = np.where(
        straight, value, np.log1p(np.maximum(value, 0.0) / np.where(straight, 1.0, unit))
    )
    return bent


def _scaled(
    values: Floats,
    medians: Floats,
    lows: Floats,
    highs: Floats,
    units: Floats,
    centres: Floats,
    spreads: Floats,
) -> Floats:
    filled = np.clip(np.where(np.isnan(values), medians, values), lows, highs)
    scaled: Floats = np.clip((_bent(filled, units) - centres) / spreads, -FARTHEST, FARTHEST)
    return scaled


def _rotation(centred: Floats, parts: int) -> Floats:
    """Return the first principal directions, each with its largest entry positive."""
    variances, directions = np.linalg.eigh(centred.T @ centred / len(centred))
    order = np.argsort(-variances, kind="stable")
    held = np.cumsum(variances[order]) / variances.sum()
    enough = int(np.searchsorted(held, HELD)) + 1
    rotation = directions[:, order[: min(enough, parts)]]
    largest = rotation[np.abs(rotation).argmax(axis=0), np.arange(rotation.shape[1])]
    turned: Floats = rotation * np.sign(largest)
    return turned
