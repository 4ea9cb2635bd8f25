"""What the estimators of boosted trees share.

Belongs here: parameters, a table as the trees see it, training, out-of-fold margins
for each number of trees, calibrated chances, explaining, and keeping trees and encoder as data.
Does not belong here: what is learnt, how a margin becomes a prediction, and by which loss the
number of trees is chosen (each estimator).

Trees: XGBoost's histogram method (Chen and Guestrin, KDD 2016).
"""

# ruff: noqa: N803, N806 - X is scikit-learn's name for a table of features

from __future__ import annotations

import copy
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from hashlib import sha256
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import pandas as pd
import xgboost as xgb
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.model_selection import GroupKFold, KFold
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from engagement_assets.learning.errors import TooLittleDataError
from engagement_assets.learning.evaluation.binary import Floats
from engagement_assets.learning.evaluation.calibration import Calibrator, fit_calibrator
from engagement_assets.learning.evaluation.metrics import log_loss
from engagement_assets.learning.explanations.explanation import Explanation
from engagement_assets.learning.explanations.shap_values import explain
from engagement_assets.learning.json_data import naming, plain
from engagement_assets.learning.tables import TakesTables, as_column, as_table
from engagement_assets.learning.trees.encoder import TableEncoder, typical_values
from engagement_assets.learning.weights import taken, weighed_rows

if TYPE_CHECKING:
    from upath import UPath

logger = logging.getLogger(__name__)

BOOSTER_FILE = "booster.ubj"
ESTIMATOR_FILE = "estimator.json"
LOGISTIC = "binary:logistic"
# Shares of the most trees that are tried.
TREE_SHARES = (1 / 16, 1 / 8, 3 / 16, 1 / 4, 3 / 8, 1 / 2, 3 / 4, 1)
# Columns that a tree sees at least: of fewer it could learn no more than how two act together.
_COLUMNS = 8
# From so many rows on a fourth fold takes time and brings no better AUC or log loss; of fewer rows
# each counts more to the trees that are scored.
_MANY_ROWS = 2_000
# Numbers of trees in a row that are not better than the best before no more are tried.
_PATIENCE = 2

_REFUSED_BY_XGBOOST = frozenset("[]<")
_TREE_PARAMETERS = (
    "max_depth",
    "learning_rate",
    "subsample",
    "colsample_bytree",
    "min_child_weight",
    "reg_lambda",
)

Matrix = NDArray[np.float32]
Fold = tuple[NDArray[np.intp], NDArray[np.intp]]


@dataclass(frozen=True)
class OutOfFold:
    """What rows that were not learnt from say about the number of trees.

    Attributes:
        losses: The loss of each number that was tried.
        margin: n margins of the best, or n x k where the trees have k outputs.
    """

    losses: dict[int, float]
    margin: Floats

    @property
    def trees(self) -> int:
        """The number with the least loss."""
        return int(least(self.losses))


class ConstantTargetError(TooLittleDataError):
    """Every target is the same, so there is nothing to learn."""


@dataclass(kw_only=True, eq=False, repr=False)
class BoostedTrees(TakesTables, BaseEstimator):
    """A table encoder and boosted trees, the ground of an estimator.

    A subclass is a dataclass of its parameters too, which gives it the constructor that
    scikit-learn wants; it may have other defaults than these.

    Args:
        n_estimators: Most trees; how many are kept is chosen out of fold.
        max_depth: Depth of a tree; None for XGBoost's own.
        learning_rate: Step of each tree.
        subsample: Share of the rows a tree sees.
        colsample_bytree: Share of the columns a tree sees, which are eight at least where there are
            as many.
        min_child_weight: Least sum of the second derivatives over the rows of a leaf: rows for the
            squared error, p (1 - p) each for the logistic.
        reg_lambda: L2 penalty of the leaf weights.
        folds: Folds of the out-of-fold scores, fewer when there are fewer groups; None for four, or
            three from 2,000 rows on.
        random_state: Seed of the folds and the trees.
        n_jobs: Threads; None for all cores.

    Attributes:
        encoder_: The map from table to matrix.
        feature_names_in_: The f feature names in order.
        n_features_in_: Their number.
        typical_values_: Median or most frequent value of each feature.
        folds_: Folds that were used.
        booster_: The trees that `explain` explains.
    """

    # names the layout of the saved files
    file_format: ClassVar[str]
    # the file of each attribute that holds trees
    booster_files: ClassVar[Mapping[str, str]] = {"booster_": BOOSTER_FILE}
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_estimators": [Interval(Integral, 1, None, closed="left")],
        "max_depth": [Interval(Integral, 1, None, closed="left"), None],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "subsample": [Interval(Real, 0, 1, closed="right")],
        "colsample_bytree": [Interval(Real, 0, 1, closed="right")],
        "min_child_weight": [Interval(Real, 0, None, closed="left")],
        "reg_lambda": [Interval(Real, 0, None, closed="left")],
        "folds": [Interval(Integral, 2, None, closed="left"), None],
        # the trees take 31 bits
        "random_state": [Interval(Integral, 0, 2**31 - 1, closed="both")],
    }

    n_estimators: int = 160
    max_depth: int | None = 4
    learning_rate: float = 0.06
    subsample: float = 0.8
    colsample_bytree: float = 0.6
    min_child_weight: float = 3.0
    reg_lambda: float = 2.0
    folds: int | None = 4
    random_state: int = 0
    n_jobs: int | None = None
    booster_: xgb.Booster = field(init=False)

    def _take_encoder(self, encoder: TableEncoder) -> None:
        self.encoder_ = encoder
        self.feature_names_in_ = np.array(encoder.features, dtype=object)
        self.n_features_in_ = len(encoder.features)

    def _learn_table(self, X: pd.DataFrame, encoder: TableEncoder) -> None:
        self._take_encoder(encoder)
        self.typical_values_ = typical_values(X, encoder)

    def refitted(
        self, X: pd.DataFrame, y: ArrayLike, *, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Return the same model fitted on other rows; what was chosen out of fold stays.

        For stacking, which needs models that have not seen some groups and cannot afford to
        choose everything again for each.

        Args:
            X: n x f numbers, booleans, text or categories; nulls allowed.
            y: n targets or labels.
            sample_weight: n weights as in `fit`; None where these rows weigh alike, whatever the
                rows of `fit` weighed.

        Raises:
            ValueError: As in `fit`.
        """
        check_is_fitted(self, "booster_")
        X, y, _, weights = weighed_rows(X, y, None, sample_weight)
        fitted = copy.copy(self)
        encoder = TableEncoder.fit(X)
        fitted._learn_table(X, encoder)
        fitted._train_chosen(encoder.transform(X), y, weights)
        return fitted

    def _train_chosen(self, matrix: Matrix, y: ArrayLike, weights: Floats | None = None) -> None:
        """Train what was chosen out of fold on every row."""
        raise NotImplementedError

    def tree_counts(self) -> list[int]:
        """Return the numbers of trees that are tried, rising."""
        return sorted({max(1, round(self.n_estimators * share)) for share in TREE_SHARES})

    def _train(
        self, matrix: Matrix, y: Floats, trees: int, *, offset: Floats | None = None, **how: Any
    ) -> xgb.Booster:
        """Fit a number of trees; see `_growing` for the rest."""
        booster, data = self._growing(matrix, y, offset=offset, **how)
        self._grow(booster, data, 0, trees)
        booster.feature_names = self._booster_names()
        return booster

    def _growing(
        self,
        matrix: Matrix,
        y: Floats,
        *,
        objective: str,
        offset: Floats | None = None,
        weights: Floats | None = None,
        **more: Any,
    ) -> tuple[xgb.Booster, xgb.DMatrix]:
        """Return trees of which none has grown yet, and what they grow by.

        Without names, which XGBoost compares at each tree: much of the time of few rows.

        Args:
            matrix: n x f, as the encoder gives it.
            y: n targets.
            objective: Objective of XGBoost.
            offset: n margins from which the trees start instead of from one constant. The trees'
                own margins are without it: the caller adds it. Give a `base_score` of margin 0.
            weights: n weights of mean 1, or None where the rows weigh alike.
            more: Further parameters of XGBoost.
        """
        data = xgb.QuantileDMatrix(
            matrix,
            label=y,
            weight=weights,
            base_margin=offset,
            nthread=self._threads(),
        )
        parameters: dict[str, Any] = {
            "objective": objective,
            "tree_method": "hist",
            **{name: getattr(self, name) for name in _TREE_PARAMETERS},
            "colsample_bytree": max(self.colsample_bytree, min(1.0, _COLUMNS / matrix.shape[1])),
            "seed": self.random_state,
            # boosters of one thread share their random numbers, so growing side by side mixes them
            "seed_per_iteration": True,
            "nthread": self._threads(),
        }
        return xgb.Booster(parameters | more, [data]), data

    @staticmethod
    def _grow(booster: xgb.Booster, data: xgb.DMatrix, first: int, until: int) -> None:
        for number in range(first, until):
            booster.update(data, number)

    def _out_of_fold(
        self,
        matrix: Matrix,
        y: Floats,
        folds: Sequence[Fold],
        *,
        loss: Callable[[Floats], float],
        use: NDArray[np.bool_] | None = None,
        offset: Floats | None = None,
        weights: Floats | None = None,
        **how: Any,
    ) -> OutOfFold:
        """Choose the number of trees by the out-of-fold loss; see `_growing` for the rest.

        The trees of all folds grow side by side and stop once more of them have not helped twice.

        Args:
            matrix: n x f, as the encoder gives it.
            y: n targets.
            folds: Rows to learn from and rows to score, each row scored once.
            loss: The loss of n margins, or of n x k where the trees have k outputs.
            use: n booleans: rows that may be learnt from; all are scored.
            offset: n margins from which the trees start; those given to `loss` are without it.
            weights: n weights that are learnt by, or None; `loss` weighs by itself.
            how: Objective and further parameters of XGBoost.
        """
        growing, threads = [], self._threads()
        for train, held_out in folds:
            learnt = train if use is None else train[use[train]]
            booster, data = self._growing(
                matrix[learnt],
                y[learnt],
                offset=taken(offset, learnt),
                weights=taken(weights, learnt),
                **how,
            )
            rows = xgb.DMatrix(matrix[held_out], nthread=threads)
            growing.append((booster, data, rows))
        losses: dict[int, float] = {}
        best = np.empty(0)
        before = 0
        for count in self.tree_counts():
            parts = []
            for booster, data, rows in growing:
                self._grow(booster, data, before, count)
                parts.append(self._margin(booster, rows))
            margin = np.empty((len(y), *parts[0].shape[1:]))
            for (_, held_out), part in zip(folds, parts, strict=True):
                margin[held_out] = part
            losses[count] = loss(margin)
            if least(losses) == count:
                best = margin
            logger.info("Out-of-fold loss of %d trees: %.5g", count, losses[count])
            if list(losses).index(least(losses)) < len(losses) - _PATIENCE:
                break
            before = count
        return OutOfFold(losses, best)

    def _calibrated_out_of_fold(
        self,
        matrix: Matrix,
        labels: Floats,
        folds: Sequence[Fold],
        *,
        weights: Floats | None = None,
        **how: Any,
    ) -> tuple[dict[int, float], Floats]:
        """Learn `calibrator_` for the number of trees with the least log loss.

        Args:
            matrix: n x f, as the encoder gives it.
            labels: n labels of 0 and 1.
            folds: Rows to learn from and rows to score, each row scored once.
            weights: n weights of mean 1, or None where the rows weigh alike.
            how: Further parameters of XGBoost.

        Returns:
            The log loss of each number of trees, and the n calibrated out-of-fold chances.
        """
        made = self._out_of_fold(
            matrix,
            labels,
            folds,
            loss=partial(calibrated_loss, labels, weights=weights),
            objective=LOGISTIC,
            weights=weights,
            **how,
        )
        self.calibrator_ = fit_calibrator(
            labels, made.margin, weights=weights, seed=self.random_state
        )
        return made.losses, self.calibrator_(made.margin)

    def _wanted_folds(self, rows: int) -> int:
        return self.folds or (3 if rows >= _MANY_ROWS else 4)

    def _booster_names(self) -> list[str] | None:
        """Return the names for the trees, or None where XGBoost would refuse one of them."""
        names = self.encoder_.features
        return None if any(set(name) & _REFUSED_BY_XGBOOST for name in names) else names

    def _threads(self) -> int:
        return -1 if self.n_jobs is None else self.n_jobs

    def _data(self, matrix: Matrix) -> xgb.DMatrix:
        return xgb.DMatrix(matrix, feature_names=self._booster_names(), nthread=self._threads())

    @staticmethod
    def _margin(booster: xgb.Booster, data: xgb.DMatrix) -> Floats:
        return np.asarray(booster.predict(data, output_margin=True), dtype=np.float64)

    def predict_margin(self, X: pd.DataFrame) -> Floats:
        """Return the n raw outputs of the trees that are explained.

        Raises:
            TypeError: When a column has changed its type since the fit.
            ValueError: When columns are missing or have infinite values.
        """
        check_is_fitted(self, "booster_")
        return self._margin(self.booster_, self._data(self.encoder_.transform(X)))

    def explain(self, X: pd.DataFrame) -> Explanation:
        """Return the exact SHAP contributions of the n x f values to `predict_margin`."""
        check_is_fitted(self, "booster_")
        explanation = explain(
            self.booster_, self.encoder_.frame(X), n_jobs=self.n_jobs, seed=self.random_state
        )
        table = as_table(X, self.encoder_.features)
        return replace(explanation, data=table[self.encoder_.features])

    def save(self, folder: Path | UPath | str) -> None:
        """Write the fitted estimator as data: trees in UBJSON, the rest in JSON.

        Out-of-fold scores are not kept: they belong to the training rows.

        Args:
            folder: Made when it is not there; files of the same name are replaced.
        """
        check_is_fitted(self, "booster_")
        boosters = {
            attribute: bytes(getattr(self, attribute).save_raw("ubj"))
            for attribute in self.booster_files
            if hasattr(self, attribute)
        }
        target = Path(folder) if isinstance(folder, str) else folder
        target.mkdir(parents=True, exist_ok=True)
        state = {
            "format": self.file_format,
            "parameters": plain(self.get_params()),
            "encoder": self.encoder_.to_dict(),
            "boosters": {name: sha256(content).hexdigest() for name, content in boosters.items()},
            **self._state(),
        }
        for attribute, content in boosters.items():
            (target / self.booster_files[attribute]).write_bytes(content)
        (target / ESTIMATOR_FILE).write_text(json.dumps(state, indent=1, allow_nan=False))

    def _state(self) -> dict[str, Any]:
        """Return what was learnt beside encoder and trees as JSON data, with `typical_values`."""
        raise NotImplementedError

    @classmethod
    def load(cls, folder: Path | UPath | str) -> Self:
        """Read what `save` wrote. Check the files' hashes first (`ModelRegistry.open`).

        Raises:
            FileNotFoundError: When a file is missing.
            ValueError: When the files are of another format.
        """
        source = Path(folder) if isinstance(folder, str) else folder
        with naming(source / ESTIMATOR_FILE):
            return cls._loaded(source)

    @classmethod
    def _loaded(cls, folder: Path | UPath) -> Self:
        state = json.loads((folder / ESTIMATOR_FILE).read_text())
        if state.get("format") != cls.file_format:
            raise ValueError(
                f"{folder} has format {state.get('format')!r}, expected {cls.file_format!r}"
            )
        model = cls(**state["parameters"])
        model._take_encoder(TableEncoder.from_dict(state["encoder"]))
        model.typical_values_ = dict(state["typical_values"])
        model.folds_ = int(state["folds_used"])
        if "calibrator" in state:
            model.calibrator_ = Calibrator.from_dict(state["calibrator"])
        model._restore(state)
        for attribute, digest in state["boosters"].items():
            name = cls.booster_files[attribute]
            setattr(model, attribute, read_booster(folder, name, digest=digest))
        return model

    def _restore(self, state: Mapping[str, Any]) -> None:
        """Take back what `_state` gave and `load` has not taken yet."""
        raise NotImplementedError


def calibrated_loss(labels: Floats, margin: Floats, *, weights: Floats | None = None) -> float:
    """Return the log loss after calibration.

    Too many trees are too sure of themselves, which calibration undoes.
    """
    calibrator = fit_calibrator(labels, margin, method="sigmoid", weights=weights)
    return log_loss(labels, calibrator(margin), weights=weights)


def read_booster(
    folder: Path | UPath, name: str = BOOSTER_FILE, *, digest: str | None = None
) -> xgb.Booster:
    """Read trees that were written in UBJSON.

    Args:
        folder: Where they are.
        name: Of the file.
        digest: SHA-256 of the file, looked at before it is parsed: a damaged file may end the
            process within XGBoost. None where the caller has looked.

    Raises:
        BrokenFileError: When the file is not what was written.
        FileNotFoundError: When the file is missing.
    """
    content = (folder / name).read_bytes()
    booster = xgb.Booster()
    with naming(folder / name):
        if digest is not None and sha256(content).hexdigest() != digest:
            raise ValueError("its bytes have another SHA-256 than when it was written")
        booster.load_model(bytearray(content))
    return booster


def as_targets(y: ArrayLike, *, rows: int) -> Floats:
    """Check the targets of a regression.

    Args:
        y: n finite numbers, not all the same.
        rows: How many rows they belong to.

    Returns:
        n floats.

    Raises:
        ConstantTargetError: When all are the same.
        ValueError: When there are fewer than two, as many as rows are not given, or one is null or
            not finite.
    """
    series = as_column(y)
    if len(series) != rows:
        raise ValueError(f"X has {rows} rows but y has {len(series)} targets")
    if rows < 2:
        raise TooLittleDataError(
            "there is one row (n_samples=1): at least two are needed for out-of-fold scores"
        )
    nulls = int(series.isna().sum())
    if nulls:
        raise ValueError(f"{nulls} targets are null: drop the rows whose target is not known yet")
    if not pd.api.types.is_numeric_dtype(series.dtype):
        raise ValueError(f"targets must be numbers, got {series.iloc[0]!r}")
    targets = series.to_numpy(dtype=np.float64)
    if not np.isfinite(targets).all():
        raise ValueError("targets must be finite numbers")
    if targets.min() == targets.max():
        raise ConstantTargetError(
            f"all {rows} targets are {targets[0]:g}: there is nothing to learn"
        )
    return targets


def regression_folds(rows: int, *, folds: int, groups: ArrayLike | None, seed: int) -> list[Fold]:
    """Deal rows into folds, the rows of a group together.

    Args:
        rows: How many rows there are.
        folds: Folds that are wanted; fewer, with a warning, when there are fewer groups.
        groups: n names, such as the person of each row, or None when each row stands alone.
        seed: Seed of the dealing.

    Raises:
        ValueError: When there are fewer than two groups.
    """
    named = np.arange(rows) if groups is None else pd.factorize(np.asarray(groups))[0]
    if len(named) != rows:
        raise ValueError(f"X has {rows} rows but {len(named)} groups are given")
    there = len(np.unique(named))
    if there < 2:
        raise TooLittleDataError("all rows are of one group: at least two are needed")
    if there < folds:
        logger.warning("There are %d groups: %d folds instead of %d", there, there, folds)
    count = max(2, min(folds, there))
    if groups is None:
        return list(KFold(count, shuffle=True, random_state=seed).split(named))
    return list(GroupKFold(count, shuffle=True, random_state=seed).split(named, groups=named))


def least(losses: Mapping[Any, float]) -> Any:
    """Return the key of the least loss, the first of equals."""
    return min(losses, key=lambda key: losses[key])


def named_columns(X: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Return the named columns of a table.

    Raises:
        ValueError: When some are missing; all are named.
    """
    missing = [name for name in columns if name not in X.columns]
    if missing:
        raise ValueError(f"columns are missing: {missing}")
    return X[list(columns)]
