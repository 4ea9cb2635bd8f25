"""Changes of a row after which a model would predict otherwise: few, plausible, allowed."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engagement_assets.learning.counterfactuals import search as searching
from engagement_assets.learning.counterfactuals.search import CounterfactualSearch, Lever
from engagement_assets.learning.errors import TooLittleDataError

POSTS = Lever(
    feature="posts_month",
    with_it=("posts_week",),
    direction="up",
    words="they posted {after} times a month (now {before})",
)
VISITS = Lever(feature="visits", direction="up", words="they came {after} times (now {before})")


def table(count: int = 400) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    month = rng.poisson(6, count)
    return pd.DataFrame(
        {
            "posts_month": month,
            "posts_week": rng.binomial(month, 0.25),
            "visits": rng.poisson(10, count),
            "age": rng.integers(18, 80, count),
            "device": rng.choice(["phone", "desk"], count),
        }
    )


def risk(rows: pd.DataFrame) -> np.ndarray:
    margin = (
        3.2 - 0.3 * rows["posts_month"] - 0.15 * rows["visits"] + 0.5 * (rows["device"] == "phone")
    )
    return 1 / (1 + np.exp(-margin.to_numpy(dtype=float)))


def fitted(**options) -> CounterfactualSearch:
    options = {"levers": (POSTS, VISITS), "goal": 0.5, "side": "below", **options}
    return CounterfactualSearch(**options).fit(table())


SEARCH = fitted()


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 399))
def test_what_is_advised_reaches_the_goal_and_touches_nothing_else(place):
    row = table().iloc[place]
    advice = SEARCH.search(row, risk)
    if advice is None:
        return
    assert risk(row.to_frame().T)[0] > 0.5 >= risk(advice.row.to_frame().T)[0]
    assert 1 <= len(advice.levers) <= 3
    assert advice.row["age"] == row["age"]
    assert advice.row["device"] == row["device"]
    assert advice.row["posts_week"] <= advice.row["posts_month"]
    for lever in advice.levers:
        assert advice.row[lever.feature] > row[lever.feature]


def test_most_rows_at_risk_are_advised():
    risky = table()[risk(table()) > 0.5]
    advised = [SEARCH.search(row, risk) for _, row in risky.head(40).iterrows()]
    assert np.mean([one is not None for one in advised]) > 0.8


def test_one_change_is_taken_where_one_is_enough():
    rows = table()
    near = rows[(risk(rows) > 0.5) & (risk(rows) < 0.55)]
    assert len(near)
    counts = [len(one.levers) for _, row in near.iterrows() if (one := SEARCH.search(row, risk))]
    assert counts
    assert set(counts) == {1}


def test_a_feature_without_a_lever_is_not_advised_though_it_alone_drives_the_prediction():
    def by_device(rows):
        return np.where(rows["device"] == "phone", 0.9, 0.1)

    row = table()[table()["device"] == "phone"].iloc[0]
    assert SEARCH.search(row, by_device) is None


def test_a_change_against_the_direction_of_its_lever_is_not_advised():
    def rises(rows):
        return rows["visits"].to_numpy(dtype=float)

    row = table().sort_values("visits").iloc[-1]
    assert fitted(levers=(VISITS,), goal=5.0).search(row, rises) is None


def test_a_row_at_the_goal_needs_no_change():
    row = table().iloc[int(np.argmin(risk(table())))]
    assert SEARCH.search(row, risk) is None


def test_a_change_that_no_row_shows_is_not_advised():
    # the goal wants more posts than anybody has
    row = table().iloc[0]
    assert fitted(goal=-40.0).search(row, lambda rows: -rows["posts_month"].to_numpy(float)) is None


def test_a_change_on_which_refits_disagree_is_not_advised():
    row = table()[risk(table()) > 0.6].iloc[0]
    agreeing = SEARCH.search(row, risk, refits=[risk, lambda rows: 0.5 * risk(rows)])
    assert agreeing is not None
    assert agreeing.refits == 2
    assert agreeing.change_low <= agreeing.change_high < 0
    assert SEARCH.search(row, risk, refits=[risk, lambda rows: -risk(rows)]) is None


def test_further_rules_refuse_changed_rows():
    row = table()[risk(table()) > 0.6].iloc[0]
    refusing = fitted(allowed=lambda rows: np.zeros(len(rows), dtype=bool))
    assert refusing.search(row, risk) is None


def test_words_name_the_change_and_call_it_a_prediction():
    row = table()[risk(table()) > 0.6].iloc[0]
    advice = fitted(levers=(POSTS,)).search(row, risk)
    assert f"they posted {advice.row['posts_month']} times a month" in advice.words()
    assert f"(now {row['posts_month']})" in advice.words()
    assert "the model would predict" in advice.words()


def test_nulls_and_categories_are_rows_like_others():
    rows = table().assign(age=lambda t: t["age"].where(t["age"] > 30).astype("Int64"))
    search = CounterfactualSearch(levers=(POSTS, VISITS), goal=0.5, side="below").fit(rows)
    young = rows[rows["age"].isna() & (risk(rows) > 0.55)].iloc[0]
    assert pd.isna(search.search(young, risk).row["age"])


@pytest.mark.parametrize(
    "levers",
    [
        (),
        (POSTS, POSTS),
        (Lever(feature="shoes", direction="up", words=""),),
        (Lever(feature="device", direction="up", words=""),),
    ],
)
def test_impossible_levers_are_refused(levers):
    with pytest.raises(ValueError, match="levers"):
        fitted(levers=levers)


def test_too_many_changes_and_too_few_rows_are_refused():
    with pytest.raises(ValueError, match="most_changes"):
        fitted(most_changes=4)
    with pytest.raises(TooLittleDataError):
        CounterfactualSearch(levers=(POSTS,), goal=0.5, side="below").fit(table(1))


def test_a_lever_that_only_rides_along_by_one_model_is_not_advised():
    def without_visits(rows):
        return 0.5 * risk(rows.assign(visits=10)) + 0.02 * rows["visits"].to_numpy(dtype=float)

    rows, search = table(), fitted(goal=0.12)
    both = [
        place
        for place in np.flatnonzero(risk(rows) > 0.5)[:30]
        if (advice := search.search(rows.iloc[place], risk)) and len(advice.levers) == 2
    ][:5]
    assert both
    for place in both:
        assert search.search(rows.iloc[place], risk, refits=[risk]) is not None
        advice = search.search(rows.iloc[place], risk, refits=[without_visits])
        assert advice is None or VISITS not in advice.levers


@pytest.mark.parametrize("at_once", [7, 50_000])
def test_rows_searched_side_by_side_are_answered_as_alone_and_ask_together(monkeypatch, at_once):
    monkeypatch.setattr(searching, "PREDICTED_AT_ONCE", at_once)
    calls = {"model": 0, "refit": 0}

    def predict(rows):
        calls["model"] += 1
        assert len(rows) <= at_once
        return risk(rows)

    def refit(rows):
        calls["refit"] += 1
        return 0.5 * risk(rows.assign(visits=rows["visits"] // 8))

    rows, search = table().iloc[:30], fitted(goal=0.2)
    alone = [search.search(row, risk, refits=[refit]) for _, row in rows.iterrows()]
    alone_refit, calls["refit"] = calls["refit"], 0
    together = search.search_many(rows, predict, refits=[refit])
    assert {one and len(one.levers) for one in alone} == {None, 1, 2}
    for one, other in zip(alone, together, strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            pd.testing.assert_series_equal(one.row, other.row)
            assert replace(one, row=None) == replace(other, row=None)
    if at_once > len(rows):
        assert calls["refit"] < alone_refit / 2
        assert calls["model"] < len(rows) / 2


def one_by_one(search, row, predict):
    """Return how many levers must move and how far, from every change made alone."""
    space = search._space
    at = space.encode(row.to_frame().T)
    similar = space.rows.iloc[space.nearest(at, search.neighbours)]
    for count in (1, 2):
        distances = []
        for levers in combinations(search.levers, count):
            for _, other in similar.iterrows():
                names = [name for lever in levers for name in lever.features]
                changed = row.to_frame().T
                changed[names] = other[names].to_numpy()
                encoded = space.encode(changed)
                if (
                    all(other[lever.feature] > row[lever.feature] for lever in levers)
                    and predict(changed)[0] <= search.goal
                    and space.plausible(encoded)[0]
                ):
                    distances.append(np.abs(encoded - at).mean())
        if distances:
            return count, min(distances)
    return None


def test_what_is_advised_is_the_nearest_of_all_changes_made_one_by_one():
    search = fitted(goal=0.2, neighbours=15)
    rows = table().iloc[np.flatnonzero(risk(table()) > 0.5)[:12]]
    right = [one_by_one(search, row, risk) for _, row in rows.iterrows()]
    assert {one and one[0] for one in right} == {None, 1, 2}
    for one, wanted in zip(search.search_many(rows, risk), right, strict=True):
        assert (one and (len(one.levers), pytest.approx(one.distance))) == wanted
