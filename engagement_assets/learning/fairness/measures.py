"""What is measured of each group, by kind of model: selections, predicted numbers, ranked lists.

Belongs here: the figures of people that a fairness report adds up, and which of them are judged.
Does not belong here: groups, intervals, tests (`report`, `chance`).

Figures that say the same thing are judged once, the others are reported:

* Selections: the share selected, beside the share with the label, which says how much of a gap is
  the truth's; where a threshold selects, also the share selected of those with the label (equal
  opportunity: Hardt, Price and Srebro, NeurIPS 2016), which a model that guesses for one group
  lowers and the share selected may not show. Where being selected is a harm, equalised odds are
  judged: the share selected of those with the label and of those without it. No truth excuses a
  gap of these.
* Predicted numbers do no harm by themselves; what the product does with them does. Judged are the
  selection of the highest, as above, and calibration: a group's mean prediction over its mean
  target lies between four fifths and five fourths of the others'. The error is reported: where the
  target is larger the error is larger too.
* Lists: customers' NDCG (recall says the same) and the length of their lists. How many categories a
  list holds and how unusual its items are is no good in itself, and reported. Authors, where known:
  the exposure of their items, each place of a list counting 1 / log2(rank + 1) (Singh and Joachims,
  Fairness of Exposure in Rankings, KDD 2018). An author's items are not independent, so the unit is
  the author; the attention that the items get later says how much exposure is due.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from engagement_assets.learning.evaluation.binary import Floats, as_labels
from engagement_assets.learning.evaluation.ranking import Ints, user_metrics
from engagement_assets.learning.evaluation.regression import checked_numbers
from engagement_assets.learning.fairness.judging import (
    Measure,
    Samples,
    Side,
    fairness_report,
)
from engagement_assets.learning.fairness.report import FairnessReport

TOP_SHARE = 0.1
# What a group is due beside the others: what the truth gives it, or the same as they have.
Reference = Literal["truth", "equal"]
# What being selected does to a person.
Selection = Literal["benefit", "harm"]
BENEFIT: Selection = "benefit"
HARM: Selection = "harm"
SELECTED, WITH_LABEL, WITHOUT_LABEL = "selected", "with_label", "without_label"
BASE_RATE, PRECISION = "base_rate", "precision"
CALIBRATION, EXPOSURE, ATTENTION = "calibration_ratio", "exposure", "attention"
CUSTOMERS, AUTHORS = "customers", "authors"


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


def selection_fairness(  # noqa: PLR0913 - who is judged, by what, and how
    y: ArrayLike | None,
    selected: ArrayLike,
    sensitive: pd.DataFrame,
    *,
    attributes: Sequence[str],
    equal_opportunity: bool = False,
    reference: Reference = "truth",
    selection: Selection = BENEFIT,
    side: str = CUSTOMERS,
    evened: Sequence[str] = (),
    **settings: Any,
) -> FairnessReport:
    """Report and judge who of n people is selected.

    Args:
        y: n labels of 0 and 1; None where nobody knows the truth.
        selected: n booleans.
        sensitive: n rows with the sensitive attributes, in the same order.
        attributes: The attributes to report.
        equal_opportunity: Whether the share selected of those with the label is judged too. Not
            where a quota selects: there a group with fewer who deserve it has fewer of them
            selected however good the scores are (Corbett-Davies and Goel 2018).
        reference: Whether a gap that the truth has too is excused (`truth`) or counts (`equal`).
        selection: Whether being selected is a benefit or a harm; of a harm equalised odds are
            judged.
        side: What a reader calls the people.
        evened: Attributes by which as many of every group are meant to be selected: no truth
            excuses a gap, and of a benefit the share selected of those with the label, which that
            moves, is not judged.
        settings: Settings of `fairness_report`.

    Raises:
        ValueError: When the inputs differ in length, or the selection is neither.
    """
    whom = _selection(
        y,
        selected,
        sensitive,
        equal_opportunity=equal_opportunity,
        reference=reference,
        selection=selection,
        side=side,
        evened=tuple(evened),
    )
    return fairness_report([whom], attributes=attributes, selection=selection, **settings)


def _selection(
    y: ArrayLike | None,
    selected: ArrayLike,
    sensitive: pd.DataFrame,
    *,
    equal_opportunity: bool = False,
    reference: Reference = "truth",
    selection: Selection = BENEFIT,
    side: str = CUSTOMERS,
    evened: tuple[str, ...] = (),
) -> Side:
    if selection not in (BENEFIT, HARM):
        raise ValueError(f"selection must be {BENEFIT} or {HARM}, got {selection!r}")
    harm = selection == HARM
    marked = np.asarray(selected, dtype=bool).astype(np.float64)
    labels = None if y is None else as_labels(y, both_classes=False)
    if len(marked) != len(sensitive) or (labels is not None and len(labels) != len(marked)):
        raise ValueError(
            f"{'no' if labels is None else len(labels)} labels, {len(marked)} flags and "
            f"{len(sensitive)} sensitive rows: give one of each for everybody"
        )
    excused = reference == "truth"
    if labels is None:
        return Side(side, sensitive, [Measure(SELECTED, marked, judged=True, harm=harm)])
    merit = labels if excused else None
    return Side(
        side,
        sensitive,
        [
            Measure(BASE_RATE, labels),
            Measure(SELECTED, marked, judged=True, merit=merit, harm=harm, equal_by=evened),
            Measure(
                WITH_LABEL,
                np.where(labels == 1.0, marked, math.nan),
                judged=equal_opportunity or harm,
                # a group of lower risk has both, fewer with the label and fewer of the selected
                # with it; one of the two alone is no lower risk
                due_by=(BASE_RATE, PRECISION) if excused and not harm else (),
                harm=harm,
                not_by=() if harm else evened,
            ),
            Measure(PRECISION, np.where(marked == 1.0, labels, math.nan)),
            Measure(
                WITHOUT_LABEL,
                np.where(labels == 0.0, marked, math.nan),
                judged=harm,
                harm=harm,
            ),
        ],
        {"equalized_odds_difference": _odds_difference},
    )


def _odds_difference(samples: Samples) -> Floats:
    gaps = [np.ptp(samples[name], axis=1) for name in (WITH_LABEL, WITHOUT_LABEL)]
    difference: Floats = np.maximum(*gaps)
    return difference


def regression_fairness(
    y: ArrayLike,
    prediction: ArrayLike,
    sensitive: pd.DataFrame,
    *,
    attributes: Sequence[str],
    share: float = TOP_SHARE,
    reference: Reference = "truth",
    **settings: Any,
) -> FairnessReport:
    """Report and judge predictions of which the highest share is selected.

    Args:
        y: n true numbers.
        prediction: n predictions.
        sensitive: n rows with the sensitive attributes, in the order of y.
        attributes: The attributes to report.
        share: Share of the customers that is selected.
        reference: What a selected group is due; see `selection_fairness`.
        settings: Settings of `fairness_report`.

    Raises:
        ValueError: When the inputs differ in length or have values that are not finite.
    """
    truth, predicted = checked_numbers(y, prediction)
    chosen = predicted >= top_threshold(predicted, share=share)
    side = _selection(truly_top(truth, share=share), chosen, sensitive, reference=reference)
    numbers = [
        Measure("mean_target", truth),
        Measure("mean_prediction", predicted),
        Measure(CALIBRATION, predicted, by=truth, relative=True, judged=True),
        Measure("error_ratio", np.abs(truth - predicted), relative=True),
    ]
    whole = Side(side.name, sensitive, [*side.measures, *numbers], side.summaries)
    return fairness_report([whole], attributes=attributes, **settings)


def ranking_fairness(  # noqa: PLR0913 - the data of two sides
    lists: Ints,
    relevant: sp.csr_matrix,
    sensitive: pd.DataFrame,
    *,
    attributes: Sequence[str],
    category: ArrayLike,
    popularity: ArrayLike,
    candidates: Ints | None = None,
    author: ArrayLike | None = None,
    author_sensitive: pd.DataFrame | None = None,
    k: int = 10,
    **settings: Any,
) -> FairnessReport:
    """Report and judge lists by group.

    Args:
        lists: n x at least k items, best first; -1 where a list has no more.
        relevant: n x m, not 0 where the customer turned to the item later.
        sensitive: n rows with the sensitive attributes, in the order of the lists.
        attributes: The attributes to report.
        category: Category of each of m items; -1 unknown.
        popularity: People who used each of m items before the lists were made.
        candidates: The items that could be shown; with `author` and `author_sensitive` the
            authors' side is reported too.
        author: Number of the author of each of m items; -1 unknown.
        author_sensitive: A row for each author by number, with the sensitive attributes.
        k: Length of the lists that are judged.
        settings: Settings of `fairness_report`.

    Raises:
        ValueError: The inputs differ in length, or nobody has a relevant item.
    """
    if len(lists) != len(sensitive):
        raise ValueError(f"{len(lists)} lists but {len(sensitive)} sensitive rows")
    shown = lists[:, :k]
    sides = [Side(CUSTOMERS, sensitive, _list_measures(shown, relevant, category, popularity, k))]
    if candidates is not None and author is not None and author_sensitive is not None:
        about = (candidates, np.asarray(author), author_sensitive)
        sides.append(exposure_side(shown, relevant, *about))
    return fairness_report(sides, attributes=attributes, **settings)


def _list_measures(
    lists: Ints, relevant: sp.csr_matrix, category: ArrayLike, popularity: ArrayLike, k: int
) -> list[Measure]:
    """Measures of n customers; quality is NaN for customers without a relevant item."""
    quality = user_metrics(lists, relevant, k=k)
    kinds, there = np.asarray(category, dtype=np.int64), lists >= 0
    among = np.sort(np.where(there, kinds[lists], -1), axis=1)
    fresh = np.ones_like(among, dtype=bool)
    fresh[:, 1:] = among[:, 1:] != among[:, :-1]
    mass = np.asarray(popularity, dtype=np.float64) + 1.0
    unusual = -np.log2(mass / mass.sum())
    count = there.sum(axis=1)
    known = {name: np.full(len(lists), math.nan) for name in ("ndcg", "recall")}
    for name, values in known.items():
        values[quality.rows] = quality.values[name]
    with np.errstate(invalid="ignore"):
        novelty = np.where(there, unusual[lists], 0.0).sum(axis=1) / count
    return [
        Measure("ndcg", known["ndcg"], judged=True),
        Measure("recall", known["recall"]),
        Measure("items_shown", count.astype(np.float64), judged=True),
        Measure("categories_shown", (fresh & (among >= 0)).sum(axis=1).astype(np.float64)),
        Measure("novelty", novelty),
    ]


def exposure_side(
    lists: Ints, relevant: sp.csr_matrix, candidates: Ints, author: Ints, sensitive: pd.DataFrame
) -> Side:
    """Return the authors of the candidates, and what a candidate of theirs gets on average.

    Exposure is what the lists give it, attention how many of the customers turned to it later.
    """
    worth = np.broadcast_to(1.0 / np.log2(np.arange(2, lists.shape[1] + 2)), lists.shape)
    there = lists >= 0
    exposure = np.bincount(lists[there], weights=worth[there], minlength=len(author))
    attention = np.bincount(relevant.indices, minlength=len(author)).astype(np.float64)
    known = candidates[author[candidates] >= 0]
    writers, place = np.unique(author[known], return_inverse=True)
    count = np.bincount(place)
    means = [np.bincount(place, weights=v[known]) / count for v in (exposure, attention)]
    measures = [
        Measure(EXPOSURE, means[0], judged=True, merit=means[1]),
        Measure(ATTENTION, means[1]),
    ]
    return Side(AUTHORS, sensitive.iloc[writers].reset_index(drop=True), measures)
