"""The score of a text, whose ends can be taken at their word.

A network that learnt with rare labels weighted up calls more texts negative than are. So the
difference of its probabilities goes through a rising map, learnt on texts that were kept aside: of
those that score below -0.5 four in five are negative, and above 0.5 positive.

Belongs here: that map, learning it, and what it holds on texts that it was not learnt from. Does
not belong here: probabilities (`sentiment.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engagement_assets.learning.evaluation.binary import Floats
from engagement_assets.learning.json_data import JsonData
from engagement_assets.learning.text.corpus import TASKS

SURE = 0.5
SHARE = 0.8
# Standard errors by which the share must lie above `SHARE` where the map is learnt: chance alone
# passes them once in twenty times.
_MARGIN = 1.645
NEGATIVE, POSITIVE = TASKS["sentiment"].index("negative"), TASKS["sentiment"].index("positive")


@dataclass(frozen=True)
class ScoreMap(JsonData):
    """A rising map from probability of positive less that of negative, -1 to 1, to the score.

    Attributes:
        negative: The difference that becomes -0.5.
        positive: The difference that becomes 0.5.
        texts: Texts that it was learnt from.
        negative_share: Share of negative texts among those that score below -0.5, each half of the
            texts by a map learnt from the other.
        positive_share: The same of positive texts among those above 0.5.
    """

    negative: float = -SURE
    positive: float = SURE
    texts: int = 0
    negative_share: float | None = None
    positive_share: float | None = None

    def __call__(self, difference: ArrayLike) -> Floats:
        """Return the score of each of n differences; NaN where it is NaN."""
        knots = (-1.0, self.negative, 0.0, self.positive, 1.0)
        values = np.asarray(difference, dtype=np.float64)
        scores: Floats = np.interp(values, knots, (-1.0, -SURE, 0.0, SURE, 1.0))
        return scores


def score_map(card: Mapping[str, Any]) -> ScoreMap:
    """Return the map in the card of an adapter, or of that which its sentiment was learnt in.

    The difference itself where a card was written before there were maps.
    """
    source: Mapping[str, Any] | None = card
    while source:
        if "sentiment" in source.get("metrics", {}):
            return ScoreMap.from_dict(source["metrics"]["sentiment"].get("score", {}))
        source = source.get("start")
    return ScoreMap()


def fit_score_map(difference: ArrayLike, labels: ArrayLike, *, seed: int) -> ScoreMap:
    """Learn the map on all texts, and measure each half by the map of the other.

    Args:
        difference: n probabilities of positive less those of negative, of texts kept aside.
        labels: n places in `TASKS["sentiment"]`.
        seed: Seed of the halves.
    """
    values, truth = np.asarray(difference, dtype=np.float64), np.asarray(labels)
    order = np.random.default_rng(seed).permutation(len(values))
    halves = order[: len(order) // 2], order[len(order) // 2 :]
    below, above = [], []
    for learn, judge in (halves, halves[::-1]):
        negative, positive = _ends(values[learn], truth[learn])
        below.append(truth[judge][values[judge] < negative] == NEGATIVE)
        above.append(truth[judge][values[judge] > positive] == POSITIVE)
    shares = (_share(np.concatenate(part)) for part in (below, above))
    return ScoreMap(*_ends(values, truth), len(values), *shares)


def _ends(values: Floats, truth: NDArray[Any]) -> tuple[float, float]:
    """Return the differences that become -0.5 and 0.5."""
    return -_sure_from(-values, truth == NEGATIVE), _sure_from(values, truth == POSITIVE)


def _sure_from(values: Floats, is_label: NDArray[np.bool_]) -> float:
    """Return the least value above which the share of a label is high enough, between 0 and 1."""
    order = np.argsort(-values, kind="stable")
    ranked, count = values[order], np.arange(1, len(values) + 1)
    share = np.cumsum(is_label[order]) / count
    enough = share - _MARGIN * np.sqrt(share * (1.0 - share) / count) >= SHARE
    able = np.flatnonzero(enough & (ranked > 0.0))
    # the ends of the map must rise
    return float(np.clip(ranked[able[-1]] if len(able) else 1.0, 0.01, 0.99))


def _share(is_label: NDArray[np.bool_]) -> float | None:
    return float(is_label.mean()) if len(is_label) else None
