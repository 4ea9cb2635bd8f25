"""Fit how engagement spreads along a lake's graph as of a day, and choose whom to reach.

Belongs here: reading recent posts, fitting the spread, wording its report. Does not belong here:
the estimator (`engagement_assets.learning.graph.spread`), when it runs (`insights.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pandas as pd

from engagement_assets.learning import markdown
from engagement_assets.learning.graph.graph import SocialGraph
from engagement_assets.learning.graph.influence_maximisation import Chosen, compare_seeds
from engagement_assets.learning.graph.spread import IndependentCascade, cascades_of_posts
from resources.engine import Engine
from resources.sql import SqlFolder

SPREAD_DAYS = 28
SPREAD_HOURS = 24.0
SEEDS = 50


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
    n_bootstrap: int = 200,
) -> Spread:
    """Fit how engagement spreads, and choose whom to reach.

    Args:
        graph: Who is connected.
        posts: Recent posts; the last tenth is held out to judge the fit.
        interactions: Recent interactions.
        day: As of its end.
        seed: Seed.
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
    count = max(1, min(SEEDS, graph.n_nodes // 10))
    chosen, reach = compare_seeds(model, count, random_state=seed)
    return Spread(
        model, chosen, {name: people.to_dict() for name, people in reach.items()}, gain, cut
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
        markdown.table(
            [f"{len(spread.chosen.seeds)} seeds by", "people reached (95 %)"],
            [
                (name, f"{people['value']:,.1f} ({people['low']:,.1f} to {people['high']:,.1f})")
                for name, people in spread.reach.items()
            ],
        ),
    ]
    return "\n".join(lines)
