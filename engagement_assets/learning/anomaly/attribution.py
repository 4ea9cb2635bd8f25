"""Share a row's surprise among its columns, over all that the score is made of.

Belongs here: putting the components' and the review labels' accounts together. Does not belong
here: those accounts (`components.py`, `review_labels.py`) and the surprise itself (`detector.py`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engagement_assets.learning.anomaly.components import (
    COMPONENTS,
    TRACES,
    Components,
    positive_shares,
)
from engagement_assets.learning.anomaly.preparation import Matrix
from engagement_assets.learning.anomaly.review_labels import ReviewLabelModel

Floats = NDArray[np.float64]


def column_shares(
    components: Components,
    matrix: Matrix,
    surprises: Floats,
    *,
    trace_part: Floats,
    review_labels: ReviewLabelModel | None,
    review_label_part: Floats,
) -> Floats:
    """Give the n x c shares of the columns in each row's surprise; a row's sum to 1.

    A component's part of the mean is shared among the columns by its own account; that of the
    review labels by the exact Shapley values of their trees, in which a component that the trees
    use passes its value on to its columns.

    Args:
        components: The fitted detectors.
        matrix: n x c values.
        surprises: n x m surprises of the detectors in nats.
        trace_part: n shares of the declared traces in the unsupervised surprise.
        review_labels: The trees of the review labels, or None where they have no part.
        review_label_part: n shares of the review labels in the whole.
    """
    parts = components.shares(matrix)
    mean = np.zeros(matrix.shape)
    for i, name in enumerate(COMPONENTS):
        mean += surprises[:, [i]] * parts[name]
    shares = positive_shares(mean)
    if components.traces is not None:
        shares = mix(shares, parts[TRACES], trace_part)
    if review_labels is None:
        return shares
    exact = review_labels.attribute(beside(matrix, surprises))
    learnt = exact[:, : matrix.shape[1]]
    for i, name in enumerate(components.names):
        learnt = learnt + exact[:, [matrix.shape[1] + i]] * parts[name]
    return mix(shares, positive_shares(learnt), review_label_part)


def beside(matrix: Matrix, surprises: Floats) -> Matrix:
    """The n x (c + m) columns that the trees of the review labels see."""
    return np.hstack([matrix, surprises.astype(np.float32)])


def part(some: ArrayLike, whole: Floats) -> Floats:
    """Share of some in the whole, 0 where the whole is 0."""
    amount = np.broadcast_to(np.asarray(some, dtype=np.float64), whole.shape)
    return np.divide(amount, whole, out=np.zeros(whole.shape), where=whole > 0)


def mix(first: Floats, second: Floats, weight: Floats) -> Floats:
    """Weighted mean of n x c shares, with n weights of the second."""
    return (1.0 - weight[:, None]) * first + weight[:, None] * second
