"""Who is learnt from, who is tested on, and when."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engagement_assets.features.labels import LABELS
from engagement_assets.learning.evaluation.binary import OneClassError
from engagement_assets.learning.evaluation.scores import score_shares
from engagement_assets.lifecycle.dates import CHURN_WINDOW_DAYS, TRAINING_SNAPSHOTS, Snapshots
from engagement_assets.lifecycle.errors import NotTrainableError
from engagement_assets.lifecycle.training import split_rows, without_nan
from engagement_assets.models.churn.adapter import ChurnAdapter
from resources.registry import ModelRegistry

LAST = date(2026, 3, 1)


@given(st.dates(date(2000, 1, 1), date(2100, 1, 1)))
def test_the_training_labels_close_by_the_test_snapshot_and_its_own_by_the_last_day(last):
    snapshots = Snapshots.before(last, first_day=last - timedelta(days=399))
    label = LABELS["churn_30_day"]
    assert len(snapshots.train) == TRAINING_SNAPSHOTS
    assert max(snapshots.train) == snapshots.train[0] < snapshots.test < last
    assert all(label.closes_on(day) <= snapshots.test for day in snapshots.train)
    assert label.closes_on(snapshots.test) <= last
    assert label.window_days == CHURN_WINDOW_DAYS


@pytest.mark.parametrize(("days", "snapshots"), [(61, 1), (119, 1), (120, 2), (180, 4), (900, 4)])
def test_an_earlier_training_snapshot_needs_a_month_before_it(days, snapshots):
    first_day = LAST - timedelta(days=days - 1)
    train = Snapshots.before(LAST, first_day=first_day).train
    assert len(train) == snapshots
    assert all((day - first_day).days >= 29 for day in train[1:])


def labelled(n=600, seed=0, *, churned=None):
    rng = np.random.default_rng(seed)
    use = rng.normal(size=n)
    label = (rng.random(n) < 1 / (1 + np.exp(2 * use))).astype(int)
    return pd.DataFrame(
        {
            "customer_id": [f"c{i}" for i in range(n)],
            "use": use,
            "churn_30_day": label if churned is None else churned,
        }
    )


def test_no_person_is_both_learnt_from_and_tested_on_whatever_the_order():
    rows = labelled()
    learn, test = split_rows(rows, test=False), split_rows(rows, test=True)
    assert not set(learn["customer_id"]) & set(test["customer_id"])
    assert len(learn) + len(test) == len(rows)
    assert 0.15 < len(test) / len(rows) < 0.25
    shuffled = split_rows(rows.sample(frac=0.5, random_state=1), test=True)
    assert set(shuffled["customer_id"]) <= set(test["customer_id"])


def train(rows, test_rows):
    return ChurnAdapter().learn(
        rows,
        test_rows,
        snapshots=Snapshots.before(LAST, first_day=LAST - timedelta(days=100)),
        features=["use"],
        parameters={"random_state": 1, "n_jobs": 1},
        n_bootstrap=20,
        first_day=LAST - timedelta(days=100),
    )


def test_the_estimator_sees_training_people_at_the_training_snapshot_alone(monkeypatch):
    rows, test_rows = labelled(seed=0), labelled(seed=1)
    fitted = []

    class Spy(ChurnAdapter.estimator):
        def fit(self, X, y, *, groups):  # noqa: N803 - scikit-learn's name
            fitted.append((X.copy(), list(groups)))
            return super().fit(X, y, groups=groups)

    monkeypatch.setattr(ChurnAdapter, "estimator", Spy)
    made = train(rows, test_rows)
    ((seen, groups),) = fitted
    assert seen["use"].tolist() == split_rows(rows, test=False)["use"].tolist()
    assert groups == split_rows(rows, test=False)["customer_id"].tolist()
    assert made.card["training_customers"] == len(seen)
    assert made.card["test_customers"] == len(split_rows(test_rows, test=True))
    assert made.card["training_snapshot"] == (LAST - timedelta(days=60)).isoformat()
    assert made.card["training_snapshots"] == [made.card["training_snapshot"]]
    assert made.card["test_snapshot"] == (LAST - timedelta(days=30)).isoformat()


def by_day(count, n=600):
    """Labelled rows of so many snapshots, the latest first, a window apart."""
    days = [LAST - timedelta(days=30 * (i + 1)) for i in range(count)]
    return days, {day: labelled(n, seed=i) for i, day in enumerate(days)}


def test_few_test_customers_are_judged_at_more_snapshots_after_all_that_is_learnt_from():
    days, rows = by_day(5)
    wanted = Snapshots(tuple(days[1:]), days[0])
    pool = ChurnAdapter()._pooled
    assert pool(rows, wanted, least=100) == wanted, "one has enough"
    two = pool(rows, wanted, least=200)
    assert (two.train, two.tested) == (tuple(days[2:]), tuple(days[:2]))
    most = pool(rows, wanted, least=10_000)
    assert (most.train, most.tested) == (tuple(days[3:]), tuple(days[:3])), "half is kept"
    assert max(most.train) + timedelta(days=30) <= min(most.tested)
    alone = Snapshots((days[1],), days[0])
    assert pool(rows, alone, least=10_000) == alone


def test_customers_of_pooled_snapshots_count_once():
    days, rows = by_day(3)
    made = ChurnAdapter().learn(
        rows[days[2]],
        pd.concat([rows[days[0]], rows[days[1]]], ignore_index=True),
        snapshots=Snapshots((days[2],), days[0], (days[1],)),
        features=["use"],
        parameters={"random_state": 1, "n_jobs": 1},
        n_bootstrap=20,
        first_day=LAST - timedelta(days=200),
    )
    tested = len(split_rows(rows[days[0]], test=True))
    assert (made.card["test_customers"], made.card["test_rows"]) == (tested, 2 * tested)
    assert made.card["test_snapshots"] == [day.isoformat() for day in days[:2]]
    assert made.card["test_snapshot"] == days[0].isoformat()


def test_training_people_of_one_class_are_a_clear_error():
    with pytest.raises(OneClassError, match="labels are 0, of one class: both classes are needed"):
        train(labelled(churned=0), labelled(seed=1))


def test_few_test_people_of_one_class_are_not_judged_and_reported_all_the_same():
    made = train(labelled(), labelled(n=60, churned=0))
    card = without_nan(made.card) | {"least_test_customers": 300}
    assert card["metrics"]["auc"]["value"] is None
    states = {gate.metric: gate.judge(card).state for gate in ChurnAdapter.spec.gates}
    assert states == {"auc": "not judged", "calibration_error": "not judged"}
    assert "No lift" in ChurnAdapter.evaluation_markdown(card)
    enough = card | {"test_customers": 300}
    assert ChurnAdapter.spec.gates[0].judge(enough).state == "failed"


@pytest.mark.parametrize("side", ["training", "test"])
def test_nobody_to_learn_from_or_to_score_is_a_clear_error(side):
    none = labelled().iloc[:0]
    rows = (none, labelled()) if side == "training" else (labelled(), none)
    with pytest.raises(NotTrainableError, match=f"there are no labelled {side} customers"):
        train(*rows)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=50))
def test_every_score_falls_into_one_twentieth(scores):
    shares = score_shares(scores)
    assert len(shares) == 20
    assert sum(shares) == pytest.approx(1)


def test_the_model_card_of_the_home_names_later_snapshots_and_other_people(made_home):
    registry = ModelRegistry(made_home.path / "registry")
    card = registry.card("churn", registry.champion("churn"))
    assert card["training_snapshot"] == "2025-12-31"
    assert card["test_snapshot"] == "2026-01-30"
    for day, people in (("training", False), ("test", True)):
        labels = made_home.lake.read(
            "labels/churn_30_day", days=[date.fromisoformat(card[f"{day}_snapshot"])]
        )
        assert card[f"{day}_customers"] == len(split_rows(labels.to_pandas(), test=people))
