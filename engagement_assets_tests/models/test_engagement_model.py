"""Engagement is trained on other people at an earlier time, judged, predicted and reported."""

import json

import numpy as np
import pandas as pd
import pytest

from engagement_assets.lifecycle.champion import judge
from engagement_assets.lifecycle.dates import Snapshots
from engagement_assets.lifecycle.errors import NotTrainableError
from engagement_assets.lifecycle.predictor import Context
from engagement_assets.lifecycle.training import split_rows
from engagement_assets.models.engagement.adapter import EngagementAdapter
from engagement_assets.models.engagement.product import dependence_table, group_table
from engagement_assets.models.engagement.reports import (
    evaluation_markdown,
    product_report,
)
from engagement_assets.models.engagement.spec import SPEC
from engagement_assets_tests.models.value_world import FIRST_DAY, TEST, TRAIN, rows
from resources.registry import RegisteredModel

FEATURES = ("logins_month", "primary_device", "tenure_days")
FAST = {"n_estimators": 30, "learning_rate": 0.2, "max_depth": 3, "folds": 2, "n_jobs": 1}


def train(features=FEATURES, train_rows=None):
    return EngagementAdapter().learn(
        rows(TRAIN) if train_rows is None else train_rows,
        rows(TEST),
        snapshots=Snapshots((TRAIN,), TEST),
        features=features,
        parameters=FAST,
        n_bootstrap=20,
        first_day=FIRST_DAY,
    )


@pytest.fixture(scope="module")
def trained():
    return train()


@pytest.fixture(scope="module")
def version(trained, tmp_path_factory):
    folder = tmp_path_factory.mktemp("engagement")
    trained.model.save(folder)
    return RegisteredModel(name="engagement", version="v1", folder=folder, card=trained.card)


def predict(version, snapshot):
    predictor = EngagementAdapter().load(version, parameters={}, threads=1)
    return predictor(snapshot, Context())


@pytest.fixture(scope="module")
def predicted(version):
    return predict(version, rows(TEST))


def test_the_card_is_data_and_has_what_the_issue_asks_for(trained):
    card = json.loads(json.dumps(trained.card, allow_nan=False))
    assert {"r2", "rmse", "mae"} <= set(card["metrics"])
    assert card["metrics"]["r2"]["value"] > 0.8
    assert card["training_customers"] + card["test_customers"] == 3000
    assert card["features"] == list(FEATURES)
    assert sum(card["score_shares"]) == pytest.approx(1.0)


def test_a_refit_gives_the_same_card(trained):
    assert train().card == trained.card


def test_there_must_be_people_to_learn_from():
    with pytest.raises(NotTrainableError, match="no labelled training customers"):
        train(train_rows=rows(TRAIN).head(0))


def test_every_customer_is_predicted_and_explained(predicted):
    table = predicted.table
    assert len(table) == 3000
    assert table["engagement_score"].between(0, 1).all()
    assert table["reason_1_feature"].notna().all()
    assert predicted.explanation.rows_checked == 3000


def test_a_snapshot_that_lacks_a_feature_is_named(version):
    with pytest.raises(ValueError, match=r"columns are missing: \['logins_month'\]"):
        predict(version, rows(TEST).drop(columns="logins_month"))


def test_fairness_is_reported_by_gender_age_and_location(version):
    actual = EngagementAdapter().fairness(version, rows(TEST), threads=1, seed=0, n_bootstrap=20)
    assert set(actual.report.verdicts) == {
        f"customers by {name}" for name in ("gender", "age_band", "location")
    }
    assert actual.report.passes
    assert actual.mitigation is None
    assert "counts as engaged" in actual.worded({}, SPEC.fairness.selected_are).to_markdown()


def test_the_better_model_has_the_advantage(version, tmp_path):
    blind = train(features=("primary_device", "tenure_days"))
    blind.model.save(tmp_path)
    worse = RegisteredModel(name="engagement", version="v2", folder=tmp_path, card=blind.card)
    how = {"threads": 1, "n_bootstrap": 50, "seed": 0}
    advantage = EngagementAdapter().advantage
    assert advantage(version, worse, rows(TEST), **how).low > 0.0
    assert advantage(worse, version, rows(TEST), **how).high < 0.0


def test_the_product_report_names_what_matters_and_claims_no_cause(predicted):
    snapshot = rows(TEST)
    figures, text = product_report(
        predicted.explanation,
        snapshot[list(FEATURES)],
        predicted.table["engagement_score"],
        margin_unit=predicted.unit,
    )
    assert json.loads(json.dumps(figures))["features"][0]["feature"] == "logins_month"
    assert figures["groups"][0]["group"] == "engagement"
    bends = pd.DataFrame(figures["dependence"]["logins_month"])
    assert bends["customers"].sum() == 3000
    assert (bends["mean_contribution"].diff().dropna() > 0).all()
    assert (bends["mean_score"].diff().dropna() > 0).all()
    assert "not what causes it" in text


def test_groups_add_up_their_features_before_averaging(predicted):
    groups = {"logins_month": "one", "primary_device": "one", "tenure_days": "two"}
    table = group_table(predicted.explanation, groups)
    together = predicted.explanation.contributions[:, :2].sum(axis=1)
    first = table.set_index("group").loc["one"]
    assert first["mean_abs_contribution"] == pytest.approx(np.abs(together).mean(), rel=1e-5)
    assert first["strongest_feature"] == "logins_month"
    assert table["share"].sum() == pytest.approx(1.0)


def test_null_and_rare_values_have_bins_of_their_own(predicted):
    device = rows(TEST)["primary_device"].astype(object)
    device.iloc[:10] = None
    score = predicted.table["engagement_score"]
    table = dependence_table(predicted.explanation, device, score, bins=1)
    assert table["value"].tolist()[1:] == ["any other", "unknown"]
    assert table["customers"].tolist()[-1] == 10
    with pytest.raises(ValueError, match="none of the explained"):
        dependence_table(predicted.explanation, device.rename("other"), score)


def test_reports_are_markdown_with_a_picture(trained):
    text = evaluation_markdown(trained.card)
    assert "R²" in text
    assert "data:image/png" in text


def test_quality_is_measured_for_active_customers_alone_too(trained):
    metrics = trained.card["metrics"]
    active = rows(TEST).query("days_since_last_login < 30")
    test = split_rows(active, test=True)
    assert trained.card["active_test_customers"] == len(test) < trained.card["test_customers"]
    assert metrics["active_mean_target"]["value"] == pytest.approx(test["engagement_score"].mean())
    assert metrics["active_r2"]["value"] != metrics["r2"]["value"]


@pytest.mark.parametrize(("factor", "promoted"), [(1.0, True), (1.4, False)])
def test_a_bias_of_the_mean_prediction_is_refused(trained, monkeypatch, factor, promoted):
    """The model predicts so much of what it would."""
    score = EngagementAdapter.score
    monkeypatch.setattr(EngagementAdapter, "score", lambda *about: factor * score(*about))
    test = split_rows(rows(TEST), test=True)
    measured = EngagementAdapter().measures(trained.model, test, n_bootstrap=20)
    verdict = judge(
        trained.card | measured,
        gates=[gate for gate in SPEC.gates if "bias" in gate.metric],
        champion_advantage=None,
        comparison_metric="",
        fairness=None,
    )
    assert verdict.promote is promoted
    assert any("bias of the mean prediction" in reason for reason in verdict.reasons)
