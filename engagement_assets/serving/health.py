"""The health of one customer, by the same numbers as that of all customers of a day.

Health ranks a customer's engagement and value among all customers of the day (see
`engagement_assets.models.ensemble.health`); who comes alone has nobody to be ranked among. The
reference keeps the two sorted columns, which parts are there, and their means. Its bytes are zlib
of: the length of the header (4 bytes, little-endian), the header (JSON), then the columns as
little-endian doubles. Belongs here: the reference and what follows from it for one customer. Does
not belong here: the weights and the batch.
"""

from __future__ import annotations

import json
import math
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engagement_assets.lifecycle.spec import REASONS
from engagement_assets.models.ensemble.health import SCALE, WEIGHTS, health_parts

REFERENCE_FORMAT = 1
# the parts that are ranks, each with the prediction it ranks
RANKED = {"engagement": "engagement_score", "value": "lifetime_value_usd"}
READ = ("churn_probability", "engagement_score", "lifetime_value_usd", "anomaly_score")


@dataclass(frozen=True)
class HealthReference:
    """What the health of a day's customers was made from.

    Attributes:
        ranked: Sorted values by ranked part; -inf for a customer without a prediction, who ranks
            lowest. Both columns have a value for every customer of the day.
        typical: Mean points by part that is there, in the order of the parts.
    """

    ranked: Mapping[str, NDArray[np.float64]]
    typical: Mapping[str, float]

    @classmethod
    def of(cls, predictions: pd.DataFrame) -> Self | None:
        """The reference of a day, or None where no model predicts what health is made of.

        Args:
            predictions: One row for every customer of the day, with the columns of `READ` as
                floats, NaN where a model does not score.
        """
        if not predictions[list(READ)].notna().to_numpy().any():
            return None
        typical = health_parts(predictions).mean()
        return cls(
            {
                part: np.sort(predictions[column].fillna(-np.inf).to_numpy(np.float64))
                for part, column in RANKED.items()
            },
            {str(part): float(points) for part, points in typical.items()},
        )

    def parts(self, predictions: Mapping[str, Any]) -> dict[str, float]:
        """Points of each part of one customer's health, in the order of the parts.

        Args:
            predictions: `churn_probability`, `engagement_score`, `lifetime_value_usd` and
                `anomaly_score`; None, NaN or absent where a model does not score.
        """
        churn, anomaly = (_known(predictions, name) for name in (READ[0], READ[3]))
        shares = {
            "stays": 0.0 if churn is None else 1.0 - churn,
            "ordinary": 1.0 if anomaly is None else 1.0 - anomaly,
            **{
                part: self._rank(part, _known(predictions, column))
                for part, column in RANKED.items()
                if part in self.typical
            },
        }
        total = sum(WEIGHTS[part] for part in self.typical)
        return {part: SCALE * WEIGHTS[part] / total * shares[part] for part in self.typical}

    def health(self, parts: Mapping[str, float]) -> float:
        """The health that parts add up to, 0 to 100."""
        return min(SCALE, max(0.0, sum(parts.values())))

    def reasons(self, parts: Mapping[str, float], *, k: int = REASONS) -> list[dict[str, Any]]:
        """The parts that set a customer most apart from the average of the day.

        Returns:
            At most k of `feature`, `value` and `typical` (points), `contribution` (points above
            the average), the strongest first.
        """
        apart = {part: parts[part] - self.typical[part] for part in self.typical}
        strongest = sorted(apart, key=lambda part: -abs(apart[part]))
        return [
            {
                "feature": part,
                "value": f"{parts[part]:.1f} points",
                "typical": f"{self.typical[part]:.1f} points",
                "contribution": apart[part],
            }
            for part in strongest[:k]
        ]

    def to_bytes(self) -> bytes:
        """The reference as data."""
        header = json.dumps(
            {
                "format": REFERENCE_FORMAT,
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
            told = header["format"]
        except (zlib.error, struct.error, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"these bytes are no reference of health: {error}") from error
        if told != REFERENCE_FORMAT:
            raise ValueError(f"a reference of format {told}; this version knows {REFERENCE_FORMAT}")
        if len(plain) != 4 + length + 8 * sum(header["columns"].values()):
            raise ValueError("a reference of health that is cut off")
        ranked, place = {}, 4 + length
        for part, count in header["columns"].items():
            ranked[part] = np.frombuffer(plain, "<f8", count, place).astype(np.float64)
            place += 8 * count
        return cls(ranked, header["typical"])

    def _rank(self, part: str, value: float | None) -> float:
        """Rank from 0 to 1, ties in the middle; a value that nobody had lies between the ranks."""
        values = self.ranked[part]
        wanted = -math.inf if value is None else value
        below = int(np.searchsorted(values, wanted, side="left"))
        up_to = int(np.searchsorted(values, wanted, side="right"))
        last = len(values) - 1
        rank = (below + 1 + up_to) / 2 - 1.0
        return min(max(rank, 0.0), float(last)) / max(last, 1)


def _known(predictions: Mapping[str, Any], name: str) -> float | None:
    value = predictions.get(name)
    return None if value is None or math.isnan(value) else float(value)
