"""Published counts and means: of what is declared, within the ledger's budget."""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from upath import UPath

from engagement_assets.commands.export import export_rows
from engagement_assets.features.catalogue import CUSTOMER_FEATURES_TABLE
from engagement_assets.governance.privacy.aggregates import LEDGER, aggregated, segment_values
from engagement_assets.settings.installation import Settings
from engagement_assets_tests.decisions.tables import filled
from resources.lake import Lake
from resources.ledgers import Ledgers
from resources.quarter import Quarter
from resources.tables import Column, SchemaError, Table

DAY = date(2026, 3, 1)
TABLE = Table(
    "a/people",
    (
        Column("customer_id", "string", names_customer=True),
        Column("plan", "string", nullable=False, allowed=("free", "paid", "gone")),
        Column("age", "int64", generalised="decade", minimum=0, maximum=120),
        Column("spent", "float64", minimum=0, clip=100.0),
        Column("minutes", "float64", nullable=False, minimum=0, maximum=50),
        Column("mood", "float64"),
        Column("city", "string"),
    ),
)


@pytest.fixture(scope="module")
def rows():
    rng, n = np.random.default_rng(0), 4000
    spent = np.where(rng.random(n) < 0.25, np.nan, rng.uniform(0, 80, n))
    # one who spends what nobody does
    spent[0] = 1e9
    return pd.DataFrame(
        {
            "customer_id": [f"c{i}" for i in range(n)],
            "plan": np.where(np.arange(n) % 4 == 0, "paid", "free"),
            "age": pd.array(np.where(rng.random(n) < 0.1, None, rng.integers(20, 60, n)), "Int64"),
            "spent": spent,
            "minutes": rng.uniform(0, 50, n),
            "mood": 0.0,
            "city": "x",
        }
    )


def release(rows, folder, segments=("plan",), measured=("spent", "minutes"), **changes):
    settings = {"day": DAY, "epsilon": 1.0, "budget": 1.0, "ledgers": Ledgers(UPath(folder))}
    return aggregated(rows, TABLE, segments, measured, **settings | changes)


def test_counts_and_means_are_near_and_empty_segments_are_there(rows, tmp_path) -> None:
    done = release(rows, tmp_path)
    made = done.rows.set_index("plan")
    assert list(made.index) == ["free", "paid", "gone"]
    # 4 parts; the chance of more than 6 times the half-width is under 1e-7
    assert done.count_error == pytest.approx(np.log(20) * 4)
    assert abs(made.loc["free", "customers"] - 3000) < 6 * done.count_error
    assert abs(made.loc["gone", "customers"]) < 6 * done.count_error
    clipped = rows.assign(spent=rows["spent"].clip(0, 100)).groupby("plan")
    for name in ("spent", "minutes"):
        truth = clipped[name].mean()
        for plan in ("free", "paid"):
            error = made.loc[plan, f"mean_{name}_error"]
            assert abs(made.loc[plan, f"mean_{name}"] - truth[plan]) < 6 * error < 40
    assert np.isnan(made.loc["gone", "mean_minutes"])
    assert done.epsilon == pytest.approx(1.0)


def test_the_noise_is_as_wide_as_is_claimed(rows, tmp_path) -> None:
    few = rows.head(0)
    draws = np.concatenate(
        [
            release(rows, tmp_path / str(i), epsilon=0.4)
            .rows.pipe(lambda made: made["customers"] - [3000, 1000, 0])
            .to_numpy()[:2]
            for i in range(100)
        ]
    )
    # a Laplace of scale 10; twice its standard error
    assert np.abs(draws).mean() == pytest.approx(10.0, rel=0.2)
    assert len(np.unique(draws)) > 20
    assert len(release(few, tmp_path / "few").rows) == 3


def test_the_ledger_refuses_what_does_not_fit_and_counts_it_not(rows, tmp_path) -> None:
    assert release(rows, tmp_path, epsilon=0.6).left == pytest.approx(0.4)
    with pytest.raises(SchemaError, match=r"epsilon 0.600 of 1 is spent in 2026-Q1 by 1 releases"):
        release(rows, tmp_path, epsilon=0.5)
    assert release(rows, tmp_path, epsilon=0.4).left == pytest.approx(0.0)
    with pytest.raises(SchemaError, match="does not fit"):
        release(rows, tmp_path, epsilon=0.01)
    ledger = Ledgers(UPath(tmp_path)).read(LEDGER, str(Quarter.of(DAY)))
    assert [round(one["epsilon"], 6) for one in ledger["releases"]] == [0.6, 0.4]
    assert release(rows, tmp_path, day=DAY + timedelta(days=60)).left == 0.0


@pytest.mark.parametrize(
    ("segments", "measured", "words"),
    [
        (["city"], ["minutes"], "city declares no list"),
        (["plan"], ["mood"], "mood declares no limits"),
        (["plan"], ["city"], "city declares no limits"),
        (["customer_id"], ["minutes"], "may name somebody"),
    ],
)
def test_what_is_not_declared_is_not_released(rows, tmp_path, segments, measured, words) -> None:
    with pytest.raises(SchemaError, match=words):
        release(rows, tmp_path, segments, measured)
    assert Ledgers(UPath(tmp_path)).periods(LEDGER) == {}


def test_ages_are_decades_and_nulls_a_segment(rows, tmp_path) -> None:
    made = release(rows, tmp_path, ["age"], ["minutes"]).rows.set_index("age")["customers"]
    assert list(made.index) == [*map(str, range(0, 130, 10)), "unknown"]
    assert list(made.index) == segment_values(TABLE.columns[2])
    assert made["20"] > 600
    assert made["0"] < 200
    assert made["unknown"] > 200


def test_the_command_writes_them_and_says_what_is_left(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    people = [
        {"customer_id": f"c{i}", "gender": "female", "logins_month": i % 9} for i in range(900)
    ]
    table = CUSTOMER_FEATURES_TABLE
    Lake(settings.lake_root).write(table, filled(table, people), day=DAY)
    to = tmp_path / "counts.csv"
    how = {"columns": ["gender"], "sensitive": ["logins_month"], "day": None, "k": 10}
    words = export_rows(settings, table.key, to, **how, epsilon=0.7)
    assert "Epsilon 0.700 was spent; 0.300 of 1 is left in 2026-Q1" in words
    made = pd.read_csv(to).set_index("gender")
    assert set(made.index) == {"female", "male", "other", "undisclosed", "unknown"}
    assert made.loc["female", "customers"] > 800
    to.unlink()
    with pytest.raises(SchemaError, match="does not fit"):
        export_rows(settings, table.key, to, **how, epsilon=0.7)
    assert not to.exists()
