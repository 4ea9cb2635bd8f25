"""Who is learnt from and who is scored, and what the card and the predictions say."""

import json
from datetime import date

import numpy as np
import pandas as pd
import pytest

from engagement_assets.learning.anomaly.detector import AnomalyDetector
from engagement_assets.learning.anomaly.kinds import KindRules
from engagement_assets.learning.evaluation.splits import hash_split
from engagement_assets.learning.fairness.groups import age_bands
from engagement_assets.learning.fairness.measures import selection_fairness
from engagement_assets.models.anomaly.prediction import score_anomaly
from engagement_assets.models.anomaly.spec import EXPLAINED_ABOVE
from engagement_assets.models.anomaly.training import (
    detection_metrics,
    latest_verdicts,
    train_anomaly,
)

FIRST, SECOND = date(2025, 6, 1), date(2025, 7, 1)
FEATURES = ["logins_month", "session_minutes_month", "scroll_depth_avg"]
SMALL = {"neighbour_samples": 10}


def rows(seed, count=900):
    rng = np.random.default_rng(seed)
    logins = rng.poisson(3.0, count)
    minutes = np.where(logins > 0, logins * np.exp(rng.normal(2, 0.4, count)), 0.0)
    bots = np.arange(count) % 50 == 0
    logins[bots] = 170 + rng.poisson(5, bots.sum())
    minutes[bots] = 40.0
    return pd.DataFrame(
        {
            "customer_id": [f"c{i}" for i in range(count)],
            "logins_month": logins,
            "session_minutes_month": minutes,
            "scroll_depth_avg": np.where(bots, 0.0, rng.uniform(0.3, 0.9, count)),
            "gender": rng.choice(["female", "male"], count),
            "age": rng.integers(18, 80, count),
        }
    )


def train(**changes):
    first = rows(0)
    bots = first["logins_month"] > 100
    verdicts = bots.astype(float).where(bots | (first.index % 9 == 0))
    given = {
        "training_snapshot": FIRST,
        "test_snapshot": SECOND,
        "features": FEATURES,
        "parameters": SMALL,
        "verdicts": verdicts,
        "test_verdicts": verdicts,
        "n_bootstrap": 20,
        "seed": 4,
    }
    return train_anomaly(first, rows(1), **{**given, **changes})


@pytest.fixture(scope="module")
def trained():
    return train()


def test_only_training_people_who_used_the_app_are_learnt_from(trained):
    first = rows(0)
    there = first["logins_month"] > 0
    test_side = hash_split(first["customer_id"])
    assert trained.model.n_rows_ == (there & ~test_side).sum()
    assert trained.card["training_customers"] == trained.model.n_rows_
    second = rows(1)
    assert trained.card["test_customers"] == ((second["logins_month"] > 0) & test_side).sum()


def test_no_verdict_on_a_test_person_is_learnt_from(trained):
    first = rows(0)
    side = hash_split(first["customer_id"])
    bots = first["logins_month"] > 100
    assert trained.card["verdicts"]["fraud"] == (bots & ~side).sum()
    other = train(verdicts=pd.Series(np.nan, index=first.index))
    # turning every verdict on test people round changes nothing
    turned = (bots.astype(float).where(bots | (first.index % 9 == 0))).mask(side, 1.0)
    again = train(verdicts=turned)
    later = rows(1)[FEATURES]
    assert np.array_equal(again.model.score_samples(later), trained.model.score_samples(later))
    assert not np.array_equal(other.model.score_samples(later), trained.model.score_samples(later))


def test_the_card_is_json_and_says_what_was_measured(trained):
    card = json.loads(json.dumps(trained.card, allow_nan=False))
    assert card["training_snapshots"] == ["2025-06-01"]
    assert card["test_snapshot"] == "2025-07-01"
    assert card["metrics"]["verdicts_auroc"]["value"] > 0.95
    assert 0.0 < card["metrics"]["seed_rank_correlation"] <= 1.0
    assert sum(card["score_shares"]) == pytest.approx(1.0)
    assert card["seeds"] == {"model": 4}


def test_without_verdicts_on_test_people_the_card_says_so():
    card = train(test_verdicts=None).card
    assert "verdicts_auroc" not in card["metrics"]
    assert any("not measured against verdicts" in said for said in card["statements"])


def test_the_same_seed_gives_the_same_card(trained):
    assert train().card == trained.card


def test_a_test_snapshot_that_is_not_later_is_refused():
    with pytest.raises(ValueError, match="is not after"):
        train(test_snapshot=FIRST)


def test_nobody_to_learn_from_is_refused():
    gone = rows(0).assign(logins_month=0, session_minutes_month=0.0)
    with pytest.raises(ValueError, match="no training customers"):
        train_anomaly(
            gone,
            rows(1),
            training_snapshot=FIRST,
            test_snapshot=SECOND,
            features=FEATURES,
            parameters=SMALL,
        )


def test_the_latest_verdict_known_by_a_day_holds():
    reviews = pd.DataFrame(
        {
            "customer_id": ["a", "a", "b", "b", "c", "d"],
            "confirmed_fraud": [False, True, True, False, True, None],
            "occurred_at": pd.to_datetime(
                ["2025-01-01", "2025-03-01", "2025-01-05", "2025-01-05", "2025-01-10", "2025-01-02"]
            ),
            "recorded_at": pd.to_datetime(
                ["2025-01-01", "2025-03-01", "2025-01-05", "2025-01-05", "2025-04-01", "2025-01-02"]
            ),
        }
    )
    people = pd.Series(["a", "b", "c", "d", "e"], index=[7, 3, 5, 1, 9])
    by_then = latest_verdicts(reviews, people, until=date(2025, 2, 1))
    assert by_then.index.tolist() == [7, 3, 5, 1, 9]
    # b was judged twice in one instant, c's verdict was not yet on file, nobody decided on d
    assert by_then.tolist() == pytest.approx([0, 1, np.nan, np.nan, np.nan], nan_ok=True)
    in_all = latest_verdicts(reviews, people)
    assert in_all.tolist() == pytest.approx([1, 1, 1, np.nan, np.nan], nan_ok=True)
    assert latest_verdicts(reviews.head(0), people).isna().all()


def test_precision_and_recall_are_read_from_the_top():
    scores = np.arange(200.0)
    labels = np.zeros(200)
    labels[[199, 50, 40, 30]] = 1.0
    actual = detection_metrics(labels, scores, top_share=0.01, n_bootstrap=30)
    assert actual["precision_at_top"].value == 0.5
    assert actual["recall_at_top"].value == 0.25
    assert actual["auroc"].low <= actual["auroc"].value <= actual["auroc"].high


def test_predictions_explain_whom_they_send_to_review_and_nobody_else(trained, tmp_path):
    trained.model.save(tmp_path)
    second = rows(1)
    table = score_anomaly(AnomalyDetector.load(tmp_path), second, k=2)
    assert set(table["customer_id"]) == set(second.loc[second["logins_month"] > 0, "customer_id"])
    flagged = table["anomaly_score"] > EXPLAINED_ABOVE
    assert flagged.any()
    for column in ("kind", "reason_1_feature", "reason_1_value", "reason_1_typical"):
        assert table.loc[flagged, column].notna().all()
        assert table.loc[~flagged, column].isna().all()
    ids = second.set_index("customer_id")["logins_month"]
    first = table[flagged].iloc[0]
    values = {first[f"reason_{n}_feature"]: first[f"reason_{n}_value"] for n in (1, 2)}
    if "logins_month" in values:
        assert values["logins_month"] == f"{ids[first['customer_id']]:.0f}"


def test_a_value_that_cannot_be_goes_to_review_and_is_named_however_ordinary_the_rest(tmp_path):
    rules = KindRules(
        bounds={"scroll_depth_avg": (0, 1)}, only_with=(("session_minutes_month", "logins_month"),)
    )
    train(parameters={**SMALL, "rules": rules}).model.save(tmp_path)
    second = rows(1)
    usual = second.index[second["logins_month"] == 3][0]
    second.loc[usual, "scroll_depth_avg"] = 1.05
    actual = score_anomaly(AnomalyDetector.load(tmp_path), second, k=1).set_index("customer_id")
    told = actual.loc[second.loc[usual, "customer_id"]]
    assert told["kind"] == "data_error"
    assert told["reason_1_feature"] == "scroll_depth_avg"
    assert (actual["kind"] == "data_error").sum() == 1


def test_a_snapshot_of_which_nobody_is_flagged_or_nobody_is_left_keeps_its_columns(
    trained, tmp_path
):
    trained.model.save(tmp_path)
    second = rows(1)
    full = score_anomaly(AnomalyDetector.load(tmp_path), second, k=2)
    score = full.set_index("customer_id")["anomaly_score"]
    quiet = second[second["customer_id"].isin(score[score < 0.5].index)]
    for part in (quiet, second.head(0)):
        actual = score_anomaly(AnomalyDetector.load(tmp_path), part, k=2)
        assert list(actual.columns) == list(full.columns)
        assert actual["kind"].isna().all()


def test_those_who_are_flagged_can_be_counted_by_group(trained, tmp_path):
    trained.model.save(tmp_path)
    second = rows(1)
    actual = score_anomaly(AnomalyDetector.load(tmp_path), second, k=1).merge(
        second, on="customer_id"
    )
    sensitive = actual[["gender"]].assign(age_band=age_bands(actual["age"]))
    report = selection_fairness(
        None,
        actual["kind"].notna(),
        sensitive,
        attributes=["gender", "age_band"],
        n_bootstrap=10,
    )
    assert report.people == len(actual)
