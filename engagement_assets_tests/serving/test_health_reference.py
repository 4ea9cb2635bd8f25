"""One customer's health from the reference is what the batch says, to the last digits."""

import zlib

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engagement_assets.models.ensemble.health import health_parts, health_reasons
from engagement_assets.serving.health import READ, HealthReference
from engagement_assets.serving.publishing import health_inputs
from engagement_assets.serving.records import DayTables
from engagement_assets_tests.platform.homes import END

MISSING = float("nan")
VALUES = st.one_of(st.just(MISSING), st.sampled_from([0.0, 0.25, 0.5]), st.floats(0, 1))
WORLDS = st.lists(
    st.tuples(VALUES, VALUES, st.one_of(VALUES, st.floats(0, 1e4)), VALUES), min_size=1
)


def reasons_of(rows, place):
    """One customer's reasons as the batch's columns say them."""
    row = rows.iloc[place]
    return [
        {
            part: row[f"reason_{n}_{part}"]
            for part in ("feature", "value", "typical", "contribution")
        }
        for n in (1, 2, 3)
        if row[f"reason_{n}_feature"] is not None
    ]


def assert_agrees(predictions, reference):
    """Every customer, alone, against the batch of all."""
    parts = health_parts(predictions)
    health = parts.sum(axis=1).clip(0.0, 100.0)
    batch = health_reasons(parts, k=3)
    for place, row in enumerate(predictions.to_dict("records")):
        alone = reference.parts(row)
        assert list(alone) == list(parts.columns)
        assert list(alone.values()) == pytest.approx(parts.iloc[place].tolist(), abs=1e-12)
        assert reference.health(alone) == pytest.approx(health.iloc[place], abs=1e-12)
        told, expected = reference.reasons(alone), reasons_of(batch, place)
        for one, other in zip(told, expected, strict=True):
            difference = one.pop("contribution") - other.pop("contribution")
            assert difference == pytest.approx(0.0, abs=1e-12)
            assert one == other


@given(world=WORLDS)
@settings(max_examples=60, deadline=None)
def test_every_customer_of_any_world_gets_the_health_of_the_batch(world):
    predictions = pd.DataFrame(world, columns=list(READ), dtype=np.float64)
    reference = HealthReference.of(predictions)
    if predictions.notna().to_numpy().any():
        assert_agrees(predictions, HealthReference.from_bytes(reference.to_bytes()))
    else:
        assert reference is None


def test_the_health_of_a_made_home_comes_back_for_every_customer(made_home):
    tables = DayTables.read(made_home.lake, END)
    predictions = health_inputs(tables)
    reference = HealthReference.from_bytes(HealthReference.of(predictions).to_bytes())
    rows = {
        row["customer_id"]: row
        for row in made_home.lake.read("ensemble/predictions", days=[END]).to_pylist()
    }
    people = tables.features.column("customer_id").to_pylist()
    assert len(people) == len(rows) == 400
    for name, row in zip(people, predictions.to_dict("records"), strict=True):
        parts = reference.parts(row)
        assert reference.health(parts) == pytest.approx(rows[name]["customer_health"], abs=1e-12)
        told = [reason["feature"] for reason in reference.reasons(parts)]
        assert told == [f for n in (1, 2, 3) if (f := rows[name][f"reason_{n}_feature"])]


def test_a_value_that_nobody_had_ranks_between_those_around_it():
    predictions = pd.DataFrame(
        {
            "churn_probability": MISSING,
            "engagement_score": [0.1, 0.2, 0.3],
            "lifetime_value_usd": MISSING,
            "anomaly_score": MISSING,
        }
    )
    reference = HealthReference.of(predictions)
    points = [
        reference.parts({"engagement_score": score})["engagement"]
        for score in (0.0, 0.1, 0.15, 0.2, 0.3, 0.9)
    ]
    assert points == [0.0, 0.0, 25.0, 50.0, 100.0, 100.0]


def test_what_is_absent_none_or_not_a_number_is_the_same():
    predictions = pd.DataFrame([[0.2, 0.3, 5.0, 0.1], [0.4, 0.1, 9.0, 0.5]], columns=list(READ))
    reference = HealthReference.of(predictions)
    expected = reference.parts({})
    assert expected["stays"] == 0.0
    assert expected["ordinary"] == pytest.approx(15.0)
    for value in (None, MISSING):
        assert reference.parts(dict.fromkeys(READ, value)) == expected


def test_bytes_that_are_no_reference_are_refused():
    predictions = pd.DataFrame([[0.2, 0.3, 5.0, 0.1]], columns=list(READ))
    content = HealthReference.of(predictions).to_bytes()
    plain = zlib.decompress(content)
    for wrong in (
        b"",
        b"no reference",
        zlib.compress(b""),
        zlib.compress(plain[:-1]),
        zlib.compress(plain.replace(b'"format": 1', b'"format": 2')),
    ):
        with pytest.raises(ValueError, match="reference"):
            HealthReference.from_bytes(wrong)
