"""Clusters that are there are seen again, one cloud has none, and identities go on."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import adjusted_rand_score

from engagement_assets.learning.clustering.matching import match
from engagement_assets.learning.clustering.naming import Signature, fits, named
from engagement_assets.learning.clustering.preparation import Preparation
from engagement_assets.learning.clustering.segmenter import NoStructureError, Segmenter
from engagement_assets.learning.errors import TooLittleDataError

QUICK = {"resamples": 5, "n_jobs": 1}
# counts a month: readers, writers, sellers
RATES = np.array([[30.0, 1.0, 0.2], [25.0, 20.0, 0.2], [3.0, 2.0, 9.0]])


def planted(n=600, seed=0):
    """Skewed counts of three kinds, some of them null, and each row's kind."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, 3, n)
    counts = rng.poisson(RATES[kind] * rng.gamma(8.0, 1 / 8.0, (n, 3))).astype(float)
    counts[rng.random((n, 3)) < 0.02] = np.nan
    return pd.DataFrame(counts, columns=["read", "written", "sold"]), kind


@pytest.fixture(scope="module")
def fitted():
    rows, _ = planted()
    return Segmenter(random_state=3, **QUICK).fit(rows)


def test_planted_kinds_come_out_in_their_number_and_on_other_rows(fitted):
    rows, kind = planted(seed=1)
    assert fitted.n_clusters_ == 3
    assert adjusted_rand_score(kind, fitted.predict(rows)) > 0.8
    assert fitted.jaccard_.min() > 0.75
    assert fitted.density_.clusters >= 2
    assert np.bincount(fitted.labels_).tolist() == sorted(
        np.bincount(fitted.labels_).tolist(), reverse=True
    )


def test_kinds_come_out_where_all_rows_differ_most_in_how_active_they_are():
    rng = np.random.default_rng(5)
    kind = rng.integers(0, 3, 900)
    middles = np.array([[0.0, 1.0, -1.0, 0.0], [1.0, 0.0, 0.0, -1.0], [-1.0, 0.0, 1.0, 1.0]])
    activity = rng.normal(0.0, 1.5, (900, 1))
    rows = pd.DataFrame(middles[kind] + activity + rng.normal(0.0, 0.2, (900, 4))).add_prefix("x")
    model = Segmenter(random_state=1, **QUICK).fit(rows[:450])
    assert model.n_clusters_ == 3
    assert adjusted_rand_score(kind[450:], model.predict(rows[450:])) > 0.95


def test_the_same_seed_is_the_same_model_and_survives_saving(fitted, tmp_path):
    rows, _ = planted()
    again = Segmenter(random_state=3, **QUICK).fit(rows)
    np.testing.assert_array_equal(again.cluster_centers_, fitted.cluster_centers_)
    fitted.save(tmp_path)
    loaded = Segmenter.load(tmp_path)
    assert loaded.get_params() == fitted.get_params()
    np.testing.assert_array_equal(loaded.transform(rows), fitted.transform(rows))


@pytest.mark.parametrize("seed", [1, 2])
def test_one_gaussian_cloud_has_no_structure(seed):
    rng = np.random.default_rng(seed)
    cloud = rng.normal(size=(400, 4)) @ rng.normal(size=(4, 4))
    with pytest.raises(NoStructureError):
        Segmenter(random_state=seed, max_clusters=4, **QUICK).fit(
            pd.DataFrame(cloud).add_prefix("x")
        )


@pytest.mark.parametrize(
    ("preferred", "chosen"), [(3, 3), (2, 2), (5, 3)], ids=["best", "stable too", "unstable"]
)
def test_a_preferred_number_stays_while_it_is_stable(preferred, chosen):
    rows, _ = planted(300)
    model = Segmenter(preferred_clusters=preferred, **QUICK).fit(rows)
    assert model.n_clusters_ == chosen


def test_the_unit_of_a_column_changes_nothing(fitted):
    rows, _ = planted()
    other = Segmenter(random_state=3, **QUICK).fit(rows * [1000.0, 1.0, 0.01])
    assert adjusted_rand_score(other.labels_, fitted.labels_) == 1.0


@pytest.mark.parametrize(
    ("rows", "error"),
    [
        (pd.DataFrame({"a": [1.0] * 60}), TooLittleDataError),
        (pd.DataFrame({"a": range(10)}), TooLittleDataError),
        (pd.DataFrame({"a": ["x"] * 60}), TypeError),
        (pd.DataFrame({"a": [np.inf, *range(60)]}), ValueError),
        (pd.DataFrame({"a": [0.0, 1.0] * 30}), NoStructureError),
    ],
    ids=["one value", "few rows", "text", "infinite", "two values"],
)
def test_what_cannot_be_clustered_is_refused(rows, error):
    with pytest.raises(error):
        Segmenter(**QUICK).fit(rows)


def test_a_column_without_values_is_left_out_and_may_be_filled_later():
    rows, _ = planted(200)
    preparation = Preparation.fit(rows.assign(empty=None), parts=10)
    assert preparation.left_out == ["empty"]
    before = preparation.transform(rows.assign(empty=None))
    np.testing.assert_array_equal(preparation.transform(rows.assign(empty="now")), before)


def test_clusters_are_matched_by_the_rows_in_common_and_a_new_one_by_none():
    before = np.repeat([0, 1, 2], [50, 30, 20])
    now = np.where(before == 0, 2, np.where(before == 1, 0, 1))
    now[before == 2] = np.arange(20) % 2 * 2 + 1  # the third falls in two halves, 1 and 3
    assert match(before, now) == {2: 0, 0: 1, 1: 2}
    now[before == 2] = np.arange(20) % 3 + 3
    assert match(before, now) == {2: 0, 0: 1}


def test_a_kind_is_named_where_it_describes_a_cluster_better_than_chance(fitted):
    _, kind = planted()
    of_kind = {
        int(np.bincount(kind[fitted.labels_ == place]).argmax()): place for place in range(3)
    }
    kinds = [
        Signature("sellers", high=("sold",)),
        Signature("writers", high=("written",)),
        Signature("elsewhere", high=("no such column", "another", "read")),
    ]
    fit = fits(fitted.standings_, kinds)
    names = named(fit)
    assert names.get(of_kind[2]) == "sellers"
    assert names.get(of_kind[1]) == "writers"
    assert "elsewhere" not in names.values()
    taken = {of_kind[0]: "sellers"}
    assert named(fit, taken=taken)[of_kind[0]] == "sellers"
    assert list(named(fit, taken=taken).values()).count("sellers") == 1
