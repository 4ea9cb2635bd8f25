"""A customer's health is a sum of parts that add up, whatever models there are."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engagement_assets.models.ensemble.health import HealthReference


def health_parts(predictions):
    return HealthReference.of(predictions).parts(predictions)


def health_reasons(predictions, *, k):
    reference = HealthReference.of(predictions)
    return reference.reasons(reference.parts(predictions), k=k)


def customers(**changes):
    told = {
        "churn_probability": [0.1, 0.9, np.nan],
        "engagement_score": [0.8, 0.4, 0.0],
        "lifetime_value_usd": [100.0, 300.0, 0.0],
        "anomaly_score": [0.2, 0.2, 0.2],
    }
    return pd.DataFrame(told | changes)


def test_the_health_of_three_customers_is_what_the_formula_says():
    health = health_parts(customers()).sum(axis=1)
    expected = [
        100 * (0.35 * 0.9 + 0.30 * 1.0 + 0.20 * 0.5 + 0.15 * 0.8),
        100 * (0.35 * 0.1 + 0.30 * 0.5 + 0.20 * 1.0 + 0.15 * 0.8),
        100 * (0.15 * 0.8),
    ]
    np.testing.assert_allclose(health, expected)


@given(
    st.lists(
        st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1e4), st.floats(0, 1)),
        min_size=1,
        max_size=30,
    )
)
def test_health_lies_within_0_and_100(rows):
    names = list(customers().columns)
    health = health_parts(pd.DataFrame(rows, columns=names)).sum(axis=1)
    assert health.between(-1e-9, 100 + 1e-9).all()


def test_a_part_that_no_model_predicts_is_left_out_and_the_others_keep_their_proportion():
    parts = health_parts(customers(lifetime_value_usd=np.nan))
    assert list(parts.columns) == ["stays", "engagement", "ordinary"]
    assert parts.loc[0, "engagement"] == pytest.approx(100 * 0.30 / 0.80)


def test_without_any_prediction_there_is_no_health():
    nothing = dict.fromkeys(customers().columns, np.nan)
    assert HealthReference.of(customers().assign(**nothing)) is None


def test_the_first_reason_is_the_part_that_sets_a_customer_apart_most():
    reasons = health_reasons(customers(), k=3)
    assert reasons.loc[2, "reason_1_feature"] == "engagement"
    assert reasons.loc[2, "reason_1_contribution"] == pytest.approx(-15.0)
    assert reasons.loc[2, "reason_1_value"] == "0.0 points"
    sizes = reasons[[f"reason_{n}_contribution" for n in (1, 2, 3)]].abs()
    assert (sizes.diff(axis=1).iloc[:, 1:] <= 0).all(axis=None)


def test_fewer_parts_than_reasons_leave_nulls():
    alone = customers(lifetime_value_usd=np.nan, anomaly_score=np.nan, churn_probability=np.nan)
    reasons = health_reasons(alone, k=2)
    assert reasons["reason_2_feature"].isna().all()
    assert reasons["reason_2_contribution"].isna().all()
