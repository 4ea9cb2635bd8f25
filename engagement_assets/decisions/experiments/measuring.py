"""From the day's assignments to what each experiment shows.

Belongs here: joining assignments and outcomes, plans by default, the report of a day. Does not
belong here: statistics (`engagement_assets.learning.experiments`), SQL (`sql/experiments/`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any

import pandas as pd

from engagement_assets.decisions.experiments.metrics import METRICS, ExperimentMetric
from engagement_assets.decisions.experiments.plans import Plan
from engagement_assets.decisions.experiments.tables import RESULTS
from engagement_assets.learning.experiments.analysis import (
    NOT_AN_EXPERIMENT,
    Analysis,
    Covariate,
    Design,
    Metric,
    analyse,
)
from engagement_assets.learning.experiments.rendering import analysis_markdown
from engagement_assets.learning.experiments.validity import TOLERATED, Finding
from engagement_assets.source.consent import Consent
from resources.engine import Engine
from resources.sql import SqlFolder

OUTCOMES = "experiments/outcomes"
SPANS = ("after", "late", "before")


@dataclass(frozen=True)
class Day:
    """What is known of experiments by a day.

    Attributes:
        day: The day.
        window_days: Days of outcome after the day of assignment.
        earliest: Assignments before it are left out.
        assignments: Rows of `experiments/assignments`.
        exposures: Rows of `experiments/exposures`.
        outcomes: Rows of `sql/experiments/outcomes.sql`.
    """

    day: date
    window_days: int
    earliest: date
    assignments: pd.DataFrame
    exposures: pd.DataFrame
    outcomes: pd.DataFrame

    @property
    def last_assigned(self) -> date:
        """Last day of assignment whose window is closed."""
        return self.day - timedelta(days=self.window_days)


def read_day(
    engine: Engine,
    sql: SqlFolder,
    day: date,
    *,
    window_days: int,
    earliest: date,
    consent: Consent,
) -> Day:
    """Read what is known by a day; outcomes only over the days that experiments are about."""
    assignments, exposures = (
        engine.lake.read(key, days=[day]).to_pandas()
        for key in ("experiments/assignments", "experiments/exposures")
    )
    last = day - timedelta(days=window_days)
    on = assignments["assigned_at"].dt.date
    on = on[(assignments["variant_rank"] == 1) & (on <= last)]
    outcomes = pd.DataFrame(
        columns=["customer_id", "assigned_on", "measure", *(f"{s}_total" for s in SPANS)]
    )
    if len(on):
        window = timedelta(days=window_days)
        outcomes = engine.select(
            sql.query(OUTCOMES),
            {
                "known_by_day": day,
                "first_day": on.min() - window,
                "last_day": on.max() + window,
                "last_assigned": last,
                "window_days": window_days,
                "late_from": window_days // 2 + 1,
                "purpose": "sentiment",
                "latest_day": consent.latest_day,
                "granted_by_source": consent.granted_by_source,
            },
        ).to_pandas()
    return Day(day, window_days, earliest, assignments, exposures, outcomes)


def analyse_day(about: Day, plans: Mapping[str, Plan]) -> list[tuple[Plan, Analysis]]:
    """Analyse every experiment that somebody was assigned or exposed to, in order of name."""
    names = sorted({*about.assignments["experiment"], *about.exposures["experiment"]})
    known = {name: plans.get(name, Plan(name=name)) for name in names}
    return [(plan, _analyse(about, plan, known)) for plan in known.values()]


def _analyse(about: Day, plan: Plan, plans: Mapping[str, Plan]) -> Analysis:
    own = about.assignments[about.assignments["experiment"] == plan.name]
    shares, findings = _shares(own, plan)
    findings += [_overlap(about, plan, plans)] if plan.group else []
    units, metrics = _units(about, own, plan)
    seen = about.exposures[about.exposures["experiment"] == plan.name]
    exposures = seen.rename(columns={"customer_id": "unit", "first_exposed_at": "exposed_at"})
    return analyse(
        units,
        Design(
            name=plan.name,
            control=plan.control_of(set(own["variant"])),
            shares=shares,
            tuned_for=plan.planned_customers,
        ),
        metrics,
        exposures=exposures if len(seen) else None,
        ready="ready",
        further=findings,
    )


def _shares(own: pd.DataFrame, plan: Plan) -> tuple[Mapping[str, float] | None, list[Finding]]:
    """The planned shares, or those of the logged propensities; None where they are not known."""
    if plan.shares:
        return plan.shares, []
    first = own[own["variant_rank"] == 1]
    if first["propensity"].isna().any():
        return None, []
    chances = first.groupby("variant")["propensity"].agg(["min", "max"])
    if (chances["max"] - chances["min"] > 1e-9).any():
        text = (
            "the chances of a variant differ between customers, so arms as they are do not "
            "compare; the treatment effects weigh them"
        )
        return None, [Finding("chances", text, True)]
    return {str(name): float(share) for name, share in chances["min"].items()}, []


def _overlap(about: Day, plan: Plan, plans: Mapping[str, Plan]) -> Finding:
    """Say who is in another experiment of a group whose experiments exclude each other."""
    group = [name for name, other in plans.items() if other.group == plan.group]
    rows = about.assignments[about.assignments["experiment"].isin(group)]
    own = rows[rows["experiment"] == plan.name]["customer_id"].unique()
    others = set(rows[rows["experiment"] != plan.name]["customer_id"])
    both = sum(customer in others for customer in own)
    text = f"{both:,} customers are in another experiment of the group {plan.group} too"
    return Finding("exclusion", text, both > TOLERATED * len(own))


def _units(about: Day, own: pd.DataFrame, plan: Plan) -> tuple[pd.DataFrame, list[Metric]]:
    """The customers of an experiment with a column a metric, and the metrics."""
    first = own[own["variant_rank"] == 1]
    assigned_on = dict(zip(first["customer_id"], first["assigned_at"].dt.date, strict=True))
    units = own.rename(columns={"customer_id": "unit"})[["unit", "variant", "assigned_at"]]
    on = units["unit"].map(assigned_on)
    until = pd.to_datetime(on)
    units = units.assign(
        until=until, since=until + pd.Timedelta(days=1), ready=on <= about.last_assigned
    )
    wide = about.outcomes.set_index(["customer_id", "assigned_on", "measure"])
    key = pd.MultiIndex.from_arrays([units["unit"], on])
    present = {"", *about.outcomes["measure"]}
    metrics = []
    for name, metric in METRICS.items():
        if not {metric.measure, metric.per} <= present:
            continue
        columns = {
            f"{measure} {total}": _totals(wide, key, measure, f"{total}_total")
            for measure in (metric.measure, metric.per)
            if measure
            for total in SPANS
        }
        units = units.assign(**columns)
        units[name] = _value(units, metric, about.window_days)
        metrics.append(
            Metric(
                name=name,
                value=name,
                since="since",
                denominator=f"{metric.per} after" if metric.per else "",
                covariates=tuple(
                    Covariate(f"{measure} before", "until")
                    for measure in (metric.measure, metric.per)
                    if measure
                ),
                role=plan.role(name),
                better=metric.better,
            )
        )
    return units, metrics


def _totals(wide: pd.DataFrame, key: pd.MultiIndex, measure: str, total: str) -> Any:
    column = wide[total].xs(measure, level="measure")
    return column.reindex(key, fill_value=0.0).to_numpy(dtype=float)


def _value(units: pd.DataFrame, metric: ExperimentMetric, window_days: int) -> pd.Series:
    after = units[f"{metric.measure} after"]
    if metric.kind == "daily":
        return after / window_days
    if metric.kind == "total":
        return after
    column = "late" if metric.kind == "late" else "after"
    return (units[f"{metric.measure} {column}"] > 0.0).astype(float)


def results_table(about: Day, analyses: Sequence[tuple[Plan, Analysis]]) -> pd.DataFrame:
    """Return the rows of `experiments/results`."""
    rows = [
        asdict(row)
        | {
            "experiment": plan.name,
            "snapshot_date": about.day,
            "experiment_verdict": analysis.verdict,
            "blocked": "; ".join(analysis.blocked),
            "from_experiment": analysis.design.shares is not None,
            "window_days": about.window_days,
        }
        for plan, analysis in analyses
        for row in analysis.rows
    ]
    names = list(RESULTS.names)
    if not rows:
        empty: pd.DataFrame = RESULTS.empty().to_pandas()
        return empty
    numbers = [column.name for column in RESULTS.columns if column.type == "float64"]
    return pd.DataFrame(rows)[names].astype(dict.fromkeys(numbers, float))


def report(about: Day, analyses: Sequence[tuple[Plan, Analysis]]) -> tuple[dict[str, Any], str]:
    """Return the day's report as JSON data and as Markdown for people."""
    head = (
        f"## Experiments by {about.day}\n\n"
        f"A customer counts once the {about.window_days} full days after the day of assignment are "
        "over, as first assigned, whatever came later. Sessions, payments and texts of closed "
        f"accounts count until they closed. Assignments since {about.earliest} are looked at."
    )
    parts = [
        analysis_markdown(
            analysis, tested=plan.tests or f"`{plan.name}`", notes=_notes(about, plan)
        )
        for plan, analysis in analyses
    ]
    figures = {
        plan.name: {
            "verdict": analysis.verdict,
            "blocked": analysis.blocked,
            "harmed": analysis.harmed,
            "customers": dict(analysis.units),
        }
        for plan, analysis in analyses
    }
    text = "\n\n".join([head, *(parts or ["No customer was assigned to an experiment."])])
    return {"experiments": figures, "window_days": about.window_days}, text


def _notes(about: Day, plan: Plan) -> list[str]:
    """What cannot be said of any of its metrics."""
    own = about.assignments[about.assignments["experiment"] == plan.name]
    waiting = int((own["assigned_at"].dt.date > about.last_assigned).sum())
    notes = [
        f"what comes after the {about.window_days} days",
        "what customers of one arm bring about in the other: it makes the difference too small",
    ]
    if waiting:
        notes.append(f"anything of {waiting:,} customers whose days are not over")
    if (own["assigned_at"].dt.date <= about.earliest + timedelta(days=1)).any():
        notes.append(
            f"how those assigned before {about.earliest} did; since they drop out, intervals hold "
            "at this look"
        )
    present = {"", *about.outcomes["measure"]}
    lacking = [name for name, m in METRICS.items() if not {m.measure, m.per} <= present]
    if lacking:
        notes.append(f"{', '.join(lacking)}: no row of it is known")
    if own["propensity"].isna().any() and not plan.shares:
        notes.append(
            f"any effect: it is {NOT_AN_EXPERIMENT}; write its shares into the plan if variants "
            "were given by chance"
        )
    return notes
