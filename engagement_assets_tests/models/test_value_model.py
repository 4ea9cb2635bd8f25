"""A value learnt from a short history holds for a long one; its applications follow rules."""

import json

import numpy as np
import pandas as pd
import pytest

from engagement_assets.learning.evaluation.regression import r2
from engagement_assets.lifecycle.card import model_card
from engagement_assets.lifecycle.dates import Snapshots
from engagement_assets.lifecycle.predictor import Context
from engagement_assets.lifecycle.reports import baseline_lines, better_baselines
from engagement_assets.lifecycle.training import split_rows
from engagement_assets.models.lifetime_value.adapter import LifetimeValueAdapter
from engagement_assets.models.lifetime_value.inputs import GUESS, HistoryInputs, observed_days
from engagement_assets.models.lifetime_value.model import ValueModel, lifetime_value
from engagement_assets.models.lifetime_value.reports import evaluation_markdown
from engagement_assets.models.lifetime_value.spec import SPEC
from engagement_assets_tests.models.value_world import FEATURES, FIRST_DAY, TEST, TRAIN, rows
from resources.registry import RegisteredModel

# a linear world: with one seed of four the linear baseline is better beyond 20 resamples
FAST = {
    "n_estimators": 30,
    "learning_rate": 0.2,
    "max_depth": 3,
    "folds": 2,
    "n_jobs": 1,
    "random_state": 1,
}
SNAPSHOTS = Snapshots((TRAIN,), TEST)


def train(parameters=FAST, train_rows=None, features=FEATURES):
    return LifetimeValueAdapter().learn(
        rows(TRAIN) if train_rows is None else train_rows,
        rows(TEST),
        snapshots=SNAPSHOTS,
        features=features,
        parameters=parameters,
        n_bootstrap=20,
        first_day=FIRST_DAY,
    )


@pytest.fixture(scope="module")
def trained():
    return train()


@pytest.fixture(scope="module")
def version(trained, tmp_path_factory):
    folder = tmp_path_factory.mktemp("value")
    trained.model.save(folder)
    return RegisteredModel(name="lifetime_value", version="v1", folder=folder, card=trained.card)


def test_what_is_learnt_after_40_days_holds_after_220(trained):
    test = split_rows(rows(TEST), test=True)
    prediction = trained.model.predict(test)
    # more than five times the revenue to date, the same future
    assert prediction.mean() == pytest.approx(test["expected_usd"].mean(), rel=0.15)
    assert r2(test["expected_usd"], prediction) > 0.8


def test_a_rate_is_believed_the_more_the_longer_it_was_seen():
    inputs = HistoryInputs.fit(
        rows(TRAIN),
        rows(TRAIN)["future_revenue_usd"],
        features=FEATURES,
        first_day=FIRST_DAY,
        window_days=180,
    )
    assert 5.0 < inputs.prior_days < 80.0
    pair = pd.concat([rows(TRAIN).head(1), rows(TEST).head(1)])
    same_rate = pair.assign(revenue_to_date_usd=observed_days(pair, FIRST_DAY) * 2.0)
    guess = inputs(same_rate)[GUESS].to_numpy()
    assert inputs.mean_rate * 180 < guess[0] < guess[1] < 2.0 * 180
    refunded = inputs(pair.assign(revenue_to_date_usd=-50.0))[GUESS]
    assert (refunded > 0.0).all()


def test_history_counts_from_the_sign_up_or_the_first_day():
    pair = rows(TEST).head(2).assign(tenure_days=[9, 1000])
    assert observed_days(pair, FIRST_DAY).tolist() == [10.0, 220.0]


def test_the_card_is_data_and_has_what_the_issue_asks_for(trained):
    card = json.loads(json.dumps(trained.card, allow_nan=False))
    wanted = {"r2", "rmse", "mape_of_payers", "normalised_gini", "coverage", "pinball_p90"}
    assert wanted <= set(card["metrics"])
    assert set(card["metrics"]["r2"]) == {"value", "low", "high"}
    assert len(card["coverage_by_decile"]) == len(card["deciles"])
    assert card["training_customers"] + card["test_customers"] == 3000
    assert set(card["out_of_fold_rmse"]) == {"hurdle", "tweedie", "squared"}
    assert sum(card["score_shares"]) == pytest.approx(1.0)


def test_baselines_run_beside_on_the_same_people(trained):
    baselines = trained.card["baselines"]
    assert set(baselines["models"]) == {"linear", "histogram boosting", "random forest"}
    assert all(0.0 < figures["quality"] < 1.0 for figures in baselines["models"].values())
    assert better_baselines(trained.card) == []
    (line,) = baseline_lines(trained.card)
    assert line.startswith("baselines, R²: linear 0.")
    text = evaluation_markdown(trained.card)
    assert "| random forest |" in text
    assert "None is better beyond chance." in text


def test_a_baseline_that_is_better_is_named():
    card = train({**FAST, "n_estimators": 1, "learning_rate": 0.01, "prior": None}).card
    named = better_baselines(card)
    assert any(text.startswith("linear on recency") for text in named)
    assert all(text in evaluation_markdown(card) for text in named)
    assert baseline_lines(card)[1:] == [f"! {text}" for text in named]
    assert named[0] in model_card(card, purpose="", limits=[], rollback="")


def test_intervals_are_honest_at_the_later_time(trained):
    assert trained.card["metrics"]["coverage_atom_in_part"]["value"] == pytest.approx(0.8, abs=0.06)


def test_a_refit_gives_the_same_card_and_files(trained, tmp_path):
    again = train()
    assert again.card == trained.card
    trained.model.save(tmp_path / "a")
    again.model.save(tmp_path / "b")
    for file in (tmp_path / "a").iterdir():
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes()


def predict(version, snapshot):
    predictor = LifetimeValueAdapter().load(version, parameters={"channel_cac": {}}, threads=1)
    return predictor(snapshot, Context())


def test_every_customer_is_predicted_and_explained(version):
    snapshot = rows(TEST, n=400)
    predicted = predict(version, snapshot)
    table = predicted.table
    assert table["customer_id"].tolist() == snapshot["customer_id"].tolist()
    ends = table[[f"future_revenue_usd_p{n}" for n in (10, 50, 90)]].to_numpy()
    assert (np.diff(ends, axis=1) >= 0.0).all()
    assert table["lifetime_value_usd"].between(0, 10_000).all()
    assert table["payment_chance"].between(0, 1).all()
    assert GUESS in set(table["reason_1_feature"])
    assert predicted.explanation.rows_checked == 400


def test_a_source_without_revenue_has_no_value_to_learn():
    with pytest.raises(ValueError, match="nobody's revenue is known"):
        train(train_rows=rows(TRAIN).assign(future_revenue_usd=np.nan))
    without = tuple(name for name in FEATURES if name != "revenue_to_date_usd")
    assert train(features=without).model.regressor.prior is None


def test_fairness_is_reported_by_gender_age_and_location(version):
    actual = LifetimeValueAdapter().fairness(version, rows(TEST), threads=1, seed=0, n_bootstrap=20)
    assert set(actual.report.verdicts) == {
        f"customers by {name}" for name in ("gender", "age_band", "location")
    }
    assert actual.report.passes
    assert actual.mitigation is None
    assert json.loads(json.dumps(actual.to_dict()))["report"]["passes"] is True
    assert "looked after" in actual.worded({}, SPEC.fairness.selected_are).to_markdown()


def test_a_gap_of_the_truth_is_named_with_what_would_close_it_and_its_price(version):
    unfair = rows(TEST)
    low = unfair["gender"] == "male"
    unfair.loc[low, ["revenue_to_date_usd", "future_revenue_usd"]] *= 0.2
    actual = LifetimeValueAdapter().fairness(version, unfair, threads=1, seed=0, n_bootstrap=20)
    assert "gender" in actual.report.gap_attributes("selected")
    assert any("gender=male" in text for text in actual.report.gaps_of_the_truth)
    assert actual.mitigation is not None
    assert "Mitigation" in actual.to_markdown()


def test_the_better_model_has_the_advantage(version, tmp_path):
    blind = train(features=("logins_month", "primary_device"))
    blind.model.save(tmp_path)
    worse = RegisteredModel(name="lifetime_value", version="v2", folder=tmp_path, card=blind.card)
    how = {"threads": 1, "n_bootstrap": 50, "seed": 0}
    advantage = LifetimeValueAdapter().advantage
    assert advantage(version, worse, rows(TEST), **how).low > 0.0
    assert advantage(worse, version, rows(TEST), **how).high < 0.0


def test_reports_tell_of_zeros_and_of_the_comparison(trained):
    text = evaluation_markdown(trained.card)
    assert "Mean: " in text
    assert "paid exactly 0" in text
    assert "data:image/png" in text


def test_lifetime_value_is_past_plus_future_within_its_bounds():
    actual = lifetime_value(pd.Series([100.0, -50.0, 9_990.0, np.nan]), [20.0, 10.0, 50.0, 5.0])
    assert actual.tolist() == [120.0, 0.0, 10_000.0, 5.0]


def test_inputs_of_another_format_are_refused(version, tmp_path):
    ValueModel.load(version.folder).save(tmp_path)
    (tmp_path / "inputs.json").write_text('{"format": "other/1"}')
    with pytest.raises(ValueError, match="has format 'other/1'"):
        ValueModel.load(tmp_path)


def test_a_refit_keeps_the_method_and_has_not_seen_whom_it_is_not_given(version):
    learnt = rows(TRAIN)
    model = ValueModel.load(version.folder)
    again = model.refitted(learnt, learnt["future_revenue_usd"])
    other = model.refitted(learnt, learnt["future_revenue_usd"] * 2)
    some = rows(TEST)
    assert again.regressor.mean_ == model.regressor.mean_
    assert again.regressor.trees_ == model.regressor.trees_
    assert np.corrcoef(again.predict(some), model.predict(some))[0, 1] > 0.8
    # two trees go but a part of the way from the guess
    assert other.predict(some).mean() > 1.2 * again.predict(some).mean()
    np.testing.assert_array_equal(
        model.predict(some), ValueModel.load(version.folder).predict(some)
    )
