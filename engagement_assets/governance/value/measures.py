"""What an experiment says that a part of the programme brought: a row a metric.

Belongs here: metrics of customers, costs and the return on them. Does not belong here: statistics
(`engagement_assets.learning.experiments`) and which tables the customers' rows come from
(`assets.py`).
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import Any

import pandas as pd

from engagement_assets.governance.value.plan import (
    COST,
    ENGAGEMENT,
    MINUTES,
    MINUTES_PER_SESSION,
    NET,
    RETENTION,
    REVENUE,
    ROI,
    SESSIONS,
    Costs,
)

PROGRAMME, HOLDOUT = "programme", "holdout"
BY_HOLDOUT, BY_EXPERIMENT = "global holdout", "own experiment"
BY_LOG, NOT_MEASURED = "off-policy estimate", "not measured"
EFFECT_FOR, EFFECT_AGAINST = "better", "worse"
NO_EFFECT, NOT_JUDGED, COUNTED = "no effect shown", "not judged", "counted"
DAYS_A_MONTH = 365.25 / 12.0
# Column of each metric, and of its denominator.
COLUMNS: Mapping[str, tuple[str, str]] = {
    REVENUE: ("revenue_usd", ""),
    RETENTION: ("retained", ""),
    SESSIONS: ("sessions", ""),
    MINUTES: ("session_minutes", ""),
    MINUTES_PER_SESSION: ("session_minutes", "sessions"),
    ENGAGEMENT: ("engagement", ""),
    NET: ("net_usd", ""),
}
NUMBERS_BEFORE = ("sessions_before", "revenue_before_usd", "age")
CATEGORIES_BEFORE = ("gender", "location")
# Customers near which the interval of any look is narrowest: set before anybody looked.
TUNED_FOR = 10_000
# A group of whom fewer are to be expected in the smallest variant has no column of its own among
# the covariates: a share of few is not normal, and the test of balance would take chance for a
# difference.
LEAST_GROUP = 30


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One metric of one part of the programme; figures are None where they are not known.

    Attributes:
        capability: The part, or the whole.
        method: How it was measured.
        source: The experiment or the log.
        metric: The metric.
        verdict: Whether there is an effect.
        reason: Why it was not judged, or what else must be known of it.
        units_with: Customers with the part, or decisions.
        units_without: Customers without it.
        mean_with: Mean with it.
        mean_without: Mean without it.
        difference: What it adds for each customer with it; of the return, the return itself.
        low: Lower end of its 95 % interval, for one look.
        high: Upper end of it.
        anytime_low: Lower end of the 95 % interval that holds however often one looks.
        anytime_high: Upper end of it.
        relative: The difference over the mean without.
        relative_low: Lower end of its interval.
        relative_high: Upper end of it.
        total: The difference times the customers with it.
        total_low: Lower end of its interval, the one that holds however often one looks.
        total_high: Upper end of it.
        variance_reduction: Share of the variance that was taken away by what was known before.
        least_detectable: Difference that would have been seen in four of five samples.
    """

    capability: str
    method: str
    source: str
    metric: str
    verdict: str
    reason: str = ""
    units_with: int = 0
    units_without: int = 0
    mean_with: float | None = None
    mean_without: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    anytime_low: float | None = None
    anytime_high: float | None = None
    relative: float | None = None
    relative_low: float | None = None
    relative_high: float | None = None
    total: float | None = None
    total_low: float | None = None
    total_high: float | None = None
    variance_reduction: float | None = None
    least_detectable: float | None = None

    @property
    def interval(self) -> tuple[float, float] | None:
        """The interval of the difference that holds however often one looks, where there is one."""
        ends = self.anytime_low, self.anytime_high
        low, high = ends if ends[0] is not None else (self.low, self.high)
        return None if low is None or high is None else (low, high)

    @property
    def relative_interval(self) -> tuple[float, float] | None:
        """The same of the relative difference, widened as that of the difference is."""
        figures = (
            self.difference, self.high, self.anytime_high, self.relative, self.relative_low,
            self.relative_high,
        )  # fmt: skip
        if None in figures:
            return None
        value, high, any_high, relative, low, top = (float(one or 0.0) for one in figures)
        wider = (any_high - value) / (high - value)
        return relative - (relative - low) * wider, relative + (top - relative) * wider


def customer_values(rows: pd.DataFrame, costs: Costs) -> pd.DataFrame:
    """Return units of an experiment with their costs, net value and covariates.

    Args:
        rows: As `sql/value/units.sql` gives them.
        costs: What a contact costs.
    """
    units = rows.rename(columns={"customer_id": "unit"})
    for name in ("assigned_at", "counted_from"):
        units[name] = pd.to_datetime(units[name])
    units["cost_usd"] = (
        units["notifications"] * costs.notification_usd
        + units["actions"] * costs.action_usd
        + units["offers_usd"]
    )
    units["net_usd"] = units["revenue_usd"] - units["cost_usd"]
    born = pd.to_datetime(units["birth_date"])
    units["age"] = (units["assigned_at"] - born).dt.days / 365.25
    return units


def planned_shares(units: pd.DataFrame) -> tuple[dict[str, float] | None, str]:
    """Return the share that each variant was to have, or None and why it is not known.

    Args:
        units: As of `customer_values`.
    """
    chances = units["propensity"]
    if chances.isna().any():
        return None, "not from an experiment: the chances of the variants are not known"
    if (units.groupby("variant")["propensity"].nunique() > 1).any():
        return None, "the chances of the variants differ between customers, so means do not compare"
    return {
        str(name): float(p) for name, p in units.groupby("variant")["propensity"].first().items()
    }, ""


def measure(
    units: pd.DataFrame,
    *,
    capability: str,
    source: str,
    control: str,
) -> tuple[list[Measured], list[str]]:
    """Measure a part of the programme by an experiment.

    Args:
        units: As of `customer_values`, one row a customer and variant.
        capability: The part.
        source: The experiment.
        control: The variant without the part.

    Returns:
        A row a metric and variant, and what the tests of validity say, a sentence each.
    """
    from engagement_assets.learning.experiments.analysis import (  # noqa: PLC0415 - loads scipy
        Covariate,
        Design,
        Metric,
        analyse,
    )

    method = BY_HOLDOUT if capability == PROGRAMME else BY_EXPERIMENT

    def nothing(why: str) -> tuple[list[Measured], list[str]]:
        rows = [not_measured(capability, NOT_MEASURED, source, name, why) for name in COLUMNS]
        return rows, []

    if units.empty:
        return nothing(f"nobody was assigned to a variant of {source}")
    shares, problem = planned_shares(units)
    if shares is None:
        return nothing(problem)
    units = units.copy()
    before = _covariates(units)
    covariates = tuple(Covariate(name, "assigned_at") for name in before)
    metrics = [
        Metric(
            name=name,
            value=column,
            since="counted_from",
            denominator=denominator,
            covariates=covariates,
            role="primary" if name == REVENUE else "secondary",
        )
        for name, (column, denominator) in COLUMNS.items()
    ]
    for name, column in before.items():
        units[name] = column
    analysis = analyse(
        units, Design(name=source, control=control, shares=shares, tuned_for=TUNED_FOR), metrics
    )
    rows = [_measured(row, capability, method, source) for row in analysis.rows]
    return rows, [f"{finding.check}: {finding.text}" for finding in analysis.findings]


def not_measured(capability: str, method: str, source: str, metric: str, reason: str) -> Measured:
    """Return the row of a metric of which nothing is known."""
    return Measured(
        capability=capability,
        method=method,
        source=source,
        metric=metric,
        verdict=NOT_JUDGED,
        reason=reason,
    )


def with_return(
    rows: list[Measured], units: pd.DataFrame, *, costs: Costs, first_day: date, last_day: date
) -> list[Measured]:
    """Add what the whole programme cost and its incremental return.

    Costs that a customer who is held out has too are not the programme's. What was spent is known;
    what came back is estimated, and gives the return its interval.

    Args:
        rows: The rows of the whole programme.
        units: Its customers, as of `customer_values`.
        costs: What runs however many customers there are.
        first_day: First day that is counted.
        last_day: Last day that is counted.
    """
    months = ((last_day - first_day).days + 1) / DAYS_A_MONTH
    fixed = costs.infrastructure_usd_per_month * months
    spent = units.groupby("variant")["cost_usd"].agg(["sum", "mean"]) if len(units) else None
    net = next(row for row in rows if row.metric == NET)
    if spent is None or PROGRAMME not in spent.index or net.difference is None:
        return [*rows, *(replace(net, metric=metric) for metric in (COST, ROI))]
    held_out = float(spent["mean"].get(HOLDOUT, 0.0))
    customers = int((units["variant"] == PROGRAMME).sum())
    cost = float(spent["sum"][PROGRAMME]) - customers * held_out + fixed
    note = f"of which {fixed:,.0f} USD infrastructure" if fixed else ""
    if held_out:
        note = "; ".join(filter(None, [note, f"who is held out cost {held_out:.3g} USD each"]))
    after = _shifted(net, -fixed / net.units_with, net.units_with)
    whole = Measured(
        capability=PROGRAMME,
        method=net.method,
        source=net.source,
        metric=COST,
        verdict=COUNTED,
        reason=note,
        units_with=net.units_with,
        units_without=net.units_without,
        mean_with=float(spent["mean"][PROGRAMME]),
        mean_without=held_out,
        difference=cost / net.units_with,
        total=cost,
    )
    return [*(row for row in rows if row.metric != NET), whole, after, _return(after, cost)]


def _measured(row: Any, capability: str, method: str, source: str) -> Measured:
    """Return a row of an experiment's analysis as one of the programme's."""
    judged = row.verdict != NOT_JUDGED
    # of an experiment that may not be believed no difference is shown
    shown = asdict(row) if judged else {}
    n = row.units

    def times(name: str) -> float | None:
        value = shown.get(name)
        return None if value is None else value * n

    names = (
        "difference", "low", "high", "anytime_low", "anytime_high", "relative", "relative_low",
        "relative_high", "variance_reduction", "least_detectable",
    )  # fmt: skip
    # a sum of ratios is none
    summed = not COLUMNS[row.metric][1]
    return Measured(
        capability=capability,
        method=method,
        source=source if row.variant in (PROGRAMME, "treatment") else f"{source} {row.variant}",
        metric=row.metric,
        verdict=row.verdict,
        reason=row.reason,
        units_with=n,
        units_without=row.units_control,
        mean_with=shown.get("mean"),
        mean_without=shown.get("mean_control"),
        total=times("difference") if summed else None,
        total_low=times("anytime_low") if summed else None,
        total_high=times("anytime_high") if summed else None,
        **{name: shown.get(name) for name in names},
    )


def _shifted(row: Measured, by: float, units: int) -> Measured:
    """Return a row whose difference is so much more, judged again."""
    names = ("difference", "low", "high", "anytime_low", "anytime_high")
    moved = {name: getattr(row, name) + by for name in names}
    return replace(
        row,
        **moved,
        relative=None,
        relative_low=None,
        relative_high=None,
        total=moved["difference"] * units,
        total_low=moved["anytime_low"] * units,
        total_high=moved["anytime_high"] * units,
        verdict=verdict_of(moved["anytime_low"], moved["anytime_high"]),
    )


def _return(net: Measured, cost: float) -> Measured:
    row = replace(
        net,
        metric=ROI,
        mean_with=None,
        mean_without=None,
        total=None,
        total_low=None,
        total_high=None,
        variance_reduction=None,
    )
    if cost <= 0.0:
        return not_measured(
            PROGRAMME,
            net.method,
            net.source,
            ROI,
            "no cost is known: enter it in the business case",
        )
    names = ("difference", "low", "high", "anytime_low", "anytime_high", "least_detectable")
    scale = net.units_with / cost
    return replace(row, **{name: getattr(net, name) * scale for name in names})


def verdict_of(low: float, high: float) -> str:
    """Return what an interval says of an effect."""
    return EFFECT_FOR if low > 0.0 else EFFECT_AGAINST if high < 0.0 else NO_EFFECT


def _covariates(units: pd.DataFrame) -> dict[str, pd.Series]:
    """What is known of a customer from before the assignment, as numbers that vary."""
    numbers = {name: units[name] for name in NUMBERS_BEFORE if units[name].nunique() > 1}
    groups: dict[str, pd.Series] = {}
    smallest = units["variant"].value_counts().min() / len(units)
    for name in CATEGORIES_BEFORE:
        sizes = units[name].value_counts()
        # one group is told by the others
        for value in sorted(sizes[sizes * smallest >= LEAST_GROUP].index)[1:]:
            groups[f"{name}_{value}"] = (units[name] == value).astype(float)
    return numbers | groups
