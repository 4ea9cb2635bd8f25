"""The one door to a version's predictions: a whole day in batch, or single customers online.

Belongs here: what goes through the door. Does not belong here: any model or policy, and reading the
lake (`scored.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engagement_assets.learning.explanations.explanation import Explanation, top_reasons
from engagement_assets.lifecycle.spec import REASONS


@dataclass(frozen=True)
class Context:
    """What a prediction looks at besides its rows.

    Attributes:
        predictions: Tables of the use cases before it, by name.
        reference: What stands for all customers of a day where the rows are some of them, as the
            adapter's `read_reference` gives it; None where the rows are the whole day.
    """

    predictions: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    reference: Any = None

    def column(self, name: str, column: str, customers: pd.Series) -> NDArray[np.float64]:
        """Return a predicted number of n customers in their order; NaN where there is none."""
        table = self.predictions.get(name)
        if table is None or column not in table:
            return np.full(len(customers), np.nan)
        values = table[column].to_numpy(np.float64)
        by_customer = dict(zip(table["customer_id"].tolist(), values.tolist(), strict=True))
        return np.array([by_customer.get(who, np.nan) for who in customers], dtype=np.float64)


@dataclass(frozen=True)
class Predictions:
    """Predictions of some customers.

    Attributes:
        table: The spec's columns with `customer_id`, one row a customer that is scored.
        explanation: Exact contributions to the scores, or None where reasons come otherwise.
        unit: Unit of the contributions.
        parts: What the report on a day is made from besides, or None.
    """

    table: pd.DataFrame
    explanation: Explanation | None = None
    unit: str = "log-odds"
    parts: pd.DataFrame | None = None


class Predictor(Protocol):
    """A loaded version."""

    def __call__(self, rows: pd.DataFrame, context: Context) -> Predictions:
        """Predict and explain customers.

        Args:
            rows: n rows of `features/customer_features`, each customer once.
            context: What else it looks at.
        """


def explained(
    columns: Mapping[str, Any],
    explanation: Explanation,
    *,
    typical: Mapping[str, Any],
    unit: str,
) -> Predictions:
    """Return predictions with the strongest reasons of an explanation beside them.

    Args:
        columns: `customer_id` and what is predicted, n values each.
        explanation: Of n rows, with their `data`.
        typical: Usual value of each feature.
        unit: Unit of the contributions.

    Raises:
        ValueError: The explanation has no `data`.
    """
    if explanation.data is None:
        raise ValueError("an explanation without the rows' values gives no reasons")
    reasons = top_reasons(explanation, explanation.data, typical=typical, k=REASONS)
    return Predictions(pd.concat([pd.DataFrame(columns), reasons], axis=1), explanation, unit)
