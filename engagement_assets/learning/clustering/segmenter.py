"""Segments of a table: every row in one, as many as are stable.

Belongs here: the estimator. Does not belong here: its parts (the other modules of this folder).
"""

# ruff: noqa: N803, N806 - X is scikit-learn's name for a table of features, Z a matrix

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import orjson
import pandas as pd
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    ClusterMixin,
    TransformerMixin,
)
from sklearn.cluster import KMeans
from sklearn.utils.validation import check_is_fitted
from threadpoolctl import threadpool_limits
from upath import UPath

from engagement_assets.learning.clustering.density import density
from engagement_assets.learning.clustering.metric import within_metric
from engagement_assets.learning.clustering.naming import standings
from engagement_assets.learning.clustering.preparation import Floats, Preparation
from engagement_assets.learning.clustering.stability import (
    SILHOUETTE_ROWS,
    Labels,
    Structure,
    Trial,
    bootstrap_jaccard,
    distances,
    fit_centres,
    nearest,
    structure,
)
from engagement_assets.learning.errors import TooLittleDataError
from engagement_assets.learning.json_data import naming, plain
from engagement_assets.learning.tables import TakesTables, as_table

FILE = "segments.json"
STARTS = 10
# Rows by which numbers of clusters are tried, and from whose clusters those of all rows begin.
TRIED_ROWS = 10_000
# A smaller cluster is no stable mean of anything.
LEAST_ROWS_A_CLUSTER = 25
STABLE = 0.75
BY_CHANCE = 0.05


class NoStructureError(TooLittleDataError):
    """The rows are no more clustered than one cloud, or no number of clusters comes out again."""


@dataclass(kw_only=True, eq=False, repr=False)
class Segmenter(
    TakesTables, ClassNamePrefixFeaturesOutMixin, TransformerMixin, ClusterMixin, BaseEstimator
):
    """K-Means on prepared numbers, with a number of clusters that resamples give again.

    Distances are measured by the spread within clusters (`metric.within_metric`), so that what all
    rows differ in alike does not cut clusters in two.

    The number is a stable one, each of whose clusters has a mean Jaccard index of at least `stable`
    over resamples, and whose silhouette is higher than that of any of 19 Gaussian clouds of the
    same covariance. Of those from `min_clusters` on, or else of all, it is the one that is furthest
    above the clouds; `preferred_clusters` stays while it is among them. HDBSCAN looks at the same
    rows beside it.

    Args:
        n_clusters: The number; None to choose it.
        preferred_clusters: A number that is chosen if it may be, such as that of the last training.
        min_clusters: Fewer are chosen only where no more are stable. A silhouette is highest for
            few coarse clusters: say so where they are too coarse for their use.
        max_clusters: The greatest number that is tried.
        max_components: Principal components at most.
        stable: Least mean Jaccard index of each cluster.
        resamples: Resamples behind each index.
        random_state: Seed of all chance.
        n_jobs: Threads; None for all cores.

    Attributes:
        feature_names_in_: The f feature names in order.
        n_features_in_: Their number.
        n_clusters_: The number of clusters k.
        labels_: n clusters of the training rows, 0 the largest (of 10,000 rows, where there are
            more).
        metric_: p x p, from the principal components to the parts that distances are measured in.
        cluster_centers_: k x p centres.
        jaccard_: k mean Jaccard indices over resamples.
        trials_: Each number that was tried; empty where it was given.
        p_value_: Chance that one cloud looks as clustered; None where the number was given.
        density_: What HDBSCAN sees.
        standings_: k x c, how each cluster differs from the others (`naming.standings`).
        left_out_: Columns without two values.
    """

    n_clusters: int | None = None
    preferred_clusters: int | None = None
    min_clusters: int = 2
    max_clusters: int = 8
    max_components: int = 10
    stable: float = STABLE
    resamples: int = 50
    random_state: int = 0
    n_jobs: int | None = None

    def fit(self, X: pd.DataFrame, y: None = None) -> Self:
        """Learn the segments of n rows.

        Args:
            X: n x f numbers; nulls allowed.
            y: Ignored; scikit-learn's pipelines pass it.

        Raises:
            TypeError: X is sparse, or a column is no number.
            ValueError: A value is infinite, or a parameter is out of range.
            NoStructureError: There are no clusters.
            TooLittleDataError: There are fewer rows than two clusters need, or no column varies.
        """
        del y
        X = as_table(X)
        if self.max_clusters < 2 or (self.n_clusters is not None and self.n_clusters < 2):
            raise ValueError(
                f"two clusters at least are needed, got n_clusters={self.n_clusters} and "
                f"max_clusters={self.max_clusters}"
            )
        if len(X) < 2 * LEAST_ROWS_A_CLUSTER:
            raise TooLittleDataError(
                f"there are {len(X)} rows: two clusters need {2 * LEAST_ROWS_A_CLUSTER}"
            )
        with threadpool_limits(limits=self.n_jobs):
            return self._fit(X)

    def _fit(self, X: pd.DataFrame) -> Self:
        self.preparation_ = Preparation.fit(X, parts=self.max_components)
        self._name_features()
        Z = self.preparation_.transform(X)
        some = np.random.default_rng(self.random_state).permutation(len(Z))[:TRIED_ROWS]
        clusters = self._most_clusters(Z[some])
        if clusters > 1:
            self.metric_ = within_metric(Z[some], clusters, seed=self.random_state, starts=STARTS)
        else:
            self.metric_ = np.eye(Z.shape[1])
        Z = Z @ self.metric_
        self.trials_ = tuple[Trial, ...]()
        self.p_value_: float | None = None
        self.n_clusters_ = self.n_clusters or self._choose(Z[some])
        centres, labels = fit_centres(
            Z[some], self.n_clusters_, seed=self.random_state, starts=STARTS
        )
        fitted = KMeans(self.n_clusters_, n_init=1, init=centres).fit(Z)
        self.cluster_centers_ = fitted.cluster_centers_.astype(np.float64)
        self.labels_ = fitted.labels_.astype(np.int64)
        tried: dict[int, tuple[float, ...]] = {one.clusters: one.jaccard for one in self.trials_}
        # a number that was tried is fitted from the same seed: its clusters are the tried ones
        self.jaccard_ = np.array(
            tried.get(self.n_clusters_)
            or bootstrap_jaccard(
                Z[some], labels, resamples=self.resamples, seed=self.random_state
            ).tolist()
        )
        self.density_ = density(Z, self.labels_, seed=self.random_state, n_jobs=self.n_jobs)
        self.standings_ = standings(
            self.preparation_.scaled(X), self.labels_, list(self.preparation_.used)
        )
        return self

    def _name_features(self) -> None:
        self.feature_names_in_ = np.array(self.preparation_.features, dtype=object)
        self.n_features_in_ = len(self.feature_names_in_)
        self.left_out_ = self.preparation_.left_out

    def _choose(self, Z: Floats) -> int:
        """Return the number of clusters.

        Raises:
            NoStructureError: There are none.
        """
        most = self._most_clusters(Z)
        if most < 2:
            raise NoStructureError("no structure: too few rows differ")
        seen = structure(
            Z,
            range(2, most + 1),
            resamples=self.resamples,
            seed=self.random_state,
            starts=STARTS,
        )
        self.trials_, self.p_value_ = seen.trials, seen.p_value
        return self._best(seen)

    def _most_clusters(self, Z: Floats) -> int:
        # a resample has about two thirds of the different rows, and a cluster needs one
        distinct = len(np.unique(Z[:SILHOUETTE_ROWS], axis=0)) // 2
        return min(self.max_clusters, len(Z) // LEAST_ROWS_A_CLUSTER, distinct)

    def _best(self, seen: Structure) -> int:
        if seen.p_value > BY_CHANCE:
            raise NoStructureError(
                "no structure: one Gaussian cloud of the same covariance looks as clustered with "
                f"a chance of {seen.p_value:.2f} (at most {BY_CHANCE} wanted)"
            )
        there = [
            one
            for one in seen.trials
            if one.least_jaccard >= self.stable and one.silhouette > one.cloud_highest
        ]
        if not there:
            best = max(seen.trials, key=lambda one: one.least_jaccard)
            raise NoStructureError(
                "no structure: no number of clusters comes out again in resamples; the best, "
                f"{best.clusters}, has a cluster with a mean Jaccard index of "
                f"{best.least_jaccard:.2f} ({self.stable} wanted)"
            )
        fine = [one for one in there if one.clusters >= self.min_clusters] or there
        if self.preferred_clusters in {one.clusters for one in fine}:
            return int(self.preferred_clusters or 0)
        return max(fine, key=lambda one: one.beside_cloud).clusters

    @property
    def _n_features_out(self) -> int:
        """The columns of `transform`, which scikit-learn names."""
        return int(self.n_clusters_)

    def parts(self, X: pd.DataFrame) -> Floats:
        """Return n x p parts, in which distances are measured."""
        check_is_fitted(self, "cluster_centers_")
        parts: Floats = self.preparation_.transform(X) @ self.metric_
        return parts

    def transform(self, X: pd.DataFrame) -> Floats:
        """Return n x k distances to the centres."""
        return distances(self.parts(X), self.cluster_centers_)

    def predict(self, X: pd.DataFrame) -> Labels:
        """Return the nearest cluster of n rows."""
        return nearest(self.parts(X), self.cluster_centers_)

    def save(self, folder: Path | UPath) -> None:
        """Write what predicting needs, as JSON."""
        data = {
            "parameters": plain(self.get_params()),
            "preparation": self.preparation_.to_dict(),
            "metric": self.metric_.tolist(),
            "centres": self.cluster_centers_.tolist(),
        }
        folder.mkdir(parents=True, exist_ok=True)
        folder.joinpath(FILE).write_bytes(orjson.dumps(data))

    @classmethod
    def load(cls, folder: Path | UPath) -> Self:
        """Read what `save` wrote; what only training has (`labels_` …) is not there."""
        with naming(folder / FILE):
            return cls._loaded(folder)

    @classmethod
    def _loaded(cls, folder: Path | UPath) -> Self:
        data: dict[str, Any] = orjson.loads(folder.joinpath(FILE).read_bytes())
        model = cls(**data["parameters"])
        model.preparation_ = Preparation.from_dict(data["preparation"])
        model._name_features()
        model.metric_ = np.array(data["metric"], dtype=np.float64)
        model.cluster_centers_ = np.array(data["centres"], dtype=np.float64)
        model.n_clusters_ = len(model.cluster_centers_)
        return model
