"""The value model of a snapshot: how it becomes inputs, and the regressor that reads them.

Belongs here: keeping the two together, in fitting, predicting and on disk. Does not belong here:
either of them (`inputs.py`, `learning.trees.revenue`) or choosing rows (`adapter.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from engagement_assets.learning.evaluation.binary import Floats
from engagement_assets.learning.explanations.explanation import Explanation
from engagement_assets.learning.trees.revenue import ZeroInflatedRevenueRegressor
from engagement_assets.learning.tuning.revenue import TunedRevenueRegressor
from engagement_assets.models.lifetime_value.inputs import HistoryInputs

if TYPE_CHECKING:
    from upath import UPath


LIFETIME_VALUE_LIMITS = (0.0, 10_000.0)


def lifetime_value(revenue_to_date_usd: ArrayLike, future_revenue_usd: ArrayLike) -> Floats:
    """Return revenue to date plus future revenue in USD, within 0 and 10,000 as the label has it.

    Args:
        revenue_to_date_usd: n amounts; null, where the source has no transactions, counts nothing.
        future_revenue_usd: n expected amounts.
    """
    past = pd.Series(revenue_to_date_usd).to_numpy(dtype=np.float64, na_value=np.nan)
    total = np.nan_to_num(past) + np.asarray(future_revenue_usd, dtype=np.float64)
    value: Floats = np.clip(total, *LIFETIME_VALUE_LIMITS)
    return value


class ValueModel:
    """Predicts future revenue from rows of `features/customer_features`.

    Attributes:
        inputs: How rows become inputs.
        regressor: The fitted regressor.
    """

    regressor_kind: ClassVar[type[ZeroInflatedRevenueRegressor]] = ZeroInflatedRevenueRegressor

    def __init__(self, inputs: HistoryInputs, regressor: ZeroInflatedRevenueRegressor) -> None:
        self.inputs = inputs
        self.regressor = regressor

        self.random_state = regressor.random_state

    def set_params(self, *, n_jobs: int) -> ValueModel:
        """Set the threads of the regressor."""
        self.regressor.set_params(n_jobs=n_jobs)
        return self

    @property
    def typical_values_(self) -> dict[str, float | str | None]:
        """A typical value of each input."""
        return self.regressor.typical_values_

    @property
    def margin_unit(self) -> str:
        """The unit of contributions."""
        return self.regressor.margin_unit

    @classmethod
    def fit(
        cls,
        rows: pd.DataFrame,
        future_usd: pd.Series,
        *,
        features: Sequence[str],
        first_day: date,
        window_days: int,
        parameters: Mapping[str, Any],
        sensitive: pd.DataFrame,
    ) -> Self:
        """Measure the credibility of a rate and fit the regressor; see both for what they raise.

        `sensitive` are columns that a choice must be fair by, where there is one.
        """
        inputs = HistoryInputs.fit(
            rows, future_usd, features=features, first_day=first_day, window_days=window_days
        )
        regressor = cls.regressor_kind(**({"prior": inputs.guess} | dict(parameters)))
        cls._fit_regressor(regressor, inputs(rows), future_usd, rows["customer_id"], sensitive)
        return cls(inputs, regressor)

    @staticmethod
    def _fit_regressor(
        regressor: Any,
        inputs: pd.DataFrame,
        future_usd: pd.Series,
        customers: pd.Series,
        sensitive: pd.DataFrame,  # noqa: ARG004 - for the tuned regressor, which chooses by it
    ) -> None:
        regressor.fit(inputs, future_usd, groups=customers)

    def refitted(self, rows: pd.DataFrame, future_usd: pd.Series) -> Self:
        """Return the same inputs and the same model of the mean, fitted on other rows."""
        return type(self)(self.inputs, self.regressor.refitted(self.inputs(rows), future_usd))

    def predict(self, rows: pd.DataFrame) -> Floats:
        """Return the n expected future revenues in USD."""
        return self.regressor.predict(self.inputs(rows))

    def predict_all(self, rows: pd.DataFrame) -> tuple[Floats, Floats, Floats]:
        """Return n expected revenues and n chances of any, and n x 3 quantiles in USD."""
        return self.regressor.predict_all(self.inputs(rows))

    def explain(self, rows: pd.DataFrame) -> Explanation:
        """Return the exact contributions to the expected future revenue; see the regressor."""
        return self.regressor.explain(self.inputs(rows))

    def save(self, folder: Path | UPath) -> None:
        """Write both as data."""
        self.regressor.save(folder)
        self.inputs.save(folder)

    @classmethod
    def load(cls, folder: Path | UPath) -> Self:
        """Read what `save` wrote. Check the files' hashes first (`ModelRegistry.open`).

        Raises:
            FileNotFoundError: When a file is missing.
            ValueError: When the files are of another format.
        """
        return cls(HistoryInputs.load(folder), cls.regressor_kind.load(folder))


class TunedValueModel(ValueModel):
    """The value model with a mean that a search chose."""

    regressor_kind = TunedRevenueRegressor

    @staticmethod
    def _fit_regressor(
        regressor: Any,
        inputs: pd.DataFrame,
        future_usd: pd.Series,
        customers: pd.Series,
        sensitive: pd.DataFrame,
    ) -> None:
        regressor.fit(inputs, future_usd, groups=customers, sensitive=sensitive)

    def tuning(self) -> Mapping[str, Any]:
        """Return how the mean was chosen; see `TunedEstimator.tuning`."""
        assert isinstance(self.regressor, TunedRevenueRegressor)  # noqa: S101 - for the type checker
        return self.regressor.tuning()
