"""The detector as a whole: what it finds, what a score means, review labels, bad input, files."""

import json

import numpy as np
import pandas as pd
import pytest

from engagement_assets.learning.anomaly.components import COMPONENTS
from engagement_assets.learning.anomaly.detector import ARRAYS_FILE, DETECTOR_FILE, AnomalyDetector
from engagement_assets.learning.anomaly.kinds import KindRules
from engagement_assets.learning.evaluation.metrics import auc
from engagement_assets.learning.explanations.explanation import top_reasons

ROWS = 1500
PLANTED = 15
RULES = KindRules(high_in_fraud=("count",), high_traces=("count",), trend="trend")


def small(**parameters):
    settings = {"neighbour_samples": 20, "random_state": 1}
    return AnomalyDetector(**{**settings, **parameters})


def table(seed, *, rows=ROWS, planted=PLANTED):
    """Customers of one cause, of whom the last few break its pattern and count too much."""
    rng = np.random.default_rng(seed)
    cause = rng.standard_normal(rows)
    frame = pd.DataFrame(
        {
            "use": cause + 0.3 * rng.standard_normal(rows),
            "minutes": np.exp(cause + 0.3 * rng.standard_normal(rows)),
            "count": rng.poisson(np.exp(0.5 * cause)),
            "trend": 0.1 * rng.standard_normal(rows),
            "device": rng.choice(["mobile", "desktop"], rows, p=[0.8, 0.2]),
            "rating": np.where(rng.random(rows) < 0.3, np.nan, rng.normal(4, 0.5, rows)),
        }
    )
    odd = np.arange(rows) >= rows - planted
    frame.loc[odd, "count"] = 40 + rng.poisson(10, planted)
    frame.loc[odd, "minutes"] = 0.01
    frame.loc[odd, "use"] = 2.5
    return frame, odd


@pytest.fixture(scope="module")
def fitted():
    return small().fit(table(0)[0])


@pytest.fixture(scope="module")
def taught():
    train, odd = table(0)
    review_labels = pd.Series(np.nan, index=train.index)
    review_labels[odd] = 1.0
    review_labels.iloc[:40] = 0.0
    return small(rules=RULES).fit(train, review_labels=review_labels)


def test_planted_rows_are_found_among_rows_not_seen(fitted):
    later, odd = table(5)
    assert auc(odd, fitted.score_samples(later)) > 0.99


def test_about_one_in_a_hundred_ordinary_rows_goes_to_review():
    model = small().fit(table(0, planted=0)[0])
    score = model.score_samples(table(6, rows=5000, planted=0)[0])
    assert 0.003 < (score > 0.9).mean() < 0.03
    assert score.min() >= 0.0
    assert score.max() < 1.0
    assert np.median(score) == pytest.approx(0.29, abs=0.05)


def test_another_review_share_sends_as_many():
    model = small(review_share=0.1).fit(table(0, planted=0)[0])
    flagged = model.predict(table(6, rows=5000, planted=0)[0])
    assert flagged.mean() == pytest.approx(0.1, abs=0.04)


def test_the_same_seed_gives_the_same_scores_and_another_seed_nearly():
    train, later = table(0)[0], table(5)[0]
    first, again, other = (
        small(random_state=seed).fit(train).score_samples(later) for seed in (1, 1, 2)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert np.corrcoef(first, other)[0, 1] > 0.95


def test_a_refit_with_review_labels_is_the_same(taught):
    train, odd = table(0)
    review_labels = pd.Series(np.where(odd, 1.0, np.where(np.arange(ROWS) < 40, 0.0, np.nan)))
    again = small(rules=RULES).fit(train, review_labels=review_labels)
    later = table(5)[0]
    assert np.array_equal(taught.score_samples(later), again.score_samples(later))


def test_the_order_of_columns_and_further_columns_do_not_matter(fitted):
    later = table(5)[0]
    shuffled = later[later.columns[::-1]].assign(extra=1)
    assert np.array_equal(fitted.score_samples(later), fitted.score_samples(shuffled))


def test_the_reasons_name_what_was_planted(fitted):
    later, odd = table(5)
    told = fitted.reasons(later[odd], k=1)
    assert told["reason_1_feature"].isin({"count", "minutes", "use"}).mean() > 0.9
    assert (told["kind"] == "unusual").all()


def test_reasons_have_the_form_of_every_other_models(fitted):
    later = table(5)[0].head(20)
    actual = fitted.assess(later)
    form = top_reasons(actual.explanation, later, typical=fitted.typical_values_, k=3)
    told = fitted.reasons(later, k=3)
    assert list(told.columns) == [*form.columns, "kind"]
    assert told.dtypes[form.columns].equals(form.dtypes)


def test_contributions_sum_to_the_surprise_and_are_never_negative(taught):
    actual = taught.assess(table(5)[0])
    total = actual.explanation.contributions.sum(axis=1)
    # a score of 1 - exp(-surprise / 2) at a review share of 0.01
    assert total == pytest.approx(-2.0 * np.log1p(-actual.score), rel=1e-3, abs=1e-3)
    assert actual.explanation.contributions.min() >= 0.0
    assert actual.explanation.additivity_error < 1e-6


def test_every_component_gives_a_score_on_the_same_scale(taught):
    actual = taught.scores(table(5)[0])[1]
    assert list(actual.columns) == [*COMPONENTS, "traces", "review_labels"]
    assert actual.min().min() >= 0.0
    assert actual.max().max() < 1.0


def test_review_labels_teach_what_being_unlike_the_rest_does_not():
    """Fraud that is not extreme at all, hidden in the middle of one feature."""
    rng = np.random.default_rng(0)

    def customers(rows):
        frame = pd.DataFrame(rng.standard_normal((rows, 6)), columns=list("abcdef"))
        guilty = (frame["a"] + frame["b"]).between(1.0, 1.3) & (frame["c"] > 0.5)
        return frame, guilty

    train, guilty = customers(4000)
    later, later_guilty = customers(3000)
    looked_at = rng.random(len(train)) < 0.3
    review_labels = guilty.astype(float).where(pd.Series(looked_at))
    plain = small().fit(train)
    taught = small().fit(train, review_labels=review_labels)
    assert taught.blend_ > 0.0
    assert auc(later_guilty, plain.score_samples(later)) < 0.7
    assert auc(later_guilty, taught.score_samples(later)) > 0.85


@pytest.mark.parametrize(
    "review_labels",
    [[1.0] * 20, [0.0] * 20, [], [1.0] * 3 + [0.0] * 20],
    ids=["one class", "the other class", "none", "too few of one"],
)
def test_without_enough_review_labels_of_both_kinds_the_unsupervised_score_stands(
    review_labels, fitted
):
    train = table(0)[0]
    given = pd.Series(np.nan, index=train.index)
    given.iloc[: len(review_labels)] = review_labels
    actual = small().fit(train, review_labels=given)
    assert actual.review_label_model_ is None
    assert any("unsupervised score stands" in said for said in actual.statements_)
    assert np.array_equal(actual.score_samples(train), fitted.score_samples(train))


@pytest.mark.parametrize(
    ("review_labels", "error", "words"),
    [
        (pd.Series([1.0, 0.0]), ValueError, "2 review labels"),
        (pd.Series(2.0, index=range(ROWS)), ValueError, "true, false or null"),
        (pd.Series(1.0, index=range(5, ROWS + 5)), ValueError, "another index"),
        ([1.0] * ROWS, TypeError, "pandas Series"),
    ],
)
def test_review_labels_that_do_not_fit_are_refused(review_labels, error, words):
    with pytest.raises(error, match=words):
        small().fit(table(0)[0], review_labels=review_labels)


def test_infinite_values_are_refused_by_name(fitted):
    bad = table(5)[0]
    bad.loc[3, "use"] = np.inf
    with pytest.raises(ValueError, match=r"infinite.*use"):
        fitted.score_samples(bad)
    with pytest.raises(ValueError, match=r"infinite.*use"):
        small().fit(bad)


def test_one_row_is_scored_but_not_learnt_from(fitted):
    row = table(5)[0].head(1)
    assert fitted.score_samples(row).shape == (1,)
    assert len(fitted.reasons(row)) == 1
    with pytest.raises(ValueError, match="at least 10"):
        small().fit(row)
    with pytest.raises(ValueError, match="at least 10"):
        small().fit(table(5)[0].head(9))


def test_constant_and_empty_columns_are_left_out_with_a_statement():
    train = table(0)[0].assign(one=1, nothing=None)
    actual = small().fit(train)
    assert any("['one', 'nothing']" in said for said in actual.statements_)
    assert np.isfinite(actual.score_samples(train)).all()
    told = actual.reasons(train.head(50), k=8)
    names = [told[f"reason_{n}_feature"] for n in range(1, 9)]
    assert not pd.concat(names).isin(["one", "nothing"]).any()


def test_a_table_of_one_value_is_refused():
    with pytest.raises(ValueError, match="nothing can be unlike the rest"):
        small().fit(pd.DataFrame({"a": [1] * 50, "b": None}))


def test_a_level_never_seen_and_a_null_where_none_was_are_scored(fitted):
    row = table(5)[0].head(2).assign(device="watch", use=np.nan)
    assert np.isfinite(fitted.score_samples(row)).all()


def test_more_columns_than_rows_works_and_says_that_the_mark_is_extrapolated():
    rng = np.random.default_rng(0)
    wide = pd.DataFrame(rng.standard_normal((30, 80)), columns=[f"x{i}" for i in range(80)])
    actual = small().fit(wide)
    assert any("extrapolated" in said for said in actual.statements_)
    far = wide.head(1) + 6.0
    assert actual.score_samples(far)[0] > actual.score_samples(wide).max()


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"review_share": 0.0}, "review_share"),
        ({"min_review_labels": 1}, "min_review_labels"),
        ({"trace_weight": 2.0}, "trace_weight"),
    ],
)
def test_impossible_parameters_are_refused(parameters, words):
    with pytest.raises(ValueError, match=words):
        small(**parameters).fit(table(0)[0])


def test_a_saved_detector_scores_explains_and_sorts_as_before(taught, tmp_path):
    taught.save(tmp_path)
    later = table(5)[0]
    loaded = AnomalyDetector.load(tmp_path)
    assert np.array_equal(loaded.score_samples(later), taught.score_samples(later))
    pd.testing.assert_frame_equal(loaded.reasons(later), taught.reasons(later))
    assert loaded.get_params() == taught.get_params()
    assert loaded.statements_ == taught.statements_
    assert loaded.blend_scores_ == taught.blend_scores_


def test_saving_again_gives_the_same_bytes(fitted, tmp_path):
    fitted.save(tmp_path / "one")
    AnomalyDetector.load(tmp_path / "one").save(tmp_path / "two")
    for file in (DETECTOR_FILE, ARRAYS_FILE):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_files_of_another_format_are_refused(fitted, tmp_path):
    fitted.save(tmp_path)
    state = json.loads((tmp_path / DETECTOR_FILE).read_text())
    (tmp_path / DETECTOR_FILE).write_text(json.dumps({**state, "format": "other/1"}))
    with pytest.raises(ValueError, match="other/1"):
        AnomalyDetector.load(tmp_path)
