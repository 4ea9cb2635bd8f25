"""What is made of forecasts: series, accuracy of yesterday's, hours and what to provision."""

import shutil
from datetime import date, timedelta
from functools import partial
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from engagement_assets.features.tables import KNOWN_TABLES
from engagement_assets.learning.evaluation.bootstrap import Interval
from engagement_assets.learning.forecasting.forecaster import Forecaster
from engagement_assets.lifecycle.adapter import Inputs
from engagement_assets.lifecycle.dates import Snapshots
from engagement_assets.lifecycle.training import without_nan
from engagement_assets.models.forecast import adapter as module
from engagement_assets.models.forecast.adapter import ForecastAdapter, by_chance
from engagement_assets.models.forecast.assets import judge_coverage
from engagement_assets.models.forecast.capacity import (
    HourlyNeed,
    expected_hours,
    hourly_need,
    peak_hours,
)
from engagement_assets.models.forecast.outlook import accuracy_of, day_of_forecasts
from engagement_assets.models.forecast.series import (
    daily_series,
    parts_of,
    segments_known,
    series_name,
    split_name,
)
from engagement_assets.models.forecast.spec import EVENTS, SPEC
from engagement_assets.models.forecast.tables import ACCURACY, HOURS
from engagement_assets.models.segments.spec import SPEC as SEGMENTS
from engagement_assets.settings.installation import PROJECT
from engagement_assets.source.contract import TABLES
from engagement_assets.source.ingestion import ingest
from engagement_assets.source.known import product_sql
from engagement_assets.source.readers import SimulatedReader
from engagement_assets.source.simulator import Simulator
from resources.engine import DuckDBEngine
from resources.lake import Lake
from resources.tables import by_sql_name

FIRST, DAYS = date(2026, 1, 1), 62
DAY = FIRST + timedelta(days=DAYS - 1)
NEEDED = frozenset(table.split("/")[1] for table in EVENTS)


def write_segments(lake, day, *segments):
    """Put every other customer into the segments in turn, as predicted on a day."""
    people = lake.read("source/customers", days=lake.days("source/customers")).to_pandas()
    ids = sorted(set(people["customer_id"]))[::2]
    rows = [
        {
            "snapshot_date": day,
            "customer_id": one,
            "segment_id": f"s{place % len(segments)}",
            "segment": segments[place % len(segments)],
            "distance": 1.0,
            "second_segment": "other",
            "second_distance": 2.0,
            "model_version": "v1",
        }
        for place, one in enumerate(ids)
    ]
    lake.write(SEGMENTS.table, pa.Table.from_pylist(rows, schema=SEGMENTS.table.arrow), day=day)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """A world of 60 customers and two months."""
    reader = SimulatedReader(
        Simulator(customers=60, seed=5, first_day=FIRST, days=DAYS),
        first_day=FIRST,
        tables=frozenset(TABLES) & NEEDED,
    )
    lake = Lake(str(tmp_path_factory.mktemp("lake")))
    ingest(reader, lake, FIRST, DAY, progress=lambda _: None)
    for day, segment in ((DAY - timedelta(days=9), "old"), (DAY - timedelta(days=2), "quiet")):
        write_segments(lake, day, segment)
    engine = DuckDBEngine(lake, declared=by_sql_name((*KNOWN_TABLES, SEGMENTS.table)), threads=1)
    return Inputs(
        engine=engine,
        sql=product_sql(PROJECT / "sql"),
        registry=None,
        first_day=FIRST,
        parameters={"forecast_calendar": "", "sessions_a_unit": 5},
        threads=1,
        seed=3,
        bootstrap=10,
        judging={},
        reader=reader,
    )


@pytest.fixture(scope="module")
def champion(inputs, tmp_path_factory):
    """A champion of cheap methods, as registered, and its card."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            module, "Forecaster", partial(Forecaster, methods=("seasonal naive", "AutoETS"))
        )
        trained = ForecastAdapter().train(inputs, Snapshots((DAY,), DAY))
    folder = tmp_path_factory.mktemp("version")
    trained.model.save(folder)
    return SimpleNamespace(folder=folder, version="v1", card=without_nan(trained.card))


def test_a_candidate_is_judged_by_its_gates_and_says_what_it_was_learnt_from(champion):
    assert [gate.judge(champion.card).state for gate in SPEC.gates]
    assert champion.card["judged_origins"] == champion.card["figures"]["judged_origins"] > 0
    text = ForecastAdapter().evaluation_markdown(champion.card)
    assert f"{DAYS} days of history" in text
    assert "seasonal naive" in text


def test_forecasts_add_up_and_have_the_declared_columns(inputs, champion):
    made = ForecastAdapter().predict(inputs, champion, DAY).table
    assert list(made.columns) == [column.name for column in SPEC.columns]
    assert not made.duplicated(list(SPEC.key)).any()
    assert made["target_day"].min() == DAY + timedelta(days=1)
    for _, one in made.groupby(["metric", "target_day"]):
        sums = one.groupby("breakdown")["value"].sum()
        np.testing.assert_allclose(sums["location"], sums["total"], rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(sums["device"], sums["total"], rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(sums["segment"], sums["total"], rtol=1e-6, atol=1e-9)
    assert set(made.loc[made["breakdown"] == "segment", "part"]) == {"quiet", "none"}
    assert ((made["low"] <= made["value"]) & (made["value"] <= made["high"])).all()


def test_series_hold_what_the_tables_do(inputs):
    cells = module.read_cells(inputs, DAY, segments_by=DAY)
    series = daily_series(cells, parts_of(cells), ["sessions"], last=DAY)
    total = series[series["series"] == "sessions"]["value"].sum()
    lake = inputs.engine.lake
    consents = lake.read("source/consents", days=lake.days("source/consents")).to_pandas()
    latest = consents[consents["purpose"] == "analytics"].sort_values("occurred_at")
    latest = latest.groupby("customer_id")["granted"].last()
    sessions = lake.read("source/sessions", days=lake.days("source/sessions")).to_pandas()
    counted = sessions[~sessions["customer_id"].isin(latest.index[~latest])]
    assert 0 < len(counted) < len(sessions)
    assert total == len(counted)
    by_device = series[series["series"].str.startswith("sessions|device|")]["value"].sum()
    assert by_device == total
    hours = module.read_hours(inputs, DAY, days=DAYS)
    assert hours.sum() == total
    latest = lake.read(SEGMENTS.predictions, days=[DAY - timedelta(days=2)]).to_pandas()
    quiet = counted["customer_id"].isin(latest["customer_id"]).sum()
    by_segment = series.groupby("series")["value"].sum()
    assert by_segment["sessions|segment|quiet"] == quiet
    assert by_segment["sessions|segment|none"] == total - quiet


def test_segments_of_the_day_that_come_after_the_training_change_no_forecast(inputs, champion):
    """A run that is killed after the segments of its day forecasts the same when given again."""
    before = ForecastAdapter().predict(inputs, champion, DAY).table
    write_segments(inputs.engine.lake, DAY, "gone", "busy")
    try:
        after = ForecastAdapter().predict(inputs, champion, DAY).table
    finally:
        shutil.rmtree(str(inputs.engine.lake.path(SEGMENTS.predictions, DAY).parent))
    pd.testing.assert_frame_equal(before, after, check_exact=True)
    assert segments_known(inputs, DAY) == DAY - timedelta(days=2)
    assert segments_known(inputs, FIRST) == FIRST - timedelta(days=1)


def test_segments_count_as_of_the_day_asked_for_and_are_no_part_before_there_are_any(inputs):
    later = module.read_cells(inputs, DAY, segments_by=DAY - timedelta(days=3))
    assert set(later["segment"]) == {"old", "none"}
    before = module.read_cells(inputs, DAY, segments_by=DAY - timedelta(days=20))
    assert set(before["segment"]) == {"none"}
    assert set(parts_of(before)) == {"location", "device"}


def test_a_new_part_counts_as_other_until_the_next_training(inputs):
    cells = module.read_cells(inputs, DAY, segments_by=DAY)
    parts = parts_of(cells) | {"device": ["mobile", "other"]}
    series = daily_series(cells, parts, ["sessions"], last=DAY)
    values = series.groupby("series")["value"].sum()
    assert (
        values["sessions|device|other"] == cells.loc[cells["device"] != "mobile", "sessions"].sum()
    )


def test_a_series_is_named_by_what_it_counts():
    for key in (("sessions", "total", "all"), ("revenue_usd", "location", "a|b")):
        assert split_name(series_name(*key)) == key


def test_a_day_has_hours_a_report_and_the_accuracy_of_what_was_forecast(inputs, champion):
    lake = inputs.engine.lake
    for day in (DAY - timedelta(days=2), DAY):
        made = ForecastAdapter().predict(inputs, champion, day).table
        made = made.assign(snapshot_date=day, model_version="v1")[list(SPEC.table.names)]
        rows = pa.Table.from_pandas(made, schema=SPEC.table.arrow, preserve_index=False)
        lake.write(SPEC.table, rows, day=day)
    made = day_of_forecasts(inputs, champion, DAY)
    assert list(made.hours.columns) == list(HOURS.names)
    assert len(made.hours) == 7 * 24
    assert (made.hours["p95"] >= made.hours["sessions"]).mean() > 0.9
    assert (made.hours["units"] == np.ceil(made.hours["p95"] / 5)).all()
    assert made.hours.groupby(made.hours["starts_at"].dt.date)["is_peak"].sum().eq(3).all()
    assert list(made.accuracy.columns) == list(ACCURACY.names)
    # what was forecast two days ago for yesterday
    assert set(made.accuracy["horizon"]) == {1}
    assert set(made.accuracy["target_day"]) == {DAY - timedelta(days=1)}
    assert "data:image/png" in made.text
    assert "marketing window" in made.text
    nothing = day_of_forecasts(inputs, None, DAY)
    assert not len(nothing.hours)
    assert "train the forecast" in nothing.text


def test_few_origins_excuse_a_coverage_that_many_would_not():
    covered = Interval(0.92, 0.91, 0.93)
    limits = [by_chance(covered, origins=count) for count in (7, 25, 104, 500)]
    assert limits == sorted(limits, reverse=True)
    assert (limits[0], 0.01 < limits[-1] < limits[-2] < 0.02 < limits[1]) == (1.0, True)


def test_accuracy_says_whether_the_truth_lay_in_the_interval():
    row = {
        "metric": "sessions",
        "breakdown": "total",
        "part": "all",
        "target_day": DAY,
        "horizon": 1,
    }
    forecasts = pd.DataFrame(
        [row | {"value": 10.0, "low": 8.0, "high": 12.0, "model_version": "v"}] * 2
    )
    forecasts.loc[1, ["metric", "high"]] = "messages", 9.0
    history = pd.DataFrame(
        {"series": ["sessions", "messages"], "time": pd.Timestamp(DAY), "value": [11.0, 11.0]}
    )
    made = accuracy_of(forecasts, history, day=DAY + timedelta(days=1))
    assert made["covered"].tolist() == [True, False]


@pytest.mark.parametrize(
    ("shares", "alarm"),
    [
        ([0.95, 0.97, 0.93] * 8, False),
        ([0.70, 0.80] * 12, True),
        ([1.0, 0.99] * 12, True),
        # too few days, and days that differ so much that chance explains it
        ([0.5] * 10, False),
        ([1.0] * 20 + [0.1] * 2, False),
    ],
)
def test_the_alarm_goes_where_coverage_leaves_its_band_beyond_chance(shares, alarm):
    assert bool(judge_coverage(shares, DAY).problem) is alarm


def test_hours_exceed_their_p95_one_time_in_twenty():
    rng = np.random.default_rng(0)
    profile = 20 + 15 * np.sin(2 * np.pi * np.arange(24) / 24)
    hours = rng.poisson(np.tile(profile, (240, 1))).astype(float)
    origins = np.arange(100, 230)
    daily = np.full((len(origins), 7), profile.sum())
    need = hourly_need(hours, daily, origins)
    assert 0.03 < need.exceeded < 0.07
    later = rng.poisson(np.tile(profile, (400, 1)))
    assert 0.03 < (later > need.p95(np.tile(profile, (400, 1)))).mean() < 0.07
    assert HourlyNeed.from_dict(need.to_dict()) == need


def test_the_profile_of_a_weekday_shapes_its_hours():
    hours = np.ones((70, 24))
    hours[np.arange(70) % 7 == 6, 20:] = 11.0
    made = expected_hours(hours, np.array([24.0, 64.0]), origin=68)
    shares = made[:, 20:].sum(axis=1) / made.sum(axis=1)
    assert shares[0] > 2 * shares[1]
    np.testing.assert_allclose(made.sum(axis=1), [24.0, 64.0])
    assert peak_hours(made)[0].sum() == 3
    assert peak_hours(made)[0, 20:].sum() == 3
