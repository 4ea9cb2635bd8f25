"""Scoring a snapshot with a registered detector.

Belongs here: from a snapshot to scores, and reasons for those over the mark. Does not belong
here: the queue itself (`engagement_assets.governance`).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engagement_assets.learning.anomaly.detector import REVIEW_LABELS, AnomalyDetector
from engagement_assets.models.anomaly.rules import shows_life
from engagement_assets.models.anomaly.spec import EXPLAINED_ABOVE


def score_anomaly(detector: AnomalyDetector, snapshot: pd.DataFrame, *, k: int) -> pd.DataFrame:
    """Score every customer of a snapshot who used the app in the month.

    Args:
        detector: The fitted detector.
        snapshot: Rows of `features/customer_features`.
        k: Reasons a customer.

    Returns:
        One row a scored customer: `customer_id`, `anomaly_score`, `neighbours_score`,
        `tails_score`, `traces_score` and `verdicts_score` (null where no traces are declared and
        where the detector did not learn from verdicts), and for those over the mark (a score over
        0.9, or a value that cannot be, however ordinary the rest) `kind` and the reasons (columns
        of `top_reasons`), null for all others: what is usual has no reason.
    """
    rows = snapshot[shows_life(snapshot)].reset_index(drop=True)
    inputs = rows[list(detector.feature_names_in_)]
    names = ("neighbours", "tails", "traces", "verdicts")
    table = pd.DataFrame({"customer_id": rows["customer_id"]})
    if rows.empty:
        components, score = pd.DataFrame(columns=list(names), dtype=float), np.empty(0)
    else:
        score, components = detector.scores(inputs)
    table["anomaly_score"] = score
    components = components.rename(columns={REVIEW_LABELS: "verdicts"})
    for name in names:
        table[f"{name}_score"] = components.get(name, np.nan)
    unusual = (table["anomaly_score"] > EXPLAINED_ABOVE) | detector.ruler_.data_errors(inputs)
    return table.join(_reasons(detector, inputs, unusual.to_numpy(np.bool_), k=k))


def _reasons(
    detector: AnomalyDetector, inputs: pd.DataFrame, flagged: NDArray[np.bool_], *, k: int
) -> pd.DataFrame:
    """Kind and reasons of the flagged rows, null for the others."""
    if not flagged.any():
        return _no_reasons(inputs.index, min(k, len(inputs.columns)))
    reasons = detector.reasons(inputs[flagged], k=k)
    reasons.insert(0, "kind", reasons.pop("kind"))
    return reasons.reindex(inputs.index)


def _no_reasons(index: pd.Index, k: int) -> pd.DataFrame:
    columns: dict[str, pd.Series] = {"kind": pd.Series(None, index=index, dtype=object)}
    for j in range(1, k + 1):
        for part in ("feature", "value", "typical"):
            columns[f"reason_{j}_{part}"] = pd.Series(None, index=index, dtype=object)
        columns[f"reason_{j}_contribution"] = pd.Series(np.nan, index=index, dtype=np.float32)
    return pd.DataFrame(columns, index=index)
