"""A correction learns from what base models say of people they did not see, or stands aside."""

import numpy as np
import pandas as pd
import pytest

from engagement_assets.learning.stacking.estimator import Correction, Ensemble, Target
from engagement_assets.learning.stacking.folds import BaseLearner, cross_fitted, fold_of
from engagement_assets.models.ensemble.training import TargetRows, train_ensemble

CHURN = Target("refined", "base", "left", "binary:logistic", "nats")
AMOUNT = Target("refined", "base", "spent", "reg:squarederror", "USD", low=None, high=None)


def people(n, *, seed=0, prefix="c", hidden=1.5):
    """Customers who leave by two causes, of which a base model may know only the first."""
    rng = np.random.default_rng(seed)
    known, missed = rng.normal(size=n), rng.normal(size=n)
    margin = known + hidden * missed
    return pd.DataFrame(
        {
            "customer_id": [f"{prefix}{i}" for i in range(n)],
            "known": known,
            "missed": missed,
            "left": (rng.random(n) < 1 / (1 + np.exp(-margin))).astype(float),
            "spent": 10 * margin + rng.normal(size=n),
        }
    )


def knows_one_cause(_rows):
    """A base model that sees the first cause alone."""

    def predict(others):
        return (1 / (1 + np.exp(-others["known"]))).to_numpy()

    return predict


def knows_by_heart(rows):
    """A planted leak: it repeats the label of whom it has seen and knows nothing of others."""
    told = dict(zip(rows["customer_id"], rows["left"], strict=True))

    def predict(others):
        return np.array([told.get(name, 0.5) for name in others["customer_id"]])

    return predict


def base(rows, fit):
    return {"base": BaseLearner("base", rows, fit, fit(rows))}


def test_a_base_model_never_predicts_whom_it_was_fitted_on():
    rows = people(600)
    leaky = base(rows, knows_by_heart)
    # what it would say of the rows it has seen: the label itself
    assert np.corrcoef(leaky["base"].champion(rows), rows["left"])[0, 1] == pytest.approx(1)
    unseen = cross_fitted(leaky, {"rows": rows})["rows"]["base"]
    assert (unseen == 0.5).all()


def test_a_planted_leak_is_not_adopted_though_in_sample_it_looks_perfect():
    rows, test = people(800, seed=1, hidden=0), people(400, seed=2, prefix="t", hidden=0)
    made = train_ensemble(
        {"refined": TargetRows(CHURN, rows, test)},
        base(rows, knows_by_heart),
        features=["missed"],
        n_bootstrap=50,
        random_state=0,
        n_jobs=1,
    )
    told = made.card["targets"]["refined"]
    assert not told["adopted"]
    # honest inputs: nobody outside is told more than a coin knows
    assert told["refined_loss"]["value"] == pytest.approx(np.log(2), abs=0.03)


def test_the_rows_of_a_customer_fall_into_one_fold_in_every_table():
    customers = pd.Series([f"c{i}" for i in range(900)])
    fold = fold_of(customers)
    assert (fold_of(customers[::-1])[::-1] == fold).all()
    assert np.bincount(fold, minlength=3).min() > 240


def test_what_the_base_model_missed_is_learnt_and_adopted():
    rows, test = people(4000, seed=3), people(1500, seed=4, prefix="t")
    made = train_ensemble(
        {"refined": TargetRows(CHURN, rows, test)},
        base(rows, knows_one_cause),
        features=["missed"],
        n_bootstrap=100,
        random_state=0,
        n_jobs=1,
    )
    told = made.card["targets"]["refined"]
    assert told["adopted"]
    assert told["gain"]["low"] > 0.05
    refined = made.model.predict(test.assign(base=knows_one_cause(rows)(test)))["refined"]
    assert np.corrcoef(refined, test["left"])[0, 1] > 0.5


def test_where_nothing_was_missed_the_base_stands_and_is_what_is_served():
    rows, test = people(3000, seed=5, hidden=0), people(800, seed=6, prefix="t", hidden=0)
    made = train_ensemble(
        {"refined": TargetRows(CHURN, rows, test)},
        base(rows, knows_one_cause),
        features=["missed"],
        n_bootstrap=100,
        random_state=0,
        n_jobs=1,
    )
    assert not made.card["targets"]["refined"]["adopted"]
    said = knows_one_cause(rows)(test)
    np.testing.assert_allclose(made.model.predict(test.assign(base=said))["refined"], said)


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


@pytest.mark.parametrize("side", ["learn", "test"])
def test_nobody_to_learn_from_or_to_judge_is_a_clear_error(side):
    rows, test = people(50), people(50, prefix="t")
    tables = {"learn": rows, "test": test} | {side: rows.iloc[:0]}
    with pytest.raises(ValueError, match="there are no labelled"):
        train_ensemble(
            {"refined": TargetRows(CHURN, **tables)},
            base(rows, knows_one_cause),
            features=["missed"],
            n_bootstrap=10,
            random_state=0,
        )


def test_one_customer_cannot_teach_an_ensemble():
    inputs = pd.DataFrame({"base": [1.0, 2.0]})
    with pytest.raises(ValueError, match="at least two customers"):
        Correction(AMOUNT).fit(inputs, np.array([1.0, 2.0]), groups=pd.Series(["c", "c"]))
