"""Snapshot rows with a known truth, for the tests of the models of engagement and value."""

from datetime import date, timedelta

import numpy as np
import pandas as pd

FIRST_DAY = date(2025, 1, 1)
TRAIN, TEST = FIRST_DAY + timedelta(days=39), FIRST_DAY + timedelta(days=219)
FEATURES = ("logins_month", "primary_device", "tenure_days", "revenue_to_date_usd")


def rows(snapshot: date, *, n: int = 3000, seed: int = 0) -> pd.DataFrame:
    """Customers at a snapshot: the same people and rates at any time, more history later."""
    who = np.random.default_rng(seed)
    rate = np.where(who.random(n) < 0.35, 0.3 * who.lognormal(0.0, 1.0, n), 0.0)
    frame = pd.DataFrame(
        {
            "customer_id": [f"c{i:05d}" for i in range(n)],
            "gender": who.choice(["female", "male"], n),
            "age": who.integers(18, 80, n).astype(float),
            "location": who.choice(["north", "south"], n),
            "logins_month": who.poisson(6.0, n),
            "days_since_last_login": np.arange(n) % 40,
            "primary_device": who.choice(["phone", "web"], n),
        }
    )
    happens = np.random.default_rng([seed, snapshot.toordinal()])
    days = (snapshot - FIRST_DAY).days + 1

    def paid(for_days: int) -> np.ndarray:
        return np.round(10.0 * happens.poisson(rate * for_days / 10.0), 2)

    frame["snapshot_date"] = snapshot
    frame["tenure_days"] = days + 100
    frame["revenue_to_date_usd"] = paid(days)
    frame["future_revenue_usd"] = paid(180)
    frame["expected_usd"] = 180.0 * rate
    use = 1.0 - np.exp(-0.1 * frame["logins_month"])
    frame["engagement_score"] = np.clip(use + 0.05 * happens.normal(size=n), 0.0, 1.0)
    return frame
