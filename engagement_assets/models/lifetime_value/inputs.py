"""What the value model learns from: the features, with revenue to date told as a prior guess.

Belongs here: making the inputs of a snapshot alike whenever it was taken. Does not belong here:
learning from them (`engagement_assets.learning.trees`).

`revenue_to_date_usd` counts from the first day of the data. A model that learns on 40 days of
history and predicts on 220 would take each customer for five times as good as they are. The rate a
day does not grow with the history, but a rate over few days is uncertain, and trees that learnt to
distrust it would distrust a well-known one as much. So the rate is shrunk by its credibility
(Buehlmann, ASTIN Bulletin 4, 1967): `prior_days` at the mean rate are added to revenue and days. Of
the same shrunk rate the same future is to be expected, after 40 days as after 220. The guess is
what that rate would bring in the days that are predicted, if everybody kept it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from engagement_assets.learning.evaluation.binary import Floats
from engagement_assets.learning.json_data import JsonData
from engagement_assets.learning.trees.boosted import named_columns

if TYPE_CHECKING:
    from upath import UPath

INPUTS_FILE = "inputs.json"
FORMAT = "engagement-value-inputs/1"
REVENUE = "revenue_to_date_usd"
GUESS = "revenue_at_past_rate_usd"
# Beyond these a rate would hardly be believed, or believed after a day.
_PRIOR_DAYS = (1.0, 365.0)
# Where too few pay to measure it.
_UNKNOWN_DAYS = 30.0
_LEAST_PAYERS = 10
_LEAST_RATE = 1e-9
# Rates beyond this quantile of the payers' are cut off where the credibility is measured: a single
# great spender would decide it.
_CUT_OFF = 0.99


@dataclass(frozen=True)
class HistoryInputs(JsonData):
    """How a snapshot becomes the inputs of the value model.

    Attributes:
        features: Columns of the snapshot to learn from; `revenue_to_date_usd` is replaced by the
            guess.
        first_day: First day of the data.
        window_days: Days that are predicted.
        prior_days: Days of history at which a customer's rate is believed by half.
        mean_rate: Mean revenue a day in USD of all customers, above 0.
    """

    features: tuple[str, ...]
    first_day: date
    window_days: int
    prior_days: float
    mean_rate: float

    @classmethod
    def fit(
        cls,
        rows: pd.DataFrame,
        future_usd: pd.Series,
        *,
        features: Sequence[str],
        first_day: date,
        window_days: int,
    ) -> HistoryInputs:
        """Measure how far a rate can be believed.

        The credibility Z is the slope of the future rate on the past one, against what it would be
        if every customer kept their rate but for the loss that all share; it is
        days / (days + prior_days) for a history of so many days.

        Args:
            rows: Labelled rows of the training snapshots: the features, `snapshot_date`,
                `tenure_days` and `revenue_to_date_usd`.
            future_usd: Their revenue in the days after.
            features: Columns to learn from.
            first_day: First day of the data.
            window_days: How many days after.
        """
        if REVENUE not in features:
            return cls(tuple(features), first_day, window_days, _UNKNOWN_DAYS, _LEAST_RATE)
        days = observed_days(rows, first_day)
        revenue = rows[REVENUE].to_numpy(dtype=np.float64, na_value=np.nan)
        future = future_usd.to_numpy(dtype=np.float64) / window_days
        known = np.isfinite(revenue) & np.isfinite(future)
        revenue, future, days = revenue[known], future[known], days[known]
        mean_rate = max(float(revenue.sum() / days.sum()), _LEAST_RATE) if len(days) else 1.0
        past, pays = revenue / days, revenue > 0.0
        if pays.sum() < _LEAST_PAYERS or not (future > 0.0).any():
            return cls(tuple(features), first_day, window_days, _UNKNOWN_DAYS, mean_rate)
        limit = float(np.quantile(past[pays], _CUT_OFF))
        past, future = np.minimum(past, limit), np.minimum(future, limit)
        slope = float(np.cov(past, future)[0, 1] / np.var(past, ddof=1))
        belief = float(np.clip(slope * past.mean() / future.mean(), 0.01, 0.99))
        typical = float(np.average(days, weights=past * pays))
        prior = float(np.clip(typical * (1.0 - belief) / belief, *_PRIOR_DAYS))
        return cls(tuple(features), first_day, window_days, round(prior, 2), mean_rate)

    @property
    def guess(self) -> str | None:
        """Name of the column with the guess, or None where revenue is no feature."""
        return GUESS if REVENUE in self.features else None

    def __call__(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return the n x f inputs of n snapshot rows.

        Raises:
            ValueError: When columns are missing; all are named.
        """
        inputs = named_columns(rows, self.features)
        if REVENUE not in self.features:
            return inputs
        days = observed_days(rows, self.first_day)
        # Refunds are no sign of refunds to come.
        revenue = np.maximum(rows[REVENUE].to_numpy(dtype=np.float64, na_value=np.nan), 0.0)
        believed = revenue + self.prior_days * self.mean_rate
        guess = self.window_days * believed / (days + self.prior_days)
        names = [GUESS if name == REVENUE else name for name in self.features]
        return inputs.assign(**{REVENUE: guess}).set_axis(names, axis=1)

    def save(self, folder: Path | UPath) -> None:
        """Write it as JSON data."""
        state = {"format": FORMAT, **self.to_dict(), "first_day": self.first_day.isoformat()}
        (folder / INPUTS_FILE).write_text(json.dumps(state, indent=1))

    @classmethod
    def load(cls, folder: Path | UPath) -> HistoryInputs:
        """Read what `save` wrote.

        Raises:
            FileNotFoundError: When the file is missing.
            ValueError: When it is of another format.
        """
        state = json.loads((folder / INPUTS_FILE).read_text())
        if state.get("format") != FORMAT:
            raise ValueError(f"{folder} has format {state.get('format')!r}, expected {FORMAT!r}")
        del state["format"]
        return cls.from_dict(state | {"first_day": date.fromisoformat(state["first_day"])})


def observed_days(rows: pd.DataFrame, first_day: date) -> Floats:
    """Return days of a customer's history that the data can know, at least 1.

    Raises:
        ValueError: When `snapshot_date` or `tenure_days` is missing.
    """
    there = named_columns(rows, ["snapshot_date", "tenure_days"])
    # days of NumPy hold any date, where nanoseconds of pandas end in 2262
    dates = there["snapshot_date"].to_numpy().astype("datetime64[D]")
    since = (dates - np.datetime64(first_day, "D")).astype(np.float64) + 1.0
    tenure = there["tenure_days"].to_numpy(dtype=np.float64, na_value=np.nan) + 1.0
    days: Floats = np.maximum(np.fmin(since, tenure), 1.0)
    return days
