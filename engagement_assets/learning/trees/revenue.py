"""Predict zero-inflated revenue: its mean, its chance and its quantiles, by boosted trees.

Belongs here: fitting, predicting, explaining, saving and loading one model of money of any table of
numbers and categories. Does not belong here: which rows it learns from
and what is done with it.

Most rows pay nothing, a few pay most, and refunds may prevail. So three things are learnt
apart: the chance of paying (calibrated), the mean, and the quantiles.

* Where hardly a row pays nothing, as in a business of subscriptions, there is nobody to learn that
  from: the chance of paying is the share that pays, and the hurdle is the amount alone.
* Mean: the winner, by out-of-fold squared error, of three declared candidates. `squared`: squared
  error on amounts that are cut off, since a few great ones would lead the trees. `tweedie`: one
  compound Poisson model with log link (Jorgensen 1987). `hurdle`: chance of paying times expected
  amount of those who pay (Cragg, Econometrica 39, 1971; gamma with log link). Each is
  compared after scaling its out-of-fold mean to the true mean, and the winner gets a rising map
  from its amount to the mean amount, which undoes the cut-off and takes off the refunds.
* Prior: a column that already is a rough guess of the amount, such as what the past rate of revenue
  would bring, may be named. With a log link the trees then learn by what factor it is wrong (an
  offset, as actuaries rate risks by exposure), so they go on where it is greater than any they saw;
  without it the greatest leaf is the end.
* Quantiles: one booster with a pinball loss for each level, on the signed logarithm of the amount
  (quantiles go through a monotone map unchanged), 0 where the chance of not paying reaches the
  level, sorted so that they never cross, and shifted by conformal calibration
  (`evaluation.quantiles`).
"""

# ruff: noqa: N803, N806 - X is scikit-learn's name for a table of features

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Self

import numpy as np
import pandas as pd
import xgboost as xgb
from numpy.typing import ArrayLike, NDArray
from sklearn.base import RegressorMixin
from sklearn.utils.validation import check_is_fitted

from engagement_assets.learning.errors import TooLittleDataError
from engagement_assets.learning.evaluation.binary import Floats, as_weights
from engagement_assets.learning.evaluation.quantiles import (
    ConformalShift,
    fit_conformal_shift,
    pinball_loss,
)
from engagement_assets.learning.explanations.explanation import Explanation
from engagement_assets.learning.explanations.sums import add_term, explain_sum
from engagement_assets.learning.tables import as_table
from engagement_assets.learning.trees.boosted import (
    BOOSTER_FILE,
    LOGISTIC,
    BoostedTrees,
    Fold,
    Matrix,
    OutOfFold,
    as_targets,
    least,
    regression_folds,
)
from engagement_assets.learning.trees.encoder import NO_VALUES, NUMBER, TableEncoder
from engagement_assets.learning.trees.revenue_mean import (
    CANDIDATES,
    HURDLE,
    SQUARED,
    TWEEDIE,
    Learning,
    MeanCalibration,
    Prior,
    at_zero,
    expected,
    from_margins,
    learning,
    like,
    signed_log,
)
from engagement_assets.learning.weights import quantile, taken, weighed_rows

FORMAT = "zero-inflated-revenue-regressor/1"
LEVELS = (0.1, 0.5, 0.9)
# Amounts over this quantile of the payers' are cut off for `squared`.
CUT_OFF = 0.99
# Payers fewer than this are too few for amounts and chances of their own.
LEAST_PAYERS = 20
# Rows whose upper quantile is above 0 are shifted apart in parts cut at these shares.
GROUP_CUTS = (1 / 3, 2 / 3)


class TooFewPayersError(TooLittleDataError):
    """Too few rows pay to learn how much."""


@dataclass(kw_only=True, eq=False, repr=False)
class ZeroInflatedRevenueRegressor(RegressorMixin, BoostedTrees):
    """Boosted trees for zero-inflated, heavy-tailed money; see the module for the method.

    See `BoostedTrees` for the other parameters and attributes.

    Args:
        prior: Name of a column with a rough guess of the amount, or None.
        mean: One of `CANDIDATES`, or "auto" for the least out-of-fold squared error.
        n_estimators: Most trees; how many are kept is chosen out of fold, for each part by its own
            loss.

    Attributes:
        mean_: The candidate that predicts the mean.
        mean_losses_: Out-of-fold root mean squared error of each candidate, each with its best
            number of trees.
        prior_: How the prior becomes an offset, or None.
        calibration_: The rising map from the winner's amount to the mean.
        oof_prediction_: Out-of-fold means of the rows that weigh anything, in their order.
        oof_quantiles_: Their out-of-fold quantiles after the conformal shift, three a row.
        trees_: Number of trees of each part.
        constant_chance_: The chance of paying of every row where too few do not pay, or None.
        calibrator_: The map from the margin of paying to its chance; not where that is constant.
        shift_: The conformal shift of the quantiles.
        booster_: The trees of the mean; for the hurdle, of the amount of those who pay.
        pays_: The trees of paying; not where the chance is constant.
        quantiles_: The trees of the quantiles.
    """

    file_format = FORMAT
    booster_files = {  # noqa: RUF012 - declared a ClassVar by the base
        "booster_": BOOSTER_FILE,
        "pays_": "pays.ubj",
        "quantiles_": "quantiles.ubj",
    }

    prior: str | None = None
    mean: str = "auto"
    pays_: xgb.Booster = field(init=False)
    quantiles_: xgb.Booster = field(init=False)

    def fit(
        self,
        X: pd.DataFrame,
        y: ArrayLike,
        *,
        groups: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Learn who pays, how much is to be expected, and the quantiles.

        Args:
            X: n x f numbers, booleans, text or categories; nulls allowed.
            y: n amounts of money; zero for most, negative where refunds prevail.
            groups: n names, such as the person of each row, where rows belong together.
            sample_weight: n weights, 0 or more: how much a row counts beside the others in all
                that is learnt, chosen and shifted. A row of weight 0 is as if it were not there.

        Raises:
            ConstantTargetError: When every amount is the same.
            TooFewPayersError: When fewer than 20 rows that weigh anything pay.
            TypeError: When X is sparse or has a column of a type that cannot be used.
            ValueError: When X is empty or has infinite values, has another length than y, when
                there are fewer than two groups, when an amount is null or not finite, when the
                mean is none of the candidates, when the prior is no column of numbers, or as
                `weighed_rows` does.
        """
        if self.mean not in (*CANDIDATES, "auto"):
            raise ValueError(f"mean {self.mean!r} is none of {(*CANDIDATES, 'auto')}")
        self._validate_params()
        X, y, groups, weights = weighed_rows(X, y, groups, sample_weight)
        encoder = TableEncoder.fit(X)
        amounts = as_targets(y, rows=len(X))
        pays = amounts > 0.0
        if pays.sum() < LEAST_PAYERS:
            raise TooFewPayersError(
                f"only {pays.sum()} of {len(pays)} rows pay: at least {LEAST_PAYERS} are needed to "
                "learn a value"
            )
        matrix = encoder.transform(X)
        wanted = self._wanted_folds(len(X))
        folds = regression_folds(len(X), folds=wanted, groups=groups, seed=self.random_state)
        self.folds_ = len(folds)
        self._learn_table(X, encoder)
        self._learn_prior(matrix, weights)
        self.trees_: dict[str, int] = {}
        chance = self._fit_chance(matrix, pays, weights, folds)
        self._fit_mean(matrix, amounts, weights, chance, folds)
        self._fit_quantiles(matrix, amounts, weights, chance, folds)
        return self

    def _guess(self, matrix: Matrix) -> Floats:
        """Return the column of the prior."""
        place = self.encoder_.features.index(str(self.prior))
        return matrix[:, place].astype(np.float64)

    def _learn_prior(self, matrix: Matrix, weights: Floats | None) -> None:
        self.prior_ = None
        if self.prior is not None:
            if self.encoder_.kinds.get(self.prior) not in (NUMBER, NO_VALUES):
                raise ValueError(f"the prior {self.prior!r} is no column of numbers")
            self.prior_ = Prior.fit(self._guess(matrix), name=self.prior, weights=weights)

    def _offset(self, matrix: Matrix) -> Floats | None:
        return None if self.prior_ is None else self.prior_.offset(self._guess(matrix))

    def _train_chosen(self, matrix: Matrix, y: ArrayLike, weights: Floats | None = None) -> None:
        """Train the mean on every row; calibrator, map to the mean and quantiles stay."""
        self._learn_prior(matrix, weights)
        amounts = as_targets(y, rows=len(matrix))
        if self.mean_ == HURDLE and self.constant_chance_ is None:
            self._train_pays(matrix, amounts > 0.0, weights)
        how = learning(self.mean_, amounts, cut_off=CUT_OFF, weights=weights)
        self.booster_ = self._train_mean(matrix, how, weights)

    def _train_pays(self, matrix: Matrix, pays: NDArray[np.bool_], weights: Floats | None) -> None:
        self.pays_ = self._train(
            matrix,
            pays.astype(np.float64),
            self.trees_["pays"],
            objective=LOGISTIC,
            weights=weights,
        )

    def _fit_chance(
        self,
        matrix: Matrix,
        pays: NDArray[np.bool_],
        weights: Floats | None,
        folds: list[Fold],
    ) -> Floats:
        """Learn who pays; return the calibrated out-of-fold chances."""
        self.constant_chance_: float | None = None
        if (~pays).sum() < LEAST_PAYERS:
            # half a row more on either side keeps it off 1
            paying = as_weights(weights, rows=len(pays))[pays].sum()
            self.constant_chance_ = float((paying + 0.5) / (len(pays) + 1.0))
            return np.full(len(pays), self.constant_chance_)
        losses, chance = self._calibrated_out_of_fold(
            matrix, pays.astype(np.float64), folds, weights=weights
        )
        self.trees_["pays"] = least(losses)
        self._train_pays(matrix, pays, weights)
        return chance

    def _fit_mean(
        self,
        matrix: Matrix,
        amounts: Floats,
        weights: Floats | None,
        chance: Floats,
        folds: list[Fold],
    ) -> None:
        """Keep the candidate with the least out-of-fold squared error, and fit it on every row."""
        tried = CANDIDATES if self.mean == "auto" else (self.mean,)
        learnt = {name: learning(name, amounts, cut_off=CUT_OFF, weights=weights) for name in tried}
        offset = self._offset(matrix)
        weighs = as_weights(weights, rows=len(amounts))
        total = (amounts * weighs).sum()
        made: dict[str, OutOfFold] = {}

        def mean_of(name: str, margin: Floats) -> Floats:
            start, _ = learnt[name].start(offset)
            return expected(name, margin if start is None else margin + start, chance)

        def loss_of(name: str, margin: Floats) -> float:
            mean = mean_of(name, margin)
            scaled = total / (mean * weighs).sum() * mean
            return float(np.average((amounts - scaled) ** 2, weights=weights))

        for name, how in learnt.items():
            start, more = how.start(offset)
            made[name] = self._out_of_fold(
                matrix,
                how.target,
                folds,
                loss=partial(loss_of, name),
                use=how.use,
                offset=start,
                weights=weights,
                objective=how.objective,
                **more,
            )
        least_losses = {name: min(one.losses.values()) for name, one in made.items()}
        self.mean_losses_ = {name: loss**0.5 for name, loss in least_losses.items()}
        self.mean_ = least(least_losses)
        best = made[self.mean_]
        self.trees_["mean"] = best.trees
        predicted = mean_of(self.mean_, best.margin)
        self.calibration_ = MeanCalibration.fit(amounts, predicted, weights=weights)
        self.oof_prediction_ = self.calibration_(predicted)
        self.booster_ = self._train_mean(matrix, learnt[self.mean_], weights)

    def _train_mean(self, matrix: Matrix, how: Learning, weights: Floats | None) -> xgb.Booster:
        """Return the trees of the mean on every row that they may learn from."""
        start, more = how.start(self._offset(matrix))
        return self._train(
            matrix[how.use],
            how.target[how.use],
            self.trees_["mean"],
            objective=how.objective,
            offset=taken(start, how.use),
            weights=taken(weights, how.use),
            **more,
        )

    def _fit_quantiles(
        self,
        matrix: Matrix,
        amounts: Floats,
        weights: Floats | None,
        chance: Floats,
        folds: list[Fold],
    ) -> None:
        """Learn the quantiles and shift them by what out-of-fold rows show."""
        target = signed_log(amounts)

        # In logarithms, or the few greatest amounts alone would choose.
        def loss(margin: Floats) -> float:
            logs = signed_log(from_margins(margin, chance, levels=LEVELS))
            return sum(
                pinball_loss(target, logs[:, i], level=level, weights=weights)
                for i, level in enumerate(LEVELS)
            )

        how: dict[str, Any] = {
            "objective": "reg:quantileerror",
            "quantile_alpha": list(LEVELS),
            "weights": weights,
        }
        made = self._out_of_fold(matrix, target, folds, loss=loss, **how)
        self.trees_["quantiles"] = made.trees
        quantiles = from_margins(made.margin, chance, levels=LEVELS)
        pays = amounts > 0.0
        self.scale_floor_ = float(quantile(amounts[pays], 0.5, taken(weights, pays))) / 10.0
        some = quantiles[:, -1] > 0.0
        cuts = quantile(quantiles[some, -1], GROUP_CUTS, taken(weights, some)) if some.any() else []
        self.group_edges_ = np.unique(cuts).tolist()
        self.shift_ = fit_conformal_shift(
            amounts,
            quantiles,
            levels=LEVELS,
            groups=like(quantiles, self.group_edges_),
            scale=self._scales(quantiles),
            weights=weights,
        )
        self.oof_quantiles_ = self._conformalize(quantiles, chance)
        self.quantiles_ = self._train(matrix, target, made.trees, **how)

    def _scales(self, quantiles: Floats) -> Floats:
        scales: Floats = np.maximum(np.abs(quantiles).max(axis=1), self.scale_floor_)
        return scales

    def _conformalize(self, quantiles: Floats, chance: Floats) -> Floats:
        """Quantiles after the conformal shift, at 0 where the chance says so, never crossing."""
        moved = self.shift_(
            quantiles, groups=like(quantiles, self.group_edges_), scale=self._scales(quantiles)
        )
        return at_zero(moved, quantiles, chance, levels=LEVELS)

    def _chance(self, data: xgb.DMatrix) -> Floats:
        if self.constant_chance_ is not None:
            return np.full(data.num_row(), self.constant_chance_)
        return self.calibrator_(self._margin(self.pays_, data))

    def _mean_margin(self, matrix: Matrix, data: xgb.DMatrix) -> Floats:
        margin = self._margin(self.booster_, data)
        offset = None if self.mean_ == SQUARED else self._offset(matrix)
        return margin if offset is None else margin + offset

    def _encoded(self, X: pd.DataFrame) -> tuple[Matrix, xgb.DMatrix]:
        check_is_fitted(self, "quantiles_")
        matrix = self.encoder_.transform(X)
        return matrix, self._data(matrix)

    def predict(self, X: pd.DataFrame) -> Floats:
        """Return the n expected amounts; see `BoostedTrees.predict_margin` for what it raises."""
        matrix, data = self._encoded(X)
        return self._mean(matrix, data, self._chance(data))

    def predict_all(self, X: pd.DataFrame) -> tuple[Floats, Floats, Floats]:
        """Return `predict`, `predict_chance` and `predict_quantiles` of one encoding."""
        matrix, data = self._encoded(X)
        chance = self._chance(data)
        quantiles = from_margins(self._margin(self.quantiles_, data), chance, levels=LEVELS)
        return self._mean(matrix, data, chance), chance, self._conformalize(quantiles, chance)

    def _mean(self, matrix: Matrix, data: xgb.DMatrix, chance: Floats) -> Floats:
        return self.calibration_(expected(self.mean_, self._mean_margin(matrix, data), chance))

    def predict_chance(self, X: pd.DataFrame) -> Floats:
        """Return the n calibrated chances of an amount above 0."""
        return self._chance(self._encoded(X)[1])

    def predict_quantiles(self, X: pd.DataFrame) -> Floats:
        """Return the n x 3 quantiles at 0.1, 0.5 and 0.9, rising in each row."""
        return self.predict_all(X)[2]

    def predict_margin(self, X: pd.DataFrame) -> Floats:
        """Return the n numbers that `explain` explains, see `margin_unit`."""
        matrix, data = self._encoded(X)
        margin = self._mean_margin(matrix, data)
        return margin + self._margin(self.pays_, data) if self._pays_varies else margin

    @property
    def _pays_varies(self) -> bool:
        """Whether the mean is a product of a chance that was learnt and an amount."""
        return self.mean_ == HURDLE and self.constant_chance_ is None

    @property
    def mean_in_words(self) -> str:
        """What predicts the mean."""
        return str(self.mean_)

    @property
    def margin_unit(self) -> str:
        """The unit of margins and contributions."""
        if self.mean_ == HURDLE and not self._pays_varies:
            return "log USD"
        return {
            HURDLE: "log of odds of paying times amount",
            TWEEDIE: "log USD",
            SQUARED: "USD before calibration",
        }[self.mean_]

    def explain(self, X: pd.DataFrame) -> Explanation:
        """Return the exact SHAP contributions of the n x f values to `predict_margin`.

        The mean of the hurdle is a product, of which no sum of contributions is exact. What is
        explained is the sum of its two margins: the logarithm of the odds of paying times the
        amount of those who pay. Contributions of both boosters are exact, and so is their sum. For
        a row that is unlikely to pay it is the logarithm of the mean, up to scale and
        calibration. The prior is a term of its own column alone, so its Shapley value is the term
        less its mean over the training rows; it is added to the column's contribution.
        """
        check_is_fitted(self, "quantiles_")
        encoded = self.encoder_.frame(X)
        boosters = [self.booster_, self.pays_] if self._pays_varies else [self.booster_]
        explanation = replace(
            explain_sum(boosters, encoded, n_jobs=self.n_jobs, seed=self.random_state),
            data=as_table(X, self.encoder_.features)[self.encoder_.features],
        )
        if self.prior_ is None or self.mean_ == SQUARED:
            return explanation
        return add_term(
            explanation,
            encoded,
            feature=str(self.prior),
            term=self.prior_.offset(self._guess(encoded.to_numpy(dtype=np.float32))),
            mean=self.prior_.mean_offset,
            seed=self.random_state,
        )

    def _state(self) -> dict[str, Any]:
        return {
            "typical_values": self.typical_values_,
            "mean_used": self.mean_,
            "mean_losses": self.mean_losses_,
            "mean_calibration": self.calibration_.to_dict(),
            "trees_used": self.trees_,
            "folds_used": self.folds_,
            "constant_chance": self.constant_chance_,
            **({} if self.constant_chance_ else {"calibrator": self.calibrator_.to_dict()}),
            "prior": None if self.prior_ is None else self.prior_.to_dict(),
            "scale_floor": self.scale_floor_,
            "group_edges": self.group_edges_,
            "conformal_shift": self.shift_.to_dict(),
        }

    def _restore(self, state: Mapping[str, Any]) -> None:
        self.mean_ = str(state["mean_used"])
        self.constant_chance_ = state["constant_chance"]
        self.mean_losses_ = {str(k): float(v) for k, v in state["mean_losses"].items()}
        self.calibration_ = MeanCalibration.from_dict(state["mean_calibration"])
        self.trees_ = {str(k): int(v) for k, v in state["trees_used"].items()}
        self.prior_ = None if state["prior"] is None else Prior.from_dict(state["prior"])
        self.scale_floor_ = float(state["scale_floor"])
        self.group_edges_ = [float(edge) for edge in state["group_edges"]]
        self.shift_ = ConformalShift.from_dict(state["conformal_shift"])
