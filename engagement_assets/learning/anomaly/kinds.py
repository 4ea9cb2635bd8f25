"""Classify anomalies: an error in the data, a sudden drop of use, like fraud, or unusual.

Belongs here: the rules and what they need of a table. Does not belong here: the score
(`detector.py`), the rules of any one table.

In order, the first that holds:

1. `data_error`: a value outside its bounds, or two values that contradict each other. It says that
   the pipeline or the source is to be looked at before the row's owner is.
2. `fraud_like`: review labels have taught a model that finds the row as likely a fraud as the
   `review_share` most likely of the training rows; or at least half of the row's surprise comes
   from features that are declared as traces of fraud, on the declared side of their typical value.
3. `sudden_drop`: the trend of use is among the steepest falls of the training rows, or a user
   who used the app more than typical in the month has not come back for days.
4. `unusual`: none of these.

A rule whose features the table lacks is left out, and `unusable` says so.
"""

# ruff: noqa: N803 - X is scikit-learn's name for a table of features

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engagement_assets.learning.json_data import JsonData

DATA_ERROR = "data_error"
FRAUD_LIKE = "fraud_like"
SUDDEN_DROP = "sudden_drop"
UNUSUAL = "unusual"
KINDS = (DATA_ERROR, FRAUD_LIKE, SUDDEN_DROP, UNUSUAL)

FRAUD_SHARE = 0.5
# The steepest two in a hundred falls are sudden.
_STEEP_SHARE = 0.02
_EPSILON = 1e-9

Bound = tuple[float | None, float | None]


@dataclass(frozen=True)
class KindRules(JsonData):
    """The declared rules of a table; empty ones leave every row `unusual`.

    Attributes:
        bounds: For a feature, its least and greatest possible value, None for no bound.
        at_most: Pairs of features of which the first can never exceed the second.
        only_with: Pairs of features of which the first is 0 wherever the second is 0.
        high_in_fraud: Features that fraud raises over their typical value.
        low_in_fraud: Features that fraud lowers.
        high_traces: Those of `high_in_fraud` that are so telling that the score looks for them.
        low_traces: The same of `low_in_fraud`.
        trend: Feature that is negative when use falls, or None.
        idle_days: Feature that counts the days since the last use, or None.
        use: Feature that counts use over the period before, or None.
        idle_limit: Days without use that are sudden in someone who used it more than typical.
    """

    bounds: Mapping[str, Bound] = field(default_factory=dict)
    at_most: tuple[tuple[str, str], ...] = ()
    only_with: tuple[tuple[str, str], ...] = ()
    high_in_fraud: tuple[str, ...] = ()
    low_in_fraud: tuple[str, ...] = ()
    high_traces: tuple[str, ...] = ()
    low_traces: tuple[str, ...] = ()
    trend: str | None = None
    idle_days: str | None = None
    use: str | None = None
    idle_limit: float = 7.0

    def unusable(self, columns: Sequence[str]) -> list[str]:
        """Sentences on the rules that a table with these columns cannot have."""
        have = set(columns)
        pairs = [*self.at_most, *self.only_with]
        errors = any(name in have for name in self.bounds) or any(set(p) <= have for p in pairs)
        traces = have & {*self.high_in_fraud, *self.low_in_fraud}
        statements = []
        if not errors:
            statements.append(
                "no data_error is told apart: no bounds or contradictions are declared"
            )
        if not traces:
            statements.append(
                "no fraud_like is told apart by features: none are declared as its traces"
            )
        if self.trend not in have and not {self.idle_days, self.use} <= have:
            statements.append(
                "no sudden_drop is told apart: no trend or days without use are declared"
            )
        lacking = {*self.bounds, *(n for p in pairs for n in p)} | {
            *self.high_in_fraud,
            *self.low_in_fraud,
        }
        lacking |= {name for name in (self.trend, self.idle_days, self.use) if name}
        if lacking - have:
            statements.append(f"rules name features that are not here: {sorted(lacking - have)}")
        return statements


@dataclass(frozen=True)
class KindRuler:
    """The rules with what they took from the training rows.

    Attributes:
        rules: The rules.
        steep_fall: Trend at or below which use falls suddenly; None without a trend.
        typical_use: Median use of the training rows that used it at all; None without it.
        typical: Typical values of the features.
    """

    rules: KindRules
    steep_fall: float | None
    typical_use: float | None
    typical: Mapping[str, Any]

    @classmethod
    def fit(cls, rules: KindRules, X: pd.DataFrame, typical: Mapping[str, Any]) -> KindRuler:
        """Learn from the n x f training rows."""
        steep, typical_use = None, None
        if rules.trend in X.columns:
            trend = _numbers(X[rules.trend])
            falling = trend[trend < 0]
            # Of all rows, so that a table in which hardly anybody falls keeps a low mark.
            steep = float(np.nanquantile(trend, _STEEP_SHARE)) if falling.size else None
            steep = min(steep, float(falling.max())) if steep is not None else None
        if rules.use in X.columns:
            use = _numbers(X[rules.use])
            used = use[use > 0]
            typical_use = float(np.median(used)) if used.size else None
        return cls(rules, steep, typical_use, typical)

    def kinds(
        self,
        X: pd.DataFrame,
        contributions: NDArray[Any],
        features: Sequence[str],
        fraud_by_review_labels: NDArray[np.bool_],
    ) -> NDArray[np.object_]:
        """The kind of each row.

        Args:
            X: n rows.
            contributions: n x f contributions of the features to the rows' surprise, in nats.
            features: The f names.
            fraud_by_review_labels: n flags: whether the model of the review labels calls it fraud.
        """
        error = self.data_errors(X)
        fraud = fraud_by_review_labels | self._fraud(X, contributions, features)
        kind: NDArray[np.object_] = np.select(
            [error, fraud, self.sudden_drops(X)], [DATA_ERROR, FRAUD_LIKE, SUDDEN_DROP], UNUSUAL
        ).astype(object)
        return kind

    def data_errors(self, X: pd.DataFrame) -> NDArray[np.bool_]:
        """Whether each of n rows has a value that cannot be."""
        wrong: NDArray[np.bool_] = np.any(self.impossible(X, list(X.columns)), axis=1)
        return wrong

    def impossible(self, X: pd.DataFrame, features: Sequence[str]) -> NDArray[np.bool_]:
        """Whether each of n x f values cannot be, or contradicts another."""
        place = {name: i for i, name in enumerate(features) if name in X.columns}
        wrong = np.zeros((len(X), len(features)), dtype=bool)
        pairs = (*self.rules.at_most, *self.rules.only_with)
        named = dict.fromkeys([*self.rules.bounds, *(name for pair in pairs for name in pair)])
        value = {name: _numbers(X[name]) for name in named if name in place}
        for name, (least, most) in self.rules.bounds.items():
            if name in place:
                low = -np.inf if least is None else least - _EPSILON
                high = np.inf if most is None else most + _EPSILON
                wrong[:, place[name]] |= (value[name] < low) | (value[name] > high)
        for first, second in pairs:
            if first not in place or second not in place:
                continue
            if (first, second) in self.rules.at_most:
                broken = value[first] > value[second] + _EPSILON
            else:
                broken = (np.abs(value[first]) > _EPSILON) & (value[second] == 0.0)
            wrong[:, place[first]] |= broken
            wrong[:, place[second]] |= broken
        return wrong

    def sudden_drops(self, X: pd.DataFrame) -> NDArray[np.bool_]:
        """Whether the use of each of n rows fell suddenly."""
        rules, dropped = self.rules, np.zeros(len(X), dtype=bool)
        if rules.trend in X.columns and self.steep_fall is not None:
            dropped |= _numbers(X[rules.trend]) <= self.steep_fall
        if {rules.idle_days, rules.use} <= set(X.columns) and self.typical_use is not None:
            used = _numbers(X[rules.use]) >= self.typical_use
            dropped |= used & (_numbers(X[rules.idle_days]) >= rules.idle_limit)
        return dropped

    def _fraud(
        self, X: pd.DataFrame, contributions: NDArray[Any], features: Sequence[str]
    ) -> NDArray[np.bool_]:
        traces = np.zeros(len(X))
        for names, side in ((self.rules.high_in_fraud, 1.0), (self.rules.low_in_fraud, -1.0)):
            for name in names:
                typical = self.typical.get(name)
                if name not in features or not isinstance(typical, (int, float)):
                    continue
                there = side * (_numbers(X[name]) - typical) > 0
                traces += np.where(there, contributions[:, list(features).index(name)], 0.0)
        total = np.maximum(contributions, 0.0).sum(axis=1)
        fraud: NDArray[np.bool_] = (total > 0) & (traces >= FRAUD_SHARE * total)
        return fraud


def _numbers(values: pd.Series) -> NDArray[np.float64]:
    if not pd.api.types.is_numeric_dtype(values.dtype):
        values = pd.to_numeric(values, errors="coerce")
    return values.to_numpy(dtype=np.float64, na_value=np.nan)
