"""The document of each customer says what the lake says, in one stable shape."""

import json
import math
import zlib
from datetime import date

import pytest

from engagement_assets.features.catalogue import CUSTOMER_FEATURES, FEATURE_NAMES
from engagement_assets.models.specs import MODELS
from engagement_assets.serving.records import (
    DayTables,
    MixedVersionsError,
    decode,
    document_of,
    documents,
    encode,
)
from engagement_assets_tests.decisions.tables import write_predictions
from engagement_assets_tests.serving.worlds import DAY, unify, write_features, write_world
from resources.lake import MissingPartitionError

EXPLAINED_MODELS = (
    *("engagement", "churn", "lifetime_value", "anomaly", "ensemble"),
    "treatment_effects",
    "segments",
)


def made(lake, agreed=(), size=7, first=0, day=DAY):
    """Every document of a day as a reader gets it, by customer."""
    tables = DayTables.read(lake, day)
    return {
        document["customer_id"]: decode(encode(document))
        for batch in documents(tables, frozenset(agreed), size=size, first=first)
        for document in batch
    }


def one(lake, agreed=()):
    """A customer with every model, some of it null."""
    write_features(
        lake,
        DAY,
        [{"customer_id": "ann", "age": 41, "location": "africa", "click_rate": float("nan")}],
    )
    reasons = {
        "reason_1_feature": "logins_month",
        "reason_1_value": "2",
        "reason_1_typical": "9",
        "reason_1_contribution": -0.5,
        "reason_2_feature": "age",
        "reason_2_value": "41",
        "reason_2_typical": "30",
        "reason_2_contribution": 0.25,
    }
    churn = {
        "churn_probability": 0.8,
        "evened_churn_probability": 0.7,
        "above_cost_threshold": True,
    }
    write_predictions(lake, "churn", DAY, [{"customer_id": "ann", **churn, **reasons}])
    offer = {"customer_id": "ann", "band": "high", "action": "e-mail", "propensity": 1.0}
    write_predictions(lake, "retention", DAY, [offer])
    look = {"action": "human review", "propensity": 1.0, "reason": "odd", "needs_review": True}
    write_predictions(lake, "review", DAY, [{"customer_id": "ann", **look}])
    write_predictions(lake, "anomaly", DAY, [{"customer_id": "ann", "anomaly_score": 0.95}])
    write_predictions(
        lake,
        "recommendation",
        DAY,
        [{"customer_id": "ann", "items": '["p2", "p1"]', "source": "model", "model_version": "r7"}],
    )
    unify(lake, DAY)
    return made(lake, agreed)["ann"]


def test_a_document_holds_everything_in_one_shape(lake):
    document = one(lake, agreed=["ann"])
    features = document.pop("features")
    assert list(features) == list(FEATURE_NAMES)
    assert (features["age"], features["location"]) == (41, "africa")
    assert isinstance(features["age"], int)
    assert features["trust_score"] is None
    anomaly = document["predictions"].pop("anomaly")
    assert (anomaly["anomaly_score"], anomaly["kind"]) == (0.95, None)
    assert document == {
        "customer_id": "ann",
        "snapshot_date": "2026-02-10",
        "predictions": {
            "engagement": None,
            "churn": {
                "churn_probability": 0.8,
                "evened_churn_probability": 0.7,
                "above_cost_threshold": True,
            },
            "lifetime_value": None,
            "ensemble": None,
            "treatment_effects": None,
            "segments": None,
        },
        "explanations": {
            "engagement": [],
            "churn": [
                {"feature": "logins_month", "value": "2", "typical": "9", "contribution": -0.5},
                {"feature": "age", "value": "41", "typical": "30", "contribution": 0.25},
            ],
            "lifetime_value": [],
            "anomaly": [],
            "ensemble": [],
            "treatment_effects": [],
            "segments": [],
        },
        "decisions": {
            "retention": {"action": "e-mail", "propensity": 1.0, "reason": None, "band": "high"},
            "retention_call": None,
            "vip": None,
            "acquisition": None,
            "review": {
                "action": "human review",
                "propensity": 1.0,
                "reason": "odd",
                "needs_review": True,
            },
            "targeting": None,
            "notification_timing": None,
            "next_best_action": None,
            "segment_actions": None,
        },
        "recommendations": {"items": ["p2", "p1"], "source": "model"},
        "actions_due": ["e-mail", "human review"],
        "model_versions": {
            "engagement": None,
            "churn": "v1",
            "lifetime_value": None,
            "recommendation": "r7",
            "anomaly": "v1",
            "ensemble": None,
            "treatment_effects": None,
            "segments": None,
            "retention": "v1",
            "retention_call": None,
            "vip": None,
            "acquisition": None,
            "review": "v1",
            "targeting": None,
            "notification_timing": None,
            "next_best_action": None,
            "segment_actions": None,
        },
        "consents": {"personalisation": True},
    }


def test_a_list_of_somebody_who_did_not_agree_is_not_kept(lake):
    document = one(lake)
    assert document["recommendations"] is None
    assert document["consents"] == {"personalisation": False}
    assert '"p2"' not in json.dumps(document)


def test_a_number_that_is_not_finite_is_null(lake):
    assert one(lake)["features"]["click_rate"] is None
    assert decode(encode({"a": math.nan, "b": math.inf, "c": 1.5})) == {
        "a": None,
        "b": None,
        "c": 1.5,
    }


def test_every_customer_of_the_features_has_a_document_that_agrees_with_the_lake(lake):
    people = write_world(lake, customers=50)
    agreed = set(people[::3])
    actual = made(lake, agreed)
    assert list(actual) == people
    rows = {row["customer_id"]: row for row in lake.read(CUSTOMER_FEATURES, days=[DAY]).to_pylist()}
    for name, document in actual.items():
        expected = {key: plain(rows[name][key]) for key in FEATURE_NAMES}
        assert document["features"] == expected
        assert (document["recommendations"] is not None) == (name in agreed)
    for spec in MODELS:
        if spec.name not in EXPLAINED_MODELS:
            continue
        table = {
            row["customer_id"]: row for row in lake.read(spec.predictions, days=[DAY]).to_pylist()
        }
        assert 0 < len(table) <= 50
        for name, document in actual.items():
            assert_told(spec, document, table.get(name))


def assert_told(spec, document, row):
    """A model's part of a document against its row."""
    told, why = document["predictions"][spec.name], document["explanations"][spec.name]
    assert document["model_versions"][spec.name] == f"{spec.name}-v1"
    if row is None:
        assert (told, why) == (None, [])
        return
    own = [c.name for c in spec.columns if not c.name.startswith("reason_")]
    # JSON has no dates
    written = {name: row[name] for name in own} | {
        name: row[name].isoformat() for name in own if isinstance(row[name], date)
    }
    assert told == written
    assert why == [
        {
            part: row[f"reason_{n}_{part}"]
            for part in ("feature", "value", "typical", "contribution")
        }
        for n in (1, 2, 3)
        if row.get(f"reason_{n}_feature") is not None
    ]


def plain(value):
    return None if isinstance(value, float) and math.isnan(value) else value


def test_a_model_without_a_partition_is_null_with_all_its_keys(lake):
    write_world(lake, without=["lifetime_value", "recommendation"])
    for document in made(lake).values():
        assert list(document["predictions"]) == list(EXPLAINED_MODELS)
        assert document["predictions"]["lifetime_value"] is None
        assert document["model_versions"]["lifetime_value"] is None
        assert document["model_versions"]["recommendation"] is None
        assert document["model_versions"]["churn"] == "churn-v1"
        assert document["recommendations"] is None


def test_batches_are_the_same_whatever_they_begin_with(lake):
    people = write_world(lake, customers=20)
    whole, rest = made(lake, size=6), made(lake, size=6, first=2)
    assert list(rest) == people[12:]
    assert rest == {name: whole[name] for name in people[12:]}
    tables = DayTables.read(lake, DAY)
    sizes = [len(batch) for batch in documents(tables, frozenset(), size=6)]
    assert sizes == [6, 6, 6, 2]


def test_single_documents_are_those_of_the_batches(lake):
    people = write_world(lake, customers=20)
    picked = document_of(DayTables.read(lake, DAY), frozenset(people), [3, 17])
    whole = made(lake, people)
    assert [decode(encode(document)) for document in picked] == [
        whole[people[3]],
        whole[people[17]],
    ]


def test_the_same_day_gives_the_same_bytes(lake):
    write_world(lake)
    tables = DayTables.read(lake, DAY)
    first, second = (
        [encode(d) for batch in documents(tables, frozenset(), size=9) for d in batch]
        for _ in range(2)
    )
    assert first == second


def test_two_versions_within_a_day_are_an_error(lake):
    write_world(lake)
    rows = [{"customer_id": name, "model_version": name} for name in ("c0001", "c0002")]
    write_predictions(lake, "engagement", DAY, rows)
    with pytest.raises(MixedVersionsError, match="engagement/predictions holds rows of 2 versions"):
        DayTables.read(lake, DAY)


def test_a_day_that_is_not_there_is_named(lake):
    write_world(lake)
    with pytest.raises(MissingPartitionError, match="2026-02-11"):
        DayTables.read(lake, date(2026, 2, 11))


@pytest.mark.parametrize("content", [b"", b"no document", zlib.compress(b"{cut")])
def test_bytes_that_are_no_document_are_refused(content):
    with pytest.raises(ValueError, match=r"no document|unexpected|expected"):
        decode(content)
