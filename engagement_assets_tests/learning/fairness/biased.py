"""Scores with a planted bias, for the tests of fairness."""

import numpy as np
import pandas as pd


def biased(n=20_000, seed=0, gap=1.5):
    """A calibrated-looking model that scores group b far lower for the same label."""
    rng = np.random.default_rng(seed)
    gender = rng.choice(["a", "b"], n)
    location = rng.choice(["north", "south", "west"], n)
    y = rng.random(n) < 0.3
    z = rng.normal(size=n) + 1.5 * y - 1.5 - gap * (gender == "b") - 0.8 * (location == "west")
    return y, 1 / (1 + np.exp(-z)), pd.DataFrame({"gender": gender, "location": location})
