"""One experiment with all its metrics and variants: what came out, and whether it may be believed.

Verdicts use the intervals that hold at any look, since a report that is made daily is looked at
daily. Over the primary metrics and variants p-values are corrected by Holm, since any of them
decides; over secondary ones by Benjamini and Hochberg, since they are leads to follow and one false
lead among twenty costs little; over guardrails by Holm, since each stops an experiment.

Belongs here: putting validity, estimates and corrections together. Does not belong here: their
formulas and their wording (`rendering.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Literal

import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control

from engagement_assets.learning.errors import TooLittleDataError
from engagement_assets.learning.evaluation.binary import Floats
from engagement_assets.learning.evaluation.multiplicity import holm
from engagement_assets.learning.experiments.estimates import Sample, compare
from engagement_assets.learning.experiments.power import POWER, least_detectable, shrunk_winner
from engagement_assets.learning.experiments.sequences import (
    LEAST_EVENTS,
    LEAST_UNITS,
    TUNED_FOR,
    sequence_factor,
)
from engagement_assets.learning.experiments.validity import (
    Finding,
    balance,
    changed,
    exposed,
    missing,
    refuse_wrong_times,
    sample_ratio,
)

Role = Literal["primary", "secondary", "guardrail"]
BETTER, WORSE, NO_EFFECT, NOT_JUDGED = "better", "worse", "no effect shown", "not judged"
NOT_AN_EXPERIMENT = "not from an experiment"


@dataclass(frozen=True)
class Covariate:
    """A value of a unit from before its assignment.

    Attributes:
        column: Its column; null where a unit has none.
        until: The column of the times that it was known by.
    """

    column: str
    until: str


@dataclass(frozen=True, kw_only=True)
class Metric:
    """What is measured of a unit after its assignment.

    Attributes:
        name: Its name.
        value: The column of its values, the numerators of a ratio; null where missing.
        since: The column of the times from which it was counted.
        denominator: The column of a ratio's denominators, or "".
        covariates: What the unit did before.
        role: Primary metrics decide, secondary ones are leads, guardrails stop.
        better: Which direction is good.
    """

    name: str
    value: str
    since: str
    denominator: str = ""
    covariates: tuple[Covariate, ...] = ()
    role: Role = "secondary"
    better: Literal["higher", "lower"] = "higher"


@dataclass(frozen=True, kw_only=True)
class Design:
    """How an experiment was planned.

    Attributes:
        name: Its name.
        control: The variant that the others are compared with.
        shares: The share that each variant was to have, or None where variants were not given by
            known chances: not an experiment.
        confidence: Level of the intervals.
        power: Chance with which the least detectable effect is seen.
        tuned_for: Units near which the interval of any look is narrowest; set before looking.
    """

    name: str
    control: str = "control"
    shares: Mapping[str, float] | None
    confidence: float = 0.95
    power: float = POWER
    tuned_for: float = TUNED_FOR


@dataclass(frozen=True, kw_only=True)
class Row:
    """One metric of one variant; figures are None where they could not be computed."""

    metric: str
    variant: str
    role: Role
    verdict: str
    reason: str = ""
    units_control: int = 0
    units: int = 0
    mean_control: float | None = None
    mean: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    standard_error: float | None = None
    anytime_low: float | None = None
    anytime_high: float | None = None
    relative: float | None = None
    relative_low: float | None = None
    relative_high: float | None = None
    p_value: float | None = None
    anytime_p_value: float | None = None
    corrected_p_value: float | None = None
    variance_reduction: float | None = None
    least_detectable: float | None = None
    shrunk: float | None = None


@dataclass(frozen=True)
class Analysis:
    """What an experiment shows.

    Attributes:
        design: Its plan.
        units: Units by variant.
        rows: A row a metric and variant.
        findings: What the tests of validity say.
    """

    design: Design
    units: Mapping[str, int]
    rows: tuple[Row, ...]
    findings: tuple[Finding, ...] = field(default=())

    @property
    def blocked(self) -> list[str]:
        """Why nothing may be concluded."""
        return [finding.text for finding in self.findings if finding.blocks]

    @property
    def harmed(self) -> list[str]:
        """Guardrails that are worse."""
        rows = (row for row in self.rows if row.role == "guardrail" and row.verdict == WORSE)
        return [f"{row.metric} in {row.variant}" for row in rows]

    @property
    def verdict(self) -> str:
        """What to do, in a word or two."""
        if self.blocked:
            return "blocked"
        if self.harmed:
            return "stop"
        verdicts = {row.verdict for row in self.rows if row.role == "primary"}
        for verdict in (WORSE, BETTER, NO_EFFECT):
            if verdict in verdicts:
                return "mixed" if verdict == WORSE and BETTER in verdicts else verdict
        return NOT_JUDGED

    def table(self) -> pd.DataFrame:
        """The rows as a table."""
        return pd.DataFrame([asdict(row) for row in self.rows], columns=list(Row.__annotations__))


def analyse(
    units: pd.DataFrame,
    design: Design,
    metrics: Sequence[Metric],
    *,
    exposures: pd.DataFrame | None = None,
    ready: str = "",
    further: Sequence[Finding] = (),
) -> Analysis:
    """Analyse an experiment as its units were first assigned.

    Args:
        units: Rows of unit, variant, assigned_at and of the columns that the metrics name; a unit
            that was given another variant later has a row for each.
        design: Its plan.
        metrics: What is measured.
        exposures: Rows of unit and exposed_at, where exposures are logged.
        ready: The column that says whose outcomes are final, or "" where all are. The others count
            among the arms and are not measured.
        further: What is known of the experiment besides.

    Raises:
        ValueError: Columns are missing, two metrics have one name, or a unit has no id, variant or
            time of assignment.
        TreatmentAfterOutcomeError: An outcome was counted from before the assignment.
        CovariateAfterAssignmentError: A covariate was known only after it.
    """
    _check(units, metrics, ready)
    # a variant is its name, whatever the column's type
    units = units.assign(variant=units["variant"].astype(str))
    first, moved = changed(units)
    refuse_wrong_times(
        first,
        outcome_from=sorted({metric.since for metric in metrics}),
        covariate_until=sorted({c.until for metric in metrics for c in metric.covariates}),
    )
    counts = {str(name): int(n) for name, n in first["variant"].value_counts().items()}
    columns = sorted({c.column for metric in metrics for c in metric.covariates})
    final = first[first[ready].astype(bool)] if ready else first
    findings = [
        _arms(counts, design),
        _ratio(counts, design),
        moved,
        balance(final[columns], final["variant"], control=design.control),
        *further,
    ]
    if exposures is not None:
        findings.append(exposed(first, exposures))
    blocked = next((finding.text for finding in findings if finding.blocks), "")
    rows: list[Row] = []
    for metric in metrics:
        lacking = missing(final[metric.value], final["variant"], name=metric.name)
        if final[metric.value].isna().any():
            # it blocks its own metric and no other
            findings.append(Finding(lacking.check, lacking.text))
        reason = blocked or (lacking.text if lacking.blocks else "")
        rows += [
            _measure(final, metric, variant, design, reason)
            for variant in sorted(set(counts) - {design.control})
        ]
    judged = _judge(rows, {metric.name: metric for metric in metrics}, design)
    return Analysis(design, counts, judged, tuple(findings))


def _check(units: pd.DataFrame, metrics: Sequence[Metric], ready: str) -> None:
    names = [metric.name for metric in metrics]
    if len(set(names)) < len(names):
        raise ValueError(f"two metrics have one name: {', '.join(sorted(names))}")
    wanted = {"unit", "variant", "assigned_at", *filter(None, [ready])}
    for metric in metrics:
        wanted |= {metric.value, metric.since, metric.denominator} - {""}
        wanted |= {name for c in metric.covariates for name in (c.column, c.until)}
    lacking = sorted(wanted - set(units.columns))
    if lacking:
        raise ValueError(f"units lack the columns {', '.join(lacking)}")
    nulls = units[["unit", "variant", "assigned_at"]].isna().any(axis=1).sum()
    if nulls:
        raise ValueError(f"{nulls} units have no id, variant or time of assignment")


def _arms(counts: Mapping[str, int], design: Design) -> Finding:
    if design.control not in counts:
        return Finding("arms", f"no unit has the variant {design.control}: no control", True)
    if len(counts) < 2:
        return Finding("arms", "there is one arm: nothing to compare it with", True)
    return Finding("arms", ", ".join(f"{name}: {n:,}" for name, n in sorted(counts.items())))


def _ratio(counts: Mapping[str, int], design: Design) -> Finding:
    if design.shares is None:
        return Finding(
            "sample ratio",
            f"{NOT_AN_EXPERIMENT}: the chances with which variants were given are not known, so "
            "differences are no effects",
            True,
        )
    return sample_ratio(counts, design.shares)


def _measure(units: pd.DataFrame, metric: Metric, variant: str, design: Design, reason: str) -> Row:
    """Estimate one metric of one variant; not judged for a reason, if there is one."""
    rows = units[units[metric.value].notna()]
    of = {name: rows[rows["variant"] == name] for name in (design.control, variant)}
    numbers = (len(of[design.control]), len(of[variant]))
    about = Row(
        metric=metric.name,
        variant=variant,
        role=metric.role,
        verdict=NOT_JUDGED if reason else "",
        reason=reason,
        units_control=numbers[0],
        units=numbers[1],
    )
    both = pd.concat(of.values())
    covariates = _covariates(both, metric)
    samples = [
        Sample(
            part[metric.value].to_numpy(np.float64),
            part[metric.denominator].to_numpy(np.float64) if metric.denominator else None,
            covariates[start : start + len(part)],
        )
        for part, start in zip(of.values(), (0, numbers[0]), strict=True)
    ]
    try:
        result = compare(*samples, confidence=design.confidence, tuned_for=design.tuned_for)
    except TooLittleDataError as error:
        return replace(about, verdict=NOT_JUDGED, reason=reason or str(error))
    if not reason and min(numbers) < LEAST_UNITS:
        reason = f"an arm has {min(numbers):,} units with an outcome, fewer than {LEAST_UNITS}"
    events = len(both) - int(both[metric.value].value_counts().iloc[0])
    if not reason and events < LEAST_EVENTS:
        reason = (
            f"only {events} units have another value than most, fewer than {LEAST_EVENTS}: too "
            "rare to judge yet"
        )
    reach = sequence_factor(sum(numbers), alpha=1.0 - design.confidence, tuned_for=design.tuned_for)
    relative = result.relative
    return replace(
        about,
        verdict=NOT_JUDGED if reason else "",
        reason=reason,
        mean_control=result.control,
        mean=result.treatment,
        difference=result.difference.value,
        low=result.difference.low,
        high=result.difference.high,
        standard_error=result.standard_error,
        anytime_low=result.anytime.low,
        anytime_high=result.anytime.high,
        relative=relative.value if relative else None,
        relative_low=relative.low if relative else None,
        relative_high=relative.high if relative else None,
        p_value=result.p_value,
        anytime_p_value=result.anytime_p_value,
        variance_reduction=result.variance_reduction,
        least_detectable=least_detectable(result.standard_error, power=design.power, reach=reach),
    )


def _covariates(units: pd.DataFrame, metric: Metric) -> Floats:
    """The covariates as numbers; who has none has the mean and a mark."""
    columns: list[Floats] = []
    for covariate in metric.covariates:
        values = units[covariate.column].astype(np.float64)
        mean = float(values.mean()) if values.notna().any() else 0.0
        columns.append(np.asarray(values.fillna(mean), dtype=np.float64))
        if values.isna().any():
            columns.append(np.asarray(values.isna(), dtype=np.float64))
    return np.column_stack(columns) if columns else np.zeros((len(units), 0))


def _judge(rows: Sequence[Row], metrics: Mapping[str, Metric], design: Design) -> tuple[Row, ...]:
    """Correct the p-values of each role and give each row its verdict."""
    judged = list(rows)
    for role in ("primary", "secondary", "guardrail"):
        family = [i for i, row in enumerate(rows) if row.role == role and not row.verdict]
        p_values = [rows[i].anytime_p_value or 0.0 for i in family]
        corrected = false_discovery_control(p_values) if role == "secondary" else holm(p_values)
        for i, p in zip(family, corrected, strict=True):
            judged[i] = _verdict(rows[i], float(p), metrics[rows[i].metric], design)
    return tuple(judged)


def _verdict(row: Row, p: float, metric: Metric, design: Design) -> Row:
    alpha = 1.0 - design.confidence
    difference, error = row.difference or 0.0, row.standard_error or 0.0
    if p >= alpha or not error:
        return replace(row, corrected_p_value=p, verdict=NO_EFFECT)
    good = (difference > 0.0) == (metric.better == "higher")
    units = row.units_control + row.units
    reach = sequence_factor(units, alpha=alpha, tuned_for=design.tuned_for)
    return replace(
        row,
        corrected_p_value=p,
        verdict=BETTER if good else WORSE,
        shrunk=shrunk_winner(difference, error, reach=reach),
    )
