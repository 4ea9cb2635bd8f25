"""Lists that hide a group of authors show it as much as it is due, on other readers too."""

import json

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from engagement_assets.learning.evaluation.ranking import user_metrics
from engagement_assets.learning.fairness.exposure import ExposureShares, fit_exposure
from engagement_assets.learning.fairness.measures import ranking_fairness

AUTHORS, ITEMS, READERS = 400, 1_500, 1_200
PARTS = np.arange(READERS) % 2 == 0


@pytest.fixture(scope="module")
def world():
    return made(hidden=0.8)


def made(*, hidden, seed=5):
    """Readers turn to items whoever wrote them; scores of one group's items are lowered."""
    rng = np.random.default_rng(seed)
    gender = rng.choice(["f", "m", "x"], AUTHORS, p=[0.45, 0.45, 0.1])
    author = rng.integers(0, AUTHORS, ITEMS)
    merit = np.log(rng.gamma(2.0, 1.0, ITEMS))
    wanted = np.argsort(-(merit + rng.gumbel(size=(READERS, ITEMS))), axis=1)[:, :3]
    rows = np.repeat(np.arange(READERS), 3)
    relevant = sp.csr_matrix((np.ones(len(rows)), (rows, wanted.ravel())), shape=(READERS, ITEMS))
    scores = merit + 0.5 * rng.gumbel(size=(READERS, ITEMS)) - hidden * (gender[author] == "f")
    scores[rows, wanted.ravel()] += 1.5
    return {
        "lists": np.argsort(-scores, axis=1)[:, :50],
        "relevant": relevant,
        "author": author,
        "sensitive": pd.DataFrame({"gender": gender}),
        "positions": rng.random(READERS),
    }


def fitted(world, part=PARTS):
    return fit_exposure(
        world["lists"][part],
        world["relevant"][part],
        world["positions"][part],
        candidates=np.arange(ITEMS),
        author=world["author"],
        author_sensitive=world["sensitive"],
        attributes=["gender"],
        min_group_size=30,
    )


def report(world, lists, part=~PARTS):
    return ranking_fairness(
        lists[part],
        world["relevant"][part],
        pd.DataFrame({"gender": ["one"] * int(part.sum())}),
        attributes=["gender"],
        category=np.zeros(ITEMS, dtype=int),
        popularity=np.ones(ITEMS),
        candidates=np.arange(ITEMS),
        author=world["author"],
        author_sensitive=world["sensitive"],
        min_group_size=30,
        n_bootstrap=10,
    )


def reranked(world, shares):
    return shares.rerank(world["lists"], world["author"], world["sensitive"], world["positions"])


def test_a_hidden_group_gets_its_due_on_readers_it_was_not_fitted_on(world):
    shares = fitted(world)
    lists = reranked(world, shares)
    before, after = report(world, world["lists"]), report(world, lists)
    assert {r.group for r in before.rows if r.fails and r.measure == "exposure"} == {"f"}
    assert after.verdict == "holds"
    assert after.ratios["authors_gender_exposure"] > 0.8
    quality = [
        user_metrics(one[~PARTS][:, :10], world["relevant"][~PARTS], k=10).values["ndcg"].mean()
        for one in (world["lists"], lists)
    ]
    assert quality[1] > 0.9 * quality[0]
    assert "gender=f" in shares.words
    assert ExposureShares.from_dict(json.loads(json.dumps(shares.to_dict()))) == shares


def test_lists_hold_the_same_items_and_a_group_keeps_its_order(world):
    lists = reranked(world, fitted(world))
    assert (np.sort(lists, axis=1) == np.sort(world["lists"], axis=1)).all()
    of_f = (world["sensitive"]["gender"] == "f").to_numpy()[world["author"]]
    for old, new in zip(world["lists"][:50], lists[:50], strict=True):
        assert old[of_f[old]].tolist() == new[of_f[new]].tolist()
        for group in "mx":
            own = (world["sensitive"]["gender"] == group).to_numpy()[world["author"]]
            assert old[own[old]].tolist() == new[own[new]].tolist()


def test_every_prefix_has_at_least_the_share_and_rounding_is_spread_over_readers(world):
    shares = ExposureShares({"gender": {"x": 0.05}})
    lists = reranked(world, shares)
    of_x = (world["sensitive"]["gender"] == "x").to_numpy()[world["author"]][lists]
    wanted = np.floor(0.05 * np.arange(1, 51) + world["positions"][:, None])
    had = np.minimum(wanted, of_x.sum(axis=1)[:, None])
    assert (np.cumsum(of_x, axis=1) >= had).all()
    # one of ten first places with every second reader: none where shares are rounded down
    assert wanted[:, 9].mean() == pytest.approx(0.5, abs=0.05)


def test_where_nobody_is_hidden_lists_stay():
    fair = made(hidden=0.0, seed=6)
    shares = fitted(fair)
    assert shares.shares == {}
    assert reranked(fair, shares) is fair["lists"]
    assert "lists stay" in shares.words


def test_short_lists_and_unknown_authors_do_no_harm():
    author = np.array([0, 1, -1, 1])
    people = pd.DataFrame({"gender": ["m", "f"]})
    lists = np.array([[0, 2, 1, -1], [0, -1, -1, -1], [-1, -1, -1, -1]])
    shares = ExposureShares({"gender": {"f": 0.9}})
    order = shares.rerank(lists, author, people, np.array([0.5, 0.5, 0.5]))
    assert order.tolist() == [[1, 0, 2, -1], [0, -1, -1, -1], [-1, -1, -1, -1]]
    with pytest.raises(ValueError, match="missing"):
        fit_exposure(
            lists,
            sp.csr_matrix((3, 4)),
            np.zeros(3),
            candidates=np.arange(4),
            author=author,
            author_sensitive=people,
            attributes=["age"],
        )
