"""Whether a model's flags fall evenly on groups of people.

Belongs here: rates by group, the 80 % rule, the report. Does not belong here: repairing a failure
(`mitigation`) or blocking a promotion because of it (`engagement_assets.lifecycle.champion`).

"Selected" means flagged for an intervention: the good that is shared out is the offer to stay. The
80 % rule is applied as the US Equal Employment Opportunity Commission practises it (Uniform
Guidelines, 29 CFR 1607.4 D): a group fails when its selection rate is under four fifths of the
highest group's and the difference is statistically significant, by a two-proportion test,
Holm-corrected over the groups of a column. Groups under a stated size are reported, not judged.
Rates and gaps are fairlearn's (Weerts et al., JMLR 24, 2023); intervals are percentile bootstraps.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from fairlearn.metrics import (
    MetricFrame,
    count,
    false_positive_rate,
    selection_rate,
    true_positive_rate,
)
from numpy.typing import ArrayLike, NDArray
from scipy.stats import fisher_exact, norm

from engagement_assets.learning.evaluation.binary import Floats, as_labels
from engagement_assets.learning.evaluation.bootstrap import Interval, interval
from engagement_assets.learning.fairness.report import ColumnFairness, FairnessReport, GroupRates

__all__ = [
    "AGE_BANDS",
    "ColumnFairness",
    "FairnessReport",
    "GroupRates",
    "age_bands",
    "fairness_report",
    "group_names",
    "holm",
    "report_selection",
]

UNKNOWN = "unknown"
AGE_BANDS = ("18-24", "25-34", "35-44", "45-54", "55+", UNKNOWN)
FOUR_FIFTHS = 0.8

_METRICS = {
    "customers": count,
    "selection": selection_rate,
    "true_positive": true_positive_rate,
    "false_positive": false_positive_rate,
}
_AGE_EDGES = (18.0, 25.0, 35.0, 45.0, 55.0, math.inf)


def age_bands(age: pd.Series | ArrayLike) -> pd.Series:
    """Put ages into the bands of the fairness report.

    Args:
        age: n ages in years; null or under 18 becomes "unknown".

    Returns:
        n ordered categories out of `AGE_BANDS`.
    """
    years = pd.to_numeric(pd.Series(age), errors="coerce").astype("float64")
    bands = pd.cut(years, bins=list(_AGE_EDGES), right=False, labels=list(AGE_BANDS[:-1]))
    return bands.cat.add_categories([UNKNOWN]).fillna(UNKNOWN)


def fairness_report(
    y: ArrayLike,
    probability: ArrayLike,
    sensitive: pd.DataFrame,
    *,
    columns: Sequence[str],
    threshold: float,
    min_group_size: int = 100,
    n_bootstrap: int = 500,
    seed: int = 0,
) -> FairnessReport:
    """Report and judge flags that are set at one threshold.

    Args:
        y: n labels of 0 and 1.
        probability: n probabilities.
        sensitive: n rows with the sensitive columns, in the order of y.
        columns: The columns to report; one that is not in `sensitive` is named as missing.
        threshold: A customer is flagged at or above this probability.
        min_group_size: Smallest group that is judged, in customers.
        n_bootstrap: Number of resamples of the customers.
        seed: Seed of the resamples.
    """
    flagged = np.asarray(probability, dtype=np.float64) >= threshold
    return report_selection(
        y,
        flagged,
        sensitive,
        columns=columns,
        threshold=threshold,
        min_group_size=min_group_size,
        n_bootstrap=n_bootstrap,
        seed=seed,
    )


def report_selection(  # noqa: PLR0913 - the data, and the settings of a report
    y: ArrayLike,
    flagged: ArrayLike,
    sensitive: pd.DataFrame,
    *,
    columns: Sequence[str],
    threshold: float | None = None,
    min_group_size: int = 100,
    alpha: float = 0.05,
    n_bootstrap: int = 500,
    seed: int = 0,
) -> FairnessReport:
    """Report and judge given flags, however they were set; see `fairness_report`.

    Args:
        y: n labels of 0 and 1.
        flagged: n booleans.
        sensitive: n rows with the sensitive columns, in the order of y.
        columns: The columns to report.
        threshold: The threshold behind the flags, when there is one.
        min_group_size: Smallest group that is judged, in customers.
        alpha: Significance level of the test after Holm's correction.
        n_bootstrap: Number of resamples of the customers.
        seed: Seed of the resamples.

    Raises:
        ValueError: When the three inputs differ in length.
    """
    labels = as_labels(y, both_classes=False)
    marked = np.asarray(flagged, dtype=bool)
    if not len(labels) == len(marked) == len(sensitive):
        raise ValueError(
            f"{len(labels)} labels, {len(marked)} flags and {len(sensitive)} sensitive rows: "
            "give one of each a customer"
        )
    present = [column for column in columns if column in sensitive.columns]
    return FairnessReport(
        columns=tuple(
            _column_report(
                column,
                labels,
                marked,
                group_names(sensitive[column]),
                min_group_size=min_group_size,
                alpha=alpha,
                rng=np.random.default_rng([seed, i]),
                n_bootstrap=n_bootstrap,
            )
            for i, column in enumerate(present)
        ),
        missing_columns=tuple(column for column in columns if column not in sensitive.columns),
        threshold=threshold,
        min_group_size=min_group_size,
        alpha=alpha,
        customers=len(labels),
    )


def group_names(values: pd.Series) -> NDArray[np.object_]:
    """Write the group of each customer as text; null is a group of its own, "unknown"."""
    texts = values.astype(object).where(values.notna(), UNKNOWN).map(str)
    return texts.to_numpy(dtype=object)


@dataclass(frozen=True)
class _Rates:
    """Rates by group: arrays of (samples, groups) out of counts of (label, flag)."""

    selection: Floats
    true_positive: Floats
    false_positive: Floats

    @classmethod
    def of(cls, counts: Floats) -> _Rates:
        """Counts of shape (samples, groups, 2 labels, 2 flags)."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return cls(
                counts[..., 1].sum(-1) / counts.sum((-1, -2)),
                counts[..., 1, 1] / counts[..., 1, :].sum(-1),
                counts[..., 0, 1] / counts[..., 0, :].sum(-1),
            )


def _column_report(
    column: str,
    y: Floats,
    flagged: NDArray[np.bool_],
    groups: NDArray[np.object_],
    *,
    min_group_size: int,
    alpha: float,
    rng: np.random.Generator,
    n_bootstrap: int,
) -> ColumnFairness:
    frame = MetricFrame(
        metrics=_METRICS,
        y_true=y.astype(int),
        y_pred=flagged.astype(int),
        sensitive_features=pd.Series(groups, name=column),
    ).by_group
    names = [str(name) for name in frame.index]
    codes = pd.Categorical(groups, categories=frame.index).codes.astype(np.int64)
    cells = np.bincount(codes * 4 + y.astype(int) * 2 + flagged, minlength=4 * len(names))
    # The cells' counts in a resample of the customers are multinomial, so no row is drawn.
    drawn = rng.multinomial(len(y), cells / len(y), size=n_bootstrap)
    shape = (-1, len(names), 2, 2)
    samples = _Rates.of(drawn.reshape(shape).astype(np.float64))
    counts = cells.reshape(shape[1:]).astype(np.float64)
    judged = counts.sum((1, 2)) >= min_group_size
    verdicts = _judge(counts, judged, alpha)

    def entry(i: int) -> GroupRates:
        def rate(metric: str, drawn_rates: Floats, *, defined: bool = True) -> Interval | None:
            return interval(float(frame[metric].iloc[i]), drawn_rates[:, i]) if defined else None

        selection = interval(float(frame["selection"].iloc[i]), samples.selection[:, i])
        churners, stayers = counts[i, 1].sum(), counts[i, 0].sum()
        return GroupRates(
            group=names[i],
            customers=int(frame["customers"].iloc[i]),
            base_rate=float(churners / (churners + stayers)),
            selection_rate=selection,
            # fairlearn says 0 where there is nobody to count; unknown is not zero.
            true_positive_rate=rate("true_positive", samples.true_positive, defined=churners > 0),
            false_positive_rate=rate("false_positive", samples.false_positive, defined=stayers > 0),
            judged=bool(judged[i]),
            **verdicts[i],
        )

    entries = [entry(i) for i in range(len(names))]
    return ColumnFairness(
        column,
        tuple(entries),
        *_gaps(_Rates.of(counts[None]), samples, judged),
        notes=_notes(entries, min_group_size),
    )


def _judge(counts: Floats, judged: NDArray[np.bool_], alpha: float) -> list[dict[str, Any]]:
    """Compare each judged group with the one of the highest selection rate."""
    selected, size = counts[..., 1].sum(1), counts.sum((1, 2))
    rate = selected / size
    verdicts: list[dict[str, Any]] = [{} for _ in size]
    candidates = np.flatnonzero(judged)
    if len(candidates) < 2 or rate[candidates].max() == 0.0:
        return verdicts
    top = candidates[int(np.argmax(rate[candidates]))]
    others = [int(i) for i in candidates if i != top]
    raw = [_two_proportions(selected[i], size[i], selected[top], size[top]) for i in others]
    for i, p_value in zip(others, holm(raw), strict=True):
        ratio = float(rate[i] / rate[top])
        verdicts[i] = {
            "ratio_to_highest": ratio,
            "p_value": p_value,
            "fails": ratio < FOUR_FIFTHS and p_value < alpha,
        }
    verdicts[top] = {"ratio_to_highest": 1.0}
    return verdicts


def _two_proportions(selected: float, size: float, top_selected: float, top_size: float) -> float:
    """Two-sided p-value: pooled z, or Fisher's exact test where a cell expects under five."""
    pooled = (selected + top_selected) / (size + top_size)
    least = min(size, top_size) * min(pooled, 1.0 - pooled)
    if least < 5.0:
        table = [[selected, size - selected], [top_selected, top_size - top_selected]]
        return float(fisher_exact(np.array(table, dtype=np.int64)).pvalue)
    error = math.sqrt(pooled * (1.0 - pooled) * (1.0 / size + 1.0 / top_size))
    return float(2.0 * norm.sf(abs(selected / size - top_selected / top_size) / error))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction (Scandinavian Journal of Statistics 6, 1979)."""
    corrected, greatest = [0.0] * len(p_values), 0.0
    for rank, i in enumerate(np.argsort(p_values)):
        greatest = max(greatest, min(1.0, (len(p_values) - rank) * p_values[int(i)]))
        corrected[int(i)] = greatest
    return corrected


def _gaps(
    whole: _Rates, samples: _Rates, judged: NDArray[np.bool_]
) -> tuple[Interval | None, Interval | None, Interval | None]:
    """Demographic parity ratio, equalised odds difference and ratio of the judged groups."""

    def ratio(rates: Floats) -> Floats:
        highest = rates.max(1)
        with np.errstate(invalid="ignore", divide="ignore"):
            out: Floats = np.where(highest > 0.0, rates.min(1) / highest, math.nan)
        return out

    def estimate(value: Floats, drawn: Floats) -> Interval | None:
        return interval(float(value[0]), drawn) if np.isfinite(value[0]) else None

    if judged.sum() < 2:
        return None, None, None
    (s, t, f), (sd, td, fd) = (
        (r.selection[:, judged], r.true_positive[:, judged], r.false_positive[:, judged])
        for r in (whole, samples)
    )
    difference, drawn_difference = (
        np.maximum(np.ptp(a, axis=1), np.ptp(b, axis=1)) for a, b in ((t, f), (td, fd))
    )
    odds, drawn_odds = (np.minimum(ratio(a), ratio(b)) for a, b in ((t, f), (td, fd)))
    return (
        estimate(ratio(s), ratio(sd)),
        estimate(difference, drawn_difference),
        estimate(odds, drawn_odds),
    )


def _notes(groups: Sequence[GroupRates], min_group_size: int) -> tuple[str, ...]:
    notes = [
        f"{group.group} has {group.customers} customers, under {min_group_size}: "
        "reported, not judged"
        for group in groups
        if not group.judged
    ]
    judged = [group for group in groups if group.judged]
    if len(judged) < 2:
        notes.append("fewer than two groups are large enough: the column is not judged")
    elif all(group.selection_rate.value == 0.0 for group in judged):
        notes.append("nobody is selected: the column is not judged")
    return tuple(notes)
