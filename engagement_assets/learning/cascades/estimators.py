"""Predict a post's reach by its early count, a line or boosted trees; what all methods share.

Belongs here: the interface, the early count, the line and the trees. Does not belong here: the LSTM
(`lstm.py`), choosing and comparing (`reach.py`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self

import numpy as np
import xgboost as xgb
from numpy.typing import NDArray
from sklearn.linear_model import LinearRegression
from upath import UPath

from engagement_assets.learning.cascades.cascades import Cascades
from engagement_assets.learning.errors import TooLittleDataError

Folder = Path | UPath
Floats = NDArray[np.float64]
STATE_FILE = "virality.json"
TREES_FILE = "booster.ubj"


class ReachEstimator(Protocol):
    """What every method offers."""

    name: ClassVar[str]

    def fit(self, posts: Cascades) -> Self:
        """Learn from posts whose reach is known; the others are left out."""
        ...

    def predict(self, posts: Cascades) -> Floats:
        """The n expected reaches; never fewer people than came already."""
        ...

    def save(self, folder: Folder) -> None:
        """Write as data."""
        ...


def learnable(posts: Cascades) -> Cascades:
    """The posts whose reach is known.

    Raises:
        TooLittleDataError: Fewer than 20: nothing can be learnt.
    """
    known = posts.rows(np.isfinite(posts.reach))
    if len(known) < 20:
        raise TooLittleDataError(f"{len(known)} posts with a known reach: at least 20 are needed")
    return known


def at_least_early(posts: Cascades, log_reach: Floats) -> Floats:
    """Predicted reach from its logarithm: no fewer than have come."""
    return np.maximum(np.expm1(np.clip(log_reach, 0.0, 25.0)), posts.early_reach)


class EarlyReach:
    """Nobody comes after the first hours: the reach is the early count."""

    name: ClassVar[str] = "early"

    def fit(self, posts: Cascades) -> Self:
        """Learn nothing, of posts enough that others could."""
        learnable(posts)
        return self

    def predict(self, posts: Cascades) -> Floats:
        """The n early counts."""
        return np.asarray(posts.early_reach, dtype=np.float64)

    def save(self, folder: Folder) -> None:
        """Write which method it is."""
        write_state(folder, self.name, {})

    @classmethod
    def load(cls, folder: Folder) -> Self:
        """Read what `save` wrote."""
        read_state(folder, cls.name)
        return cls()


class LinearReach:
    """A line through the logarithms of early and final reach (Szabo and Huberman 2010)."""

    name: ClassVar[str] = "linear"

    def fit(self, posts: Cascades) -> Self:
        """Fit by least squares."""
        known = learnable(posts)
        line = LinearRegression().fit(np.log1p(known.early_reach)[:, None], np.log1p(known.reach))
        self.slope_, self.intercept_ = float(line.coef_[0]), float(line.intercept_)
        return self

    def predict(self, posts: Cascades) -> Floats:
        """The n expected reaches."""
        early = np.log1p(posts.early_reach)
        return at_least_early(posts, self.intercept_ + self.slope_ * early)

    def save(self, folder: Folder) -> None:
        """Write as JSON."""
        write_state(folder, self.name, {"slope": self.slope_, "intercept": self.intercept_})

    @classmethod
    def load(cls, folder: Folder) -> Self:
        """Read what `save` wrote."""
        state = read_state(folder, cls.name)
        model = cls()
        model.slope_, model.intercept_ = state["slope"], state["intercept"]
        return model


@dataclass(kw_only=True, eq=False)
class BoostedReach:
    """Gradient boosted trees (XGBoost) on the flattened sequence and the author's columns.

    Args:
        n_estimators: Trees.
        random_state: Seed.
        n_jobs: Threads.
    """

    name: ClassVar[str] = "boosted"
    n_estimators: int = 300
    random_state: int = 0
    n_jobs: int = 2

    def fit(self, posts: Cascades) -> Self:
        """Fit to the logarithm of the reach by squared error."""
        known = learnable(posts)
        data = xgb.DMatrix(_flat(known), label=np.log1p(known.reach), nthread=self.n_jobs)
        parameters = {
            "objective": "reg:squarederror",
            "tree_method": "hist",
            "max_depth": 5,
            "learning_rate": 0.05,
            "subsample": 0.8,
            "colsample_bytree": 0.7,
            "min_child_weight": 10,
            "seed": self.random_state,
            "nthread": self.n_jobs,
        }
        self.booster_ = xgb.train(parameters, data, num_boost_round=self.n_estimators)
        return self

    def predict(self, posts: Cascades) -> Floats:
        """The n expected reaches."""
        data = xgb.DMatrix(_flat(posts), nthread=self.n_jobs)
        return at_least_early(posts, self.booster_.predict(data).astype(np.float64))

    def save(self, folder: Folder) -> None:
        """Write as UBJSON and JSON."""
        state = {"random_state": self.random_state, "n_estimators": self.n_estimators}
        write_state(folder, self.name, state)
        (folder / TREES_FILE).write_bytes(bytes(self.booster_.save_raw("ubj")))

    @classmethod
    def load(cls, folder: Folder) -> Self:
        """Read what `save` wrote."""
        model = cls(**read_state(folder, cls.name))
        model.booster_ = xgb.Booster()
        model.booster_.load_model(bytearray((folder / TREES_FILE).read_bytes()))
        return model


def _flat(posts: Cascades) -> NDArray[np.float32]:
    """Steps, their running sums, and the author's columns, n x k."""
    steps = posts.sequence.reshape(len(posts), -1)
    sums = posts.sequence.cumsum(axis=1).reshape(len(posts), -1)
    return np.column_stack([steps, sums, posts.static.to_numpy(dtype=np.float32)])


def write_state(folder: Folder, name: str, state: Mapping[str, Any]) -> None:
    """Write an estimator's JSON, with which method it is."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / STATE_FILE).write_text(json.dumps({"estimator": name, **state}, indent=1))


def read_state(folder: Folder, name: str) -> dict[str, Any]:
    """Read what `write_state` wrote.

    Raises:
        ValueError: It is of another method.
    """
    state: dict[str, Any] = json.loads((folder / STATE_FILE).read_text())
    if state.pop("estimator", None) != name:
        raise ValueError(f"{folder} holds another estimator than {name}")
    return state


def split_by_time(posts: Cascades, *, share: float) -> tuple[Cascades, Cascades]:
    """Earlier and later posts; the later are `share` of all."""
    cut = round(len(posts) * (1 - share))
    order = np.arange(len(posts))
    return posts.rows(order[:cut]), posts.rows(order[cut:])
