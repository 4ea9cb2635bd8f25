"""Any table becomes numbers, unseen and null values included, and back from JSON."""

import json
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engagement_assets.learning.trees.encoder import TableEncoder, typical_values

TABLE = pd.DataFrame(
    {
        "i": [1, 2, 3, 4],
        "f": [0.5, np.nan, 2.5, 1.5],
        "b": [True, False, True, True],
        "nullable": pd.array([1, None, 3, 5], dtype="Int64"),
        "nullable_bool": pd.array([True, None, False, True], dtype="boolean"),
        "text": ["x", "y", "y", None],
        "string": pd.array(["p", "q", "q", None], dtype="string"),
        "category": pd.Categorical(["low", "high", "high", None], categories=["low", "high", "no"]),
        "numbered": pd.Categorical([3, 7, 7, None]),
        "mixed_bool": pd.Series([True, None, False, True], dtype=object),
        "decimal": [Decimal("1.5"), Decimal("2.5"), None, Decimal("3.5")],
        "empty": [None, None, None, None],
    }
)


def test_every_usual_type_is_encoded():
    encoder = TableEncoder.fit(TABLE)
    encoded = pd.DataFrame(encoder.transform(TABLE), columns=encoder.features)
    nan = np.nan
    expected = {
        "i": [1, 2, 3, 4],
        "f": [0.5, nan, 2.5, 1.5],
        "b": [1, 0, 1, 1],
        "nullable": [1, nan, 3, 5],
        "nullable_bool": [1, nan, 0, 1],
        "text": [1, 0, 0, nan],
        "string": [1, 0, 0, nan],
        "category": [1, 0, 0, nan],
        "numbered": [1, 0, 0, nan],
        "mixed_bool": [1, nan, 0, 1],
        "decimal": [1.5, 2.5, nan, 3.5],
        "empty": [nan] * 4,
    }
    for name, values in expected.items():
        assert encoded[name].tolist() == pytest.approx(values, nan_ok=True), name
    assert encoded.dtypes.unique().tolist() == [np.float32]


def test_an_unseen_category_comes_after_the_rarest_and_null_stays_null():
    encoder = TableEncoder.fit(TABLE[["text"]])
    actual = encoder.transform(pd.DataFrame({"text": ["y", "x", "new", None]}))[:, 0]
    assert actual.tolist() == pytest.approx([0, 1, 2, np.nan], nan_ok=True)


def test_order_of_rows_and_columns_and_more_columns_do_not_matter():
    encoder = TableEncoder.fit(TABLE)
    assert encoder == TableEncoder.fit(TABLE.iloc[::-1])
    turned = TABLE[TABLE.columns[::-1]].assign(more=1)
    assert np.array_equal(encoder.transform(turned), encoder.transform(TABLE), equal_nan=True)


def test_a_category_and_its_text_are_encoded_alike():
    encoder = TableEncoder.fit(TABLE[["text"]])
    as_category = TABLE[["text"]].astype("category")
    assert np.array_equal(
        encoder.transform(as_category), encoder.transform(TABLE[["text"]]), equal_nan=True
    )


@settings(deadline=None)  # a busy machine is no failure
@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "number": st.one_of(st.none(), st.floats(-1e30, 1e30)),
                "text": st.one_of(st.none(), st.text(max_size=3)),
                "flag": st.booleans(),
            }
        ),
        min_size=1,
        max_size=30,
    )
)
def test_any_table_survives_json_and_its_levels_can_be_read_back(rows):
    table = pd.DataFrame(rows)
    encoder = TableEncoder.fit(table)
    again = TableEncoder.from_dict(json.loads(json.dumps(encoder.to_dict())))
    encoded = again.transform(table)
    assert np.array_equal(encoded, encoder.transform(table), equal_nan=True)
    if "text" in encoder.levels:
        levels = encoder.levels["text"]
        codes = encoded[:, encoder.features.index("text")]
        read = [None if np.isnan(code) else levels[int(code)] for code in codes]
        assert read == [row["text"] for row in rows]


def test_typical_values_are_medians_and_commonest_levels():
    actual = typical_values(TABLE, TableEncoder.fit(TABLE))
    assert actual["i"] == 2.5
    assert actual["f"] == 1.5
    assert actual["b"] == 1.0
    assert actual["text"] == "y"
    assert actual["empty"] is None
    json.dumps(actual, allow_nan=False)


@pytest.mark.parametrize(
    ("table", "error", "message"),
    [
        ([1, 2], ValueError, "Expected 2D array, got 1D array"),
        (pd.DataFrame({"a": []}), ValueError, "must have rows and columns"),
        (pd.DataFrame(index=[1]), ValueError, "must have rows and columns"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), ValueError, r"repeat: \['a'\]"),
        (pd.DataFrame([[1, 2]], columns=[3, 1]), TypeError, r"names must be text, got \[3, 1\]"),
        (pd.DataFrame({"when": pd.to_datetime(["2024-01-01"])}), TypeError, "'when' is of type"),
        (pd.DataFrame({"list": [[1, 2]]}), TypeError, "'list' is of type object"),
        (pd.DataFrame({"mix": ["a", 1]}), TypeError, "'mix' is of type object"),
        (pd.DataFrame({"z": [1j]}), TypeError, "'z' is of type complex"),
    ],
)
def test_what_cannot_be_encoded_is_named(table, error, message):
    with pytest.raises(error, match=message):
        TableEncoder.fit(table)


def test_what_changed_since_the_fit_is_named():
    encoder = TableEncoder.fit(TABLE)
    with pytest.raises(ValueError, match=r"columns are missing: \['i', 'text'\]"):
        encoder.transform(TABLE.drop(columns=["text", "i"]))
    with pytest.raises(TypeError, match="'i' was a number when the model was fitted and is a cat"):
        encoder.transform(TABLE.assign(i="many"))
    with pytest.raises(TypeError, match="'text' was a category"):
        encoder.transform(TABLE.assign(text=1))
    with pytest.raises(ValueError, match=r"infinite values .*: \['f', 'i'\]|\['i', 'f'\]"):
        encoder.transform(TABLE.assign(f=np.inf, i=1e300))


def test_a_column_that_is_all_null_now_is_null_whatever_its_type():
    encoder = TableEncoder.fit(TABLE)
    actual = encoder.frame(TABLE.assign(text=np.nan, i=None))
    assert actual[["text", "i"]].isna().all(axis=None)


def test_a_declared_type_holds_where_every_value_is_null():
    declared = pd.DataFrame(
        {
            "string": pd.array([None, None], dtype="string"),
            "category": pd.Categorical([None, None]),
            "integer": pd.array([None, None], dtype="Int64"),
            "bool": pd.array([None, None], dtype="boolean"),
        }
    )
    encoder = TableEncoder.fit(declared)
    kinds = dict.fromkeys(["string", "category"], "category")
    assert encoder.kinds == kinds | dict.fromkeys(["integer", "bool"], "number")
    with pytest.raises(TypeError, match="'integer' was a number"):
        encoder.transform(declared.assign(integer="many"))


@pytest.mark.parametrize("value", [True, 3, 0.5, "pro", Decimal(2)])
def test_a_column_without_values_takes_any_type_later_in_few_rows_and_many(value):
    encoder = TableEncoder.fit(pd.DataFrame({"size": [1.0, 2.0], "plan": [None, None]}))
    encoder = TableEncoder.from_dict(json.loads(json.dumps(encoder.to_dict())))
    for rows in (1, 100):
        encoded = encoder.transform(pd.DataFrame({"size": [1.0] * rows, "plan": [value] * rows}))
        np.testing.assert_array_equal(encoded, [[1.0, np.nan]] * rows)
