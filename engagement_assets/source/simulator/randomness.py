"""Random generators keyed by what they are for.

Belongs here: turning (seed, stream, keys) into a generator. Does not belong here: any draw.

Every array is drawn from a generator of its own, in customer order. numpy draws an array
sequentially, so its first k values do not depend on its length: a population that grows keeps the
lives of those who were there before.
"""

from zlib import crc32

import numpy as np


def generator(seed: int, stream: str, *keys: int) -> np.random.Generator:
    """Make the generator of one stream, such as ``"away"``, and of its part, such as the week."""
    words = np.random.SeedSequence([seed, crc32(stream.encode()), *keys])
    return np.random.Generator(np.random.SFC64(words))
