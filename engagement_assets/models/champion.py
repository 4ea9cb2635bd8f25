"""Whether a candidate becomes the champion.

Belongs here: the rule, as a pure function of measured figures. Does not belong here: measuring
(`engagement_assets.evaluation`) or moving the champion (`resources.registry`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from engagement_assets.evaluation.bootstrap import Interval

AUC_FLOOR = 0.7
CALIBRATION_CEILING = 0.05


def calibration_ceiling(by_chance: float) -> float:
    """Greatest calibration error that a candidate may show.

    Args:
        by_chance: The error that a perfectly calibrated model stays under in 95 % of samples of
            this size; on a few hundred customers that is more than the ceiling itself.
    """
    return max(CALIBRATION_CEILING, by_chance)


@dataclass(frozen=True)
class Verdict:
    """The decision on a candidate.

    Attributes:
        promote: Whether it becomes the champion.
        reasons: Every test with its figures; those that failed when `promote` is false.
    """

    promote: bool
    reasons: list[str]

    def to_dict(self) -> dict[str, Any]:
        """Return the verdict as JSON data."""
        return asdict(self)


def judge(
    candidate: Mapping[str, Interval | float],
    *,
    champion_minus_candidate_auc: Interval | None,
    fairness_passes: bool,
    fairness_failures: list[str] | None = None,
    auc_floor: float = AUC_FLOOR,
    calibration_error_ceiling: float = CALIBRATION_CEILING,
) -> Verdict:
    """Judge a candidate by its floors and against the champion on the same test rows.

    A candidate loses when the whole interval of champion minus candidate AUC (a paired bootstrap,
    `evaluation.metrics.paired_auc_difference(y, champion, candidate)`) lies above 0: the champion
    is better beyond chance. A draw promotes the candidate, which has learnt from newer data.

    Args:
        candidate: Its `auc` and `calibration_error` on the test rows.
        champion_minus_candidate_auc: The difference and its interval, or None when there is no
            champion.
        fairness_passes: Whether the 80 % rule holds for the candidate.
        fairness_failures: The groups that fail, for the reasons.
        auc_floor: Least AUC.
        calibration_error_ceiling: Greatest expected calibration error.

    Raises:
        KeyError: When the candidate lacks one of the two metrics.
    """
    auc, error = _value(candidate, "auc"), _value(candidate, "calibration_error")
    passed: list[str] = []
    failed: list[str] = []
    # `not >=` and `not <=`, so that a NaN fails.
    (passed if auc >= auc_floor else failed).append(f"AUC {auc:.4f}, at least {auc_floor:g} wanted")
    (passed if error <= calibration_error_ceiling else failed).append(
        f"calibration error {error:.4f}, at most {calibration_error_ceiling:g} wanted"
    )
    if fairness_passes:
        passed.append("the 80 % rule holds")
    else:
        named = "; ".join(fairness_failures or ["see the fairness report"])
        failed.append(f"the 80 % rule fails: {named}")
    difference = champion_minus_candidate_auc
    if difference is None:
        passed.append("there is no champion yet")
    elif not math.isfinite(difference.low):
        failed.append("the comparison with the champion has no interval: too few test rows")
    else:
        text = f"champion minus candidate AUC on the same rows is {difference}"
        (failed if difference.low > 0.0 else passed).append(text)
    return Verdict(promote=not failed, reasons=failed or passed)


def _value(metrics: Mapping[str, Interval | float], name: str) -> float:
    if name not in metrics:
        raise KeyError(f"the candidate has no metric {name!r}; it has {sorted(metrics)}")
    found = metrics[name]
    return found.value if isinstance(found, Interval) else float(found)
