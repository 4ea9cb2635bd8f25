"""What the calendar alone moves is no drift, and what moves besides is."""

from datetime import date

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from engagement_assets.features.catalogue import CUSTOMER_FEATURES_TABLE, FEATURES
from engagement_assets.features.drift import feature_drift, still_there

N, HISTORY = 1000, 120
RNG = np.random.default_rng(0)
TENURE = RNG.integers(0, 400, N)
RATE = np.where(RNG.random(N) < 0.3, RNG.gamma(2.0, 0.5, N), 0.0)
LEFT = RNG.random(N) < 0.5


def snapshot(days=0, *, newcomers=0, **change):
    """An unchanged business so many days after the reference, with columns changed."""
    n = N + newcomers
    tenure = np.r_[TENURE + days, RNG.integers(0, max(days, 1), newcomers)]
    seen = np.minimum(tenure + 1, HISTORY + days)
    spent = np.r_[RATE, RNG.choice(RATE, newcomers)] * seen
    left = np.r_[LEFT, np.zeros(newcomers, dtype=bool)]
    table = pd.DataFrame({name: [None] * n for name in FEATURES})
    own = {
        "customer_id": [f"c{i}" for i in range(n)],
        "snapshot_date": date(2026, 1, 1),
        "tenure_days": tenure,
        "revenue_to_date_usd": spent,
        "connection_count": np.floor(spent),
        "days_since_last_login": np.where(left, 40 + days, RNG.integers(0, 20, n)),
        "trust_score": 0.3 * (1 - np.exp(-tenure / 180)) + 0.35,
        "logins_month": np.where(left, 0, RNG.poisson(5, n)),
    }
    table = table.assign(**own)
    for name, changed in change.items():
        table[name] = changed(table[name])
    schema = pa.schema([field.with_nullable(True) for field in CUSTOMER_FEATURES_TABLE.arrow])
    return pa.Table.from_pandas(table, schema=schema, safe=False)


def drifted(current, days):
    moved = feature_drift(snapshot(), current, elapsed_days=days, history_days=HISTORY)
    return {name for name, drift in moved.items() if drift.index > drift.limit}


@pytest.mark.parametrize("days", [7, 60, 120])
@pytest.mark.parametrize("newcomers", [0, 300])
def test_the_calendar_alone_is_no_drift(days, newcomers):
    moved = feature_drift(
        snapshot(), snapshot(days, newcomers=newcomers), elapsed_days=days, history_days=HISTORY
    )
    assert set(moved) >= {"tenure_days", "revenue_to_date_usd", "trust_score", "logins_month"}
    assert {name for name, drift in moved.items() if drift.index > drift.limit} == set()


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("tenure_days", lambda v: v.mask(v.index % 10 == 0, 0)),
        ("revenue_to_date_usd", lambda v: 100 * v),
        ("revenue_to_date_usd", lambda v: 0 * v),
        ("connection_count", lambda v: 0 * v),
        ("days_since_last_login", lambda v: v.mask(v.index % 3 != 0, 90)),
        ("trust_score", lambda v: v.mask(v.index % 4 == 0, 0.0)),
        ("logins_month", lambda v: v // 2),
    ],
)
def test_what_moves_besides_the_calendar_is_drift(name, change):
    assert name in drifted(snapshot(60, **{name: change}), 60)


def test_customers_that_are_gone_are_counted():
    now = snapshot(30)
    assert still_there(snapshot(), now) == 1.0
    assert still_there(snapshot(), now.slice(0, 250)) == 0.25


def test_how_long_the_data_are_is_no_drift_of_who_left():
    gone = {"days_since_last_login": lambda v: v.where(v < 20, np.where(v.index % 20 < 9, v, 5))}
    short = {"days_since_last_login": lambda v: v.where(v < 20, np.where(v.index % 20 < 1, v, 5))}

    def index(history, **changed):
        reference, now = snapshot(**short), snapshot(60, **changed)
        moved = feature_drift(reference, now, elapsed_days=60, history_days=history)
        return moved["days_since_last_login"]

    assert index(HISTORY, **gone).beyond
    assert not index(35, **gone).beyond
    assert index(35, days_since_last_login=lambda v: v % 3).beyond
