"""Who is trained on and who is tested on.

Belongs here: deterministic splits of customers. Does not belong here: which snapshot's labels are
used (the assets choose the times) or the folds within training (the estimators make those).
"""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

_HASH_BYTES = 8
_HASH_RANGE = 2.0 ** (8 * _HASH_BYTES)


def hash_split(
    customer_ids: pd.Series | ArrayLike, *, test_share: float = 0.2, salt: str = "split"
) -> NDArray[np.bool_]:
    """Mark the customers who are kept for testing.

    A customer's side depends on nothing but the text of the id and the salt: not on the order of
    the rows, the other customers, the process or the version of a library. So a person who was
    trained on is never tested on, whatever the snapshot.

    Args:
        customer_ids: n ids, numbers or text; 7 and "7" are the same customer.
        test_share: Share of customers to test on, strictly between 0 and 1.
        salt: Names the split; another salt gives an independent split.

    Returns:
        n booleans, true where the customer is a test customer.

    Raises:
        ValueError: When an id is null or the share is not strictly between 0 and 1.
    """
    if not 0.0 < test_share < 1.0:
        raise ValueError(f"test_share must lie strictly between 0 and 1, got {test_share}")
    ids = pd.Series(customer_ids)
    nulls = int(ids.isna().sum())
    if nulls:
        raise ValueError(f"{nulls} customer ids are null: a customer without an id has no side")
    key = hashlib.blake2b(salt.encode(), digest_size=32).digest()
    limit = int(test_share * _HASH_RANGE)

    def is_test(customer: object) -> bool:
        digest = hashlib.blake2b(str(customer).encode(), digest_size=_HASH_BYTES, key=key).digest()
        return int.from_bytes(digest, "big") < limit

    return np.fromiter((is_test(customer) for customer in ids), dtype=bool, count=len(ids))
