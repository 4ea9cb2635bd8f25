"""What is learnt from a lake's social graph as of a day: virality and spread.

Belongs here: reading what the estimators learn from, fitting them, wording their reports. Does not
belong here: the estimators (`virality.py`, `spread.py`), when it runs (`learning_assets.py`).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

import numpy as np
import pandas as pd

from engagement_assets.learning.cascades.cascades import Cascades, CascadeSettings, cascades
from engagement_assets.learning.cascades.estimators import ReachEstimator, split_by_time
from engagement_assets.learning.cascades.reach import Comparison, compare, estimators
from engagement_assets.learning.graph.graph import SocialGraph
from engagement_assets.learning.graph.influence_maximisation import Chosen, compare_seeds
from engagement_assets.learning.graph.spread import IndependentCascade, cascades_of_posts
from engagement_assets.signals.schemas import NETWORK_METRICS
from resources.engine import Engine
from resources.lake import Lake
from resources.sql import SqlFolder

VIRALITY_DAYS = 60
# The latest posts tell the most of the next ones; more of them make the LSTM slow and no better.
MOST_POSTS = 40_000
SPREAD_DAYS = 28
SPREAD_HOURS = 24.0
SEEDS = 50
AUTHOR_COLUMNS = ("degree", "influence_score", "core_number", "clustering")
CASCADES = CascadeSettings()


@dataclass(frozen=True)
class Virality:
    """A fitted method and how all compare.

    Attributes:
        estimator: The method that was asked for, or the best, fitted on all posts.
        comparison: All methods on the last fifth of the posts.
        posts: Posts with a known reach.
    """

    estimator: ReachEstimator
    comparison: Comparison
    posts: int


def recent(
    engine: Engine, sql: SqlFolder, day: date, days: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Posts and interactions of the days that end with a day, known by its end.

    Raises:
        MissingPartitionError: The day is not ingested.
    """
    engine.lake.require("source/posts", [day])
    about = {"snapshot_date": day, "first_day": day - timedelta(days=days - 1)}
    posts, interactions = (
        engine.select(sql.query(f"network/{name}"), about).to_pandas()
        for name in ("recent_posts", "recent_interactions")
    )
    return posts, interactions


def post_cascades(
    engine: Engine,
    sql: SqlFolder,
    day: date,
    graph: SocialGraph,
    *,
    metrics_day: date,
    days: int = VIRALITY_DAYS,
) -> Cascades:
    """The cascades of recent posts, with their authors' place in the graph.

    Args:
        engine: Runs the queries.
        sql: The folder `sql/`.
        day: As of its end.
        graph: The graph, no later than the day.
        metrics_day: Partition of `network/metrics` for the authors.
        days: How far back posts are taken.
    """
    posts, interactions = recent(engine, sql, day, days)
    columns = ["customer_id", *AUTHOR_COLUMNS]
    authors = engine.lake.read(NETWORK_METRICS, days=[metrics_day], columns=columns).to_pandas()
    return cascades(
        posts,
        interactions,
        as_of=datetime.combine(day + timedelta(days=1), time()),
        settings=CASCADES,
        graph=graph,
        authors=authors.set_index("customer_id"),
    )


def metrics_day_before(lake: Lake, day: date) -> date:
    """The latest partition of `network/metrics` before a day, or its earliest where none is.

    An author's place must be known when the post is made; with few partitions the earliest one is
    the nearest to that.
    """
    there = lake.days(NETWORK_METRICS)
    earlier = [known for known in there if known <= day]
    return earlier[-1] if earlier else there[0]


def fit_virality(
    posts: Cascades, *, estimator: str, seed: int, threads: int, n_bootstrap: int
) -> Virality:
    """Compare all methods on later posts, and fit the one that is asked for on all.

    Args:
        posts: Recent posts.
        estimator: A method's name, or `auto` for the one that is best on earlier posts set aside.
        seed: Seed.
        threads: Threads.
        n_bootstrap: Resamples behind each interval.

    Raises:
        ValueError: Too few posts have a known reach.
    """
    known = posts.rows(np.flatnonzero(np.isfinite(posts.reach))[-MOST_POSTS:])
    earlier, later = split_by_time(known, share=0.2)
    comparison = compare(earlier, later, random_state=seed, n_jobs=threads, n_bootstrap=n_bootstrap)
    name = comparison.default if estimator == "auto" else estimator
    fitted = estimators(random_state=seed, n_jobs=threads)[name].fit(known)
    return Virality(fitted, comparison, len(known))


def virality_markdown(virality: Virality) -> str:
    """The comparison as a table."""
    found = virality.comparison
    lines = [
        f"{found.posts:,} later posts; reach within {CASCADES.horizon_hours:g} hours from "
        f"the first {CASCADES.observe_hours:g}. In use: **{virality.estimator.name}**; best on "
        f"earlier posts set aside: {found.default}.",
        "",
        "| method | log MAE (95 %) | minus the best's (95 %) | log RMSE | rank correlation "
        "| top 5 % |",
        "|---|---|---|---:|---:|---:|",
    ]
    lines += [
        f"| {name} | {figures.log_mae} | {found.differences[name]} | {figures.log_rmse:.4f} | "
        f"{figures.spearman:.3f} | {figures.top_precision:.3f} |"
        for name, figures in found.figures.items()
    ]
    return "\n".join(lines)


def virality_figures(virality: Virality) -> dict[str, Any]:
    """The comparison as JSON data."""
    return {"estimator": virality.estimator.name, **asdict(virality.comparison)}


@dataclass(frozen=True)
class Spread:
    """A fitted spread and whom to reach.

    Attributes:
        model: The spread.
        chosen: The seeds.
        reach: Mean simulated reach by method, with its interval.
        gain: Nats that a held-out cascade is likelier than with one chance for every edge; None
            where none was held out.
        cascades: Cascades it was fitted on.
    """

    model: IndependentCascade
    chosen: Chosen
    reach: dict[str, Any]
    gain: dict[str, float] | None
    cascades: int


def fit_spread(
    graph: SocialGraph,
    posts: pd.DataFrame,
    interactions: pd.DataFrame,
    *,
    day: date,
    seed: int,
    k: int = SEEDS,
    n_bootstrap: int = 200,
) -> Spread:
    """Fit how engagement spreads, and choose whom to reach.

    Args:
        graph: Who is connected.
        posts: Recent posts; the last tenth is held out to judge the fit.
        interactions: Recent interactions.
        day: As of its end.
        seed: Seed.
        k: How many people to reach, at most a tenth of the graph.
        n_bootstrap: Resamples behind the interval of the gain.

    Raises:
        SpreadError: There is nothing to fit a spread on.
    """
    end = pd.Timestamp(day) + pd.Timedelta(days=1)
    closed = posts[posts["occurred_at"] + pd.Timedelta(hours=SPREAD_HOURS) <= end]
    closed = closed.sort_values(["occurred_at", "post_id"])
    cut = round(0.9 * len(closed))
    learn, judge = (
        cascades_of_posts(part, interactions, hours=SPREAD_HOURS)
        for part in (closed.iloc[:cut], closed.iloc[cut:])
    )
    model = IndependentCascade().fit(graph, learn)
    gain = model.gain(judge, n_bootstrap=n_bootstrap).to_dict() if len(judge) else None
    count = max(1, min(k, graph.n_nodes // 10))
    chosen, reach = compare_seeds(model, count, random_state=seed)
    return Spread(
        model, chosen, {name: found.to_dict() for name, found in reach.items()}, gain, cut
    )


def spread_markdown(spread: Spread) -> str:
    """The fit and the comparison of seeds as text and a table."""
    lines = [
        f"Fitted on {spread.cascades:,} posts. Chance over all edges {spread.model.global_:.4f}, "
        f"to come by oneself {spread.model.background_:.4f}.",
    ]
    if spread.gain is not None:
        lines.append(
            f"A held-out post is {spread.gain['value']:.3f} nats likelier "
            f"({spread.gain['low']:.3f} to {spread.gain['high']:.3f}) than with "
            "one chance for every edge."
        )
    lines += [
        "",
        f"| {len(spread.chosen.seeds)} seeds by | people reached (95 %) |",
        "|---|---|",
    ]
    lines += [
        f"| {name} | {found['value']:,.1f} ({found['low']:,.1f} to {found['high']:,.1f}) |"
        for name, found in spread.reach.items()
    ]
    return "\n".join(lines)
