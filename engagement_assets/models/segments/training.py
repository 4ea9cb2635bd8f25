"""Learn segments from one snapshot and measure them on other people at a later one.

Belongs here: the fitted segments with their identities, and the card. Does not belong here:
clustering (`learning.clustering`) and wording (`reports.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import (
    adjusted_mutual_info_score,
    adjusted_rand_score,
    silhouette_samples,
)
from upath import UPath

from engagement_assets.learning.clustering.matching import match
from engagement_assets.learning.clustering.naming import fits, named
from engagement_assets.learning.clustering.segmenter import Segmenter
from engagement_assets.learning.evaluation.bootstrap import Interval, bootstrapped, mean
from engagement_assets.learning.evaluation.scores import quantile_edges, score_shares
from engagement_assets.lifecycle.adapter import Trained
from engagement_assets.lifecycle.training import records, sensitive_columns
from engagement_assets.models.segments.personas import SEGMENT_INPUTS, SIGNATURES, Named

FILE = "identities.json"
# Fewer segments than this say little more than who is active; more than that nobody remembers.
FEWEST, MOST = 4, 8
RESAMPLES = 50
SILHOUETTE_ROWS = 2_000
# Features that a profile names of each segment.
TELLING = 5
UNNAMED = "new segment {}, needs a name"

Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Identity:
    """One segment, whatever its place among the clusters of a training.

    Attributes:
        segment_id: Its lasting name, such as `s3`; never given to another.
        kind: The known kind that describes it, or None.
        name: What people call it.
    """

    segment_id: str
    kind: str | None
    name: str


@dataclass(frozen=True)
class FittedSegments:
    """Clusters with their identities.

    Attributes:
        segmenter: The fitted clusters.
        identities: One a cluster, in its order.
    """

    segmenter: Segmenter
    identities: tuple[Identity, ...]

    def called(self, names: Mapping[str, Named]) -> FittedSegments:
        """Return the same with the names that people gave."""
        given = tuple(
            replace(one, name=names[one.segment_id].name, kind=names[one.segment_id].kind)
            if one.segment_id in names
            else one
            for one in self.identities
        )
        return replace(self, identities=given)

    def assign(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return the segment of n customers, how far its centre is, and the second nearest."""
        if rows.empty:
            apart = np.empty((0, len(self.identities)))
        else:
            apart = self.segmenter.transform(rows[list(self.segmenter.feature_names_in_)])
        order = np.argsort(apart, axis=1, kind="stable")
        first, second = order[:, 0], order[:, 1]
        place = np.arange(len(rows))

        def of(clusters: NDArray[Any], field: str) -> NDArray[np.object_]:
            values = np.array([getattr(one, field) for one in self.identities], dtype=object)
            named_so: NDArray[np.object_] = values[clusters]
            return named_so

        return pd.DataFrame(
            {
                "customer_id": rows["customer_id"].to_numpy(),
                "segment_id": of(first, "segment_id"),
                "segment": of(first, "name"),
                "kind": of(first, "kind"),
                "distance": apart[place, first],
                "second_segment": of(second, "name"),
                "second_distance": apart[place, second],
            }
        )

    def save(self, folder: Path | UPath) -> None:
        """Write it as JSON."""
        self.segmenter.save(folder)
        data = [asdict(one) for one in self.identities]
        folder.joinpath(FILE).write_bytes(orjson.dumps(data))

    @classmethod
    def load(cls, folder: Path | UPath) -> FittedSegments:
        """Read what `save` wrote."""
        data = orjson.loads(folder.joinpath(FILE).read_bytes())
        return cls(Segmenter.load(folder), tuple(Identity(**one) for one in data))


def train_segments(
    learn: pd.DataFrame,
    score: pd.DataFrame,
    *,
    champion: FittedSegments | None,
    numbers_used: int,
    n_bootstrap: int,
    seed: int,
    n_jobs: int | None,
    resamples: int = RESAMPLES,
) -> Trained[FittedSegments]:
    """Learn the segments of some people, and measure them on other people.

    Args:
        learn: Features of those who are learnt from.
        score: Features of other people at a later snapshot.
        champion: The segments that serve, whose identities go on; None where there are none.
        numbers_used: The highest number of an identity that any version gave.
        n_bootstrap: Resamples behind each interval.
        seed: Seed of all chance.
        n_jobs: Threads.
        resamples: Resamples behind the stability of each segment.

    Raises:
        TooLittleDataError: There are too few rows, or no segments in them.
    """
    columns = list(SEGMENT_INPUTS)
    segmenter = Segmenter(
        min_clusters=FEWEST,
        max_clusters=MOST,
        preferred_clusters=None if champion is None else champion.segmenter.n_clusters_,
        resamples=resamples,
        random_state=seed,
        n_jobs=n_jobs,
    ).fit(learn[columns])
    identities = identify(segmenter, learn, champion=champion, numbers_used=numbers_used, seed=seed)
    model = FittedSegments(segmenter, identities)
    labels = segmenter.predict(score[columns])
    metrics, silhouettes = _metrics(segmenter, learn, score, labels, n_bootstrap=n_bootstrap)
    apart = segmenter.transform(score[columns]).min(axis=1)
    edges = quantile_edges(apart)
    card = {
        "features": columns,
        "left_out": segmenter.left_out_,
        "metrics": metrics,
        "segments": profile(model, score, labels, silhouettes),
        "standings": segmenter.standings_.to_dict("list"),
        "trials": [
            {**one.to_dict(), "least_jaccard": one.least_jaccard} for one in segmenter.trials_
        ],
        "p_value": segmenter.p_value_,
        "density": segmenter.density_.to_dict(),
        "beside_age_and_gender": _beside(score, labels),
        "score_edges": edges,
        "score_shares": score_shares(apart, edges=edges),
        "seeds": {"model": seed},
    }
    return Trained(model, card)


def identify(
    segmenter: Segmenter,
    rows: pd.DataFrame,
    *,
    champion: FittedSegments | None,
    numbers_used: int,
    seed: int = 0,
) -> tuple[Identity, ...]:
    """Return who each cluster is: one that was there before, by its customers, or a new one.

    A cluster is the champion's one with which it has more than half of the customers of either in
    common, both as of these rows. It keeps id and kind; others get the next number, and the kind
    that describes them and that no other has.
    """
    before: dict[int, Identity] = {}
    if champion is not None:
        earlier = champion.segmenter.predict(rows[list(champion.segmenter.feature_names_in_)])
        pairs = match(earlier, segmenter.predict(rows[list(SEGMENT_INPUTS)]))
        before = {new: champion.identities[old] for new, old in pairs.items()}
    taken = {place: one.kind for place, one in before.items() if one.kind is not None}
    kinds = named(fits(segmenter.standings_, SIGNATURES, seed=seed), taken=taken)
    identities, number = [], numbers_used
    for place in range(segmenter.n_clusters_):
        if place in before:
            segment_id = before[place].segment_id
        else:
            number += 1
            segment_id = f"s{number}"
        kind = kinds.get(place)
        identities.append(Identity(segment_id, kind, kind or UNNAMED.format(segment_id)))
    return tuple(identities)


def highest_number(ids: Sequence[str]) -> int:
    """Return the highest number among the ids of segments; 0 without any."""
    return max((int(one.removeprefix("s")) for one in ids), default=0)


def _metrics(
    segmenter: Segmenter,
    learn: pd.DataFrame,
    score: pd.DataFrame,
    labels: Labels,
    *,
    n_bootstrap: int,
) -> tuple[dict[str, Any], NDArray[np.float64]]:
    columns, k = list(SEGMENT_INPUTS), segmenter.n_clusters_
    seed = segmenter.random_state
    other = Segmenter(
        n_clusters=k, resamples=1, random_state=seed + 1, n_jobs=segmenter.n_jobs
    ).fit(learn[columns])
    theirs = other.predict(score[columns])
    same = match(labels, theirs)
    moved = np.array([same.get(int(one), -1) for one in theirs]) != labels
    widths = silhouettes(segmenter, score, labels)
    intervals = bootstrapped(
        {"silhouette": mean(widths)}, rows=len(widths), n_bootstrap=n_bootstrap, seed=seed
    )
    return {
        "least_jaccard": float(segmenter.jaccard_.min()),
        "seeds_agreement": float(adjusted_rand_score(labels, theirs)),
        "changed_by_retraining": float(moved.mean()),
        "clusters": k,
        **{name: value.to_dict() for name, value in intervals.items()},
    }, widths


def silhouettes(segmenter: Segmenter, rows: pd.DataFrame, labels: Labels) -> NDArray[np.float64]:
    """Return the silhouette widths of the first rows, in the parts of a segmenter.

    All 0 where they are in one cluster, which is apart from nothing.
    """
    some = labels[:SILHOUETTE_ROWS]
    if len(set(some.tolist())) < 2:
        return np.zeros(len(some))
    parts = segmenter.parts(rows[list(SEGMENT_INPUTS)].head(SILHOUETTE_ROWS))
    widths: NDArray[np.float64] = silhouette_samples(parts, some)
    return widths


def advantage(
    champion: FittedSegments,
    candidate: FittedSegments,
    rows: pd.DataFrame,
    *,
    n_bootstrap: int,
    seed: int,
) -> Interval:
    """Return how much wider the champion's silhouettes are on n rows, in the candidate's parts."""
    widths = [
        silhouettes(
            candidate.segmenter,
            rows,
            one.segmenter.predict(rows[list(one.segmenter.feature_names_in_)]),
        )
        for one in (champion, candidate)
    ]
    difference = widths[0] - widths[1]
    return bootstrapped(
        {"advantage": mean(difference)}, rows=len(difference), n_bootstrap=n_bootstrap, seed=seed
    )["advantage"]


def profile(
    model: FittedSegments, rows: pd.DataFrame, labels: Labels, widths: NDArray[np.float64]
) -> list[dict[str, Any]]:
    """Return size, stability and what sets apart each segment, among n customers."""
    numbers = rows[list(SEGMENT_INPUTS)].apply(pd.to_numeric)
    means, overall = numbers.groupby(labels).mean(), numbers.mean()
    table = []
    for place, one in enumerate(model.identities):
        standing = model.segmenter.standings_.iloc[place]
        telling = standing.abs().sort_values(ascending=False, kind="stable").index[:TELLING]
        inside = labels[: len(widths)] == place
        there = place in means.index
        table.append(
            {
                **asdict(one),
                "customers": int((labels == place).sum()),
                "share": float((labels == place).mean()),
                "jaccard": float(model.segmenter.jaccard_[place]),
                "silhouette": float(widths[inside].mean()) if inside.any() else None,
                "sets_apart": [
                    {
                        "feature": name,
                        "standing": float(standing[name]),
                        "mean": float(means.loc[place, name]) if there else None,
                        "mean_of_all": float(overall[name]),
                    }
                    for name in telling
                ],
            }
        )
    return table


def _beside(rows: pd.DataFrame, labels: Labels) -> list[dict[str, Any]]:
    """Return what segments tell of age, gender and location: 0 is nothing, 1 is the same."""
    known = sensitive_columns(rows)
    shown = {
        name: float(adjusted_mutual_info_score(known[name].astype(str), labels))
        for name in known.columns
    }
    both = [name for name in ("age_band", "gender") if name in known]
    if len(both) == 2:
        together = known[both].astype(str).agg(" ".join, axis=1)
        shown["age_band and gender"] = float(adjusted_mutual_info_score(together, labels))
    return records(pd.DataFrame({"attribute": list(shown), "adjusted": list(shown.values())}))
