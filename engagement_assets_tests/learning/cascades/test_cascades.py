"""Cascades count what came in time, and nothing after it."""

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from engagement_assets.learning.cascades.cascades import (
    CHANNELS,
    Cascades,
    CascadeSettings,
    cascades,
)
from engagement_assets.learning.cascades.estimators import split_by_time
from engagement_assets.learning.cascades.reach import choose, compare, estimators, load_estimator
from engagement_assets.learning.graph.graph import build_graph

BEGIN = datetime(2026, 1, 1)
SETTINGS = CascadeSettings(observe_hours=2, horizon_hours=10, bins=2)
GRAPH = build_graph(pd.DataFrame({"source": ["ann"], "target": ["bob"]}))


def at(hours: float) -> datetime:
    return BEGIN + timedelta(hours=hours)


def posts(*rows: tuple[str, str, float]) -> pd.DataFrame:
    return pd.DataFrame(
        [(post, who, at(hours)) for post, who, hours in rows],
        columns=["post_id", "customer_id", "occurred_at"],
    )


def events(*rows: tuple[str, str, str, float]) -> pd.DataFrame:
    return pd.DataFrame(
        [(post, who, kind, at(hours)) for post, who, kind, hours in rows],
        columns=["post_id", "customer_id", "kind", "occurred_at"],
    )


def built(table: pd.DataFrame, as_of: float = 20) -> Cascades:
    made = posts(("p", "ann", 0))
    return cascades(made, table, as_of=at(as_of), settings=SETTINGS, graph=GRAPH)


def test_people_kinds_and_neighbours_are_counted_in_their_time_step() -> None:
    actual = built(
        events(
            ("p", "bob", "view", 0.5),
            ("p", "bob", "like", 1.5),
            ("p", "cat", "view", 1.2),
            ("p", "dan", "share", 5),
        )
    )
    first, second = (dict(zip(CHANNELS, step, strict=True)) for step in actual.sequence[0])
    assert first == dict.fromkeys(CHANNELS, 0) | {"new_people": 1, "views": 1, "new_neighbours": 1}
    assert second == dict.fromkeys(CHANNELS, 0) | {"new_people": 1, "views": 1, "likes": 1}
    assert actual.early_reach.tolist() == [2]
    assert actual.reach.tolist() == [3]


def test_the_author_and_what_came_before_the_post_do_not_count() -> None:
    actual = built(events(("p", "ann", "view", 1), ("p", "bob", "view", -1)))
    assert actual.reach.tolist() == [0]


def test_nothing_after_the_seen_hours_moves_the_inputs() -> None:
    table = events(("p", "bob", "view", 1))
    poison = pd.concat([table, events(*[("p", f"x{n}", "share", 2.0 + n / 9) for n in range(50)])])
    clean, poisoned = built(table), built(poison)
    assert (clean.sequence == poisoned.sequence).all()
    pd.testing.assert_frame_equal(clean.static, poisoned.static)
    assert poisoned.reach[0] == 51


def test_nothing_after_as_of_is_looked_at_and_an_open_horizon_has_no_reach() -> None:
    table = events(("p", "bob", "view", 1), ("p", "cat", "view", 6))
    actual = built(table, as_of=5)
    assert np.isnan(actual.reach[0])
    assert actual.early_reach.tolist() == [1]
    assert len(built(table, as_of=1.5)) == 0


def test_bad_input_is_an_error_that_says_why() -> None:
    with pytest.raises(ValueError, match="no column kind"):
        built(events().drop(columns="kind"))
    with pytest.raises(ValueError, match="twice"):
        cascades(posts(("p", "a", 0), ("p", "a", 1)), events(), as_of=at(9))
    with pytest.raises(ValueError, match="horizon"):
        CascadeSettings(observe_hours=5, horizon_hours=5)


@pytest.fixture(scope="module")
def grown() -> Cascades:
    """Posts whose growth after the first hours depends on how fast they grew within them."""
    rng = np.random.default_rng(1)
    n = 600
    sequence = np.zeros((n, 4, len(CHANNELS)), dtype=np.float32)
    pace = rng.choice([0, 1], n)
    early = rng.poisson(12, n) + 4
    for row in range(n):
        odds = [0.1, 0.2, 0.3, 0.4] if pace[row] else [0.4, 0.3, 0.2, 0.1]
        sequence[row, :, 0] = rng.multinomial(early[row], odds)
    reach = early * np.where(pace, 6.0, 1.5) * np.exp(rng.normal(0, 0.1, n))
    made = posts(*[(f"p{k}", "ann", float(k)) for k in range(n)])
    static = pd.DataFrame({"author_degree": rng.poisson(5, n).astype(float)})
    return Cascades(made, sequence, static, sequence[:, :, 0].sum(axis=1).astype(float), reach)


@pytest.mark.parametrize("name", ["linear", "boosted", "lstm"])
def test_a_method_learns_is_repeatable_and_survives_saving(name, grown, tmp_path) -> None:
    earlier, later = split_by_time(grown, share=0.3)
    one, other = (estimators(random_state=2, n_jobs=1)[name].fit(earlier) for _ in range(2))
    actual = one.predict(later)
    assert (actual >= later.early_reach).all()
    assert (actual == other.predict(later)).all()
    one.save(tmp_path)
    assert np.allclose(load_estimator(tmp_path).predict(later), actual, rtol=1e-6)
    naive = np.abs(np.log1p(later.early_reach) - np.log1p(later.reach)).mean()
    assert np.abs(np.log1p(actual) - np.log1p(later.reach)).mean() < naive


def test_the_pace_of_the_first_hours_is_seen_by_those_who_look_at_it(grown) -> None:
    earlier, later = split_by_time(grown, share=0.3)
    actual = compare(earlier, later, n_jobs=1, n_bootstrap=50)
    for name in ("boosted", "lstm"):
        assert actual.figures[name].log_mae.high < actual.figures["linear"].log_mae.low
    assert actual.default in ("boosted", "lstm")
    assert actual.differences[actual.default].value == 0
    assert actual.differences["linear"].low > 0
    assert choose(earlier, n_jobs=1) == actual.default


def test_where_nobody_comes_after_the_first_hours_the_early_count_is_taken(grown, tmp_path) -> None:
    rng = np.random.default_rng(3)
    late = rng.random(len(grown)) < 0.03
    still = replace(grown, reach=grown.early_reach + late)
    assert choose(still, n_jobs=1) == "early"
    earlier, later = split_by_time(still, share=0.3)
    actual = compare(earlier, later, n_jobs=1, n_bootstrap=50)
    assert actual.default == "early"
    assert actual.figures["early"].log_mae.value < 0.01
    early = estimators()["early"].fit(earlier)
    early.save(tmp_path)
    assert (load_estimator(tmp_path).predict(later) == later.early_reach).all()


def test_too_few_posts_teach_nothing(grown) -> None:
    with pytest.raises(ValueError, match="at least 20"):
        estimators()["linear"].fit(grown.rows(np.arange(5)))
