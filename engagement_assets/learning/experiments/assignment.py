"""Who gets which variant: by a salted hash, so that it needs no memory and never changes.

Belongs here: assignment. Does not belong here: whether an assignment that was made is sound
(`validity.py`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from engagement_assets.learning.evaluation.splits import hash_positions


def assign(
    units: pd.Series | ArrayLike, *, salt: str, shares: Mapping[str, float]
) -> NDArray[np.str_]:
    """Return the variant of each unit.

    It depends on the text of the id, the salt and the shares alone. A share that grows at the cost
    of the last one moves units of the last one only, so name last what is to be rolled out.

    Args:
        units: n ids.
        salt: Names the experiment; another salt gives an independent assignment.
        shares: Share of units by variant, in order; they sum to one.

    Raises:
        ValueError: When a share is not positive, they do not sum to one, the salt is empty, or an
            id is null.
    """
    if not salt:
        raise ValueError("salt is empty: name the experiment, or all experiments assign alike")
    bad = [name for name, share in shares.items() if not 0.0 < share <= 1.0]
    total = math.fsum(shares.values())
    if bad or not math.isclose(total, 1.0, abs_tol=1e-9):
        raise ValueError(
            f"shares must be positive and sum to 1, got {dict(shares)}, which sum to {total:g}"
        )
    edges = np.cumsum(list(shares.values()))[:-1]
    chosen: NDArray[np.str_] = np.array(list(shares))[
        np.searchsorted(edges, hash_positions(units, salt=salt), side="right")
    ]
    return chosen


def assign_exclusive(
    units: pd.Series | ArrayLike,
    *,
    group: str,
    experiments: Mapping[str, float],
    shares: Mapping[str, Mapping[str, float]],
) -> pd.DataFrame:
    """Return the one experiment of a group that each unit is in, and its variant there.

    Experiments of a group exclude each other, so that no unit sees two of them at once. The
    variants within one are independent of the group's split.

    Args:
        units: n ids.
        group: Names the group; its salt.
        experiments: Share of all units by experiment; they sum to one, so name what stays free.
        shares: Shares by variant of each experiment; one without shares is free of treatment.

    Returns:
        n rows of unit, experiment and variant; the variant is null where the experiment has no
        shares.

    Raises:
        ValueError: As of `assign`, or shares are given for what is no experiment of the group.
    """
    strangers = sorted(set(shares) - set(experiments))
    if strangers:
        raise ValueError(f"{', '.join(strangers)}: no experiment of the group {group}")
    rows = pd.DataFrame({"unit": pd.Series(units).to_numpy()})
    rows["experiment"] = assign(rows["unit"], salt=f"group {group}", shares=experiments)
    rows["variant"] = pd.Series(None, index=rows.index, dtype=object)
    for name, own in shares.items():
        inside = rows["experiment"] == name
        rows.loc[inside, "variant"] = assign(rows.loc[inside, "unit"], salt=name, shares=own)
    return rows
