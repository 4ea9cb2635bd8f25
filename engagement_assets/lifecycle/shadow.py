"""A tuned candidate that predicts beside the champion for some days before it replaces it.

Belongs here: a day of such a run, and what ends it. Does not belong here: whether a candidate
deserves to serve (`promotion.py`) and the record of the days (`resources.registry`).
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

from engagement_assets.lifecycle.checks import ADDITIVITY_TOLERANCE
from engagement_assets.lifecycle.spec import UseCaseSpec
from resources.registry import ModelRegistry, registered
from resources.standing import Shadow

if TYPE_CHECKING:
    import pandas as pd

    from engagement_assets.lifecycle.adapter import Inputs, ModelAdapter

logger = logging.getLogger(__name__)


def shadow_days(
    spec: UseCaseSpec,
    adapter: ModelAdapter,
    inputs: Inputs,
    served: Mapping[date, pd.DataFrame],
) -> str | None:
    """Let the version that runs beside the champion, if any, predict the same days.

    A day that it cannot predict or explain refuses it; after as many days as asked it becomes
    champion.

    Args:
        spec: The model.
        adapter: Its adapter.
        inputs: What it reads from.
        served: The champion's predictions by day.

    Returns:
        What became of it, a sentence, or None where none runs.
    """
    registry = inputs.registry
    shadow = registry.shadow(spec.name)
    if shadow is None:
        return None
    model = registered(registry, spec.name, shadow.version)
    for day, table in sorted(served.items()):
        if day.isoformat() <= shadow.after or day.isoformat() in shadow.done:
            continue
        try:
            predicted = adapter.predict(inputs, model, day)
            figures = _beside(table, predicted.table, spec.score)
            problem = _problem(figures, predicted.explanation_figures)
        # whatever a version does on a real day is the version's fault, and the champion's
        # predictions must be made all the same
        except Exception as error:  # noqa: BLE001 - it refuses the version, on record
            problem, figures = f"{type(error).__name__}: {error}", {}
        if problem is not None:
            reason = f"beside the champion on {day}: {problem}"
            registry.refuse(spec.name, shadow.version, [reason])
            return f"{shadow.version} is refused, {reason}"
        registry.shadowed(spec.name, shadow.version, day, figures)
    return _after(registry, spec.name, shadow.version)


def _after(registry: ModelRegistry, name: str, version: str) -> str:
    shadow = registry.shadow(name)
    assert isinstance(shadow, Shadow)  # noqa: S101 - nothing has ended it since it was read
    if not shadow.complete:
        return f"{version} has predicted {len(shadow.done)} of {shadow.days} days as a shadow"
    moved = [figures["mean_difference"] for figures in shadow.done.values()]
    days = f"after {len(moved)} days beside the champion, {max(moved):.4f} apart at most"
    registry.promote(name, version, "; ".join([days, *shadow.reasons]))
    return f"{version} is the champion, {days}; the next day is predicted by it"


def _beside(served: pd.DataFrame, shadow: pd.DataFrame, score: str) -> dict[str, float | None]:
    """Return how far the scores of two versions of the same customers lie apart."""
    both = served.merge(shadow, on="customer_id", suffixes=("", "_shadow"))
    ours, theirs = both[score].astype(float), both[f"{score}_shadow"].astype(float)
    correlation = ours.rank().corr(theirs.rank()) if len(both) > 1 else math.nan
    return {
        "customers": len(both),
        "only_one": len(served) + len(shadow) - 2 * len(both),
        "mean_difference": float((ours - theirs).abs().mean()) if len(both) else 0.0,
        "rank_correlation": None if math.isnan(correlation) else float(correlation),
    }


def _problem(figures: Mapping[str, Any], explained: Mapping[str, Any]) -> str | None:
    """Return what is wrong with a day's predictions of the shadow, or None."""
    if figures["only_one"]:
        return f"{figures['only_one']} customers are scored by one of the two only"
    if not math.isfinite(figures["mean_difference"]):
        return "scores are no numbers"
    error = float(explained.get("additivity_error", 0.0))
    if not error <= ADDITIVITY_TOLERANCE:
        return f"reasons do not add up to the scores, by {error:.2g}"
    return None
