"""What the pages show of a small home, beside what its tables hold."""

import json
import shutil
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from upath import UPath

from engagement_assets.dashboard.pictures import Document, Picture, document_of
from engagement_assets.dashboard.reading import Reader, Reading
from engagement_assets.dashboard.views import (
    customer,
    decisions,
    experiments,
    forecast,
    governance,
    models,
    network,
    segments,
    today,
)
from engagement_assets.features.catalogue import CUSTOMER_FEATURES
from engagement_assets.source.contract import TABLES
from engagement_assets_tests.dashboard.conftest import MASKING, World
from resources.lake import Lake
from resources.registry import ModelRegistry

CUSTOMERS = "predictions/customers"


def test_today_shows_the_means_of_the_newest_day_within_their_intervals(world: World) -> None:
    picture = today.level(world.reader(sees_customers=False))
    scores = world.reader().lake.read(CUSTOMERS, days=[world.day]).to_pandas()["engagement_score"]
    shown = picture.rows.set_index("measure").loc["Engagement (0-1)"]
    assert picture.day == world.day
    assert shown["mean"] == pytest.approx(scores.mean())
    assert shown["low"] < shown["mean"] < shown["high"]
    assert shown["customers"] == scores.notna().sum()


def test_a_week_compares_the_same_customers_and_hands_out_no_id(world: World) -> None:
    picture = today.week(world.reader(sees_customers=False))
    lake = world.reader().lake
    now, before = (
        lake.read(CUSTOMERS, days=[day]).to_pandas().set_index("customer_id")["engagement_score"]
        for day in (world.day, world.day - timedelta(days=8))
    )
    shown = picture.rows.set_index("measure").loc["Engagement (0-1)", "mean"]
    assert shown == pytest.approx((now - before).mean())
    assert not picture.rows.isin(world.people).any(axis=None)


def test_what_is_old_is_not_shown_as_today(world: World) -> None:
    fresh = today.age(world.reader(), today=world.day + timedelta(days=1))
    old = today.age(world.reader(), today=world.day + timedelta(days=9))
    assert fresh[0] == 1
    assert "Not today" not in fresh[1]
    assert old[0] == 9
    assert "Not today" in old[1]
    assert str(world.day) in old[1]


def test_texts_of_alerts_are_for_who_may_see_customers() -> None:
    lines = [{"at": "1", "message": "c0001 is odd"}, {"at": "2", "message": "late"}]
    assert "message" not in today.alerts(lines, words=False)
    assert list(today.alerts(lines, words=True)["message"]) == ["late", "c0001 is odd"]


def test_a_customers_page_shows_what_the_models_say(world: World) -> None:
    name = world.people[3]
    reader = world.reader()
    pictures = {picture.title: picture for picture in customer.pictures(reader, name)}
    row = reader.of_customer(CUSTOMERS, name).rows.iloc[0]
    scores = pictures["Scores"].rows.set_index("score")["value"]
    assert scores["Engagement (0-1)"] == pytest.approx(row["engagement_score"], nan_ok=True)
    items = json.loads(reader.of_customer("recommendation/predictions", name).rows["items"].iloc[0])
    assert list(pictures["Recommended items"].rows["item"]) == items[:10]
    assert pictures["Scores over time"].rows["snapshot_date"].nunique() == 2


def test_there_is_no_page_of_nobody(world: World) -> None:
    assert customer.pictures(world.reader(), "c9999' OR 1=1") == []


def test_the_value_of_what_groups_are_made_of_is_no_reason_to_read() -> None:
    row = {
        "reason_1_feature": "age",
        "reason_1_value": 83.0,
        "reason_1_typical": 41.0,
        "reason_1_contribution": 0.5,
        "reason_2_feature": "logins_month",
        "reason_2_value": 2.0,
        "reason_2_typical": 9.0,
        "reason_2_contribution": -0.2,
    }
    reading = Reading(pd.DataFrame([row]), "churn/predictions", None)
    picture = customer.waterfall(reading, "Why")
    assert list(picture.rows["contribution"]) == [0.5, -0.2]
    assert "83" not in picture.rows.to_csv()
    assert picture.rows["reason"].iloc[1] == "logins month: 2 (typical 9)"


def test_segments_of_few_are_left_out(world: World) -> None:
    picture = segments.pictures(world.reader(sees_customers=False))[0]
    counts = world.reader().newest(CUSTOMERS).rows["segment"].value_counts()
    large = counts[counts >= segments.LEAST_CUSTOMERS]
    assert dict(zip(picture.rows["segment"], picture.rows["customers"], strict=True)) == dict(large)


def _every_page(reader: Reader) -> list[Picture | Document]:
    plain = (segments, forecast, experiments, network, decisions)
    return [
        *governance.pictures(reader, []),
        *today.pictures(reader, today=pd.Timestamp("2026-02-11").date()),
        *(picture for page in plain for picture in page.pictures(reader)),
        *(picture for model in models.SPECS for picture in models.pictures(reader, model)),
    ]


def test_an_empty_home_says_on_every_page_that_nothing_was_made(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    home = tmp_path_factory.mktemp("empty")
    registry = ModelRegistry(home / "registry")
    reader = Reader(
        Lake(str(home / "lake")),
        registry,
        UPath(home / "reports"),
        sees_customers=False,
        masking=lambda: MASKING,
    )
    # a card says that nothing serves
    for shown in _every_page(reader):
        if shown.title == "Its card":
            continue
        assert shown.day is None, shown.title
        assert "not made yet" in shown.caption
        if isinstance(shown, Picture):
            assert shown.chart is None, shown.title
        else:
            assert not shown.text


def test_every_picture_has_a_source_that_is_an_asset_and_its_download_names_it(
    world: World,
) -> None:
    for picture in _every_page(world.reader(sees_customers=False)):
        group, noun = picture.source.split("/")
        assert picture.asset_url("http://ui/") == f"http://ui/assets/{group}/{noun}"
        if isinstance(picture, Picture):
            assert picture.file_name.startswith(f"{group}-{noun}-")


def test_a_timeline_has_what_a_customer_did_and_no_text(world: World, tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    at = datetime(2026, 2, 10, 9)
    names = ["message_id", "customer_id", "recipient_id", "occurred_at", "text", "recorded_at"]
    sent = [
        ("m1", "c1", "c2", at, "my secret", at),
        ("m2", "c1", "c3", at + timedelta(hours=2), "another secret", at),
        ("m3", "c2", "c1", at, "not of c1", at),
    ]
    table = TABLES["messages"]
    rows = pa.Table.from_pylist(
        [dict(zip(names, row, strict=True)) for row in sent], schema=table.arrow
    )
    lake.write(table, rows, day=at.date())
    picture = customer.timeline(replace(world.reader(), lake=lake), "c1")
    assert list(picture.rows["at"]) == [at + timedelta(hours=2), at]
    assert set(picture.rows["what"]) == {"messages"}
    assert picture.day == at.date()
    assert "secret" not in picture.rows.to_csv()


def test_a_report_is_shown_as_it_was_last_made(world: World, tmp_path: Path) -> None:
    reports = UPath(tmp_path)
    for day in ("2026-01-01", "2026-02-01"):
        folder = tmp_path / "governance" / "ethics_audit" / f"day={day}"
        folder.mkdir(parents=True)
        (folder / "report.json").write_text("{}")
        (folder / "report.md").write_text(f"# Audit of {day}")
    reader = replace(world.reader(), reports=reports)
    audit = document_of(reader, "governance/ethics_audit", "The ethics audit")
    assert audit.text == "# Audit of 2026-02-01"
    assert str(audit.day) == "2026-02-01"


def test_erasures_are_shown_without_whom_they_were_about() -> None:
    certificate = {
        "ended_at": "2026-02-03T10:00:00+00:00",
        "people": ["a1", "b2"],
        "removed": {"source/sessions": 3, "source/posts": 0},
        "certificate_id": "x",
    }
    picture = governance.erasures([certificate])
    assert picture.rows.to_dict("records") == [
        {
            "ended_at": "2026-02-03T10:00:00+00:00",
            "customers": 2,
            "places": 1,
            "certificate": "x",
        }
    ]
    assert "a1" not in picture.rows.to_csv()


def test_moves_of_few_are_left_out(world: World) -> None:
    rows = segments.moves(world.reader(sees_customers=False)).rows
    assert (rows["customers"] >= segments.LEAST_CUSTOMERS).all()


def test_inputs_are_compared_with_what_the_champion_learnt_from(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(world.home / "lake", tmp_path / "lake")
    lake = Lake(str(tmp_path / "lake"))
    earlier = lake.days(CUSTOMER_FEATURES)[0]
    lake.write_empty(TABLES["customers"], day=earlier - timedelta(days=100))
    monkeypatch.setattr(models, "_card", lambda *_: {"training_snapshots": [earlier.isoformat()]})
    picture = models.inputs(replace(world.reader(sees_customers=False), lake=lake), "churn")
    assert picture.day == world.day
    assert set(picture.rows) == {"feature", "PSI", "limit", "beyond"}
    assert len(picture.rows) > 10


def with_champion(world: World, tmp_path: Path, card: dict) -> Reader:
    """A reader of a registry whose churn model has this card and serves."""
    registry, files = ModelRegistry(tmp_path / "registry"), tmp_path / "files"
    files.mkdir()
    (files / "model.json").write_text("{}")
    registry.promote("churn", registry.register("churn", files, card), "test")
    return replace(world.reader(), registry=registry)


@pytest.mark.parametrize("card", [{}, {"metrics": {}}, {"metrics": {"auc": 0.8}}])
def test_a_card_that_lacks_a_figure_is_shown_with_what_is_missing(
    world: World, tmp_path: Path, card: dict
) -> None:
    shown = models.pictures(with_champion(world, tmp_path, card), "churn")
    (gates,) = (one for one in shown if one.title == "What its gates say")
    assert isinstance(gates, Picture)
    assert list(gates.rows["state"]) == ["not judged"] * len(models.SPECS["churn"].gates)
    for gate, why in zip(models.SPECS["churn"].gates, gates.rows["why"], strict=True):
        assert gate.words in why
        assert gate.customers in why
        assert (f"metrics.{gate.metric}" in why) == (gate.metric not in card.get("metrics", {}))
    document = next(one for one in shown if one.title == "Its card")
    assert isinstance(document, Document)
    assert "Not recorded." in document.text
