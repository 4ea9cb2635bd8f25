"""Base models predict only whom they did not see; a correction is stable and survives saving."""

import numpy as np
import pandas as pd
import pytest

from engagement_assets.learning.stacking.estimator import Correction, Ensemble, Target
from engagement_assets.learning.stacking.folds import cross_fitted, fold_of
from engagement_assets_tests.learning.stacking.people import base, knows_by_heart, people

AMOUNT = Target("refined", "base", "spent", "reg:squarederror", "USD", low=None, high=None)


def test_a_base_model_never_predicts_whom_it_was_fitted_on():
    rows = people(600)
    leaky = base(rows, knows_by_heart)
    # what it would say of the rows it has seen: the label itself
    assert np.corrcoef(leaky["base"].champion(rows), rows["left"])[0, 1] == pytest.approx(1)
    unseen = cross_fitted(leaky, {"rows": rows}, group="customer_id")["rows"]["base"]
    assert (unseen == 0.5).all()


def test_the_rows_of_a_customer_fall_into_one_fold_in_every_table():
    customers = pd.Series([f"c{i}" for i in range(900)])
    fold = fold_of(customers)
    assert (fold_of(customers[::-1])[::-1] == fold).all()
    assert np.bincount(fold, minlength=3).min() > 240


def fitted(target=AMOUNT, n=500):
    rows = people(n, seed=7)
    inputs = pd.DataFrame({"base": 10 * rows["known"], "missed": rows["missed"]})
    correction = Correction(target, random_state=3, n_jobs=1)
    correction.fit(inputs, rows[target.label].to_numpy(), groups=rows["customer_id"])
    return correction, inputs


def test_the_same_seed_gives_the_same_predictions_and_files_bring_them_back(tmp_path):
    (first, inputs), (second, _) = fitted(), fitted()
    np.testing.assert_array_equal(first.predict(inputs), second.predict(inputs))
    assert first.n_trees_ > 0
    whole = Ensemble({"refined": first}, {"refined": True})
    whole.save(tmp_path)
    loaded = Ensemble.load(tmp_path, targets={"refined": AMOUNT})
    pd.testing.assert_frame_equal(loaded.predict(inputs), whole.predict(inputs))


def test_who_has_no_base_prediction_has_no_refined_one():
    correction, inputs = fitted()
    whole = Ensemble({"refined": correction}, {"refined": True})
    inputs.loc[:9, "base"] = np.nan
    refined = whole.predict(inputs)["refined"]
    assert refined.isna().sum() == 10
    assert refined[:10].isna().all()


def test_files_of_another_kind_are_refused(tmp_path):
    (tmp_path / "ensemble.json").write_text('{"format": "another/1"}')
    with pytest.raises(ValueError, match="has format 'another/1'"):
        Ensemble.load(tmp_path, targets={})


def test_one_customer_cannot_teach_an_ensemble():
    inputs = pd.DataFrame({"base": [1.0, 2.0]})
    with pytest.raises(ValueError, match="at least two groups"):
        Correction(AMOUNT).fit(inputs, np.array([1.0, 2.0]), groups=pd.Series(["c", "c"]))
