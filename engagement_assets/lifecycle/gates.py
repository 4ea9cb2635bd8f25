"""What a candidate must reach before it may serve, and how its figures are judged.

Belongs here: one gate, and the gates of every learnt policy. Does not belong here: which gates a
use case has (its `spec.py`) and who promotes (`promotion.py`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

PASSED, FAILED, NOT_JUDGED = "passed", "failed", "not judged"


# Key of a card: test customers below which a gate needs more than a value beyond its limit.
LEAST_TEST_CUSTOMERS = "least_test_customers"


class MissingFigureError(KeyError):
    """A card lacks figures that a gate names; the message names them."""

    def __str__(self) -> str:
        return str(self.args[0])


@dataclass(frozen=True)
class Judgement:
    """What a gate says of a candidate.

    Attributes:
        state: `PASSED`, `FAILED` or `NOT_JUDGED`.
        text: The figure beside its limit, for people.
    """

    state: str
    text: str


@dataclass(frozen=True, kw_only=True)
class QualityGate:
    """A figure of the candidate that must reach a limit before the candidate may serve.

    Attributes:
        check: Name of the check.
        metric: Name of the figure in the card's metrics.
        words: What a person calls it.
        description: What the check holds, a sentence.
        at_least: The least value, or None.
        at_most: The greatest value, or None.
        by_chance: A figure of the card that `at_most` is raised to where it is greater: what a
            perfect model would show on so few rows.
        customers: The figure of the card that says on how many customers it was measured.
        exact: Whether chance has no part in the figure, so that few rows excuse nothing.
        certain: Whether the whole interval must lie beyond the limit: what few rows cannot show
            is not shown.
    """

    check: str
    metric: str
    words: str
    description: str
    at_least: float | None = None
    at_most: float | None = None
    by_chance: str | None = None
    customers: str = "test_customers"
    exact: bool = False
    certain: bool = False

    def limit(self, card: Mapping[str, Any]) -> float:
        """Return the limit for a candidate with this card."""
        if self.at_least is not None:
            return self.at_least
        if self.at_most is None:
            raise ValueError(f"the gate {self.check} has no limit")
        return max(self.at_most, float(card[self.by_chance])) if self.by_chance else self.at_most

    def judge(self, card: Mapping[str, Any]) -> Judgement:
        """Judge a candidate by its card.

        Below the least test customers a candidate fails only where the figure misses its limit
        beyond chance, and passes only where it keeps it beyond chance.

        Raises:
            MissingFigureError: The card lacks the metric, or what it is judged beside.
        """
        beside = (self.by_chance, None if self.certain else self.customers)
        missing = [name for name in beside if name is not None and name not in card]
        if self.metric not in card.get("metrics", {}):
            missing.insert(0, f"metrics.{self.metric}")
        if missing:
            raise MissingFigureError(f"{self.words}: the card lacks {', '.join(missing)}")
        metric, limit = card["metrics"][self.metric], self.limit(card)
        value = metric_value(metric)
        figure = self._describe(metric, limit)
        text = f"{self.words} {figure}"
        if self.certain:
            shown = isinstance(metric, Mapping) and all(
                self._exceeds(_number(metric[end]), limit) for end in ("low", "high")
            )
            return Judgement(PASSED if shown else FAILED, f"{text}, with the whole interval")
        customers, least = card[self.customers], card.get(LEAST_TEST_CUSTOMERS, 0)
        if not self.exact and customers < least and not self._is_clear(metric, limit):
            few = f"{customers:,} test customers: too few to judge {self.words}"
            return Judgement(NOT_JUDGED, f"{few} ({figure})")
        if self._keeps(value, limit):
            return Judgement(PASSED, text)
        return Judgement(FAILED, f"{text}: {abs(limit - value):.4f} {self._missing}")

    def shown(self, card: Mapping[str, Any]) -> Judgement:
        """Judge a version of any release: one whose card lacks a figure is not judged."""
        try:
            return self.judge(card)
        except MissingFigureError as error:
            return Judgement(NOT_JUDGED, f"{error}, as one of an older release may")

    @property
    def _missing(self) -> str:
        return "too little" if self.at_least is not None else "too much"

    def _keeps(self, value: float, limit: float) -> bool:
        """Whether a value is good enough; a NaN never is."""
        return bool(value >= limit if self.at_least is not None else value <= limit)

    def _exceeds(self, value: float, limit: float) -> bool:
        """Whether a value lies beyond the limit; a NaN never does."""
        return bool(value > limit if self.at_least is not None else value < limit)

    def _is_clear(self, metric: Any, limit: float) -> bool:
        """Whether chance leaves a figure on its side of the limit."""
        value = metric_value(metric)
        if self.by_chance is not None:
            # the limit is what chance shows: above it is beyond chance, below it says little
            return value > limit
        if not isinstance(metric, Mapping):
            return False
        ends = [self._keeps(_number(metric[end]), limit) for end in ("low", "high")]
        return math.isfinite(value) and _is_known(metric) and len(set(ends)) == 1

    def _describe(self, metric: Any, limit: float) -> str:
        value = f"{metric_value(metric):.4f}"
        if isinstance(metric, Mapping) and _is_known(metric):
            value += f" ({metric['low']:.4f} to {metric['high']:.4f})"
        kind = "least" if self.at_least is not None else "most"
        return f"{value}, at {kind} {limit:.4g} wanted"


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)


def _is_known(metric: Mapping[str, Any]) -> bool:
    return all(math.isfinite(_number(metric.get(end))) for end in ("low", "high"))


GAIN, UNCOVERED, LEAST_CHANCE = "gain", "uncovered", "least_chance"


def policy_gates(*, least_chance: float, most_uncovered: float = 0.01) -> tuple[QualityGate, ...]:
    """Return the gates of every learnt policy.

    Args:
        least_chance: Least chance of an action that may be taken, so that its log can tell of
            other policies later.
        most_uncovered: Share of a policy's choices that the log has not, at most.
    """
    return (
        QualityGate(
            check="better_than_the_rule",
            metric=GAIN,
            words="reward a decision above the rule's",
            description="On people and days that it did not learn from, the doubly robust estimate "
            "of the policy's reward exceeds the rule's with its whole 95 % interval.",
            at_least=0.0,
            certain=True,
        ),
        QualityGate(
            check="covered_by_the_log",
            metric=UNCOVERED,
            words="share of the policy's or the rule's choices that the log hardly has",
            description="What the policy and the rule would choose was chosen in the log with a "
            "propensity of at least .01.",
            at_most=most_uncovered,
            exact=True,
        ),
        QualityGate(
            check="goes_on_exploring",
            metric=LEAST_CHANCE,
            words="least chance of an action that may be taken",
            description="Each action that may be taken keeps a chance, so that what it brings "
            "stays known.",
            at_least=least_chance,
            exact=True,
        ),
    )


def metric_value(metric: Any) -> float:
    """Return the value of a card's metric: a number, or one with its interval."""
    return _number(metric["value"] if isinstance(metric, Mapping) else metric)
