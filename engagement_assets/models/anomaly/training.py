"""Training the anomaly detector on a snapshot, and describing it on other people at a later one.

Belongs here: who is learnt from, the verdicts known by then, the card. Does not belong here: the
detector (`detector.py`) and Dagster (`assets.py`).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import spearmanr
from sklearn.metrics import average_precision_score

from engagement_assets.learning.anomaly.detector import AnomalyDetector
from engagement_assets.learning.errors import TooLittleDataError
from engagement_assets.learning.evaluation.binary import OneClassError, Ranked, as_labels
from engagement_assets.learning.evaluation.bootstrap import (
    Interval,
    Weighted,
    bootstrapped,
    mean,
)
from engagement_assets.learning.evaluation.scores import score_shares
from engagement_assets.learning.evaluation.splits import hash_split
from engagement_assets.lifecycle.adapter import Trained
from engagement_assets.models.anomaly.rules import shows_life
from engagement_assets.models.anomaly.spec import EXPLAINED_ABOVE

logger = logging.getLogger(__name__)

Floats = NDArray[np.float64]

TOP_SHARE = 0.01
# Rows on which two seeds are compared at most: the rank correlation of more moves in no decimal.
_STABILITY_ROWS = 20_000


def latest_verdicts(
    reviews: pd.DataFrame, customer_ids: pd.Series, *, until: date | None = None
) -> pd.Series:
    """The latest verdict on each customer, as floats: 1 fraud, 0 innocent, NaN not looked at.

    Args:
        reviews: Rows of `source/reviews`: `customer_id`, `confirmed_fraud`, `occurred_at`, and
            maybe `recorded_at`.
        customer_ids: n customers.
        until: Verdicts given or recorded after the end of this day (UTC) are not known; None for
            all. Of two at the same instant the one that confirms fraud holds.

    Returns:
        n verdicts with the index of `customer_ids`.
    """
    known = reviews.dropna(subset=["confirmed_fraud"])
    if until is not None:
        ends = pd.Timestamp(until) + pd.Timedelta(days=1)
        for column in ("occurred_at", "recorded_at"):
            if column in known.columns:
                instant = pd.to_datetime(known[column], utc=True).dt.tz_localize(None)
                known = known[instant.isna() | (instant < ends)]
    ordered = known.sort_values(["occurred_at", "confirmed_fraud"], kind="stable")
    last = ordered.drop_duplicates("customer_id", keep="last").set_index("customer_id")
    return customer_ids.map(last["confirmed_fraud"].astype(float)).astype(float)


def train_anomaly(  # noqa: PLR0913 - two snapshots with their dates, and the settings
    train_rows: pd.DataFrame,
    test_rows: pd.DataFrame,
    *,
    training_snapshot: date,
    test_snapshot: date,
    features: Sequence[str],
    parameters: Mapping[str, Any],
    verdicts: pd.Series | None = None,
    test_verdicts: pd.Series | None = None,
    n_bootstrap: int = 200,
    seed: int = 0,
) -> Trained[AnomalyDetector]:
    """Fit on the training people at one snapshot, describe on the test people at a later one.

    Only customers who used the app in the month count, on both sides (`shows_life`).

    Args:
        train_rows: Rows of `features/customer_features` at the training snapshot, all people.
        test_rows: The same at the test snapshot.
        training_snapshot: Date of the training rows.
        test_snapshot: Date of the test rows.
        features: Columns to learn from.
        parameters: Parameters of `AnomalyDetector`, but for its seed.
        verdicts: Verdicts known at the training snapshot, with the index of `train_rows`
            (`latest_verdicts`); None for none.
        test_verdicts: Verdicts on the test people known by now, with the index of `test_rows`;
            only measured against, never learnt from.
        n_bootstrap: Resamples behind each interval.
        seed: Seed of the model; the stability is measured against seed + 1.

    Raises:
        ValueError: There are no people to learn from or to describe, or the test snapshot is not
            later than the training snapshot.
    """
    if test_snapshot <= training_snapshot:
        raise ValueError(f"test snapshot {test_snapshot} is not after {training_snapshot}")
    learn = train_rows[~hash_split(train_rows["customer_id"]) & shows_life(train_rows)]
    score = test_rows[hash_split(test_rows["customer_id"]) & shows_life(test_rows)]
    for name, rows in (("training", learn), ("test", score)):
        if rows.empty:
            raise TooLittleDataError(f"there are no {name} customers who used the app in the month")
    columns = list(features)
    given = None if verdicts is None else verdicts.reindex(learn.index)
    model = AnomalyDetector(**parameters, random_state=seed)
    model.fit(learn[columns], review_labels=given)
    scores = model.score_samples(score[columns])
    later = None if test_verdicts is None else test_verdicts.reindex(score.index)
    statements = list(model.statements_)
    metrics = _described(scores, n_bootstrap=n_bootstrap, seed=seed)
    metrics["seed_rank_correlation"] = _stability(model, learn, score, columns, given)
    measured, statement = verdict_metrics(later, scores, n_bootstrap=n_bootstrap, seed=seed)
    metrics |= measured
    statements += [statement] if statement else []
    card = {
        "training_snapshot": training_snapshot.isoformat(),
        "training_snapshots": [training_snapshot.isoformat()],
        "test_snapshot": test_snapshot.isoformat(),
        "training_customers": len(learn),
        "training_rows": len(learn),
        "test_customers": len(score),
        "features": columns,
        "metrics": metrics,
        "thresholds": {"review_above": EXPLAINED_ABOVE, "review_share": model.review_share},
        "verdicts": {**model.review_label_counts_, "blend": model.blend_},
        "blend_average_precision": {str(w): v for w, v in model.blend_scores_.items()},
        "score_shares": score_shares(scores),
        "statements": statements,
        "seeds": {"model": seed},
    }
    return Trained(model, card)


def verdict_metrics(
    verdicts: pd.Series | None, scores: Floats, *, n_bootstrap: int, seed: int
) -> tuple[dict[str, Any], str | None]:
    """AUROC and average precision on the customers that were looked at, or why there are none.

    Who was looked at is no random sample: they are among the oddest, which makes both lower than
    among everybody.
    """
    known = np.zeros(len(scores), dtype=bool) if verdicts is None else verdicts.notna().to_numpy()
    try:
        labels = as_labels(np.array([]) if verdicts is None else verdicts[known].to_numpy())
    except OneClassError as error:
        return {}, f"not measured against verdicts: {error}"
    except ValueError:
        return {}, "not measured against verdicts: there are none on the test people"
    measured = detection_metrics(
        labels, scores[known], top_share=None, n_bootstrap=n_bootstrap, seed=seed
    )
    return {f"verdicts_{name}": value.to_dict() for name, value in measured.items()}, None


def detection_metrics(
    y: ArrayLike,
    scores: ArrayLike,
    *,
    top_share: float | None = TOP_SHARE,
    n_bootstrap: int,
    seed: int = 0,
) -> dict[str, Interval]:
    """Measure how well scores rank the rows with label 1, with bootstrap intervals.

    Args:
        y: n labels of 0 and 1.
        scores: n scores, higher for rows more likely 1.
        top_share: Share of the rows, from the highest score down, of which precision and recall
            are read; None leaves the two out.
        n_bootstrap: Resamples; 0 gives intervals of NaN.
        seed: Seed of the resamples.

    Returns:
        `auroc`, `average_precision`, and with `top_share` also `precision_at_top` and
        `recall_at_top`.

    Raises:
        OneClassError: Only one class is present.
    """
    labels, s = as_labels(y), np.asarray(scores, dtype=np.float64)
    ranked = Ranked(labels, s)
    figures: dict[str, Weighted] = {
        "auroc": lambda weights: ranked.auc(weights[ranked.order]),
        "average_precision": average_precision(labels, s),
    }
    if top_share is not None:
        count = max(1, round(len(labels) * top_share))

        def hits(weights: Floats) -> float:
            drawn = weights[ranked.order]
            above = np.cumsum(drawn) - drawn
            return float(np.clip(count - above, 0.0, drawn) @ ranked.y)

        figures["precision_at_top"] = lambda weights: hits(weights) / count
        figures["recall_at_top"] = lambda weights: hits(weights) / float(weights @ labels)
    both = {name: _of_both_classes(figure, labels) for name, figure in figures.items()}
    return bootstrapped(both, rows=len(labels), n_bootstrap=n_bootstrap, seed=seed)


def average_precision(labels: Floats, scores: Floats) -> Weighted:
    """Return the average precision of n weighted rows, NaN where only one class is left."""

    def weighted(weights: Floats) -> float:
        return float(average_precision_score(labels, scores, sample_weight=weights))

    return _of_both_classes(weighted, labels)


def _of_both_classes(figure: Weighted, labels: Floats) -> Weighted:
    return lambda weights: figure(weights) if 0 < weights @ labels < weights.sum() else np.nan


def _described(scores: Floats, *, n_bootstrap: int, seed: int) -> dict[str, Any]:
    """The share over the review mark, and quantiles, on the test people."""
    over = (scores > EXPLAINED_ABOVE).astype(np.float64)
    share = bootstrapped(
        {"share_for_review": mean(over)}, rows=len(over), n_bootstrap=n_bootstrap, seed=seed
    )
    quantiles = {f"score_p{q}": float(np.quantile(scores, q / 100)) for q in (50, 90, 99)}
    return {name: value.to_dict() for name, value in share.items()} | quantiles


def _stability(
    model: AnomalyDetector,
    learn: pd.DataFrame,
    score: pd.DataFrame,
    columns: list[str],
    verdicts: pd.Series | None,
) -> float:
    """Rank correlation of the test people's scores with those of another seed."""
    other = AnomalyDetector(**{**model.get_params(), "random_state": model.random_state + 1})
    other.fit(learn[columns], review_labels=verdicts)
    some = score[columns].head(_STABILITY_ROWS)
    return float(spearmanr(model.score_samples(some), other.score_samples(some)).statistic)
