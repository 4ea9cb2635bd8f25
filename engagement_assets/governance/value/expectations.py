"""What was measured beside what was expected: met, not met, or cannot be told yet.

An expectation is met when the whole interval lies at or beyond it, and not met when the whole
interval falls short. The interval is the one that holds however often one looks, since a business
case is looked at until it suits.

Belongs here: the verdict and how many customers it would take. Does not belong here: measuring
(`measures.py`).
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from engagement_assets.governance.value.measures import NOT_JUDGED, PROGRAMME, Measured
from engagement_assets.governance.value.plan import ROI, Expectation

MET, NOT_MET, CANNOT_BE_TOLD = "met", "not met", "cannot be told yet"
# Beyond so many customers no number is given: none is to be had.
MOST_CUSTOMERS = 1e9


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """An expectation beside what was measured.

    Attributes:
        name: What was to change.
        metric: The metric, or "".
        expected: The expected relative change; of the return its value.
        measured: What was measured, or None.
        low: Lower end of its interval.
        high: Upper end of it.
        verdict: `MET`, `NOT_MET` or `CANNOT_BE_TOLD`.
        reason: Why it cannot be told, or where the figure comes from.
        customers: Customers it was measured on.
        customers_needed: Customers with whom it could be told, where that is known.
    """

    name: str
    metric: str
    expected: float
    measured: float | None = None
    low: float | None = None
    high: float | None = None
    verdict: str
    reason: str = ""
    customers: int | None = None
    customers_needed: int | None = None


def judge(expectation: Expectation, rows: Iterable[Measured]) -> Verdict:
    """Judge an expectation by the rows of the whole programme."""
    unknown = Verdict(
        name=expectation.name,
        metric=expectation.metric,
        expected=expectation.change,
        verdict=CANNOT_BE_TOLD,
    )
    if expectation.measured is not None:
        low, high = float(expectation.low or 0.0), float(expectation.high or 0.0)
        return replace(
            unknown,
            measured=expectation.measured,
            low=low,
            high=high,
            verdict=_verdict(expectation.change, low, high),
            reason=f"entered, not measured here: {expectation.source}",
        )
    if not expectation.metric:
        reason = (
            "nothing in the lake measures it: enter measured, low, high and source in the business "
            "case, or compare it in an experiment of its own"
        )
        return replace(unknown, reason=reason)
    row = next(
        (one for one in rows if one.capability == PROGRAMME and one.metric == expectation.metric),
        None,
    )
    if row is None or row.verdict == NOT_JUDGED:
        reason = row.reason if row else f"{expectation.metric} was not measured"
        return replace(unknown, reason=reason)
    customers = row.units_with + row.units_without
    relative = _relative(row)
    if relative is None:
        reason = "the mean of who is held out is not clearly away from 0: no change relative to it"
        return replace(unknown, reason=reason, customers=customers)
    value, low, high, detectable = relative
    verdict = _verdict(expectation.change, low, high)
    needed = None
    if verdict == CANNOT_BE_TOLD:
        needed = customers_needed(
            customers, expected=expectation.change, measured=value, detectable=detectable
        )
    return replace(
        unknown,
        measured=value,
        low=low,
        high=high,
        verdict=verdict,
        reason="the interval holds the expected change" if verdict == CANNOT_BE_TOLD else "",
        customers=customers,
        customers_needed=needed,
    )


def customers_needed(
    customers: int, *, expected: float, measured: float, detectable: float
) -> int | None:
    """Return how many customers, held out in the same share, it takes to tell.

    As many as show the expected change to be one at all in four of five samples; where there are
    these already, as many as tell the measured change from the expected one, if it stays as it is.

    Args:
        customers: Customers it was measured on.
        expected: The expected change.
        measured: The measured one.
        detectable: Change that these customers show in four of five samples.

    Returns:
        The number; None where it lies beyond a thousand million.
    """
    for gap in (abs(expected), abs(measured - expected)):
        needed = customers * (detectable / gap) ** 2 if gap else math.inf
        if needed > customers:
            return None if needed > MOST_CUSTOMERS else math.ceil(needed)
    return customers


def _verdict(expected: float, low: float, high: float) -> str:
    """Return whether an interval lies beyond what was expected, in its direction."""
    if expected < 0.0:
        expected, low, high = -expected, -high, -low
    return MET if low >= expected else NOT_MET if high < expected else CANNOT_BE_TOLD


def _relative(row: Measured) -> tuple[float, float, float, float] | None:
    """Return the relative change, its interval, and the least that would be seen."""
    detectable = row.least_detectable or 0.0
    if row.metric == ROI:
        value, interval = row.difference, row.interval
    else:
        value, interval = row.relative, row.relative_interval
        detectable /= abs(row.mean_without or math.inf)
    return None if value is None or interval is None else (value, *interval, detectable)
