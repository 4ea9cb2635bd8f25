"""Settings of a training by how long the source's items are used.

Belongs here: parameters that were measured on a feed of posts, which are read for hours
(`benchmarks.recommendation`). Does not belong here: the estimators' own defaults, which are for any
table and choose for themselves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from engagement_assets.models.recommendation.training import TrainingSettings
from engagement_assets.models.recommendation.windows import Windows

# Items that are used for so many days at most are those of a feed.
FEED_DAYS = 7
HALF_LIFE_DAYS = 0.25
PARAMETERS: Mapping[str, Mapping[str, Any]] = {
    "popularity": {"half_life_days": HALF_LIFE_DAYS},
    "ease": {"regularisation": 200.0, "items_half_life_days": 1.0, "max_items": 4_000},
    "als": {
        "factors": 32,
        "iterations": 6,
        "regularisation": 1.0,
        "alpha": 10.0,
        "penalty_exponent": 0.0,
    },
    # posts that live for hours have no identity worth learning: EASE and ALS add nothing
    "hybrid": {"half_lives_days": (0.5, 2.0, 14.0), "components": (), "holdout_days": 1.0},
}
# Beyond so many interactions the neural model leaves its stated defaults, for time: it learns from
# the latest ones, in larger steps, and its MLP ranks a shortlist.
MANY_INTERACTIONS = 30_000
NEURAL_OF_MANY: Mapping[str, Any] = {
    "epochs": 4,
    "batch_size": 4_096,
    "learning_rate": 0.004,
    "max_interactions": 300_000,
    "shortlist": 200,
}


def settings_of(
    windows: Windows, *, interactions: int, candidates: Sequence[str] | None = None, **more: Any
) -> TrainingSettings:
    """Settings of a training: those measured on a feed for a feed, else what the methods choose.

    Args:
        windows: The windows of the source.
        interactions: How many there are to learn from.
        candidates: Names of the estimators that compete; all when None.
        more: Further fields of `TrainingSettings`.
    """
    feed = windows.item_days is not None and windows.item_days <= FEED_DAYS
    parameters = {name: dict(values) for name, values in PARAMETERS.items()} if feed else {}
    if interactions > MANY_INTERACTIONS:
        parameters["neural"] = dict(NEURAL_OF_MANY)
    settings = TrainingSettings(
        parameters=parameters,
        cold_start={"half_life_days": HALF_LIFE_DAYS} if feed else {},
        test_days=float(windows.test_days),
        validation_days=float(windows.test_days),
        window_days=float(windows.history_days),
        **more,
    )
    return settings if candidates is None else replace(settings, candidates=tuple(candidates))
