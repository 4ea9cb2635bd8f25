"""One score of a customer's health, 0 to 100, and what it is made of.

Belongs here: the score, its parts, and what stands for a day's customers where one of them is
scored alone. Does not belong here: the predictions it is made from.

The score is a weighted sum, so its parts add up exactly and each says how many points it gives:

    health = 100 * (0.35 * stays + 0.30 * engagement + 0.20 * value + 0.15 * ordinary)

`stays` is 1 minus the churn probability, and 0 for a customer without a session in the churn
window before, whom the churn model does not score; `engagement` and `value` are ranks among all
customers of the day, 0 to 1; `ordinary` is 1 minus the anomaly score. A part that no model predicts
yet is left out and the other weights grow in proportion.

The bytes of a reference are zlib of: the length of the header (4 bytes, little-endian), the header
(JSON), then the ranked columns as little-endian doubles.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engagement_assets.lifecycle.spec import REASONS

Floats = NDArray[np.float64]

WEIGHTS: Mapping[str, float] = {
    "stays": 0.35,
    "engagement": 0.30,
    "value": 0.20,
    "ordinary": 0.15,
}
COLUMNS: Mapping[str, str] = {
    "stays": "churn_probability",
    "engagement": "engagement_score",
    "value": "lifetime_value_usd",
    "ordinary": "anomaly_score",
}
RANKED = ("engagement", "value")
SCALE = 100.0
_FORMAT = 2


@dataclass(frozen=True)
class HealthReference:
    """What places a customer's health among the customers of a day.

    Attributes:
        ranked: Sorted predictions by ranked part; -inf for a customer without one, who ranks
            lowest.
        typical: Mean points by part that is there, in the order of the parts.
    """

    ranked: Mapping[str, Floats]
    typical: Mapping[str, float]

    @classmethod
    def of(cls, predictions: pd.DataFrame) -> Self | None:
        """Return the reference of a day, or None where no model predicts what health is made of.

        Args:
            predictions: n customers, all of the day, with the columns of `COLUMNS`, NaN where a
                model does not score.
        """
        present = [part for part in WEIGHTS if predictions[COLUMNS[part]].notna().any()]
        if not present:
            return None
        ranked = {
            part: np.sort(predictions[COLUMNS[part]].fillna(-np.inf).to_numpy(np.float64))
            for part in RANKED
        }
        reference = cls(ranked, dict.fromkeys(present, 0.0))
        means = reference.parts(predictions).mean()
        return replace(reference, typical={part: float(means[part]) for part in present})

    def parts(self, predictions: pd.DataFrame) -> pd.DataFrame:
        """Return points of each part of customers' health, in the order of the parts.

        Args:
            predictions: n customers as in `of`.

        Returns:
            n rows, one column a part that is there; they add up to the health.
        """
        total = sum(WEIGHTS[part] for part in self.typical)
        return pd.DataFrame(
            {
                part: SCALE
                * WEIGHTS[part]
                / total
                * self._share(part, predictions[COLUMNS[part]].to_numpy(np.float64))
                for part in self.typical
            },
            index=predictions.index,
        )

    def _share(self, part: str, values: Floats) -> Floats:
        """Each customer's share of a part's points, 0 to 1."""
        if part in RANKED:
            return self._rank(part, np.where(np.isnan(values), -np.inf, values))
        absent = {"stays": 1.0, "ordinary": 0.0}[part]
        share: Floats = 1.0 - np.where(np.isnan(values), absent, values)
        return share

    def _rank(self, part: str, values: Floats) -> Floats:
        """Rank from 0 to 1, ties in the middle; a value that nobody had lies between two ranks."""
        column = self.ranked[part]
        below = np.searchsorted(column, values, side="left")
        up_to = np.searchsorted(column, values, side="right")
        last = len(column) - 1
        rank: Floats = np.clip((below + 1 + up_to) / 2 - 1.0, 0.0, last) / max(last, 1)
        return rank

    def reasons(self, parts: pd.DataFrame, *, k: int = REASONS) -> pd.DataFrame:
        """Return the parts that set customers' health most apart from the day's average.

        Args:
            parts: As `parts` gives them.
            k: Reasons a customer; fewer parts leave nulls.

        Returns:
            n rows: `reason_<i>_feature`, `_value` and `_typical` (points), `_contribution` (points
                above the average).
        """
        typical = np.array([self.typical[str(part)] for part in parts.columns])
        points = parts.to_numpy()
        apart = points - typical
        order = np.argsort(-np.abs(apart), axis=1, kind="stable")
        names = np.array(parts.columns, dtype=object)
        rows = np.arange(len(parts))
        columns: dict[str, object] = {}
        for n in range(k):
            there = n < len(names)
            chosen = order[:, n] if there else rows
            columns |= {
                f"reason_{n + 1}_feature": names[chosen] if there else None,
                f"reason_{n + 1}_value": _points(points[rows, chosen]) if there else None,
                f"reason_{n + 1}_typical": _points(typical[chosen]) if there else None,
                f"reason_{n + 1}_contribution": apart[rows, chosen] if there else np.nan,
            }
        return pd.DataFrame(columns, index=parts.index)

    def to_bytes(self) -> bytes:
        """Return the reference as data."""
        header = json.dumps(
            {
                "format": _FORMAT,
                "typical": dict(self.typical),
                "columns": {part: len(values) for part, values in self.ranked.items()},
            }
        ).encode()
        columns = [values.astype("<f8").tobytes() for values in self.ranked.values()]
        return zlib.compress(b"".join([struct.pack("<I", len(header)), header, *columns]), 1)

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Read what `to_bytes` wrote.

        Raises:
            ValueError: The bytes are no reference, or of another format.
        """
        try:
            plain = zlib.decompress(content)
            (length,) = struct.unpack_from("<I", plain)
            header = json.loads(plain[4 : 4 + length])
            written = header["format"]
        except (zlib.error, struct.error, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"these bytes are no reference of health: {error}") from error
        if written != _FORMAT:
            raise ValueError(f"a reference of format {written}; this version knows {_FORMAT}")
        if len(plain) != 4 + length + 8 * sum(header["columns"].values()):
            raise ValueError("a reference of health that is cut off")
        ranked, place = {}, 4 + length
        for part, count in header["columns"].items():
            ranked[part] = np.frombuffer(plain, "<f8", count, place).astype(np.float64)
            place += 8 * count
        return cls(ranked, header["typical"])


def _points(values: Floats) -> list[str]:
    return [f"{value:.1f} points" for value in values]
