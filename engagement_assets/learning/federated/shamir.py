"""Share a secret of 32 bytes among n so that any t of them restore it and fewer learn nothing.

Belongs here: Shamir's scheme (Communications of the ACM 22, 1979) over one prime. Does not belong
here: who gets which share.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping

_PRIME = 2**521 - 1
SECRET_BYTES = 32
SHARE_BYTES = 66


def split(secret: bytes, *, holders: int, threshold: int) -> list[bytes]:
    """Return the shares of holders 1 to n.

    Raises:
        ValueError: When the secret is not of 32 bytes or the threshold not in 1 to n.
    """
    if len(secret) != SECRET_BYTES or not 1 <= threshold <= holders:
        raise ValueError(f"{len(secret)} bytes, {threshold} of {holders} holders")
    terms = [int.from_bytes(secret), *(secrets.randbelow(_PRIME) for _ in range(threshold - 1))]
    shares = []
    for holder in range(1, holders + 1):
        value = 0
        for term in reversed(terms):
            value = (value * holder + term) % _PRIME
        shares.append(value.to_bytes(SHARE_BYTES))
    return shares


def restore(shares: Mapping[int, bytes]) -> bytes:
    """Return the secret from at least as many shares as the threshold, by holder (1 to n).

    Raises:
        ValueError: When they fit no secret of 32 bytes.
    """
    total = 0
    for holder, share in shares.items():
        above, below = 1, 1
        for other in shares:
            if other != holder:
                above = above * -other % _PRIME
                below = below * (holder - other) % _PRIME
        total += int.from_bytes(share) * above * pow(below, -1, _PRIME)
    secret = total % _PRIME
    if secret >= 1 << 8 * SECRET_BYTES:
        raise ValueError(f"{len(shares)} shares fit no secret: too few, or one is forged")
    return secret.to_bytes(SECRET_BYTES)
