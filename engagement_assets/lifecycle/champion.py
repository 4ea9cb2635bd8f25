"""Whether a candidate becomes the champion.

Belongs here: the rule, as a pure function of measured figures. Does not belong here: measuring
(`engagement_assets.evaluation`) or moving the champion (`resources.registry`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from engagement_assets.learning.evaluation.bootstrap import Interval
from engagement_assets.lifecycle.gates import (
    FAILED,
    LEAST_TEST_CUSTOMERS,
    NOT_JUDGED,
    PASSED,
    Judgement,
    QualityGate,
)


@dataclass(frozen=True)
class Verdict:
    """The decision on a candidate.

    Attributes:
        promote: Whether it becomes the champion.
        reasons: Every test with its figures; those that failed when `promote` is false.
        not_judged: Those that could say neither, for want of test customers.
    """

    promote: bool
    reasons: list[str]
    not_judged: list[str] = field(default_factory=list)


def judge(
    card: Mapping[str, Any],
    *,
    gates: Sequence[QualityGate],
    champion_advantage: Interval | None,
    comparison_metric: str,
    fairness: Mapping[str, Any] | None,
    challenge: Judgement | None = None,
) -> Verdict:
    """Judge a candidate by its gates and against the champion on the same test rows.

    A candidate loses when the whole interval of the champion's lead (a paired bootstrap) lies above
    0: the champion is better beyond chance. A draw promotes the candidate, which has learnt from
    newer data.

    Args:
        card: The candidate's card: its figures on the test rows, and how many customers those are.
        gates: What it must reach.
        champion_advantage: The champion's lead and its interval, or None when there is no champion.
        comparison_metric: What the two are compared by.
        fairness: The candidate's fairness report, as data: its verdict and what fails; None for a
            model that is not about people.
        challenge: What is asked of a tuned candidate besides, or None.

    Raises:
        MissingFigureError: When the candidate lacks a figure that a gate names.
    """
    judgements = [gate.judge(card) for gate in gates]
    if fairness is not None:
        judgements.append(_of_fairness(fairness))
    judgements.append(_of_comparison(card, champion_advantage, comparison_metric))
    if challenge is not None:
        judgements.append(challenge)
    texts = {
        state: [one.text for one in judgements if one.state == state]
        for state in (FAILED, PASSED, NOT_JUDGED)
    }
    return Verdict(
        promote=not texts[FAILED],
        reasons=texts[FAILED] or [*texts[PASSED], *texts[NOT_JUDGED]],
        not_judged=texts[NOT_JUDGED],
    )


def _of_fairness(report: Mapping[str, Any]) -> Judgement:
    verdict = str(report["verdict"])
    named = "; ".join(["", *report["failures"]]).replace("; ", ": ", 1)
    states = {"fails": FAILED, "holds": PASSED}
    return Judgement(states.get(verdict, NOT_JUDGED), f"the 80 % rule: {verdict}{named}")


def _of_comparison(
    card: Mapping[str, Any], lead: Interval | None, comparison_metric: str
) -> Judgement:
    if lead is None:
        return Judgement(PASSED, "there is no champion yet")
    if not math.isfinite(lead.low):
        customers = card["test_customers"]
        state = NOT_JUDGED if customers < card.get(LEAST_TEST_CUSTOMERS, 0) else FAILED
        return Judgement(
            state, f"the comparison with the champion has no interval: {customers} test customers"
        )
    text = f"the champion's lead in {comparison_metric} on the same rows is {lead}"
    return Judgement(FAILED if lead.low > 0.0 else PASSED, text)
