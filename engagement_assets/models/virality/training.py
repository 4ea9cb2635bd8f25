"""Virality as learnt from a lake as of a day: the methods beside each other, and one fitted on all.

Belongs here: reading cascades, comparing, the card and its wording. Does not belong here: the
methods (`engagement_assets.learning.cascades`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import date, datetime, time, timedelta
from typing import Any

import numpy as np

from engagement_assets.learning import markdown
from engagement_assets.learning.cascades.cascades import Cascades, CascadeSettings, cascades
from engagement_assets.learning.cascades.estimators import ReachEstimator, split_by_time
from engagement_assets.learning.cascades.reach import compare, estimators
from engagement_assets.learning.evaluation.bootstrap import Interval
from engagement_assets.learning.evaluation.scores import quantile_edges, score_shares
from engagement_assets.lifecycle.adapter import Trained
from engagement_assets.signals.network.snapshot import graph_of
from engagement_assets.signals.network.spread import recent
from engagement_assets.signals.tables import NETWORK_METRICS
from resources.engine import Engine
from resources.lake import Lake, MissingPartitionError
from resources.sql import SqlFolder

VIRALITY_DAYS = 60
# The latest posts tell the most of the next ones; more of them make the LSTM slow and no better.
MOST_POSTS = 40_000
AUTHOR_COLUMNS = ("degree", "influence_score", "core_number", "clustering")
CASCADES = CascadeSettings()


def post_cascades(
    engine: Engine, sql: SqlFolder, day: date, *, days: int = VIRALITY_DAYS
) -> tuple[Cascades, date]:
    """Read the cascades of recent posts, with their authors' place in the graph.

    Posts are those of some days up to the end of `day`.

    Returns:
        The cascades, and the day of the graph and of the authors' metrics.

    Raises:
        MissingPartitionError: There are no network metrics.
    """
    metrics_day = metrics_day_before(engine.lake, day - timedelta(days=days))
    posts, interactions = recent(engine, sql, day, days)
    columns = ["customer_id", *AUTHOR_COLUMNS]
    authors = engine.lake.read(NETWORK_METRICS.key, days=[metrics_day], columns=columns).to_pandas()
    made = cascades(
        posts,
        interactions,
        as_of=datetime.combine(day + timedelta(days=1), time()),
        settings=CASCADES,
        graph=graph_of(engine, sql, metrics_day),
        authors=authors.set_index("customer_id"),
    )
    return made, metrics_day


def metrics_day_before(lake: Lake, day: date) -> date:
    """Return the latest partition of `network/metrics` before a day, or its earliest where none is.

    An author's place must be known when the post is made; with few partitions the earliest one is
    the nearest to that.

    Raises:
        MissingPartitionError: There is none.
    """
    there = lake.days(NETWORK_METRICS.key)
    if not there:
        raise MissingPartitionError(f"there is no {NETWORK_METRICS.key} yet: run the job `signals`")
    earlier = [known for known in there if known <= day]
    return earlier[-1] if earlier else there[0]


def fit_virality(
    posts: Cascades, *, estimator: str, seed: int, threads: int, n_bootstrap: int
) -> Trained[ReachEstimator]:
    """Compare all methods on later posts, and fit the one that is asked for on all.

    The method is named, or `auto` for the simplest that none is clearly better than on earlier
    posts set aside.

    Raises:
        ValueError: Too few posts have a known reach.
    """
    known = posts.rows(np.flatnonzero(np.isfinite(posts.reach))[-MOST_POSTS:])
    earlier, later = split_by_time(known, share=0.2)
    comparison = compare(earlier, later, random_state=seed, n_jobs=threads, n_bootstrap=n_bootstrap)
    name = comparison.default if estimator == "auto" else estimator
    fitted = estimators(random_state=seed, n_jobs=threads)[name].fit(known)
    scores = fitted.predict(later)
    edges = quantile_edges(scores)
    compared = asdict(comparison)
    card = {
        "estimator": name,
        "default": comparison.default,
        "methods": compared["figures"],
        "differences": compared["differences"],
        "metrics": compared["figures"][name],
        "posts": len(known),
        "test_posts": comparison.posts,
        "score_edges": edges,
        "score_shares": score_shares(scores, edges=edges),
        # the drift check counts what the shares are of
        "test_customers": len(scores),
        "seeds": {"training": seed},
    }
    return Trained(fitted, card)


def virality_markdown(card: Mapping[str, Any]) -> str:
    """Return the methods beside each other as a table."""
    lines = [
        f"{card['test_posts']:,} later posts; reach within {CASCADES.horizon_hours:g} hours from "
        f"the first {CASCADES.observe_hours:g}. In use: **{card['estimator']}**; the simplest "
        f"that none is clearly better than on earlier posts set aside: {card['default']}.",
        "",
    ]
    rows = []
    for name, figures in card["methods"].items():
        error, difference = (
            Interval.from_dict(figure) for figure in (figures["log_mae"], card["differences"][name])
        )
        measured = (figures["log_rmse"], figures["spearman"], figures["top_precision"])
        rows.append((name, error, difference, *(f"{value:.4g}" for value in measured)))
    head = ["method", "log MAE (95 %)", "minus that one's (95 %)"]
    head += ["log RMSE", "rank correlation", "top 5 %"]
    return "\n".join([*lines, markdown.table(head, rows)])
