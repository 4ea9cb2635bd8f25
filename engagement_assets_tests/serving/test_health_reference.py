"""One customer's health from the reference is what the batch says, to the last digits."""

import zlib

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engagement_assets.lifecycle.predictor import Context
from engagement_assets.models.ensemble.adapter import base_predictions
from engagement_assets.models.ensemble.health import COLUMNS, HealthReference
from engagement_assets.serving.publishing import references_of
from engagement_assets.serving.records import DayTables
from engagement_assets_tests.platform.homes import END, analysed

MISSING = float("nan")
VALUES = st.one_of(st.just(MISSING), st.sampled_from([0.0, 0.25, 0.5]), st.floats(0, 1))
WORLDS = st.lists(
    st.tuples(VALUES, VALUES, st.one_of(VALUES, st.floats(0, 1e4)), VALUES), min_size=1
)


def day(rows):
    return pd.DataFrame(rows, columns=list(COLUMNS.values()), dtype=np.float64)


def ranks(values):
    """Rank from 0 to 1 by pandas, ties in the middle, null the lowest."""
    return (values.fillna(-np.inf).rank(method="average") - 1.0) / max(len(values) - 1, 1)


def by_formula(predictions):
    """Health as the module's docstring has it, by pandas."""
    weights, shares = {"stays": 0.35, "engagement": 0.3, "value": 0.2, "ordinary": 0.15}, {}
    if predictions["churn_probability"].notna().any():
        shares["stays"] = 1.0 - predictions["churn_probability"].fillna(1.0)
    for part in ("engagement", "value"):
        if predictions[COLUMNS[part]].notna().any():
            shares[part] = ranks(predictions[COLUMNS[part]])
    if predictions["anomaly_score"].notna().any():
        shares["ordinary"] = 1.0 - predictions["anomaly_score"].fillna(0.0)
    total = sum(weights[part] for part in shares)
    return pd.DataFrame({part: 100 * weights[part] / total * shares[part] for part in shares})


@given(world=WORLDS)
@settings(max_examples=60, deadline=None)
def test_every_customer_of_any_world_gets_alone_what_the_formula_says_of_all(world):
    predictions = day(world)
    reference = HealthReference.of(predictions)
    if reference is None:
        assert predictions.isna().all(axis=None)
        return
    alone = HealthReference.from_bytes(reference.to_bytes())
    expected = by_formula(predictions)
    reasons = reference.reasons(expected)
    for place in range(len(predictions)):
        parts = alone.parts(predictions.iloc[[place]])
        pd.testing.assert_frame_equal(parts, expected.iloc[[place]], check_exact=False, atol=1e-12)
        pd.testing.assert_frame_equal(
            alone.reasons(expected.iloc[[place]]), reasons.iloc[[place]], atol=1e-12
        )


def test_the_health_of_a_made_home_comes_back_for_every_customer(made_home):
    tables = DayTables.read(made_home.lake, END)
    reference = HealthReference.from_bytes(references_of(tables)["ensemble"])
    rows = made_home.lake.read("ensemble/predictions", days=[END]).to_pandas()
    people = tables.features.column("customer_id").to_pandas()
    rows = rows.set_index("customer_id").loc[people]
    context = Context({name: table.to_pandas() for name, table in tables.predictions.items()})
    health = reference.parts(base_predictions(people, context)).sum(axis=1)
    assert set(people) == analysed(made_home.lake)
    np.testing.assert_allclose(health, rows["customer_health"], atol=1e-9)


def test_a_value_that_nobody_had_ranks_between_those_around_it():
    predictions = day([(MISSING, score, MISSING, MISSING) for score in (0.1, 0.2, 0.3)])
    others = day([(MISSING, s, MISSING, MISSING) for s in (0.0, 0.1, 0.15, 0.2, 0.3, 0.9)])
    points = HealthReference.of(predictions).parts(others)["engagement"].tolist()
    assert points == [0.0, 0.0, 25.0, 50.0, 100.0, 100.0]


def test_who_is_not_scored_gets_no_points_for_staying_and_all_for_being_ordinary():
    reference = HealthReference.of(day([[0.2, 0.3, 5.0, 0.1], [0.4, 0.1, 9.0, 0.5]]))
    parts = reference.parts(day([[MISSING] * 4])).iloc[0]
    assert parts["stays"] == 0.0
    assert parts["ordinary"] == pytest.approx(15.0)


def test_bytes_that_are_no_reference_are_refused():
    content = HealthReference.of(day([[0.2, 0.3, 5.0, 0.1]])).to_bytes()
    plain = zlib.decompress(content)
    for wrong in (
        b"",
        b"no reference",
        zlib.compress(b""),
        zlib.compress(plain[:-1]),
        zlib.compress(plain.replace(b'"format": 2', b'"format": 1')),
    ):
        with pytest.raises(ValueError, match="reference"):
            HealthReference.from_bytes(wrong)
