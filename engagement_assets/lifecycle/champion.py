"""Whether a candidate becomes the champion.

Belongs here: the rule, as a pure function of measured figures. Does not belong here: measuring
(`engagement_assets.evaluation`) or moving the champion (`resources.registry`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engagement_assets.learning.evaluation.bootstrap import Interval
from engagement_assets.lifecycle.spec import QualityGate, metric_value


@dataclass(frozen=True)
class Verdict:
    """The decision on a candidate.

    Attributes:
        promote: Whether it becomes the champion.
        reasons: Every test with its figures; those that failed when `promote` is false.
    """

    promote: bool
    reasons: list[str]


def judge(
    metrics: Mapping[str, Any],
    *,
    gates: Sequence[QualityGate],
    champion_advantage: Interval | None,
    comparison_metric: str,
    fairness: Mapping[str, Any] | None,
    figures: Mapping[str, Any] | None = None,
) -> Verdict:
    """Judge a candidate by its gates and against the champion on the same test rows.

    A candidate loses when the whole interval of the champion's lead (a paired bootstrap) lies above
    0: the champion is better beyond chance. A draw promotes the candidate, which has learnt from
    newer data.

    Args:
        metrics: The candidate's figures on the test rows, as its card has them.
        gates: What it must reach.
        champion_advantage: The champion's lead and its interval, or None when there is no champion.
        comparison_metric: What the two are compared by.
        fairness: The candidate's fairness report, as data: its verdict and what fails; None for a
            model that is not about people.
        figures: Figures of the card that gates are raised to.

    Raises:
        KeyError: When the candidate lacks a metric that a gate names.
    """
    passed: list[str] = []
    failed: list[str] = []
    for gate in gates:
        if gate.metric not in metrics:
            raise KeyError(f"the candidate has no metric {gate.metric!r}; it has {sorted(metrics)}")
        value = metric_value(metrics[gate.metric])
        good = gate.holds(value, figures or {})
        (passed if good else failed).append(gate.describe(value, figures or {}))
    if fairness is not None:
        verdict = str(fairness["verdict"])
        named = "; ".join(["", *fairness["failures"]]).replace("; ", ": ", 1)
        (failed if verdict == "fails" else passed).append(f"the 80 % rule: {verdict}{named}")
    if champion_advantage is None:
        passed.append("there is no champion yet")
    elif not math.isfinite(champion_advantage.low):
        failed.append("the comparison with the champion has no interval: too few test rows")
    else:
        text = (
            f"the champion's lead in {comparison_metric} on the same rows is {champion_advantage}"
        )
        (failed if champion_advantage.low > 0.0 else passed).append(text)
    return Verdict(promote=not failed, reasons=failed or passed)
