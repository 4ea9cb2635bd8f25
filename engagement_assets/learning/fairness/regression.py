"""Whether predicted numbers, and what is done with them, fall evenly on groups of people.

Belongs here: who is in the top share by group, errors by group, and their repair. Does not belong
here: the 80 % rule itself (`fairness`) or blocking a promotion (`engagement_assets.models`).

A number does no harm by itself; what the product does with it does. So the 80 % rule is judged on
who is selected, as for a classifier: those with the highest predictions. Groups may truly differ;
so beside each selection rate stands the share that truly belongs to the top. Where the rule fails
and the selection widens the true gap by less than a fifth, the model has told the truth: it is
named as a gap of the truth, with the thresholds that would close it, and does not
count against the model. Whether to close it is for the product's owner to say. Any other failure
counts. Two ratios are of the numbers themselves:

* calibration: a group's mean prediction over its mean target, as a share of the same of all
  customers. Groups may differ in what they are worth, but not in this: a group fails when the
  whole interval lies under four fifths, or over five fourths, Bonferroni-corrected over the groups
  of a column. A group with too small a target to have an interval is not judged.
* error: a group's mean absolute error over that of all customers. It is reported, not judged, since
  where the target is larger the error is larger too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from engagement_assets.learning.evaluation.binary import Floats
from engagement_assets.learning.evaluation.bootstrap import Interval, interval, resamples
from engagement_assets.learning.evaluation.regression import checked_numbers
from engagement_assets.learning.fairness.classification import (
    FOUR_FIFTHS,
    group_names,
    report_selection,
)
from engagement_assets.learning.fairness.mitigation import GroupThresholds, Mitigation
from engagement_assets.learning.fairness.report import (
    ColumnFairness,
    FairnessReport,
    GroupRates,
    Wording,
)

TOP_SHARE = 0.1
WORDING = Wording("truly in the top", "selected", "of these selected", "of the others selected")


def top_threshold(scores: ArrayLike, *, share: float = TOP_SHARE) -> float:
    """The score at or above which a share of n customers lies; more where scores tie.

    Raises:
        ValueError: When there are no scores or the share is not in (0, 1].
    """
    values = np.asarray(scores, dtype=np.float64)
    if not len(values):
        raise ValueError("there are no scores: give at least one row")
    if not 0.0 < share <= 1.0:
        raise ValueError(f"share must lie in (0, 1], got {share}")
    return float(np.sort(values)[-max(1, math.floor(share * len(values)))])


def truly_top(y: ArrayLike, *, share: float = TOP_SHARE) -> NDArray[np.bool_]:
    """Who of n customers truly is in the top share.

    Where so many tie with the last of them that the top would be more than twice its share, such as
    those who pay nothing, the top is those who have more: fewer than the share.
    """
    values = np.asarray(y, dtype=np.float64)
    last = top_threshold(values, share=share)
    top: NDArray[np.bool_] = values >= last
    more: NDArray[np.bool_] = values > last
    return more if top.sum() > max(2, 2.0 * share * len(values)) else top


@dataclass(frozen=True)
class GroupErrors:
    """How well one group's numbers are predicted.

    Attributes:
        group: Its value in the column, or "unknown".
        customers: Its size.
        mean_target: Mean of the true numbers.
        mean_prediction: Mean of the predictions.
        calibration_ratio: Mean prediction over mean target, over the same of all; None where the
            targets sum to nothing.
        error_ratio: Mean absolute error over that of all.
        judged: Whether it is large enough, and its ratio known well enough, to be judged.
        fails: Whether it is predicted too low or too high beyond chance.
    """

    group: str
    customers: int
    mean_target: float
    mean_prediction: float
    calibration_ratio: Interval | None
    error_ratio: Interval | None
    judged: bool
    fails: bool


@dataclass(frozen=True)
class RegressionFairness:
    """Fairness of predicted numbers by every sensitive column that is there.

    Attributes:
        selection: Who is selected, with the 80 % rule.
        errors: For each column, how well its groups are predicted.
        share: Share of the customers that is selected.
        selected_are: What selection means, in words.
    """

    selection: FairnessReport
    errors: dict[str, tuple[GroupErrors, ...]]
    share: float
    selected_are: str

    @property
    def columns(self) -> tuple[ColumnFairness, ...]:
        """The selection by each column."""
        return self.selection.columns

    def _failing(self, *, as_the_truth: bool) -> list[str]:
        """Failures of the 80 % rule where the truth has the same gap, or where it has not."""
        groups = [(c, g) for c in self.selection.columns for g in c.groups if g.fails]
        return [
            f"{text}; truly in the top are {group.base_rate:.1%}, {_true_ratio(entry, group):.2f} "
            "of the highest group"
            for text, (entry, group) in zip(self.selection.failures, groups, strict=True)
            if _is_of_the_truth(entry, group) == as_the_truth
        ]

    @property
    def gaps_of_the_truth(self) -> list[str]:
        """Where the 80 % rule fails because the groups truly differ as much."""
        return self._failing(as_the_truth=True)

    @property
    def failures(self) -> list[str]:
        """What counts against the model."""
        miscalibrated = [
            f"{column}={group.group}: predictions are {group.calibration_ratio} of the truth, "
            "relative to all customers"
            for column, groups in self.errors.items()
            for group in groups
            if group.fails
        ]
        return self._failing(as_the_truth=False) + miscalibrated

    @property
    def passes(self) -> bool:
        """Whether no judged group fails. See `judged` for whether any was."""
        return not self.failures

    @property
    def judged(self) -> bool:
        """Whether the selection of at least one column was compared."""
        return self.selection.judged

    @property
    def failing_columns(self) -> list[str]:
        """The columns whose selection fails, which thresholds can repair."""
        return self.selection.failing_columns

    @property
    def notes(self) -> list[str]:
        """What was not judged and why, and gaps that the truth has."""
        told = [f"the truth has this gap too: {text}" for text in self.gaps_of_the_truth]
        return self.selection.notes + told

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON data."""
        return self.selection.to_dict() | {
            "passes": self.passes,
            "failures": self.failures,
            "notes": self.notes,
            "eighty_percent_rule_holds": self.selection.passes,
            "gaps_of_the_truth": self.gaps_of_the_truth,
            "top_share": self.share,
            "selected_are": self.selected_are,
            "errors": {c: [asdict(group) for group in groups] for c, groups in self.errors.items()},
        }

    def to_markdown(self) -> str:
        """Return the report for people."""
        lines = [f"Selected are {self.selected_are}."]
        if not self.judged:
            lines.append("No column was judged.")
        lines += [f"- **Fails**: {text}" for text in self.failures]
        if self.passes and self.gaps_of_the_truth:
            lines.append("No group fails but for gaps that the truth has as well:")
        lines += [f"- The truth has this gap too: {text}" for text in self.gaps_of_the_truth]
        lines += [
            "",
            self.selection.to_markdown(),
            "",
            "How well each group is predicted (1 is as well as all customers):",
        ]
        for column, groups in self.errors.items():
            lines += [
                "",
                f"| {column} | customers | mean truth | mean prediction | prediction to truth | "
                "error | verdict |",
                "|---|--:|--:|--:|--:|--:|---|",
            ]
            lines += [_error_line(group) for group in groups]
        return "\n".join(lines)


def _true_ratio(entry: ColumnFairness, group: GroupRates) -> float:
    """The group's share of the true top over that of the judged group with the highest."""
    highest = max((g.base_rate for g in entry.groups if g.judged), default=0.0)
    return group.base_rate / highest if highest else 1.0


def _is_of_the_truth(entry: ColumnFairness, group: GroupRates) -> bool:
    """Whether the selection widens a gap of the truth by less than a fifth."""
    selected = group.ratio_to_highest
    due = min(1.0, _true_ratio(entry, group))
    return selected is not None and selected >= FOUR_FIFTHS * due


def _error_line(group: GroupErrors) -> str:
    def shown(value: Interval | None) -> str:
        return "–" if value is None else f"{value.value:.2f} ({value.low:.2f} to {value.high:.2f})"

    verdict = "**fails**" if group.fails else "passes"
    name = group.group.replace("|", "\\|")
    return (
        f"| {name} | {group.customers:,} | {group.mean_target:.4g} | {group.mean_prediction:.4g} "
        f"| {shown(group.calibration_ratio)} | {shown(group.error_ratio)} "
        f"| {verdict if group.judged else 'not judged'} |"
    )


def regression_fairness(  # noqa: PLR0913 - the data, and the settings of a report
    y: ArrayLike,
    prediction: ArrayLike,
    sensitive: pd.DataFrame,
    *,
    columns: Sequence[str],
    selected_are: str,
    share: float = TOP_SHARE,
    min_group_size: int = 100,
    alpha: float = 0.05,
    n_bootstrap: int = 500,
    seed: int = 0,
) -> RegressionFairness:
    """Report and judge predictions of which the highest share is selected.

    Args:
        y: n true numbers.
        prediction: n predictions.
        sensitive: n rows with the sensitive columns, in the order of y.
        columns: The columns to report; one that is not in `sensitive` is named as missing.
        selected_are: What the product does with the highest, in words.
        share: Share of the customers that is selected.
        min_group_size: Smallest group that is judged, in customers.
        alpha: Significance level.
        n_bootstrap: Number of resamples of the customers.
        seed: Seed of the resamples.

    Raises:
        ValueError: When the inputs differ in length or have values that are not finite.
    """
    truth, found = checked_numbers(y, prediction)
    threshold = top_threshold(found, share=share)
    selection = report_selection(
        truly_top(truth, share=share),
        found >= threshold,
        sensitive,
        columns=columns,
        threshold=threshold,
        min_group_size=min_group_size,
        alpha=alpha,
        n_bootstrap=n_bootstrap,
        seed=seed,
    )
    errors = {
        column: _column_errors(
            truth,
            found,
            group_names(sensitive[column]),
            min_group_size=min_group_size,
            alpha=alpha,
            n_bootstrap=n_bootstrap,
            seed=seed,
        )
        for column in columns
        if column in sensitive.columns
    }
    return RegressionFairness(replace(selection, wording=WORDING), errors, share, selected_are)


def _column_errors(
    y: Floats,
    prediction: Floats,
    groups: NDArray[np.object_],
    *,
    min_group_size: int,
    alpha: float,
    n_bootstrap: int,
    seed: int,
) -> tuple[GroupErrors, ...]:
    codes, names = pd.factorize(groups, sort=True)
    size = np.bincount(codes)
    absolute = np.abs(y - prediction)

    def ratios(weights: Floats) -> Floats:
        """Calibration and error of each group over those of all: 2 x groups."""
        people, target, predicted, error = (
            np.bincount(codes, weights=weights * values, minlength=len(names))
            for values in (np.ones_like(y), y, prediction, absolute)
        )
        with np.errstate(invalid="ignore", divide="ignore"):
            found: Floats = np.stack(
                [
                    (predicted / target) / (predicted.sum() / target.sum()),
                    (error / people) / (error.sum() / people.sum()),
                ]
            )
        return found

    whole = ratios(np.ones_like(y))
    draws = resamples(len(y), n_bootstrap=n_bootstrap, seed=seed)
    samples = np.array([ratios(w) for w in draws]).reshape(n_bootstrap, 2, len(names))
    confidence = 1.0 - alpha / max(1, int((size >= min_group_size).sum()))
    out = []
    for i, name in enumerate(names):
        calibration, error = (
            interval(whole[k, i], samples[:, k, i], confidence=confidence)
            if np.isfinite(whole[k, i])
            else None
            for k in (0, 1)
        )
        judged = (
            bool(size[i] >= min_group_size)
            and calibration is not None
            and math.isfinite(calibration.low)
            and calibration.low > 0.0
        )
        fails = judged and (
            calibration.high < FOUR_FIFTHS or calibration.low > 1.0 / FOUR_FIFTHS  # type: ignore[union-attr] # judged has one
        )
        out.append(
            GroupErrors(
                group=str(name),
                customers=int(size[i]),
                mean_target=float(y[codes == i].mean()),
                mean_prediction=float(prediction[codes == i].mean()),
                calibration_ratio=calibration,
                error_ratio=error,
                judged=judged,
                fails=fails,
            )
        )
    return tuple(out)


def mitigate_selection(  # noqa: PLR0913 - the data, and the settings of a report
    y: ArrayLike,
    prediction: ArrayLike,
    sensitive: pd.DataFrame,
    *,
    thresholds: GroupThresholds,
    columns: Sequence[str],
    share: float = TOP_SHARE,
    min_group_size: int = 100,
    n_bootstrap: int = 500,
    seed: int = 0,
) -> Mitigation:
    """Report per-group thresholds on test people, before and after, with their price.

    The price is what the selected are truly worth: their mean target, and the share of the true
    top that is found.

    Args:
        y: n true numbers of test people.
        prediction: n predictions.
        sensitive: n rows with the sensitive columns.
        thresholds: Fitted on other people by `mitigation.fit_group_thresholds`.
        columns: The columns to report.
        share: Share of the customers that is selected.
        min_group_size: Smallest group that is judged, in customers.
        n_bootstrap: Number of resamples of the customers.
        seed: Seed of the resamples.
    """
    truth, found = checked_numbers(y, prediction)
    top = truly_top(truth, share=share)
    selected = {"before": found >= thresholds.base, "after": thresholds.select(found, sensitive)}
    reports = {
        when: replace(
            report_selection(
                top,
                marked,
                sensitive,
                columns=columns,
                threshold=thresholds.base if when == "before" else None,
                min_group_size=min_group_size,
                n_bootstrap=n_bootstrap,
                seed=seed,
            ),
            wording=WORDING,
        )
        for when, marked in selected.items()
    }
    price: dict[str, dict[str, float | None]] = {
        when: {
            "selected_share": float(marked.mean()),
            "mean_target_of_selected": float(truth[marked].mean()) if marked.any() else None,
            "precision": float(top[marked].mean()) if marked.any() else None,
            "recall": float(marked[top].mean()) if top.any() else None,
        }
        for when, marked in selected.items()
    }
    return Mitigation(thresholds, reports["before"], reports["after"], price)
