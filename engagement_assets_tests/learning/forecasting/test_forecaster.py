"""Forecasts of series with a known make-up: what is seen, what holds, and what is refused."""

import json
from datetime import date

import numpy as np
import pandas as pd
import pytest

from engagement_assets.learning.errors import TooLittleDataError
from engagement_assets.learning.forecasting.breaks import level_shifts
from engagement_assets.learning.forecasting.calendars import (
    Calendar,
    CalendarError,
    Event,
    countries_of,
    effects,
)
from engagement_assets.learning.forecasting.combination import weigh
from engagement_assets.learning.forecasting.forecaster import STATE_FILE, Forecaster
from engagement_assets.learning.forecasting.intervals import calibrate
from engagement_assets.learning.forecasting.panel import Sums, panel_of
from engagement_assets.learning.forecasting.reconciliation import Balance
from engagement_assets.learning.forecasting.rendering import quality_markdown, shifts_markdown
from engagement_assets.learning.forecasting.replay import COMBINED, figures
from engagement_assets.learning.json_data import BrokenFileError

DAYS, HORIZON = 200, 7
CHEAP = ("seasonal naive", "AutoETS")
SUMS = Sums({"all": [["north", "south"], ["even", "odd"]]})
FEAST = Event("feast", (date(2026, 1, 20), date(2026, 4, 10), date(2026, 7, 22)))


def long(series):
    """Rows of series, time, value of arrays by name."""
    times = pd.date_range("2026-01-01", periods=len(next(iter(series.values()))))
    tables = [
        pd.DataFrame({"series": name, "time": times, "value": values})
        for name, values in series.items()
    ]
    return pd.concat(tables, ignore_index=True)


def weekly(days=DAYS, *, level=1_000.0, noise=0.03, seed=0):
    rng = np.random.default_rng(seed)
    t = np.arange(days)
    return level * (1 + 0.1 * np.sin(2 * np.pi * t / 7) + noise * rng.normal(size=days))


def world(days=DAYS):
    """Two regions that are the whole, and so are two kinds; a feast lowers all by 40 %."""
    t = pd.date_range("2026-01-01", periods=days)
    feast = np.where(t.isin(pd.to_datetime(list(FEAST.days))), 0.6, 1.0)
    north, south = weekly(days, seed=1) * feast, weekly(days, level=300.0, seed=2) * feast
    whole = north + south
    even = whole * np.random.default_rng(3).uniform(0.4, 0.5, days)
    return long({"north": north, "south": south, "even": even, "odd": whole - even, "all": whole})


def fitted(table, **changes):
    settings = {"methods": CHEAP, "origins": 100} | changes
    return Forecaster(**settings).fit(
        table, sums=SUMS, calendar=Calendar(events=(FEAST,)), regions={"north": "n", "south": "s"}
    )


@pytest.fixture(scope="module")
def table():
    return world()


@pytest.fixture(scope="module")
def forecaster(table):
    return fitted(table, methods=(*CHEAP, "LSTM"))


def test_parts_add_up_to_their_total_now_and_at_every_origin(forecaster, table):
    made = forecaster.predict(table).pivot(index="time", columns="series", values="value")
    for parts in SUMS.groups["all"]:
        np.testing.assert_allclose(made[parts].sum(axis=1), made["all"], rtol=1e-9)
    place = {name: row for row, name in enumerate(forecaster.names_)}
    point = forecaster.replay_.point
    for parts in SUMS.groups["all"]:
        whole = point[[place[name] for name in parts]].sum(axis=0)
        np.testing.assert_allclose(whole, point[place["all"]], rtol=1e-9)


def test_it_errs_less_than_the_same_day_a_week_before_and_its_intervals_hold(forecaster):
    made = figures(forecaster.replay_, forecaster.groups, horizon=HORIZON, season=7, seed=0)
    assert made["origins"] == 100
    assert made["advantage"]["all"]["seasonal naive"]["low"] > 0
    assert made["methods"]["all"][COMBINED] < made["methods"]["all"]["seasonal naive"]
    assert 0.9 < made["coverage"]["all"] < 0.99
    assert all(share > 0.85 for share in made["coverage"]["by_horizon"])
    weights = {
        group: {"values": dict(zip(forecaster.replay_.methods, one.values, strict=True))}
        | {"earned": one.to_dict()["earned"]}
        for group, one in forecaster.weights_.items()
    }
    text = quality_markdown(json.loads(json.dumps(made)), weights)
    assert "LSTM" in text
    assert "a single week says little" in text


def test_no_forecast_knows_what_came_after_its_origin(table, forecaster):
    """The last days are made absurd: what was forecast before them must not move."""
    absurd = table.copy()
    late = absurd["time"] > absurd["time"].max() - pd.Timedelta(days=30)
    absurd.loc[late, "value"] *= 10.0
    other = fitted(absurd, methods=(*CHEAP, "LSTM"))
    before = forecaster.replay_.origins < DAYS - 30
    for name in ("point", "half"):
        np.testing.assert_array_equal(
            getattr(other.replay_, name)[:, before], getattr(forecaster.replay_, name)[:, before]
        )
    assert not np.allclose(other.replay_.point[:, ~before], forecaster.replay_.point[:, ~before])


def test_an_event_is_foreseen_from_the_one_before_and_an_unseen_one_widens_the_interval(table):
    model = fitted(table)
    made = model.predict(table).set_index(["series", "time"])
    feast, day_before = pd.Timestamp("2026-07-22"), pd.Timestamp("2026-07-21")
    value = made.loc[("all", feast), "value"]
    usual = made.loc[("all", pd.Timestamp("2026-07-23")), "value"]
    assert 0.5 < value / usual < 0.7
    unseen = Calendar(events=(FEAST, Event("first of its kind", (date(2026, 7, 21),))))
    other = model.predict(table, calendar=unseen).set_index(["series", "time"])
    width = (made["high"] - made["low"]).loc[("all", day_before)]
    assert (other["high"] - other["low"]).loc[("all", day_before)] > 1.5 * width


def test_the_first_event_has_no_effect_before_it_was_seen(table):
    panel = panel_of(table)
    made = effects(
        panel,
        Calendar(events=(FEAST,)),
        horizon=HORIZON,
        season=7,
        regions={"north": "n", "south": "s"},
        sums=SUMS,
        until=DAYS,
    )
    first, second = 19, 99
    assert (made.share[:, first] == 0).all()
    assert (np.abs(made.share[:, second] + 0.4) < 0.08).all()
    assert (made.sd[:, second] < made.sd[:, first]).all()
    # what would have been
    assert (made.usual[:, second] / panel.values[:, second] > 1.4).all()


def test_what_was_saved_forecasts_the_same(forecaster, table, tmp_path):
    forecaster.save(tmp_path)
    again = Forecaster.load(tmp_path).predict(table, calendar=forecaster.calendar_)
    pd.testing.assert_frame_equal(again, forecaster.predict(table))


def test_the_same_seed_gives_the_same(table):
    one, two = (fitted(table, methods=(*CHEAP, "LSTM"), origins=40) for _ in range(2))
    pd.testing.assert_frame_equal(one.predict(table), two.predict(table))


@pytest.mark.parametrize("method", ["Theta", "AutoARIMA", "Prophet"])
def test_every_method_forecasts_a_plain_week(method):
    table = long({"a": weekly(120, noise=0.001)})
    model = Forecaster(methods=("seasonal naive", method), origins=30).fit(table)
    each = model.replay_.each[model.replay_.methods.index(method), 0]
    np.testing.assert_allclose(each, model.replay_.actual[0], rtol=0.05)


def test_a_costly_method_has_weight_only_where_it_takes_from_the_error():
    rng = np.random.default_rng(0)
    good, same = rng.normal(size=(1, 3, 100, 7)), rng.normal(size=(1, 3, 100, 7))
    names, costly = ("cheap", "costly"), (False, True)
    helps = weigh(np.concatenate([good, 0.2 * same]), names=names, must_earn=costly, seed=0)
    assert helps.values[1] > 0.8
    assert helps.earned["costly"].low > 0
    vain = weigh(np.concatenate([good, good + same]), names=names, must_earn=costly, seed=0)
    assert vain.values.tolist() == [1.0, 0.0]
    few = weigh(np.concatenate([good, same])[:, :, :20], names=names, must_earn=costly, seed=0)
    assert few.values.tolist() == [1.0, 0.0]
    assert few.earned == {"costly": None}


def test_intervals_hold_their_share_of_new_errors_on_noisy_weekdays_too():
    rng = np.random.default_rng(0)
    phases = (np.arange(400)[:, None] + np.arange(HORIZON)) % 7
    spread = np.where(phases >= 5, 3.0, 1.0)
    old, new = (np.abs(spread * rng.normal(size=(1, 400, HORIZON))) for _ in range(2))
    widths = calibrate(old, phases, np.ones(old.shape, bool), season=7, level=0.95)
    held = new <= np.stack([widths.at(one) for one in phases], axis=1)
    for phase in range(7):
        assert 0.91 < held[0][phases == phase].mean() < 0.985


def test_sums_hold_without_values_below_zero():
    names, sums = ["all", "a", "b"], Sums({"all": [["a", "b"]]})
    raw = np.array([[10.0, 1.0], [9.0, 5.0], [2.0, 0.0]])
    balance = Balance(np.array([1.0, 4.0, 1.0]), {"all": np.array([0.5])})
    made = balance.reconcile(raw, names=names, sums=sums, signed=np.zeros(3, bool))
    np.testing.assert_allclose(made[1] + made[2], made[0])
    assert (made >= 0).all()
    # the total takes half of the gap; the part that is known badly most of the rest
    assert made[0].tolist() == [10.5, 3.0]
    assert abs(made[1, 0] - 9.0) > abs(made[2, 0] - 2.0)


def test_a_total_gives_way_to_parts_that_know_more():
    names, sums = ["all", "a", "b"], Sums({"all": [["a", "b"]]})
    rng = np.random.default_rng(0)
    parts, whole = rng.normal(size=(2, 80, 7)), 10.0 * rng.normal(size=(1, 80, 7))
    trusts_parts = Balance.of(np.concatenate([whole, parts]), names=names, sums=sums)
    assert trusts_parts.answer["all"][0] > 0.8
    trusts_itself = Balance.of(np.concatenate([0.1 * whole, 10.0 * parts]), names=names, sums=sums)
    assert trusts_itself.answer["all"][0] < 0.1


def test_a_level_shift_is_seen_and_noise_is_none():
    times = pd.date_range("2026-01-01", periods=300)
    values = weekly(300)
    assert level_shifts(values, times, season=7) == []
    values[150:] *= 1.12
    (shift,) = level_shifts(values, times, season=7)
    assert abs((pd.Timestamp(shift.at) - times[150]).days) <= 3
    assert 0.08 < shift.change < 0.16
    assert "+1" in shifts_markdown({"a": [shift]})


def courses(count, *, persistence=0.0, shift=0.0, days=300, noise=0.02):
    """Series with a week, a year and growth, and noise that persists; at day 180 a shift."""
    rng, t = np.random.default_rng(5), np.arange(days)
    rest = rng.normal(size=(count, days))
    for day in range(1, days):
        new = (1 - persistence**2) ** 0.5 * rest[:, day]
        rest[:, day] = persistence * rest[:, day - 1] + new
    year = 0.05 * np.cos(2 * np.pi * (t / 365.25 + rng.random((count, 1))))
    level = (1 + 0.1 * t / 365) * np.where(t >= 180, 1 + shift, 1.0)
    return 1_000.0 * (1 + 0.1 * np.sin(2 * np.pi * t / 7) + year) * level * (1 + noise * rest)


@pytest.mark.parametrize("persistence", [0.0, 0.6])
def test_series_without_a_shift_seldom_have_one_reported(persistence):
    times = pd.date_range("2026-01-01", periods=300)
    made = courses(100, persistence=persistence, noise=0.05)
    alarms = sum(bool(level_shifts(one, times, season=7)) for one in made)
    # one is meant to be, and five or more come by chance in less than 1 of 200 cases
    assert alarms < 5
    # the rate is a parameter that counts
    many = sum(bool(level_shifts(one, times, season=7, false_alarms=0.3)) for one in made)
    assert 8 < many < 45


@pytest.mark.parametrize("persistence", [0.0, 0.3])
def test_a_shift_of_eight_percent_is_detected_near_its_day(persistence):
    times = pd.date_range("2026-01-01", periods=300)
    detected = 0
    for one in courses(40, persistence=persistence, shift=0.08):
        shifts = level_shifts(one, times, season=7)
        near = [abs((pd.Timestamp(shift.at) - times[180]).days) <= 4 for shift in shifts]
        detected += any(near)
    assert detected >= 36


def test_a_shift_is_detected_two_weeks_after_it_came():
    times = pd.date_range("2026-01-01", periods=194)
    (one,) = courses(1, shift=0.2, days=194)
    (shift,) = level_shifts(one, times, season=7)
    assert abs((pd.Timestamp(shift.at) - times[180]).days) <= 2


def test_the_year_is_learnt_once_two_of_them_are_known():
    days = 3 * 365 + 60
    t = np.arange(days)
    year = 0.3 * np.sin(2 * np.pi * t / 365.25)
    table = long({"a": weekly(days, noise=0.02) * (1 + year)})
    model = Forecaster(methods=("seasonal naive", "harmonic regression"), origins=200).fit(table)
    errors = np.abs(model.replay_.each - model.replay_.actual)[:, 0].mean(axis=(1, 2))
    # 2 % of noise err by 0.016 on the mean however well all else is known, and twice for naive
    assert errors[1] < 0.018 * 1_000
    assert model.weights_["a"].values[1] > 0.95


def test_the_regression_wants_eight_seasons():
    model = Forecaster(methods=("seasonal naive", "harmonic regression"), origins=30)
    model.fit(long({"a": weekly(70)}))
    assert any(note.startswith("harmonic regression has no weight") for note in model.notes_)
    assert model.weights_["a"].values.tolist() == [1.0, 0.0]


def test_methods_that_err_alike_share_the_weight_and_a_better_one_has_it():
    rng = np.random.default_rng(0)
    errors = rng.normal(size=(3, 1, 60, 7)) * 0.3 + rng.normal(size=(1, 60, 7))
    names, costly = ("a", "b", "c"), (False, False, False)
    alike = weigh(errors, names=names, must_earn=costly, seed=0).values
    assert (np.abs(alike - 1 / 3) < 0.15).all()
    errors[0] *= 0.4
    assert weigh(errors, names=names, must_earn=costly, seed=0).values[0] > 0.9


def test_ten_days_are_refused():
    with pytest.raises(TooLittleDataError, match="10 times"):
        Forecaster(methods=CHEAP).fit(long({"a": weekly(10)}))


def test_a_short_history_works_and_says_so():
    model = Forecaster(methods=(*CHEAP, "LSTM")).fit(long({"a": weekly(61)}))
    assert any("61 days of history" in note for note in model.notes_)
    assert len(model.replay_.origins) < 100
    # too little for the LSTM, which is said too
    assert any(note.startswith("LSTM has no weight") for note in model.notes_)


def test_gaps_are_filled_and_said():
    table = long({"a": weekly(100, noise=0.0)})
    panel = panel_of(table.drop(index=[30, 31, 60]))
    np.testing.assert_allclose(panel.values[0], table["value"], rtol=1e-9)
    assert any("3 of 100" in note for note in panel.notes)


def test_negative_values_are_forecast_below_zero():
    table = long({"a": weekly(100) - 2_000.0})
    made = Forecaster(methods=CHEAP, origins=40).fit(table).predict(table)
    assert (made["value"] < -800).all()
    assert (made["low"] < made["value"]).all()


def test_a_series_of_zeros_is_forecast_as_zero():
    table = long({"a": np.zeros(100), "b": weekly(100)})
    model = Forecaster(methods=CHEAP, origins=40).fit(table)
    zeros = model.predict(table).query("series == 'a'")
    assert (zeros[["value", "low", "high"]] == 0).all(axis=None)
    assert any("always 0" in note for note in model.notes_)


WRONG = {
    "a column lacks": (lambda t: t.rename(columns={"value": "count"}), "no column value"),
    "no rows": (lambda t: t.head(0), "no rows"),
    "text": (lambda t: t.assign(value="many"), "numbers were expected"),
    "a day twice": (lambda t: pd.concat([t, t.head(2)]), "2 rows come twice"),
    "a time off the grid": (
        lambda t: t.assign(time=t["time"].mask(t.index == 5, t["time"] + pd.Timedelta("1h"))),
        "off the grid",
    ),
    "most days lack": (lambda t: t.drop(index=range(10, 90)), "lacks"),
    "a null time": (lambda t: t.assign(time=t["time"].mask(t.index == 5)), "null"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_table_that_is_no_series_is_refused(wrong):
    change, message = WRONG[wrong]
    with pytest.raises(ValueError, match=message):
        panel_of(change(long({"a": weekly(100)})))


def test_parts_that_do_not_add_up_and_other_series_are_refused(table, forecaster):
    broken = table.copy()
    broken.loc[0, "value"] += 1.0
    with pytest.raises(ValueError, match="add up"):
        fitted(broken)
    with pytest.raises(ValueError, match="south"):
        forecaster.predict(table[table["series"] != "south"])


def test_unknown_methods_are_refused(table):
    with pytest.raises(ValueError, match="methods must be of"):
        Forecaster(methods=("prophecy",)).fit(table)


def written(tmp_path, text):
    path = tmp_path / "calendar.toml"
    path.write_text(text)
    return Calendar.read(path, first=date(2026, 1, 1), last=date(2027, 12, 31))


def test_holidays_move_and_events_are_read_from_a_file(tmp_path):
    calendar = written(
        tmp_path,
        """
        [countries]
        west = "DE"
        [[events]]
        name = "Eid al-Fitr"
        holiday = "Eid al-Fitr"
        of = "SA"
        length_days = 3
        [[events]]
        name = "launch"
        days = [2026-05-04]
        regions = ["west"]
        """,
    )
    times = pd.date_range("2026-01-01", "2027-12-31")
    west, east = calendar.dates("west", times), calendar.dates("east", times)
    easter = [f"{day:%m-%d}" for day, name in west.items() if name == "Easter Monday"]
    assert easter == ["04-06", "03-29"]
    assert west[pd.Timestamp("2026-05-04")] == "launch"
    assert pd.Timestamp("2026-05-04") not in east
    feasts = [day for day in east if day.year == 2026]
    assert len(feasts) == 3
    assert feasts[0].month == 3
    assert countries_of(["DE", "united_states", "west"]) == {"DE": "DE", "united_states": "US"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("countries = 1 2", "cannot be read"),
        ('[countries]\nwest = "XX"', "no country XX"),
        ("[holidays]\n", "were expected"),
        ('[[events]]\nname = "launch"', "has no days"),
        ("[[events]]\ndays = [2026-05-04]", "must have a name"),
    ],
)
def test_a_calendar_that_cannot_be_read_is_refused(tmp_path, text, message):
    with pytest.raises(CalendarError, match=message):
        written(tmp_path, text)


@pytest.mark.parametrize(
    "text",
    [
        b"\xff\xfe", b"a=" + b"[" * 100_000, b"countries = [1]", b"countries = 'DE'", b"events = 5",
        *(
            b"[[events]]\nname = 'x'\ndays = [2026-01-01]\n" + line
            for line in (
                b"length_days = 'x'", b"length_days = -5", b"length_days = 10000000",
                b"length_days = nan", b"length_days = 2.7", b"regions = 'DE'", b"regions = 5",
            )
        ),
        b"[[events]]\nname = 'x'\nholiday = ''\nof = 'DE'",
        b"[[events]]\nname = 'x'\ndays = [9999-12-31]\nlength_days = 3",
    ],
    ids=lambda text: text[-30:].decode("latin-1"),
)  # fmt: skip
def test_an_odd_calendar_is_refused_in_words(tmp_path, text):
    path = tmp_path / "calendar.toml"
    path.write_bytes(text)
    with pytest.raises(CalendarError):
        Calendar.read(path, first=date(2026, 1, 1), last=date(2026, 12, 31))


def test_a_time_of_an_event_counts_as_its_day(tmp_path):
    path = tmp_path / "calendar.toml"
    path.write_text("[[events]]\nname = 'x'\ndays = [2026-01-02T10:00:00]")
    calendar = Calendar.read(path, first=date(2026, 1, 1), last=date(2026, 12, 31))
    times = pd.date_range("2026-01-01", periods=3)
    assert calendar.dates("", times) == {pd.Timestamp("2026-01-02"): "x"}


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("horizon", 0), ("horizon", 2.5), ("horizon", 1_000), ("season", 0), ("origins", 0),
        ("level", 1.0), ("level", float("nan")), ("methods", "Theta"),
    ],
)  # fmt: skip
def test_a_parameter_that_forecasts_nothing_is_refused_in_words(parameter, value):
    words = f"{parameter} must|at least 1028 are needed"
    with pytest.raises((ValueError, TooLittleDataError), match=words):
        Forecaster(**{"methods": CHEAP, parameter: value}).fit(long({"all": np.arange(84.0)}))


@pytest.mark.parametrize(
    ("value", "step", "words"),
    [(1e300, "D", "beyond"), (1j, "D", "numbers were expected"), (1.0, "ns", "steps ns")],
)
def test_a_table_that_would_overflow_or_fill_the_memory_is_refused(value, step, words):
    table = long({"all": np.full(84, value)})
    with pytest.raises(ValueError, match=words):
        panel_of(table, step=step)


def test_a_damaged_forecaster_is_named(tmp_path):
    for content in (b"", b"[]", b"{}", b"[" * 100_000, b"\xff"):
        (tmp_path / STATE_FILE).write_bytes(content)
        with pytest.raises(BrokenFileError, match=STATE_FILE):
            Forecaster.load(tmp_path)
