"""Build cascades of posts: arrivals in the first hours, and the final reach.

Belongs here: turning posts and interactions into the inputs and the label of virality. Does not
belong here: prediction (`reach.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engagement_assets.learning.graph.graph import SocialGraph

CHANNELS = ("new_people", "views", "likes", "comments", "shares", "new_neighbours")
_KINDS = {"view": 1, "like": 2, "comment": 3, "share": 4}
_NEIGHBOURS = CHANNELS.index("new_neighbours")
_POSTS = ("post_id", "customer_id", "occurred_at")
_INTERACTIONS = ("post_id", "customer_id", "kind", "occurred_at")


@dataclass(frozen=True)
class CascadeSettings:
    """The hours that count as early and as final.

    Attributes:
        observe_hours: Hours after posting that are seen.
        horizon_hours: Hours after posting in which reach is counted.
        bins: Time steps that the seen hours are cut into.
    """

    observe_hours: float = 6.0
    horizon_hours: float = 72.0
    bins: int = 12

    def __post_init__(self) -> None:
        if not 0 < self.observe_hours < self.horizon_hours or self.bins < 1:
            raise ValueError(
                f"{self}: the seen hours must be more than 0 and fewer than the horizon, and at "
                "least one step"
            )


@dataclass(frozen=True)
class Cascades:
    """n posts whose horizon has closed.

    Attributes:
        posts: post_id, customer_id (author), occurred_at, in order of time.
        sequence: n x `bins` x 6 counts of `CHANNELS` in each time step.
        static: n rows: the author's columns as given, hour and weekday of posting.
        early_reach: n distinct people in the seen hours.
        reach: n distinct people in the horizon, the author left out; NaN while it is open.
    """

    posts: pd.DataFrame
    sequence: NDArray[np.float32]
    static: pd.DataFrame
    early_reach: NDArray[np.float64]
    reach: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.posts)

    def rows(self, chosen: NDArray[np.int64] | NDArray[np.bool_]) -> Cascades:
        """Some of the posts."""
        return Cascades(
            self.posts.iloc[chosen],
            self.sequence[chosen],
            self.static.iloc[chosen],
            self.early_reach[chosen],
            self.reach[chosen],
        )


def cascades(  # noqa: PLR0913 - two tables, and the names of their columns
    posts: pd.DataFrame,
    interactions: pd.DataFrame,
    *,
    as_of: datetime,
    settings: CascadeSettings | None = None,
    graph: SocialGraph | None = None,
    authors: pd.DataFrame | None = None,
    item: str = "post_id",
    person: str = "customer_id",
    time: str = "occurred_at",
) -> Cascades:
    """Build the cascades of all posts whose seen hours have passed.

    Args:
        posts: post_id, customer_id, occurred_at.
        interactions: post_id, customer_id, kind (view, like, comment, share), occurred_at; what
            came before its post, or by its author, is left out.
        as_of: Nothing later is looked at.
        settings: What counts as early and as final; the defaults when None.
        graph: Who is connected, for arrivals from among the author's connections; none without.
        authors: Numeric columns of authors, indexed by id, known when the posts were made.
        item: Column of both tables with the post.
        person: Column with its author, and with who came.
        time: Column with the moment of either.

    Raises:
        ValueError: A column is missing, or a post comes twice.
    """
    chosen = settings or CascadeSettings()
    names = {item: "post_id", person: "customer_id", time: "occurred_at"}
    posts, interactions = posts.rename(columns=names), interactions.rename(columns=names)
    _check(posts, _POSTS, "posts")
    _check(interactions, _INTERACTIONS, "interactions")
    if posts["post_id"].duplicated().any():
        raise ValueError("a post_id comes twice in posts")
    moment = pd.Timestamp(as_of)
    seen = pd.Timedelta(hours=chosen.observe_hours)
    made = posts[list(_POSTS)].sort_values(["occurred_at", "post_id"], ignore_index=True)
    made = made[made["occurred_at"] + seen <= moment].reset_index(drop=True)
    events = _events(made, interactions, moment, chosen)
    sequence = _sequence(made, events, chosen, graph)
    reach = np.bincount(events["post"][events["first"]], minlength=len(made)).astype(np.float64)
    closed = made["occurred_at"] + pd.Timedelta(hours=chosen.horizon_hours) <= moment
    reach[~closed.to_numpy()] = np.nan
    return Cascades(
        posts=made,
        sequence=sequence,
        static=_static(made, authors),
        early_reach=sequence[:, :, 0].sum(axis=1).astype(np.float64),
        reach=reach,
    )


def _check(table: pd.DataFrame, columns: tuple[str, ...], name: str) -> None:
    missing = [column for column in columns if column not in table.columns]
    if missing:
        raise ValueError(f"{name} has no column {', '.join(missing)}")


def _events(
    made: pd.DataFrame, interactions: pd.DataFrame, moment: pd.Timestamp, settings: CascadeSettings
) -> pd.DataFrame:
    """The interactions of the horizon in order of time; `first` where a person is new to a post."""
    happened = interactions.loc[interactions["occurred_at"] <= moment, list(_INTERACTIONS)]
    post = pd.Index(made["post_id"]).get_indexer(pd.Index(happened["post_id"]))
    happened = happened.assign(post=post)[post >= 0]
    born = made["occurred_at"].to_numpy()[happened["post"]]
    hours = (happened["occurred_at"].to_numpy() - born) / np.timedelta64(1, "h")
    author = made["customer_id"].to_numpy()[happened["post"]]
    counted = (hours >= 0) & (hours < settings.horizon_hours)
    counted &= happened["customer_id"].to_numpy() != author
    events = happened.assign(hours=hours)[counted].sort_values(
        ["post", "hours", "customer_id", "kind"], ignore_index=True
    )
    marked: pd.DataFrame = events.assign(first=~events.duplicated(["post", "customer_id"]))
    return marked


def _sequence(
    made: pd.DataFrame, events: pd.DataFrame, settings: CascadeSettings, graph: SocialGraph | None
) -> NDArray[np.float32]:
    counts = np.zeros((len(made), settings.bins, len(CHANNELS)), dtype=np.float32)
    early = events[events["hours"] < settings.observe_hours]
    step = (early["hours"].to_numpy() / settings.observe_hours * settings.bins).astype(np.int64)
    post, first = early["post"].to_numpy(), early["first"].to_numpy()
    np.add.at(counts, (post[first], step[first], 0), 1)
    channel = early["kind"].map(_KINDS)
    known = channel.notna().to_numpy()
    np.add.at(counts, (post[known], step[known], channel[known].astype(int).to_numpy()), 1)
    if graph is not None and graph.n_edges:
        author = made["customer_id"].to_numpy()[post[first]]
        near = _connected(graph, author, early["customer_id"].to_numpy()[first])
        np.add.at(counts, (post[first][near], step[first][near], _NEIGHBOURS), 1)
    return counts


def _connected(
    graph: SocialGraph, one: NDArray[np.object_], other: NDArray[np.object_]
) -> NDArray[np.bool_]:
    left, right = graph.positions(one), graph.positions(other)
    low, high = np.minimum(left, right), np.maximum(left, right)
    keys = graph.source * np.int64(graph.n_nodes) + graph.target
    wanted = low * np.int64(graph.n_nodes) + high
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    connected: NDArray[np.bool_] = (keys[place] == wanted) & (low >= 0)
    return connected


def _static(made: pd.DataFrame, authors: pd.DataFrame | None) -> pd.DataFrame:
    hour = made["occurred_at"].dt.hour + made["occurred_at"].dt.minute / 60
    static = pd.DataFrame(
        {
            "hour_sine": np.sin(hour * 2 * np.pi / 24),
            "hour_cosine": np.cos(hour * 2 * np.pi / 24),
            "weekend": (made["occurred_at"].dt.dayofweek >= 5).astype(np.float64),
        },
        index=made.index,
    )
    if authors is None:
        return static
    known = authors.reindex(made["customer_id"]).reset_index(drop=True)
    return pd.concat([static, known.add_prefix("author_").astype(np.float64)], axis=1)
