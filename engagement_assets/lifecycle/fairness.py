"""The fairness of a version: its report, and the mitigation where a group fails.

Belongs here: which people a report is about, and when a mitigation is fitted. Does not belong here:
the measures (`engagement_assets.learning.fairness.regression`) or what a model's score is used
for (each model's `fairness.py`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd

from engagement_assets.learning.evaluation.binary import Floats
from engagement_assets.learning.fairness.mitigation import Mitigation, fit_group_thresholds
from engagement_assets.learning.fairness.regression import (
    TOP_SHARE,
    mitigate_selection,
    regression_fairness,
    top_threshold,
)
from engagement_assets.learning.fairness.report import ColumnFairness
from engagement_assets.lifecycle.training import SENSITIVE, sensitive_columns, split_rows


class GroupReport(Protocol):
    """What a fairness report says of flags, whatever set them."""

    @property
    def columns(self) -> tuple[ColumnFairness, ...]:
        """The selection by each column."""

    @property
    def passes(self) -> bool:
        """Whether no judged group fails."""

    @property
    def judged(self) -> bool:
        """Whether any groups were compared."""

    @property
    def failures(self) -> list[str]:
        """The groups that fail."""

    @property
    def notes(self) -> list[str]:
        """What was not judged and why."""

    def to_dict(self) -> dict[str, Any]:
        """JSON data."""

    def to_markdown(self) -> str:
        """The report as text."""


@dataclass(frozen=True)
class Assessment:
    """The fairness of one version.

    Attributes:
        report: By gender, age band and location.
        mitigation: Per-group thresholds and their price, where a group fails.
    """

    report: GroupReport
    mitigation: Mitigation | None = None

    @property
    def ratios(self) -> dict[str, float]:
        """Least over greatest selection rate by column, where groups were compared."""
        return {
            entry.column: entry.demographic_parity_ratio.value
            for entry in self.report.columns
            if entry.demographic_parity_ratio is not None
        }

    def to_dict(self) -> dict[str, Any]:
        """JSON data."""
        return {
            "report": self.report.to_dict(),
            "mitigation": self.mitigation.to_dict() if self.mitigation else None,
        }

    def to_markdown(self) -> str:
        """The report as text."""
        parts = [self.report.to_markdown()]
        if self.mitigation is not None:
            parts.append(self.mitigation.to_markdown())
        return "\n\n".join(parts)


def assess_regression(
    predict: Callable[[pd.DataFrame], Floats],
    rows: pd.DataFrame,
    *,
    label: str,
    selected_are: str,
    share: float = TOP_SHARE,
    seed: int,
    n_bootstrap: int,
) -> Assessment:
    """Measure fairness on the test people; fit a mitigation on the training people if one fails.

    The mitigation's thresholds are fitted on the training people at the test snapshot, whom the
    model has seen only at the earlier one. They repair the selection; a group that is predicted too
    low or too high needs another model.

    Args:
        predict: The score of rows.
        rows: Labelled rows of the test snapshot, all people.
        label: Name of the true number.
        selected_are: What the product does with the highest, in words.
        share: Share of the customers that is selected.
        seed: Seed of the resamples.
        n_bootstrap: Resamples behind each interval.
    """
    test = split_rows(rows, test=True)
    prediction = np.asarray(predict(test), dtype=np.float64)
    sensitive = sensitive_columns(test)
    report = regression_fairness(
        test[label],
        prediction,
        sensitive,
        columns=SENSITIVE,
        selected_are=selected_are,
        share=share,
        n_bootstrap=n_bootstrap,
        seed=seed,
    )
    if not report.failing_columns:
        return Assessment(report, None)
    learn = split_rows(rows, test=False)
    thresholds = fit_group_thresholds(
        predict(learn),
        sensitive_columns(learn),
        columns=report.failing_columns,
        threshold=top_threshold(prediction, share=share),
    )
    mitigation = mitigate_selection(
        test[label],
        prediction,
        sensitive,
        thresholds=thresholds,
        columns=[name for name in SENSITIVE if name in sensitive],
        share=share,
        n_bootstrap=n_bootstrap,
        seed=seed,
    )
    return Assessment(report, mitigation)
