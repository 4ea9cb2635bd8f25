"""Parameters are chosen on interactions that are set aside, and on nothing else."""

import numpy as np
import pandas as pd
import pytest

from engagement_assets.learning.recommendation.rehearsal import Judge, rehearse, search
from engagement_assets.learning.recommendation.tables import prepare


@pytest.fixture(scope="module")
def data(world):
    return prepare(world.interactions, **world.tables)


def pairs_of(data):
    return set(zip(data.user.tolist(), data.item.tolist(), strict=True))


def test_what_is_set_aside_is_not_among_what_is_known(data):
    for days in (None, 6.0):
        on = rehearse(data, days=days)
        aside = set(zip(on.users.tolist(), on.items.tolist(), strict=True))
        assert len(aside) > 100
        assert not aside & pairs_of(on.earlier)
        assert aside <= pairs_of(data)


def test_the_latest_are_set_aside_where_items_have_an_age(data):
    on = rehearse(data)
    assert on.earlier.day.max() < np.quantile(data.day, 0.81)


@pytest.mark.parametrize("days", [None, 2.0])
def test_a_random_share_is_set_aside_where_no_date_divides_the_rows(world, days):
    rows = world.interactions.assign(time=world.interactions["user"].str[1:].astype(float))
    on = rehearse(prepare(rows), days=days)
    assert 0.7 < len(on.earlier.user) / len(rows) < 0.9
    assert on.enough


class Planted:
    """Scores that are the truth where `a` and `b` have their planted values, else noisy."""

    def __init__(self, truth, fits, a, b):
        self.truth, self.fits, self.off = truth, fits, abs(a - 1.0) + abs(b - 30.0) / 10.0

    def fit_dataset(self, data):
        self.fits.append(data)
        return self

    def score_block(self, users, items):
        noise = np.random.default_rng(0).random((len(users), len(items)))
        return (self.truth[users][:, items] + 5.0 * self.off * noise).astype(np.float32)


def test_the_search_finds_the_values_that_rank_best_with_few_fits(data):
    on = rehearse(data)
    truth = np.zeros(data.shape)
    truth[on.users, on.items] = 1.0
    fits = []
    chosen = search(
        lambda **tried: Planted(truth, fits, **tried),
        {"a": (1.0, 2.0, 3.0, 4.0, 5.0), "b": (10.0, 20.0, 30.0)},
        on,
        name="planted",
    )
    assert chosen == {"a": 1.0, "b": 30.0}
    assert len(fits) <= 7
    assert all(known is on.earlier for known in fits)


def test_a_smaller_rehearsal_holds_whole_users_and_the_most_used_items(data):
    on = rehearse(data)
    fewer = on.reduced(items=40, interactions=1_000)
    assert len(np.unique(fewer.earlier.item)) == 40
    history = [np.bincount(part.earlier.user, minlength=data.shape[0]) for part in (on, fewer)]
    some = on.reduced(interactions=1_000)
    whole = np.bincount(some.earlier.user, minlength=data.shape[0])
    assert set(np.flatnonzero((whole > 0) & (whole != history[0]))) == set()
    assert np.isin(fewer.items, fewer.pool).all()
    assert 0.0 <= Judge(fewer).ndcg(np.zeros((len(np.unique(fewer.users)), 40), np.float32)) <= 1.0


def test_too_few_to_choose_by_gives_the_middle():
    rows = pd.DataFrame({"user": ["a", "b"], "item": ["x", "y"]})
    on = rehearse(prepare(rows))
    assert search(None, {"a": (1.0, 2.0, 3.0)}, on, name="none") == {"a": 2.0}
