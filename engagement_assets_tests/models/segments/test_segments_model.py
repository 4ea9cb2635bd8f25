"""Segments keep their identity from one training to the next, and names follow what sets apart."""

from datetime import date, timedelta
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from engagement_assets.features.catalogue import FEATURES
from engagement_assets.learning.errors import TooLittleDataError
from engagement_assets.lifecycle.adapter import Predicted
from engagement_assets.lifecycle.dates import Snapshots
from engagement_assets.lifecycle.reuse import ASKED, asked
from engagement_assets.lifecycle.scored import ScoredModel
from engagement_assets.models.segments.adapter import SegmentsAdapter
from engagement_assets.models.segments.assets import most_stay
from engagement_assets.models.segments.personas import (
    AT_RISK,
    GIG_WORKERS,
    PERSONAS,
    SEGMENT_INPUTS,
    SIGNATURES,
    Named,
    SegmentNamesError,
    read_names,
)
from engagement_assets.models.segments.reports import evaluation_markdown
from engagement_assets.models.segments.spec import SPEC
from engagement_assets.models.segments.tables import TRANSITIONS
from engagement_assets.models.segments.training import (
    FittedSegments,
    advantage,
    highest_number,
    train_segments,
)
from engagement_assets.models.segments.transitions import moves_of, transitions
from resources.lake import Lake
from resources.registry import ModelRegistry

# what a month of each kind looks like; what is not named is as of the first
USUAL = dict.fromkeys(SEGMENT_INPUTS, 4.0) | {"tenure_days": 300.0}
KINDS = {
    "quiet": {},
    "sellers": {"gig_listings_month": 30.0, "gig_applications_month": 30.0},
    "gone": {
        "days_since_last_login": 90.0,
        "logins_month": 0.2,
        "active_days_month": 0.2,
        "notification_open_rate_month": 0.2,
    },
    "writers": dict.fromkeys(
        ("messages_sent_month", "posts_month", "comments_written_month", "events_joined_month"),
        30.0,
    ),
}


def people(seed, n=480, kinds=tuple(KINDS)):
    """Features of n customers, evenly of each kind."""
    rng = np.random.default_rng(seed)
    kind = np.arange(n) % len(kinds)
    rates = np.array([list((USUAL | KINDS[name]).values()) for name in kinds])
    rows = pd.DataFrame(rng.poisson(rates[kind]), columns=list(USUAL)).astype(float)
    rows["job_rating_avg"] = np.where(kind == 0, np.nan, 4.0)
    return rows.assign(
        customer_id=[f"c{seed}-{place}" for place in range(n)],
        gender=rng.choice(["female", "male"], n),
        location="africa",
        age=rng.integers(18, 70, n).astype(float),
        kind=[kinds[place] for place in kind],
    )


SETTINGS = {"numbers_used": 0, "n_bootstrap": 20, "n_jobs": 1, "resamples": 4}


@pytest.fixture(scope="module")
def trained():
    return train_segments(people(0), people(1, 240), champion=None, seed=0, **SETTINGS)


def of_kind(model, rows):
    """The identity of most of the customers of each kind."""
    table = model.assign(rows)
    return table.groupby(rows["kind"].to_numpy())["segment_id"].agg(lambda ids: ids.mode()[0])


def test_inputs_and_signatures_are_features_and_none_is_sensitive():
    assert set(SEGMENT_INPUTS) <= set(FEATURES)
    assert all(FEATURES[name].numeric and FEATURES[name].model_input for name in SEGMENT_INPUTS)
    assert {name for one in SIGNATURES for name in one.signs} <= set(SEGMENT_INPUTS)


def test_kinds_are_named_by_what_sets_them_apart_and_others_need_a_name(trained):
    names = {one.segment_id: one.name for one in trained.model.identities}
    ids = of_kind(trained.model, people(2))
    assert names[ids["sellers"]] == GIG_WORKERS
    assert names[ids["gone"]] == AT_RISK
    assert sorted(ids) == ["s1", "s2", "s3", "s4"]
    for one in trained.model.identities:
        assert one.name == (one.kind or f"new segment {one.segment_id}, needs a name")


def test_a_card_passes_its_gates_and_says_what_people_want_to_know(trained):
    card = trained.card | {"test_customers": 240}
    assert [gate.judge(card).state for gate in SPEC.gates] == ["passed"] * 3
    assert sum(one["customers"] for one in card["segments"]) == 240
    beside = {one["attribute"]: one["adjusted"] for one in card["beside_age_and_gender"]}
    assert abs(beside["age_band and gender"]) < 0.05
    dates = {"training_snapshots": ["2026-01-01"], "test_snapshot": "2026-02-01"}
    about = {"training_customers": 480, "training_rows": 480, **dates}
    text = evaluation_markdown(card | about)
    assert GIG_WORKERS in text
    assert "data:image/png" in text


def test_a_retraining_carries_ids_and_names_and_a_new_kind_gets_the_next_number(trained):
    before = of_kind(trained.model, people(2))
    later = people(3, kinds=("writers", "gone", "quiet", "sellers"))
    again = train_segments(
        later, people(4, 240), champion=trained.model, seed=9, **SETTINGS | {"numbers_used": 4}
    ).model
    assert of_kind(again, people(2)).to_dict() == before.to_dict()
    assert {one.segment_id: one.name for one in again.identities} == {
        one.segment_id: one.name for one in trained.model.identities
    }
    assert abs(advantage(trained.model, again, people(2), n_bootstrap=20, seed=0).value) < 0.05

    # the writers are gone, and a kind that was not there has come
    rows = people(5, kinds=("quiet", "gone", "sellers"))
    other = rows["kind"].eq("quiet") & (np.arange(len(rows)) % 9 == 0)
    rows.loc[other, ["premium_features_used_count", "transaction_revenue_month"]] = 60.0
    model = train_segments(
        rows, rows, champion=trained.model, seed=1, **SETTINGS | {"numbers_used": 7}
    ).model
    ids = [one.segment_id for one in model.identities]
    assert "s8" in ids
    assert before["writers"] not in ids
    assert highest_number(ids) == 8


def test_one_cloud_of_customers_has_no_segments():
    rng = np.random.default_rng(0)
    rows = people(0).assign(**{name: rng.normal(50, 5, 480) for name in SEGMENT_INPUTS})
    with pytest.raises(TooLittleDataError, match="no structure"):
        train_segments(rows, rows, champion=None, seed=0, **SETTINGS)


def test_saved_segments_assign_alike_and_a_given_name_brings_its_action(trained, tmp_path):
    rows = people(6, 40)
    trained.model.save(tmp_path)
    loaded = FittedSegments.load(tmp_path)
    pd.testing.assert_frame_equal(loaded.assign(rows), trained.model.assign(rows))
    some = loaded.identities[0].segment_id
    called = loaded.called({some: Named("night readers", PERSONAS[0])}).assign(rows)
    mine = called[called["segment_id"] == some]
    assert set(mine["segment"]) == {"night readers"}
    assert set(mine["kind"]) == {PERSONAS[0]}
    assert loaded.assign(rows.head(0)).empty


@pytest.mark.parametrize(
    "text",
    ["[s1", "[s1]\nlike = 'at risk'", "s1 = 'x'", "[s1]\nname = 'x'\nlike = 'nobody'"],
    ids=["no TOML", "no name", "no table", "unknown kind"],
)
def test_a_file_of_names_that_cannot_be_used_is_refused(text):
    with pytest.raises(SegmentNamesError):
        read_names(text)


def test_names_are_read_with_the_kind_that_they_are_like():
    text = "[s3]\nname = 'night readers'\nlike = 'casual browsers'\n[s5]\nname = 'others'"
    assert read_names(text) == {
        "s3": Named("night readers", "casual browsers"),
        "s5": Named("others", None),
    }


def test_a_training_that_was_killed_before_its_promotion_makes_the_same_version(tmp_path):
    """A candidate that nobody was shown has given no number away."""
    registry = ModelRegistry(tmp_path / "registry")
    days = {date(2026, 1, 1): people(0), date(2026, 2, 1): people(1, 240)}
    inputs = SimpleNamespace(
        features=days.__getitem__,
        registry=registry,
        parameters={"random_state": 0, "segment_names": ""},
        judging={}, search=None, seed=0, bootstrap=20, threads=1,
        engine=SimpleNamespace(lake=SimpleNamespace(digest=lambda *of: str(of))),
    )  # fmt: skip
    snapshots = Snapshots((date(2026, 1, 1),), date(2026, 2, 1))

    def candidate():
        trained = SegmentsAdapter().train(inputs, snapshots)
        trained.model.save(tmp_path / "files")
        card = trained.card | {
            ASKED: asked(SPEC, inputs, snapshots),
            "data_versions": SegmentsAdapter().data_versions(inputs, snapshots),
        }
        return registry.register(SPEC.name, tmp_path / "files", card)

    version = candidate()
    assert candidate() == version
    inputs.seed = 1
    other = candidate()
    ids = [
        {one["segment_id"] for one in registry.card(SPEC.name, each)["segments"]}
        for each in (version, other)
    ]
    assert not ids[0] & ids[1], "another training's numbers go on after those of a candidate"


# inputs of a lake without predictions
NO_LAKE = SimpleNamespace(engine=SimpleNamespace(lake=SimpleNamespace(days=lambda _: [])))


def test_since_is_the_first_day_of_the_days_in_a_row(monkeypatch):
    first = date(2026, 1, 1)
    days = [["s1", "s1"], ["s1", "s2"], ["s1", "s1"]]
    adapter = SegmentsAdapter()
    seen = []
    for place, ids in enumerate(days):
        table = pd.DataFrame({"customer_id": ["a", "b"], "segment_id": ids, "since": None})
        monkeypatch.setattr(
            ScoredModel, "predict", lambda *_, table=table: Predicted(table, {}, "")
        )
        seen.append(adapter.predict(NO_LAKE, None, first + timedelta(days=place)).table["since"])
    assert [one.tolist() for one in seen] == [
        [first, first],
        [first, first + timedelta(days=1)],
        [first, first + timedelta(days=2)],
    ]


def write_segments(lake, day, **ids):
    """A day of predictions with the segment of each customer."""
    rows = SPEC.table.empty().to_pandas().reindex(range(len(ids)))
    rows = rows.assign(customer_id=list(ids), segment_id=list(ids.values()), snapshot_date=day)
    rows["segment"] = "name of " + rows["segment_id"].astype(str)
    rows = rows.fillna({"second_segment": "s9", "model_version": "v1"})
    rows[["distance", "second_distance"]] = 1.0
    table = pa.Table.from_pandas(rows, preserve_index=False)
    lake.write(SPEC.table, SPEC.table.conform(table), day=day)


def test_moves_count_who_went_came_left_and_stayed_since_the_day_before_with_segments(tmp_path):
    lake = Lake(str(tmp_path))
    first, empty, last = (date(2026, 1, day) for day in (1, 2, 3))
    write_segments(lake, first, a="s1", b="s1", c="s2", d="s2")
    lake.write_empty(SPEC.table, day=empty)
    write_segments(lake, last, a="s1", b="s2", c="s2", e="s3")

    moves = moves_of(lake, last)
    table = moves.table
    assert list(table.columns) == list(TRANSITIONS.names)
    went = table.set_index(["from_segment_id", "to_segment_id"])
    assert went["customers"].to_dict() == {
        ("none", "s3"): 1,
        ("s1", "s1"): 1,
        ("s1", "s2"): 1,
        ("s2", "none"): 1,
        ("s2", "s2"): 1,
    }
    assert went.loc[("s1", "s2"), "share_of_segment"] == 0.5
    assert went["share"].sum() == pytest.approx(1.0)
    assert set(table["before"]) == {first}
    assert moves.moved == pytest.approx(1 / 3)
    assert "data:image/png" in moves.picture

    assert moves_of(lake, first).table.empty
    assert moves_of(lake, empty).table.empty


@pytest.mark.parametrize(("customers", "passes"), [(60, False), (40, True)])
def test_a_check_warns_where_most_customers_are_in_another_segment(tmp_path, customers, passes):
    day = date(2026, 1, 3)
    then = pd.DataFrame({"customer_id": range(100), "segment_id": "s1", "segment": "x"})
    now = then.assign(segment_id=np.where(then["customer_id"] < customers, "s2", "s1"))
    rows = transitions(then, now).assign(snapshot_date=day, before=date(2026, 1, 1))
    lake = Lake(str(tmp_path))
    lake.write(TRANSITIONS, pa.Table.from_pandas(rows, preserve_index=False), day=day)
    outcome = most_stay(SimpleNamespace(days=[day], lake=lake))
    assert (not outcome.problem) == passes
    assert list(outcome.failed_days) == ([] if passes else [day])
