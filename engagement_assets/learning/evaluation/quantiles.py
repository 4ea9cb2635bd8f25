"""Predicted quantiles: how good they are, and calibrating them by conformal shifts.

Belongs here: pinball loss, coverage also where many targets are exactly 0, and the conformal shift.
Does not belong here: predicting quantiles (the estimators).

Conformal: conformalised quantile regression (Romano, Patterson and Candès, NeurIPS 2019), each end
apart, so that the 90 % quantile stays one, and apart in groups of like predictions (Mondrian; Vovk,
Gammerman and Shafer 2005), so that it holds for the valuable few and not only on average. Scores
are shares of a scale, since a shift of 5 USD means little for one row and all for another. On
out-of-fold predictions it is cross-conformal: the promise is for the models of the folds, and for
the model of all rows as far as it is like them.

Coverage with atoms: where more than 90 % of a kind of row pay exactly 0, the true quantiles at
0.1 and 0.9 are both 0, and the interval from 0 to 0 covers them all. No interval with an end at an
atom covers just 80 %. So beside the share that is covered stands the share when an atom at an end
of the interval is counted only by the part that the level needs of it, by the predicted chance of
the atom: the non-randomised probability integral transform of Czado, Gneiting and Held (Biometrics
65, 2009). That share is 80 % when chances and quantiles are right, and only then.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from engagement_assets.learning.evaluation.binary import Floats, as_weights
from engagement_assets.learning.evaluation.bootstrap import Interval, bootstrapped, mean
from engagement_assets.learning.evaluation.metrics import DECILES, quantile_bins
from engagement_assets.learning.evaluation.regression import checked_numbers
from engagement_assets.learning.json_data import JsonData

_LEAST_ROWS = 50


def pinball_loss(
    y: ArrayLike, quantile: ArrayLike, *, level: float, weights: Floats | None = None
) -> float:
    """Return mean pinball loss of one quantile, in units of the target (Koenker and Bassett 1978).

    Args:
        y: n targets.
        quantile: n predicted quantiles.
        level: Their level, strictly between 0 and 1.
        weights: n weights of the mean, or None where the rows weigh alike.
    """
    return float(np.average(pinball_losses(y, quantile, level=level), weights=weights))


def pinball_losses(y: ArrayLike, quantile: ArrayLike, *, level: float) -> Floats:
    """Return the pinball loss of each of n rows; see `pinball_loss`.

    Raises:
        ValueError: When the level is not strictly between 0 and 1.
    """
    if not 0.0 < level < 1.0:
        raise ValueError(f"level must lie strictly between 0 and 1, got {level}")
    truth, predicted = checked_numbers(y, quantile)
    gap = truth - predicted
    losses: Floats = np.maximum(level * gap, (level - 1.0) * gap)
    return losses


def covered(y: ArrayLike, low: ArrayLike, high: ArrayLike) -> NDArray[np.bool_]:
    """Return whether each of n targets lies in its interval, ends included."""
    truth, first = checked_numbers(y, low)
    _, last = checked_numbers(y, high)
    inside: NDArray[np.bool_] = (truth >= first) & (truth <= last)
    return inside


def covered_with_atom(
    y: ArrayLike,
    low: ArrayLike,
    high: ArrayLike,
    *,
    levels: tuple[float, float],
    atom_chance: ArrayLike,
) -> Floats:
    """Return how much of each of n targets counts as covered when a 0 at an end counts in part.

    Args:
        y: n targets.
        low: n lower quantiles.
        high: n upper quantiles.
        levels: Their levels.
        atom_chance: n predicted chances that the target is 0 or less; many targets are 0.

    Returns:
        n shares between 0 and 1: 1 inside, 0 outside, and for a target of 0 that is an end of its
        interval the part of the atom at 0 that lies between the levels.

    Raises:
        ValueError: When the inputs differ in length or a chance lies outside 0 to 1.
    """
    inside = covered(y, low, high).astype(np.float64)
    truth, chance = checked_numbers(y, atom_chance)
    if chance.min() < 0.0 or chance.max() > 1.0:
        raise ValueError("atom chances must lie between 0 and 1")
    first, last = np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64)
    above = np.where(first == 0.0, levels[0], 0.0)
    upto = np.where(last == 0.0, levels[1], np.maximum(chance, above))
    with np.errstate(invalid="ignore", divide="ignore"):
        # The atom takes up the levels from 0 to its chance.
        part = np.clip((np.minimum(upto, chance) - np.minimum(above, chance)) / chance, 0.0, 1.0)
    at = (truth == 0.0) & ((first == 0.0) | (last == 0.0)) & (chance > 0.0)
    shares: Floats = np.where(at, part, inside)
    return shares


@dataclass(frozen=True)
class ConformalShift(JsonData):
    """How far each quantile of each group is moved, as a share of the row's scale.

    Attributes:
        levels: The k levels, rising.
        shifts: For each group, k shifts to be added; 0 for a group that was not seen.
        rows: For each group, how many rows its shifts rest on.
    """

    levels: tuple[float, ...]
    shifts: dict[str, tuple[float, ...]]
    rows: dict[str, int]

    def __call__(self, quantiles: Floats, *, groups: NDArray[np.object_], scale: Floats) -> Floats:
        """Move n x k quantiles by the shifts of their groups; they may cross afterwards."""
        none = (0.0,) * len(self.levels)
        known = {name: self.shifts.get(name, none) for name in set(groups.tolist())}
        by_row = np.array([known[name] for name in groups.tolist()], dtype=np.float64)
        moved: Floats = quantiles + by_row.reshape(quantiles.shape) * scale[:, None]
        return moved


def fit_conformal_shift(
    y: ArrayLike,
    quantiles: Floats,
    *,
    levels: tuple[float, ...],
    groups: NDArray[np.object_],
    scale: Floats,
    weights: ArrayLike | None = None,
) -> ConformalShift:
    """Find the shifts by which out-of-fold quantiles keep their levels.

    A level over a half is shifted so that at least that share of the targets lies at or under it;
    a level of a half or less so that at most that share lies under it. With weights it is the share
    of their sum (Tibshirani, Barber, Candès and Ramdas, NeurIPS 2019), the row to come weighing 1.

    Args:
        y: n targets.
        quantiles: n x k out-of-fold quantiles.
        levels: Their k levels, rising.
        groups: n names of groups of like predictions; one with fewer than 50 rows is not shifted,
            since a tenth of it is too few to know.
        scale: n positive scales.
        weights: n weights above 0, of mean 1 as a row is evidence; None where the rows weigh alike.

    Raises:
        ValueError: When the shapes do not fit or a scale is not above 0.
    """
    truth = np.asarray(y, dtype=np.float64)
    if quantiles.shape != (len(truth), len(levels)):
        raise ValueError(
            f"{len(truth)} targets and {len(levels)} levels, but quantiles of shape "
            f"{quantiles.shape}"
        )
    if not (np.isfinite(scale).all() and (scale > 0.0).all()):
        raise ValueError("scales must be finite and above 0")
    weighs = as_weights(weights, rows=len(truth))
    shifts, rows = {}, {}
    for name in sorted(set(groups.tolist())):
        members = groups == name
        rows[name] = int(members.sum())
        if rows[name] < _LEAST_ROWS:
            continue
        gaps = (truth[members, None] - quantiles[members]) / scale[members, None]
        shifts[name] = tuple(
            _shift(gaps[:, column], weighs[members], level) for column, level in enumerate(levels)
        )
    return ConformalShift(levels, shifts, rows)


def _shift(gaps: Floats, weights: Floats, level: float) -> float:
    """Return the conformal quantile of gaps, on the side that keeps the promise of the level."""
    order = np.argsort(gaps, kind="stable")
    upto = np.cumsum(weights[order])
    aim = (upto[-1] + 1.0) * level
    if level > 0.5:
        place = min(int(np.searchsorted(upto, aim)), len(gaps) - 1)
    else:
        under = upto - weights[order]
        place = max(int(np.searchsorted(under, aim - 1.0, side="right")) - 1, 0)
    return float(gaps[order[place]])


def evaluate_quantiles(
    y: ArrayLike,
    quantiles: Floats,
    *,
    levels: tuple[float, ...],
    atom_chance: ArrayLike,
    n_bootstrap: int = 500,
    seed: int = 0,
    groups: ArrayLike | None = None,
) -> dict[str, Interval]:
    """Score predicted quantiles, each metric with a bootstrap interval over rows.

    Args:
        y: n targets.
        quantiles: n x k quantiles.
        levels: Their k levels, rising; the first and the last are the interval's ends.
        atom_chance: n predicted chances that the target is 0 or less.
        n_bootstrap: Number of resamples; 0 gives intervals of NaN.
        seed: Seed of the resamples.
        groups: n names, such as the person of each row, that are resampled as a whole.

    Returns:
        `pinball_p<level>` of each level, `coverage` (ends included), `coverage_atom_in_part` (see
        the module), `below_interval`, `above_interval` and `mean_interval_width`.
    """
    truth = np.asarray(y, dtype=np.float64)
    low, high = quantiles[:, 0], quantiles[:, -1]
    means: dict[str, Floats] = {
        f"pinball_p{round(100 * level)}": pinball_losses(truth, quantiles[:, i], level=level)
        for i, level in enumerate(levels)
    }
    means["coverage"] = covered(truth, low, high).astype(np.float64)
    means["coverage_atom_in_part"] = covered_with_atom(
        truth, low, high, levels=(levels[0], levels[-1]), atom_chance=atom_chance
    )
    means["below_interval"] = (truth < low).astype(np.float64)
    means["above_interval"] = (truth > high).astype(np.float64)
    means["mean_interval_width"] = high - low
    return bootstrapped(
        {name: mean(values) for name, values in means.items()},
        rows=len(truth),
        n_bootstrap=n_bootstrap,
        seed=seed,
        groups=groups,
    )


def coverage_table(
    y: ArrayLike,
    quantiles: Floats,
    *,
    levels: tuple[float, ...],
    atom_chance: ArrayLike,
    by: ArrayLike,
    n_bootstrap: int = 500,
    seed: int = 0,
    groups: ArrayLike | None = None,
) -> pd.DataFrame:
    """Return coverage in tenths of the rows, the highest predictions first.

    Args:
        y: n targets.
        quantiles: n x k quantiles.
        levels: Their k levels, rising.
        atom_chance: n predicted chances that the target is 0 or less.
        by: n predictions that the tenths are cut by.
        n_bootstrap: Number of resamples.
        seed: Seed of the resamples.
        groups: n names, such as the person of each row, that are resampled as a whole.

    Returns:
        One row a part that has rows: decile, rows, atom_share (of targets that are 0),
        coverage, coverage_atom_in_part with its _low and _high, below, above.
    """
    truth, chance = checked_numbers(y, atom_chance)
    part = DECILES - 1 - quantile_bins(by, bins=DECILES)
    names = None if groups is None else np.asarray(groups)
    rows = []
    for decile in sorted(set(part.tolist())):
        members = part == decile
        figures = evaluate_quantiles(
            truth[members],
            quantiles[members],
            levels=levels,
            atom_chance=chance[members],
            n_bootstrap=n_bootstrap,
            seed=seed,
            groups=None if names is None else names[members],
        )
        in_part = figures["coverage_atom_in_part"]
        rows.append(
            {
                "decile": decile + 1,
                "rows": int(members.sum()),
                "atom_share": float((truth[members] == 0.0).mean()),
                "coverage": figures["coverage"].value,
                "coverage_atom_in_part": in_part.value,
                "coverage_atom_in_part_low": in_part.low,
                "coverage_atom_in_part_high": in_part.high,
                "below": figures["below_interval"].value,
                "above": figures["above_interval"].value,
            }
        )
    return pd.DataFrame(rows)
