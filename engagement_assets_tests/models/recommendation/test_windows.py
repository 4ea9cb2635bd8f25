"""The windows follow from how a source's items are used, unless they are set."""

import numpy as np
import pandas as pd

from engagement_assets.models.recommendation.windows import Windows, derive_windows

READERS = pd.DataFrame({"days_ago": range(60), "readers": 50})


def ages(days):
    values, counts = np.unique(np.asarray(days, dtype=int), return_counts=True)
    return pd.DataFrame({"age_days": values, "uses": counts})


FEED = ages(np.random.default_rng(0).exponential(0.7, 5_000))
FORUM = ages(np.random.default_rng(0).exponential(6.0, 5_000))
FILMS = ages(np.random.default_rng(0).uniform(0, 300, 5_000))


def test_posts_of_hours_are_recommended_for_days_and_films_at_any_age():
    feed, forum, films = (
        derive_windows(kind, READERS, known_days=400) for kind in (FEED, FORUM, FILMS)
    )
    assert feed.item_days == 4
    assert 25 < forum.item_days < 35
    assert films.item_days is None
    assert feed.history_days < forum.history_days < films.history_days


def test_items_that_are_used_as_long_as_the_data_go_back_last():
    first_month = ages(np.random.default_rng(0).uniform(0, 30, 500))
    assert derive_windows(first_month, READERS, known_days=30).item_days is None
    assert derive_windows(ages([]), READERS, known_days=30).item_days is None


def test_what_is_set_holds():
    assert derive_windows(FILMS, READERS, known_days=400, history_days=90, item_days=14) == Windows(
        history_days=90, item_days=14, test_days=4
    )


def test_few_readers_are_judged_on_longer_windows_as_far_as_items_live():
    few = READERS.assign(readers=10)
    assert derive_windows(FILMS, READERS, known_days=400).test_days == 4
    assert derive_windows(FILMS, few, known_days=400).test_days == 28
    assert derive_windows(FEED, few, known_days=400).test_days == 2
    assert derive_windows(FILMS, few, known_days=30).test_days == 4
