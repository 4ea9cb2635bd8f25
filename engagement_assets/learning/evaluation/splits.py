"""Who is trained on and who is tested on.

Belongs here: deterministic splits of people or other units. Does not belong here: which snapshot's
labels are used (the assets choose the times) or the folds within training (the estimators make
those).
"""

from __future__ import annotations

import hashlib
from functools import cache

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

_HASH_BYTES = 8
_HASH_RANGE = 2.0**53
_SPARE_BITS = np.uint64(8 * _HASH_BYTES - 53)


def hash_split(
    ids: pd.Series | ArrayLike, *, test_share: float = 0.2, salt: str = "split"
) -> NDArray[np.bool_]:
    """Mark the units that are set aside for testing.

    A unit's side depends on nothing but the text of the id and the salt: not on the order of
    the rows, the other units, the process or the version of a library. So a person who was
    trained on is never tested on, whatever the snapshot.

    Args:
        ids: n ids, numbers or text; 7 and "7" are the same unit.
        test_share: Share of units to test on, strictly between 0 and 1.
        salt: Names the split; another salt gives an independent split.

    Returns:
        n booleans, true where the unit is set aside.

    Raises:
        ValueError: When an id is null or the share is not strictly between 0 and 1.
    """
    if not 0.0 < test_share < 1.0:
        raise ValueError(f"test_share must lie strictly between 0 and 1, got {test_share}")
    return hash_positions(ids, salt=salt) < test_share


def hash_positions(ids: pd.Series | ArrayLike, *, salt: str) -> NDArray[np.float64]:
    """Return n positions in [0, 1), uniform over units, from the text of each id and the salt.

    Raises:
        ValueError: When an id is null.
    """
    series = pd.Series(ids)
    nulls = int(series.isna().sum())
    if nulls:
        raise ValueError(f"{nulls} ids are null: a unit without an id has no side")
    key = hashlib.blake2b(salt.encode(), digest_size=32).digest()
    keyed = hashlib.blake2b(digest_size=_HASH_BYTES, key=key)

    # an event's table names a customer many times
    @cache
    def digest(text: str) -> bytes:
        # a copy, since to begin with a key takes longer than the text
        one = keyed.copy()
        one.update(text.encode())
        return one.digest()

    digests = np.frombuffer(b"".join([digest(str(unit)) for unit in series]), dtype=">u8")
    # a float holds 53 bits: more would round up to 1
    positions: NDArray[np.float64] = (digests >> _SPARE_BITS) / _HASH_RANGE
    return positions
