"""Arrays are taken as tables are, odd columns are named, and so are damaged files."""

import logging

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GridSearchCV

from engagement_assets.learning.clustering.segmenter import Segmenter
from engagement_assets.learning.json_data import BrokenFileError
from engagement_assets.learning.tables import as_table
from engagement_assets.learning.trees.boosted import BOOSTER_FILE, ESTIMATOR_FILE
from engagement_assets.learning.trees.classifier import CalibratedBoostingClassifier
from engagement_assets.learning.trees.encoder import TableEncoder

RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 3))
Y = (X[:, 0] + RNG.normal(size=120) > 0).astype(int)
TREES = {"n_estimators": 8, "folds": 2, "n_jobs": 1}


def test_an_array_is_learnt_from_as_the_table_with_its_names_is():
    of_array = CalibratedBoostingClassifier(**TREES).fit(X, Y)
    table = pd.DataFrame(X, columns=["x0", "x1", "x2"])
    of_table = CalibratedBoostingClassifier(**TREES).fit(table, Y)
    np.testing.assert_array_equal(of_array.predict_proba(X), of_table.predict_proba(table))
    np.testing.assert_array_equal(
        of_array.explain(X).contributions, of_table.explain(table).contributions
    )
    with pytest.raises(ValueError, match="X has 2 features, but it is expecting 3 features"):
        of_array.predict(X[:, :2])


def test_a_table_of_mixed_types_may_be_an_array():
    mixed = np.array([[1.5, "red", True], [None, "blue", False]], dtype=object)
    kinds = TableEncoder.fit(as_table(mixed)).kinds
    assert kinds == {"x0": "number", "x1": "category", "x2": "number"}


def test_classes_keep_their_names_over_saving(tmp_path):
    names = np.where(Y == 1, "stays", "leaves")
    model = CalibratedBoostingClassifier(**TREES).fit(X, names)
    model.save(tmp_path)
    loaded = CalibratedBoostingClassifier.load(tmp_path)
    assert list(loaded.classes_) == ["leaves", "stays"]
    assert set(loaded.predict(X)) == {"leaves", "stays"}
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))


def test_a_search_over_a_grid_of_numpy_values_can_be_saved(tmp_path):
    grid = {"max_depth": np.arange(2, 4), "learning_rate": np.array([0.1])}
    best = GridSearchCV(CalibratedBoostingClassifier(**TREES), grid, cv=2).fit(X, Y).best_estimator_
    best.save(tmp_path)
    assert CalibratedBoostingClassifier.load(tmp_path).max_depth == best.max_depth


@pytest.mark.parametrize(
    ("parameter", "value"),
    [("n_estimators", 0), ("subsample", 0.0), ("folds", 1), ("random_state", 2**31)],
)
def test_a_parameter_out_of_its_range_is_named(parameter, value):
    with pytest.raises(ValueError, match=f"'{parameter}' parameter"):
        CalibratedBoostingClassifier(**TREES | {parameter: value}).fit(X, Y)


def test_complex_targets_are_refused_in_words():
    with pytest.raises(ValueError, match="Complex data not supported"):
        CalibratedBoostingClassifier(**TREES).fit(X, Y + 1j)


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ([*map(str, range(98)), " ", "?"], r"looks like numbers: 2 of 100 values are not"),
        ([f"id-{number}" for number in range(100)], "another value in each of 100 rows"),
        (["red", "blue"] * 50, None),
        (["1", "2", "3", "4"] * 25, None),
    ],
)
def test_text_that_is_no_category_is_said(texts, said, caplog):
    with caplog.at_level(logging.WARNING):
        TableEncoder.fit(pd.DataFrame({"column": texts}))
    if said is None:
        assert not caplog.records
    else:
        assert pd.Series(caplog.messages).str.contains(said).all()
        assert "'column'" in caplog.text


def test_distances_to_segments_have_names():
    apart = np.concatenate([X, X + 9.0])
    model = Segmenter(n_clusters=2, resamples=2, n_jobs=1).fit(apart)
    assert list(model.get_feature_names_out()) == ["segmenter0", "segmenter1"]
    assert model.set_output(transform="pandas").transform(apart).shape == (240, 2)


@pytest.mark.parametrize("file", [ESTIMATOR_FILE, BOOSTER_FILE])
@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\xff\xfe", b"null"])
def test_a_damaged_file_is_named(file, content, tmp_path):
    CalibratedBoostingClassifier(**TREES).fit(X, Y).save(tmp_path)
    (tmp_path / file).write_bytes(content)
    with pytest.raises(BrokenFileError, match=file):
        CalibratedBoostingClassifier.load(tmp_path)
