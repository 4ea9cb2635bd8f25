"""Windows of labels as they are set, and the one that the gaps between visits suggest."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from engagement_assets.features.checks import label_rate_outcome
from engagement_assets.features.labels import Label, labels_of
from engagement_assets.features.snapshot import churn_window, land_labels, land_snapshot
from engagement_assets.features.windows import suggest_window
from engagement_assets.lifecycle.rows import labelled_rows
from engagement_assets.settings.installation import Settings
from resources.lake import MissingPartitionError

from .worlds import SQL, S, World, at, engine, rows_of

DAY = timedelta(days=1)


def labels(**settings: float) -> dict[str, Label]:
    return labels_of(Settings(home=Path("/nowhere"), **settings))


def test_every_window_is_the_set_one_in_values_and_texts(tmp_path: Path) -> None:
    world = World()
    sessions = {
        "active long ago": [at(9)],
        "too long ago": [at(10)],
        "back on day 10": [at(0), at(-10)],
        "back on day 11": [at(0), at(-11)],
        "back on day 3": [at(0), at(-3)],
    }
    for name, times in sessions.items():
        world.customer(name)
        for when in times:
            world.session(name, when, duration_seconds=1800.0)
    world.add("transactions", at(-12), customer_id="back on day 3", amount_usd=5.0)
    world.add("transactions", at(-13), customer_id="back on day 3", amount_usd=7.0)
    windows = {"churn_30_day": 10, "engagement_score": 3, "lifetime_value_usd": 12}
    chosen = labels(churn_window=10, engagement_window=3, value_window=12)
    lake = world.write(tmp_path, last_day=S + 13 * DAY)
    land_labels(engine(lake), SQL, S, labels=chosen.values())
    rows = {name: rows_of(lake, label.key, S) for name, label in chosen.items()}
    assert {who: row["churn_30_day"] for who, row in rows["churn_30_day"].items()} == {
        "active long ago": 1,
        "back on day 10": 0,
        "back on day 11": 1,
        "back on day 3": 0,
    }
    engaged = rows["engagement_score"]["back on day 3"]["engagement_score"]
    assert engaged == pytest.approx((1 - np.exp(-1)) / 3, abs=1e-6)
    assert rows["lifetime_value_usd"]["back on day 3"]["future_revenue_usd"] == 5.0
    for name, days in windows.items():
        assert {row["window_days"] for row in rows[name].values()} == {days}
        assert f"{days} days" in chosen[name].columns[-1].meaning


def test_labels_of_another_window_are_not_learnt_from(tmp_path: Path) -> None:
    world = World()
    world.customer("ann", at(5))
    world.session("ann", at(1))
    lake = world.write(tmp_path, last_day=S + 5 * DAY)
    land_snapshot(engine(lake), SQL, S)
    land_labels(engine(lake), SQL, S, labels=[labels(churn_window=5)["churn_30_day"]])
    assert len(labelled_rows(lake, S, labels(churn_window=5)["churn_30_day"])) == 1
    with pytest.raises(MissingPartitionError, match="looks at 5 days, and 30 are set"):
        labelled_rows(lake, S, labels()["churn_30_day"])


@pytest.mark.parametrize(("rate", "learnt"), [(0.0, False), (0.5, True), (0.95, True), (1, False)])
def test_a_rate_is_judged_by_the_set_range_and_blocks_nothing(rate: float, learnt: bool) -> None:
    assert (label_rate_outcome("churn_30_day", {S: rate}).problem == "") == learnt
    assert (labels()["churn_30_day"].unlearnable(rate) is None) == learnt
    wide = labels(least_churn_rate=0.0, greatest_churn_rate=1.0)["churn_30_day"]
    assert wide.unlearnable(rate) is None
    assert labels()["engagement_score"].unlearnable(rate) is None


def test_a_window_is_suggested_after_which_few_come_back() -> None:
    gaps, customers = [1, 7, 30, 45, 90], [50, 20, 14, 11, 5]
    suggestion = suggest_window(gaps, customers, window_days=30)
    assert (suggestion.customers, suggestion.within, suggestion.days) == (100, 0.84, 45)
    assert "84%" in suggestion.describe(30)
    assert "CHURN_WINDOW=45" in suggestion.describe(30)
    shuffled = suggest_window(gaps[::-1], customers[::-1], window_days=30)
    assert shuffled == suggestion
    assert suggest_window(gaps, np.array(customers) / 10, window_days=30).days is None
    assert suggest_window([], [], window_days=30).customers == 0


def test_gaps_count_a_customer_once_and_a_day_once(tmp_path: Path) -> None:
    world = World()
    for name in ("daily", "monthly", "once"):
        world.customer(name, at(70))
    for day in range(10):
        world.session("daily", at(day))
        world.session("daily", at(day, 3))
    for day in (28, 0):
        world.session("monthly", at(day))
    world.session("once", at(3))
    # after the day that is asked for
    world.session("once", at(-3))
    lake = world.write(tmp_path, last_day=S + 5 * DAY)
    gaps = engine(lake).select(SQL.query("labels/visit_gaps"), {"snapshot_date": S}).to_pydict()
    assert gaps["gap_days"] == [1, 28]
    assert gaps["customers"] == pytest.approx([1.0, 1.0])
    suggestion = churn_window(engine(lake), SQL, S, window_days=7)
    assert (suggestion.customers, suggestion.within) == (2, pytest.approx(0.5))
