"""What sets a cluster apart, and which of some known kinds it is.

Belongs here: how a cluster differs from the others, and the fit of a described kind to it. Does not
belong here: which kinds there are: the caller describes them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]

DRAWS = 4_000
BEYOND = 0.95


@dataclass(frozen=True)
class Signature:
    """How rows of a known kind differ from the others.

    Attributes:
        name: Name of the kind.
        high: Columns in which they are high.
        low: Columns in which they are low.
    """

    name: str
    high: tuple[str, ...] = ()
    low: tuple[str, ...] = ()

    @property
    def signs(self) -> dict[str, float]:
        """1 or -1 by column."""
        return dict.fromkeys(self.high, 1.0) | dict.fromkeys(self.low, -1.0)


def standings(scaled: Floats, labels: NDArray[np.int64], columns: Sequence[str]) -> pd.DataFrame:
    """Return how far each cluster's mean is from the mean of the other clusters' means.

    Every other cluster counts alike, however many rows it has.

    Args:
        scaled: n x c values.
        labels: n clusters from 0 to k - 1.
        columns: Names of the c columns.

    Returns:
        k x c, in standard deviations of the column.
    """
    k = int(labels.max()) + 1
    means = np.array([scaled[labels == place].mean(axis=0) for place in range(k)])
    others = (means.sum(axis=0) - means) / max(k - 1, 1)
    apart = (means - others) / np.maximum(scaled.std(axis=0), 1e-12)
    return pd.DataFrame({name: apart[:, place] for place, name in enumerate(columns)})


def fits(apart: pd.DataFrame, signatures: Sequence[Signature], *, seed: int = 0) -> pd.DataFrame:
    """Return how well each signature describes each cluster, 1 being the least to be called by it.

    A signature's standing is the mean of what it says of its columns. It describes a cluster where
    at least 95 % of signatures of as many columns, drawn from all columns and sides, say no more of
    the cluster: its own columns are the measure, and no size of difference is set. A signature of
    which the table has no more than half the columns fits none.

    Args:
        apart: k x c standings, see `standings`.
        signatures: m kinds.
        seed: Seed of the draws.

    Returns:
        k x m, named; 0 where a signature cannot be judged.
    """
    values = apart.to_numpy(np.float64)
    fit = pd.DataFrame(0.0, index=apart.index, columns=[one.name for one in signatures])
    for signature in signatures:
        known = {name: sign for name, sign in signature.signs.items() if name in apart.columns}
        if 2 * len(known) <= len(signature.signs):
            continue
        standing = apart[list(known)].to_numpy(np.float64) @ np.array(list(known.values()))
        rng = np.random.default_rng(seed)
        sides = rng.choice([-1.0, 1.0], size=(DRAWS, len(known)))
        drawn = rng.random((DRAWS, values.shape[1])).argsort(axis=1)[:, : len(known)]
        by_chance = (values[:, drawn] * sides).sum(axis=2)
        usual = np.quantile(by_chance, BEYOND, axis=1)
        fit[signature.name] = np.divide(
            standing, usual, out=np.zeros_like(standing), where=usual > 0.0
        )
    return fit


def named(fit: pd.DataFrame, *, taken: Mapping[int, str] | None = None) -> dict[int, str]:
    """Give each cluster the kind that describes it, one to one, with the greatest sum of fits.

    Args:
        fit: k x m, see `fits`.
        taken: Kinds of clusters that have one already; neither is given again.

    Returns:
        Kind by cluster, `taken` included; a cluster that no kind describes has none.
    """
    from scipy.optimize import linear_sum_assignment  # noqa: PLC0415 - specs load this module

    given = dict(taken or {})
    free = [place for place in range(len(fit)) if place not in given]
    kinds = [name for name in fit.columns if name not in given.values()]
    values = fit.iloc[free][kinds].to_numpy(np.float64)
    usable = np.where(values >= 1.0, values, 0.0)
    for row, column in zip(*linear_sum_assignment(-usable), strict=True):
        if usable[row, column] > 0.0:
            given[free[row]] = kinds[column]
    return given
