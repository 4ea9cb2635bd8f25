"""Weights make label and group independent, and a model that learns from them selects alike."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from engagement_assets.learning.fairness.reweighing import (
    drawn_rows,
    reweighed,
    reweighing_weights,
)


def hired(n=20_000, seed=0):
    """Who was hired: by skill, and less often for one group; a hobby tells the group."""
    rng = np.random.default_rng(seed)
    group = rng.choice(["a", "b"], n, p=[0.7, 0.3])
    skill = rng.normal(size=n)
    hobby = (group == "b") + rng.normal(scale=0.5, size=n)
    chance = 1 / (1 + np.exp(-(1.5 * skill - 1.2 * (group == "b"))))
    table = pd.DataFrame({"skill": skill, "hobby": hobby})
    return table, (rng.random(n) < chance).astype(int), pd.DataFrame({"group": group})


def test_weights_are_those_of_the_paper_and_undo_the_dependence():
    _, y, groups = hired()
    weights = reweighing_weights(y, groups, attributes=["group"])
    b, hit = (groups["group"] == "b").to_numpy(), y == 1
    assert weights[b & hit][0] == pytest.approx(b.mean() * hit.mean() / (b & hit).mean())
    assert weights.mean() == pytest.approx(1.0)
    shares = [np.average(y[who], weights=weights[who]) for who in (b, ~b)]
    assert shares[0] == pytest.approx(shares[1]) == pytest.approx(y.mean())


def test_rows_are_drawn_as_often_as_they_weigh():
    _, y, groups = hired()
    weights = reweighing_weights(y, groups, attributes=["group"])
    rows = drawn_rows(weights, seed=1)
    times = np.bincount(rows, minlength=len(weights))
    assert (np.abs(times - weights) < 1.0 + 1e-9).all()
    assert len(rows) == pytest.approx(len(weights), abs=1)
    drawn = pd.Series(y[rows]).groupby(groups["group"].to_numpy()[rows]).mean()
    assert drawn["a"] == pytest.approx(drawn["b"], abs=0.01)
    assert (drawn_rows(weights, seed=1) == rows).all()


def test_small_groups_are_weighed_together_and_columns_must_be_there():
    y = np.r_[np.ones(150), np.zeros(150), np.ones(20), np.zeros(20)]
    groups = pd.DataFrame({"group": ["a"] * 300 + ["b"] * 20 + ["c"] * 20})
    assert reweighing_weights(y, groups, attributes=["group"]) == pytest.approx(1.0)
    with pytest.raises(ValueError, match="missing"):
        reweighing_weights(y, groups, attributes=["age"])


def test_a_model_of_weighed_rows_selects_more_alike_at_a_price_in_auc():
    table, y, groups = hired()
    others, y_later, groups_later = hired(seed=1)
    weights = reweighing_weights(y, groups, attributes=["group"])
    models = [
        LogisticRegression().fit(table, y),
        LogisticRegression().fit(table, y, sample_weight=weights),
    ]
    scores = tuple(model.predict_proba(others)[:, 1] for model in models)
    mended = reweighed(
        y_later,
        groups_later,
        scores=scores,
        thresholds=(0.5, 0.5),
        attributes=["group"],
        reference="equal",
        n_bootstrap=50,
    )
    assert mended.before.verdict == "fails"
    ratio = "customers_group_selected"
    assert mended.after.ratios[ratio] > mended.before.ratios[ratio] + 0.2
    auc = mended.price["auc"]
    assert auc["after"]["value"] == pytest.approx(roc_auc_score(y_later, scores[1]))
    # the label is unjust here, so a model that is not costs AUC
    assert auc["change"]["high"] < 0.0
    assert "weighed" in mended.to_markdown()


def test_weights_change_nothing_where_label_and_group_are_independent():
    rng = np.random.default_rng(2)
    y, groups = rng.integers(0, 2, 20_000), pd.DataFrame({"group": rng.choice(["a", "b"], 20_000)})
    assert np.abs(reweighing_weights(y, groups, attributes=["group"]) - 1.0).max() < 0.05
