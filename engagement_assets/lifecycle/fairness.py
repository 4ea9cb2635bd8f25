"""The fairness of a version: its report, and what is done, or would mend it, where a group fails.

Belongs here: which people a report is about, when a mitigation is fitted, and what a card says of
one that is applied. Does not belong here: the measures (`engagement_assets.learning.fairness`) or
what a model's score is used for (each model's adapter).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

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
    PARITY,
    Figures,
    GroupThresholds,
    Marks,
    Mitigation,
    fit_group_thresholds,
    mitigate,
    price_markdown,
    value_figures,
)
from engagement_assets.learning.fairness.rendering import report_markdown
from engagement_assets.learning.fairness.report import FairnessReport
from engagement_assets.lifecycle.training import EVENED, SENSITIVE, sensitive_columns, split_rows

# Key of a card: the mitigation that is applied, as `Mitigation.summary` gives it.
APPLIED = "mitigation"


@dataclass(frozen=True)
class Assessment:
    """The fairness of one version.

    Attributes:
        report: By gender, age band and location.
        mitigation: What would mend it and its price, where a group fails and nothing is applied.
        applied: The mitigation that is applied, as its card says it.
    """

    report: FairnessReport
    mitigation: Mitigation | None = None
    applied: Mapping[str, Any] | None = None

    def worded(self, words: Mapping[str, str], selected_are: str) -> "Assessment":
        """Return the same in a model's own words."""
        mitigation = self.mitigation and self.mitigation.worded(words, selected_are)
        report = self.report.worded(words, selected_are)
        return replace(self, report=report, mitigation=mitigation)

    def to_dict(self) -> dict[str, Any]:
        """JSON data."""
        return {
            "report": self.report.to_dict(),
            "mitigation": self.mitigation.to_dict() if self.mitigation else None,
            "applied": self.applied,
        }

    def to_markdown(self) -> str:
        """Return the report as text."""
        parts = [report_markdown(self.report)]
        if self.applied is not None:
            parts.append(applied_markdown(self.applied))
        if self.mitigation is not None:
            parts.append(self.mitigation.to_markdown())
        return "\n\n".join(parts)


def applied_markdown(applied: Mapping[str, Any]) -> str:
    """Return what a card says of the mitigation that is applied."""
    rule = applied["rule"]
    return "\n\n".join(
        [
            f"### Applied: {applied['method']}",
            f"{applied['words']} Without it, the 80 % rule by {' and '.join(EVENED)}: "
            f"{rule['before']}; with it: {rule['after']}, on test people.",
            price_markdown(applied["price"]),
        ]
    )


def thresholds_of(card: Mapping[str, Any]) -> GroupThresholds | None:
    """Return the group thresholds that a version applies, or None."""
    applied = card.get(APPLIED)
    return (
        None
        if not applied or applied["method"] != PARITY
        else GroupThresholds.from_dict(applied["fitted"])
    )


def assess_flags(
    score: Callable[[pd.DataFrame], Floats],
    rows: pd.DataFrame,
    *,
    label: str,
    threshold: float,
    figures: Callable[[ArrayLike, Marks], Figures],
    applied: Mapping[str, Any] | None = None,
    **settings: Any,
) -> Assessment:
    """Measure whom a threshold flags among the test people; fit a mitigation where a gap is.

    `rows` are labelled rows of the test snapshot, all people; a customer whose `score` is at or
    above the threshold is flagged; `figures` say what flags cost and reach, by the labels;
    `applied` is what the card says of a mitigation that is applied; `settings` are those of
    `selection_fairness`.
    """
    test = split_rows(rows, test=True)
    scores, sensitive = np.asarray(score(test), dtype=np.float64), sensitive_columns(test)
    settings = {**settings, "attributes": SENSITIVE, "equal_opportunity": True}
    thresholds = None if applied is None else thresholds_of({APPLIED: applied})
    if applied is not None:
        everything = sensitive_columns(test, unknown_too=True)
        marks = scores >= threshold if thresholds is None else thresholds.select(scores, everything)
        report = selection_fairness(test[label], marks, sensitive, evened=EVENED, **settings)
        return Assessment(report, applied=applied)
    report = selection_fairness(test[label], scores >= threshold, sensitive, **settings)
    return _mitigated(
        report,
        score,
        rows,
        threshold=threshold,
        fit=partial(mitigate, test[label], scores, sensitive, **settings),
        figures=partial(figures, test[label]),
    )


def evened_flags(
    score: Callable[[pd.DataFrame], Floats],
    fit_rows: pd.DataFrame,
    test: pd.DataFrame,
    *,
    label: str,
    threshold: float,
    figures: Callable[[ArrayLike, Marks], Figures],
    **settings: Any,
) -> Mitigation:
    """Fit thresholds by gender and age, to be applied, and judge and price them on test people.

    Args:
        score: The scores of rows.
        fit_rows: Rows of training people at a snapshot that the model has not seen.
        test: Labelled rows of the test people.
        label: Column of the label.
        threshold: The threshold of everybody.
        figures: Figures of who is selected, by labels and marks.
        settings: Settings of `selection_fairness`.
    """
    there = sensitive_columns(fit_rows)
    thresholds = fit_group_thresholds(
        score(fit_rows),
        there,
        attributes=[name for name in EVENED if name in there],
        threshold=threshold,
        min_group_size=settings["min_group_size"],
        beyond_chance=True,
    )
    return mitigate(
        test[label],
        score(test),
        sensitive_columns(test, unknown_too=True),
        threshold=threshold,
        thresholds=thresholds,
        figures=partial(figures, test[label]),
        attributes=EVENED,
        evened=EVENED,
        **settings,
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
        figures=partial(value_figures, test[label], share=TOP_SHARE),
    )


def _mitigated(
    report: FairnessReport,
    score: Callable[[pd.DataFrame], Floats],
    rows: pd.DataFrame,
    *,
    threshold: float,
    fit: Callable[..., Mitigation],
    figures: Callable[[Marks], Figures],
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
    return Assessment(report, fit(threshold=threshold, thresholds=thresholds, figures=figures))


def later_flags(
    predictions: pd.DataFrame,
    features: pd.DataFrame,
    labels: pd.DataFrame,
    *,
    flag: str,
    label: str,
    **settings: Any,
) -> FairnessReport:
    """Judge by labels that came later whom a day's predictions flagged, by gender and age.

    Args:
        predictions: `customer_id` and the flag.
        features: Features of the same day.
        labels: `customer_id` and the label of the same day.
        flag: Column of the flag.
        label: Column of the label.
        settings: Settings of `selection_fairness`.
    """
    rows = predictions[["customer_id", flag]].merge(features, on="customer_id")
    rows = rows.merge(labels[["customer_id", label]], on="customer_id")
    return selection_fairness(
        rows[label],
        rows[flag].astype(bool),
        sensitive_columns(rows),
        attributes=EVENED,
        evened=EVENED,
        **settings,
    )
