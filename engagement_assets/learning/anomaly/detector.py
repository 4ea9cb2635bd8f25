"""Detect anomalies: score how unlike the rest each row is, with reasons and a kind.

Belongs here: putting the components, the review labels and the calibration together; saving and
loading. Does not belong here: the components (`components.py`), what a score means
(`calibration.py`), the rules of the kinds (`kinds.py`), which customers and dates it learns from
(`training.py`).
"""

# ruff: noqa: N803, N806 - X is scikit-learn's name for a table of features

from __future__ import annotations

import json
import logging
import math
import time
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays
from sklearn.base import BaseEstimator
from sklearn.metrics import average_precision_score
from sklearn.utils.validation import check_is_fitted
from threadpoolctl import threadpool_limits

from engagement_assets.learning.anomaly.attribution import beside, column_shares, mix, part
from engagement_assets.learning.anomaly.calibration import TailRank, score_of
from engagement_assets.learning.anomaly.components import COMPONENTS, Components, positive_shares
from engagement_assets.learning.anomaly.kinds import KindRuler, KindRules
from engagement_assets.learning.anomaly.preparation import Matrix, Preparation
from engagement_assets.learning.anomaly.review_labels import ReviewLabelModel, as_review_labels
from engagement_assets.learning.errors import TooLittleDataError
from engagement_assets.learning.explanations.explanation import Explanation, top_reasons
from engagement_assets.learning.json_data import naming, plain
from engagement_assets.learning.tables import TakesTables, as_table
from engagement_assets.learning.trees.encoder import FEW_ROWS, typical_values

if TYPE_CHECKING:
    from upath import UPath

logger = logging.getLogger(__name__)

Floats = NDArray[np.float64]

FORMAT = "anomaly-detector/1"
DETECTOR_FILE = "detector.json"
ARRAYS_FILE = "components.safetensors"
REVIEW_LABELS = "review_labels"
# Ranks beside those of the components: of their mean, of all without review labels, of all.
MEAN, UNSUPERVISED, WHOLE = "mean", "unsupervised", "whole"
METHOD = "shares of the components' surprises"
FEWEST_ROWS = 10
# Of the surprise of a row with values that cannot be, what is put down to those values.
_IMPOSSIBLE_PART = 0.5
_BLENDS = (0.0, 0.25, 0.5, 0.75, 1.0)
_SAVED = (
    "typical_values_", "n_rows_", "blend_", "review_label_counts_", "statements_",
)  # fmt: skip


@dataclass(frozen=True)
class Assessment:
    """Scores, reasons and kinds of n rows.

    Attributes:
        score: n scores in [0, 1).
        components: n x m scores in [0, 1) of the components by name, `review_labels` included where
            the detector learnt from them.
        explanation: n x f contributions of the features to the surprise in nats; they sum to it.
        kind: n kinds out of `kinds.KINDS`.
    """

    score: Floats
    components: pd.DataFrame
    explanation: Explanation
    kind: NDArray[np.object_]


@dataclass(kw_only=True, eq=False, repr=False)
class AnomalyDetector(TakesTables, BaseEstimator):
    """An ensemble of two unsupervised detectors, taught by reviewers' labels where there are.

    Nearest neighbours in subsamples and empirical tails each give a raw score. Each becomes a
    surprise (minus the log of the share of training rows that score as high), their mean is ranked
    among the training rows once more, and that surprise is the score, such that the one in
    `1 / review_share` scores 0.9 (`calibration.py`). Where the rules declare which way fraud moves
    some features, the surprise on those sides is mixed in.

    With `min_review_labels` review labels of both kinds, boosted trees learn from them
    (`review_labels.py`) and are mixed with the mean in the proportion that has the best out-of-fold
    average precision.

    Args:
        neighbour_samples: Subsamples in which neighbours are looked for.
        review_share: Share of the training rows that score over `flag_above`, in (0, 1).
        flag_above: Score over which `predict` flags a row, in (0, 1).
        trace_weight: Weight of the declared traces of fraud against the mean of the two, in
            [0, 1]; without declared traces it has no effect.
        min_review_labels: Review labels of each kind below which they are not learnt from, at least
            2.
        rules: What tells the kinds apart; None leaves every row `unusual`.
        random_state: Seed of all chance.
        n_jobs: Threads of the linear algebra; None for all cores. The trees of the review labels
            are too small to share.

    Attributes:
        feature_names_in_: The f feature names in order.
        n_features_in_: Their number.
        n_rows_: Training rows.
        typical_values_: Median or most frequent value of each feature.
        blend_: Weight of the review labels in the score, 0 to 1; 0 where there are too few.
        blend_scores_: Out-of-fold average precision by weight, or empty.
        review_label_counts_: How many review labels confirmed fraud, and how many did not.
        statements_: What could not be done, in sentences.
    """

    neighbour_samples: int = 64
    review_share: float = 0.01
    flag_above: float = 0.9
    trace_weight: float = 0.7
    min_review_labels: int = 8
    rules: KindRules | None = None
    random_state: int = 0
    n_jobs: int | None = None

    def fit(
        self, X: pd.DataFrame, y: None = None, *, review_labels: pd.Series | None = None
    ) -> Self:
        """Learn what is usual, and from review labels what is fraud.

        Args:
            X: n x f numbers, booleans, text or categories; nulls allowed. Columns of one value are
                left out, which is said in `statements_`.
            y: Ignored; scikit-learn's pipelines pass it.
            review_labels: n review labels: true or 1 for confirmed fraud, false or 0 for innocent,
                null for a row that nobody has looked at.

        Raises:
            TypeError: X is sparse or has a column of a type that cannot be used.
            ValueError: X has fewer than 10 rows, no column with two values or infinite values;
                review labels have another length, another index or other values; a parameter is out
                of range.
        """
        del y
        self._check_parameters()
        X = as_table(X)
        with threadpool_limits(limits=self.n_jobs):
            return self._fit(X, review_labels)

    def _fit(self, X: pd.DataFrame, review_labels: pd.Series | None) -> Self:
        if 0 < len(X) < FEWEST_ROWS:
            raise TooLittleDataError(
                f"X has {len(X)} rows (n_samples={len(X)}): at least {FEWEST_ROWS} are needed to "
                "say what is usual"
            )
        preparation = Preparation.fit(X)
        judged = as_review_labels(review_labels, X)
        self.preparation_ = preparation
        self._name_features(preparation)
        self.n_rows_ = len(X)
        self.typical_values_ = typical_values(X, preparation.encoder)
        self.statements_ = self._statements(preparation, len(X))
        matrix = preparation.transform(X)
        self.components_ = Components.fit(
            matrix,
            neighbour_samples=self.neighbour_samples,
            sides=self._sides(preparation) if self.trace_weight > 0.0 else (),
            seed=self.random_state,
        )
        raw = self.components_.score(matrix, training=True)
        self.ranks_ = {
            name: TailRank.fit(raw[:, i]) for i, name in enumerate(self.components_.names)
        }
        surprises = self._surprises(raw)
        self._learn_review_labels(matrix, surprises, judged)
        self.ruler_ = KindRuler.fit(self.rules or KindRules(), X, self.typical_values_)
        for statement in self.statements_:
            logger.info("Anomaly detector: %s", statement)
        return self

    def _check_parameters(self) -> None:
        for name in ("review_share", "flag_above"):
            if not 0.0 < getattr(self, name) < 1.0:
                raise ValueError(f"{name} must lie in (0, 1), got {getattr(self, name)}")
        if not 0.0 <= self.trace_weight <= 1.0:
            raise ValueError(f"trace_weight must lie in [0, 1], got {self.trace_weight}")
        if self.min_review_labels < 2:
            raise ValueError(f"min_review_labels must be at least 2, got {self.min_review_labels}")

    def _sides(self, preparation: Preparation) -> list[tuple[int, bool]]:
        rules = self.rules or KindRules()
        at = {name: i for i, (name, says_null) in enumerate(preparation.columns) if not says_null}
        return [
            (at[name], high)
            for names, high in ((rules.high_traces, True), (rules.low_traces, False))
            for name in names
            if name in at
        ]

    def _name_features(self, preparation: Preparation) -> None:
        self.feature_names_in_ = np.array(preparation.features, dtype=object)
        self.n_features_in_ = len(preparation.features)

    def _statements(self, preparation: Preparation, rows: int) -> list[str]:
        statements = []
        if preparation.left_out:
            statements.append(f"left out for want of two values: {list(preparation.left_out)}")
        if rows < 1.0 / self.review_share:
            statements.append(
                f"{rows} rows hold no one in {1.0 / self.review_share:.0f}: extrapolated"
            )
        return [*statements, *(self.rules or KindRules()).unusable(preparation.features)]

    def _surprises(self, raw: Floats) -> Floats:
        return np.column_stack(
            [self.ranks_[n](raw[:, i]) for i, n in enumerate(self.components_.names)]
        )

    def _mixed(self, surprises: Floats) -> Floats:
        """Mix the mean of the two with the declared traces, where there are."""
        mean = self.ranks_[MEAN](surprises[:, : len(COMPONENTS)].mean(axis=1))
        if self.components_.traces is None:
            return mean
        return (1.0 - self.trace_weight) * mean + self.trace_weight * surprises[:, -1]

    def _learn_review_labels(
        self, matrix: Matrix, surprises: Floats, judged: Floats | None
    ) -> None:
        """Fit the trees if there are review labels enough, choose the blend and rank the result."""
        self.ranks_[MEAN] = TailRank.fit(surprises[:, : len(COMPONENTS)].mean(axis=1))
        mixed = self._mixed(surprises)
        self.ranks_[UNSUPERVISED] = TailRank.fit(mixed)
        self.review_label_model_: ReviewLabelModel | None = None
        self.blend_, self.blend_scores_ = 0.0, {}
        known = np.array([]) if judged is None else judged[~np.isnan(judged)]
        frauds = int(known.sum())
        self.review_label_counts_ = {"fraud": frauds, "innocent": len(known) - frauds}
        least = min(self.review_label_counts_.values())
        if judged is None or least < self.min_review_labels:
            self.statements_.append(
                f"review labels were not learnt from: {frauds} of fraud and "
                f"{len(known) - frauds} of innocence, {self.min_review_labels} of each are needed; "
                "the unsupervised score stands"
            )
            self.ranks_[WHOLE] = self.ranks_[UNSUPERVISED]
            return
        self.review_label_model_, margin = ReviewLabelModel.fit(
            beside(matrix, surprises), judged, seed=self.random_state
        )
        self.ranks_[REVIEW_LABELS] = TailRank.fit(margin)
        alone, taught = self.ranks_[UNSUPERVISED](mixed), self.ranks_[REVIEW_LABELS](margin)
        # A row that nobody looked at counts as innocent, so this is a lower bound for each blend.
        label = np.nan_to_num(judged, nan=0.0)
        self.blend_scores_ = {
            weight: float(average_precision_score(label, (1.0 - weight) * alone + weight * taught))
            for weight in _BLENDS
        }
        self.blend_ = max(self.blend_scores_, key=lambda weight: self.blend_scores_[weight])
        self.ranks_[WHOLE] = TailRank.fit((1.0 - self.blend_) * alone + self.blend_ * taught)

    def score_samples(self, X: pd.DataFrame) -> Floats:
        """Return n scores in [0, 1), higher for rows that are less like the training rows.

        Unlike scikit-learn's own detectors, where the odd have low scores. Over 0.9 are about
        `review_share` of rows like those of the training.

        Raises:
            TypeError: A column has changed its type since the fit.
            ValueError: X is empty, lacks columns or has infinite values; they are named.
        """
        return self.scores(X)[0]

    def scores(self, X: pd.DataFrame) -> tuple[Floats, pd.DataFrame]:
        """Return `score_samples` and, on its scale, the n x m scores of the components."""
        check_is_fitted(self, "ranks_")
        X = as_table(X, self.preparation_.features)
        # asking for fewer threads takes longer than a few rows do
        limits = threadpool_limits(limits=self.n_jobs) if len(X) > FEW_ROWS else nullcontext()
        with limits:
            _, surprises, blended, taught = self._measure(X)
        return self._score(blended), self._component_table(surprises, taught, X.index)

    def predict(self, X: pd.DataFrame) -> NDArray[np.int64]:
        """Return 1 for each of n rows that a person should look at: a score over 0.9."""
        return (self.score_samples(X) > self.flag_above).astype(np.int64)

    def assess(self, X: pd.DataFrame) -> Assessment:
        """Score, explain and sort n rows in one go; errors as of `score_samples`."""
        check_is_fitted(self, "ranks_")
        began = time.perf_counter()
        X = as_table(X, self.preparation_.features)
        matrix, surprises, blended, taught = self._measure(X)
        shares = column_shares(
            self.components_,
            matrix,
            surprises,
            trace_part=self._trace_part(surprises),
            review_labels=self.review_label_model_ if self.blend_ > 0.0 else None,
            review_label_part=part(self.blend_ * (0.0 if taught is None else taught), blended),
        )
        total = self.ranks_[WHOLE](blended)
        by_feature = self.preparation_.by_feature(shares)
        impossible = self.ruler_.impossible(X, self.preparation_.features)
        wrong: Floats = np.any(impossible, axis=1) * _IMPOSSIBLE_PART
        by_feature = mix(by_feature, positive_shares(impossible), wrong)
        contributions = by_feature * total[:, None]
        explanation = Explanation(
            features=tuple(self.preparation_.features),
            contributions=contributions.astype(np.float32),
            base_value=0.0,
            method=METHOD,
            additivity_error=float(np.abs(contributions.sum(axis=1) - total).max()),
            rows_checked=len(X),
            fallback_reason=None,
            rank_correlation=np.full(self.n_features_in_, math.nan),
            seconds=time.perf_counter() - began,
            data=X[self.preparation_.features],
        )
        table = self._component_table(surprises, taught, X.index)
        by_review_labels = (
            np.zeros(len(X), dtype=bool)
            if taught is None
            else table[REVIEW_LABELS] > self.flag_above
        )
        kind = self.ruler_.kinds(
            X, contributions, self.preparation_.features, np.asarray(by_review_labels, dtype=bool)
        )
        return Assessment(self._score(blended), table, explanation, kind)

    def reasons(self, X: pd.DataFrame, *, k: int = 3) -> pd.DataFrame:
        """Return the k features that make each of n rows odd, and its kind.

        Columns as of `evaluation.explanations.top_reasons`, and `kind`. A contribution is the
        feature's part of the row's surprise, in nats; those of all features sum to it.
        """
        assessment = self.assess(X)
        table = top_reasons(
            assessment.explanation,
            as_table(X, self.preparation_.features),
            typical=self.typical_values_,
            k=k,
            only_raising=True,
        )
        return table.assign(kind=assessment.kind)

    def _measure(self, X: pd.DataFrame) -> tuple[Matrix, Floats, Floats, Floats | None]:
        """Prepare and score n rows.

        Returns:
            The n x c matrix, the n x m surprises of the components, what the score ranks, and the
            surprise of the review labels where they were learnt from.
        """
        check_is_fitted(self, "ranks_")
        matrix = self.preparation_.transform(X)
        surprises = self._surprises(self.components_.score(matrix))
        mixed = self._mixed(surprises)
        if self.review_label_model_ is None:
            return matrix, surprises, mixed, None
        taught = self.ranks_[REVIEW_LABELS](
            self.review_label_model_.margin(beside(matrix, surprises))
        )
        alone = self.ranks_[UNSUPERVISED](mixed)
        return matrix, surprises, (1.0 - self.blend_) * alone + self.blend_ * taught, taught

    def _score(self, blended: Floats) -> Floats:
        return self._on_scale(self.ranks_[WHOLE](blended))

    def _on_scale(self, surprise: Floats) -> Floats:
        return score_of(surprise, review_share=self.review_share, flag_above=self.flag_above)

    def _trace_part(self, surprises: Floats) -> Floats:
        """Share of the declared traces in each of n unsupervised surprises."""
        if self.components_.traces is None:
            return np.zeros(len(surprises))
        return part(self.trace_weight * surprises[:, -1], self._mixed(surprises))

    def _component_table(
        self, surprises: Floats, taught: Floats | None, index: pd.Index
    ) -> pd.DataFrame:
        parts = dict(zip(self.components_.names, surprises.T, strict=True))
        if taught is not None:
            parts[REVIEW_LABELS] = taught
        return pd.DataFrame(
            {name: self._on_scale(part) for name, part in parts.items()}, index=index
        )

    def save(self, folder: Path | UPath | str) -> None:
        """Write the fitted detector as JSON, safetensors and UBJSON.

        Args:
            folder: Made when it is not there; files of the same name are replaced.
        """
        check_is_fitted(self, "ranks_")
        target = Path(folder) if isinstance(folder, str) else folder
        target.mkdir(parents=True, exist_ok=True)
        files = {} if self.review_label_model_ is None else self.review_label_model_.to_files()
        parameters = plain(self.get_params())
        rules = parameters.pop("rules")
        state: dict[str, Any] = {
            "format": FORMAT,
            "parameters": parameters,
            "rules": None if rules is None else rules.to_dict(),
            "preparation": self.preparation_.to_dict(),
            "ranks": {name: rank.to_dict() for name, rank in self.ranks_.items()},
            "steep_fall": self.ruler_.steep_fall,
            "typical_use": self.ruler_.typical_use,
            "blend_scores": [list(pair) for pair in self.blend_scores_.items()],
            "review_label_files": list(files),
            **{name: getattr(self, name) for name in _SAVED},
        }
        for name, content in files.items():
            (target / name).write_bytes(content)
        (target / ARRAYS_FILE).write_bytes(save_arrays(self.components_.to_arrays()))
        (target / DETECTOR_FILE).write_text(json.dumps(state, indent=1, allow_nan=False))

    @classmethod
    def load(cls, folder: Path | UPath | str) -> Self:
        """Read what `save` wrote. Check the files' hashes first (`ModelRegistry.open`).

        Raises:
            FileNotFoundError: A file is missing.
            ValueError: The files are of another format.
        """
        source = Path(folder) if isinstance(folder, str) else folder
        with naming(source / DETECTOR_FILE):
            return cls._loaded(source)

    @classmethod
    def _loaded(cls, folder: Path | UPath) -> Self:
        state = json.loads((folder / DETECTOR_FILE).read_text())
        if state.get("format") != FORMAT:
            raise ValueError(f"{folder} has format {state.get('format')!r}, expected {FORMAT!r}")
        rules = None if state["rules"] is None else KindRules.from_dict(state["rules"])
        detector = cls(**state["parameters"], rules=rules)
        detector.preparation_ = Preparation.from_dict(state["preparation"])
        detector._name_features(detector.preparation_)
        detector.components_ = Components.from_arrays(
            load_arrays((folder / ARRAYS_FILE).read_bytes())
        )
        detector.ranks_ = {name: TailRank.from_dict(data) for name, data in state["ranks"].items()}
        for name in _SAVED:
            setattr(detector, name, state[name])
        detector.ruler_ = KindRuler(
            rules or KindRules(),
            state["steep_fall"],
            state["typical_use"],
            detector.typical_values_,
        )
        detector.blend_scores_ = {float(w): float(score) for w, score in state["blend_scores"]}
        files = [(folder / name).read_bytes() for name in state["review_label_files"]]
        detector.review_label_model_ = ReviewLabelModel.from_files(files) if files else None
        return detector
