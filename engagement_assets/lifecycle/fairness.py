"""The fairness of a version: its report, and the mitigation where a group fails.

Belongs here: which people a report is about, and when a mitigation is fitted. Does not belong here:
the measures (`engagement_assets.learning.fairness`) or what a model's score is used for (each
model's adapter).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from engagement_assets.learning.evaluation.binary import Floats
from engagement_assets.learning.fairness.measures import (
    SELECTED,
    TOP_SHARE,
    regression_fairness,
    selection_fairness,
    top_threshold,
    truly_top,
)
from engagement_assets.learning.fairness.mitigation import (
    Mitigation,
    Price,
    fit_group_thresholds,
    mitigate,
    value_price,
)
from engagement_assets.learning.fairness.rendering import report_markdown
from engagement_assets.learning.fairness.report import FairnessReport
from engagement_assets.lifecycle.training import SENSITIVE, sensitive_columns, split_rows


@dataclass(frozen=True)
class Assessment:
    """The fairness of one version.

    Attributes:
        report: By gender, age band and location.
        mitigation: Per-group thresholds and their price, where a group fails.
    """

    report: FairnessReport
    mitigation: Mitigation | None = None

    def worded(self, words: Mapping[str, str], selected_are: str) -> "Assessment":
        """Return the same in a model's own words."""
        mitigation = self.mitigation and self.mitigation.worded(words, selected_are)
        return Assessment(self.report.worded(words, selected_are), mitigation)

    def to_dict(self) -> dict[str, Any]:
        """JSON data."""
        return {
            "report": self.report.to_dict(),
            "mitigation": self.mitigation.to_dict() if self.mitigation else None,
        }

    def to_markdown(self) -> str:
        """Return the report as text."""
        mitigation = "\n\n" + self.mitigation.to_markdown() if self.mitigation else ""
        return report_markdown(self.report) + mitigation


def assess_flags(
    score: Callable[[pd.DataFrame], Floats],
    rows: pd.DataFrame,
    *,
    label: str,
    threshold: float,
    price: Callable[[ArrayLike, NDArray[np.bool_]], Price],
    **settings: Any,
) -> Assessment:
    """Measure whom a threshold flags among the test people; fit a mitigation where a gap is.

    `rows` are labelled rows of the test snapshot, all people; a customer whose `score` is at or
    above the threshold is flagged; `price` says what flags cost and reach, by the labels;
    `settings` are those of `selection_fairness`.
    """
    test = split_rows(rows, test=True)
    scores, sensitive = np.asarray(score(test), dtype=np.float64), sensitive_columns(test)
    settings = {**settings, "attributes": SENSITIVE}
    settings["equal_opportunity"] = True
    report = selection_fairness(test[label], scores >= threshold, sensitive, **settings)
    return _mitigated(
        report,
        score,
        rows,
        threshold=threshold,
        fit=partial(mitigate, test[label], scores, sensitive, **settings),
        price=partial(price, test[label]),
    )


def assess_regression(
    predict: Callable[[pd.DataFrame], Floats],
    rows: pd.DataFrame,
    *,
    label: str,
    **settings: Any,
) -> Assessment:
    """Measure predicted numbers of the test people; fit a mitigation where a gap is.

    `settings` are those of `regression_fairness`. Thresholds repair the selection; a group that is
    predicted too low or too high needs another model.
    """
    test = split_rows(rows, test=True)
    numbers, sensitive = np.asarray(predict(test), dtype=np.float64), sensitive_columns(test)
    settings = {**settings, "attributes": SENSITIVE}
    report = regression_fairness(test[label], numbers, sensitive, **settings)
    return _mitigated(
        report,
        predict,
        rows,
        threshold=top_threshold(numbers),
        fit=partial(mitigate, truly_top(test[label]), numbers, sensitive, **settings),
        price=partial(value_price, test[label], share=TOP_SHARE),
    )


def _mitigated(
    report: FairnessReport,
    score: Callable[[pd.DataFrame], Floats],
    rows: pd.DataFrame,
    *,
    threshold: float,
    fit: Callable[..., Mitigation],
    price: Callable[[NDArray[np.bool_]], Price],
) -> Assessment:
    """Fit thresholds where a gap is, on the training people of labelled rows.

    The model has seen these only at earlier snapshots.
    """
    attributes = report.gap_attributes(SELECTED)
    if not attributes:
        return Assessment(report)
    learn = split_rows(rows, test=False)
    thresholds = fit_group_thresholds(
        score(learn), sensitive_columns(learn), attributes=attributes, threshold=threshold
    )
    return Assessment(report, fit(thresholds=thresholds, price=price))
