"""A small lake of drawn rows, for tests of the chat."""

from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pytest

from engagement_assets.decisions.customers.unified import CUSTOMERS_TABLE
from engagement_assets.features.catalogue import CUSTOMER_FEATURES_TABLE
from engagement_assets.governance.tables import KNOWN_TABLES
from resources.lake import Lake, encode, put_atomically
from resources.tables import Column, Table

DAY = date(2026, 11, 27)
ROWS = 240
TEXTS = {
    "location": ("africa", "oceania", "western_europe", "latin_america"),
    "account_type": ("premium", "free"),
    "primary_device": ("mobile", "desktop"),
    "gender": ("female", "male"),
}
RNG = np.random.default_rng(5)


def _drawn(column: Column) -> list:
    if column.name == "customer_id":
        return [f"c{number:07d}" for number in range(ROWS)]
    if column.type == "string":
        choices = TEXTS.get(column.name) or column.allowed or ("visits 3 (typical 9)", "posts 0")
        return [str(one) for one in RNG.choice(choices, ROWS)]
    if column.type == "date":
        return [DAY] * ROWS
    if column.type == "bool":
        return (RNG.random(ROWS) < 0.5).tolist()
    if column.name == "age":
        return RNG.integers(18, 80, ROWS).tolist()
    low, high = column.minimum or 0, 60 if column.maximum is None else column.maximum
    drawn = RNG.uniform(low, high, ROWS)
    values = (drawn.astype(int) if column.type == "int64" else drawn).tolist()
    # of the last customer nothing is expected
    return [*values[:-1], None] if column.name == "future_revenue_usd" else values


def _put(lake: Lake, table: str, rows: pa.Table) -> None:
    put_atomically(lake.path(table, DAY), encode(rows))


def _written(lake: Lake, table: Table, rows: list[dict]) -> None:
    """Put rows of a table; columns that they lack are null."""
    full = [{name: row.get(name) for name in table.names} for row in rows]
    _put(lake, table.key, pa.Table.from_pylist(full))


@pytest.fixture(scope="package")
def lake(tmp_path_factory) -> Lake:
    made = Lake(str(tmp_path_factory.mktemp("lake")))
    for table in (CUSTOMER_FEATURES_TABLE, CUSTOMERS_TABLE):
        _put(made, table.key, pa.table({c.name: _drawn(c) for c in table.columns}))
    tables = {table.key: table for table in KNOWN_TABLES}
    ids = RNG.permutation(ROWS)[:90]
    _written(
        made,
        tables["network/influencers"],
        [{"customer_id": f"c{one:07d}", "rank": rank} for rank, one in enumerate(ids, 1)],
    )
    forecasts = [
        {
            "metric": metric,
            "breakdown": "total",
            "part": "all",
            "target_day": DAY + timedelta(ahead),
            "horizon": ahead,
            "value": scale * (1 + ahead * 3 % 7),
            "low": scale / 2,
            "high": scale * 9,
        }
        for metric, scale in (
            ("sessions", 100.5),
            ("active_customers", 90.25),
            ("revenue_usd", 512.125),
            ("messages", 300.75),
        )
        for ahead in range(1, 8)
    ]
    _written(made, tables["forecast/predictions"], forecasts)
    programme = {
        "capability": "programme",
        "metric": "revenue_usd",
        "verdict": "no effect shown",
        "units_with": 228,
        "units_without": 12,
        "difference": 3.25,
        "anytime_low": -27.5,
        "anytime_high": 34.75,
    }
    _written(made, tables["value/programme"], [programme])
    advice = {
        "customer_id": "c0000000",
        "model": "churn",
        "predicted": 0.8,
        "predicted_after": 0.3125,
        "changes": 1,
        "words": "If they posted 4 times in the month (now 0), the model would predict 0.312.",
        "measured": "Measured in the experiment reminder: +1.25 sessions a customer.",
    }
    _written(made, tables["counterfactuals/advice"], [advice])
    _written(
        made,
        tables["governance/fairness_measures"],
        [
            {
                "model": model,
                "group_name": group,
                "verdict": "holds",
                "measure": measure,
                "value": 0.25,
                "people": 40,
                "judged": True,
                "fails": False,
            }
            for model in ("churn", "engagement")
            for group in ("55+", "18-24", "female", "male")
            for measure in ("selected", "base_rate")
        ],
    )
    return made
