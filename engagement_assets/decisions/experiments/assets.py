"""Experiments as daily assets: assignments, exposures, results, a report for people; their checks.

Belongs here: wrapping SQL and `measuring.py` for Dagster. Does not belong here: what they compute.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import dagster as dg

from engagement_assets.decisions.experiments.resource import ExperimentSettings
from engagement_assets.decisions.experiments.tables import (
    ASSIGNMENTS,
    EXPOSURES,
    KNOWN_TABLES,
    OWNER,
    REPORT,
    RESULTS,
    TABLES,
)
from engagement_assets.lifecycle.daily import one_or_all
from engagement_assets.settings.partitions import DAILY, partition_days
from engagement_assets.source.checks import SOURCE_BLOCKING
from engagement_assets.source.contract import TABLES as SOURCE
from engagement_assets.source.resource import SourceResource
from resources.checks import CheckedTable, FurtherCheck, Outcome, blocking_keys, table_checks
from resources.gate import require_checks
from resources.io_managers import Report, asset_fields
from resources.platform import EngineResource, LakeResource, note_landed
from resources.sql import Query
from resources.tables import asset_keys

CODE_VERSION = "1"
OUTCOME_SOURCES = (
    "sessions",
    "interactions",
    "messages",
    "posts",
    "event_joins",
    "transactions",
    "notifications",
    "consents",
)


@dg.multi_asset(
    name="experiment_units",
    specs=[
        dg.AssetSpec(
            **asset_fields(ASSIGNMENTS),
            kinds={"sql", "duckdb", "parquet"},
            code_version=CODE_VERSION,
            deps=[SOURCE["experiment_assignments"].asset_key],
        ),
        dg.AssetSpec(
            **asset_fields(EXPOSURES),
            kinds={"sql", "duckdb", "parquet"},
            code_version=CODE_VERSION,
            deps=[ASSIGNMENTS.asset_key, SOURCE["experiment_exposures"].asset_key],
        ),
    ],
    partitions_def=DAILY,
    backfill_policy=dg.BackfillPolicy.single_run(),
    description="Lists who is in which experiment and who met it, as known by the day.",
)
def experiment_units(
    context: dg.AssetExecutionContext, engine: EngineResource, experiments: ExperimentSettings
) -> Iterator[dg.MaterializeResult]:
    """Land the partitions of this run."""
    days = partition_days(context)
    require_checks(context.instance, SOURCE_BLOCKING, days=days)
    run = engine.engine(KNOWN_TABLES)
    for day in days:
        earliest = day - timedelta(days=experiments.experiment_history)
        for table in (ASSIGNMENTS, EXPOSURES):
            landed = run.land(
                engine.sql.query(table.key),
                {"snapshot_date": day, "earliest": earliest},
                into=table,
                day=day,
            )
            note_landed(context, landed)
    for table in (ASSIGNMENTS, EXPOSURES):
        yield dg.MaterializeResult(asset_key=table.asset_key)


@dg.multi_asset(
    name="experiment_results",
    outs={
        "results": dg.AssetOut(
            **asset_fields(RESULTS),
            kinds={"parquet"},
            code_version=CODE_VERSION,
            io_manager_key="tables",
        ),
        "report": dg.AssetOut(
            key=REPORT.split("/"),
            description="The experiments for people: what was tested, on how many, what came out, "
            "what cannot be said.",
            group_name=RESULTS.group,
            owners=[OWNER],
            kinds={"report"},
            code_version=CODE_VERSION,
            io_manager_key="reports",
        ),
    },
    deps=asset_keys(
        (
            ASSIGNMENTS.key,
            EXPOSURES.key,
            "sentiment/scores",
            *(SOURCE[name].key for name in OUTCOME_SOURCES),
        )
    ),
    partitions_def=DAILY,
    backfill_policy=dg.BackfillPolicy.single_run(),
    description="Compares the arms of every experiment, by what is known by the day.",
)
def experiment_results(
    context: dg.AssetExecutionContext,
    source: SourceResource,
    lake: LakeResource,
    engine: EngineResource,
    experiments: ExperimentSettings,
) -> Iterator[dg.Output[Any]]:
    """Analyse the experiments of each day of this run."""
    from engagement_assets.decisions.experiments.measuring import (  # noqa: PLC0415 - loads scipy
        analyse_day,
        read_day,
        report,
        results_table,
    )

    days = partition_days(context)
    keys = blocking_keys((ASSIGNMENTS.key, EXPOSURES.key))
    require_checks(context.instance, [*SOURCE_BLOCKING, *keys], days=days)
    run, plans = engine.engine(KNOWN_TABLES), experiments.plans
    consent = source.consent(lake.lake, purpose="sentiment")
    results, reports = {}, {}
    for day in days:
        about = read_day(
            run,
            engine.sql,
            day,
            window_days=experiments.experiment_window,
            earliest=day - timedelta(days=experiments.experiment_history),
            consent=consent,
        )
        analyses = analyse_day(about, plans)
        results[day.isoformat()] = results_table(about, analyses)
        figures, text = report(about, analyses)
        reports[day.isoformat()] = Report(figures, text)
        context.add_asset_metadata(
            {
                "dagster/row_count": len(results[day.isoformat()]),
                "verdicts": {plan.name: analysis.verdict for plan, analysis in analyses},
            },
            asset_key=RESULTS.asset_key,
            partition_key=day.isoformat(),
        )
    for name, values in (("results", results), ("report", reports)):
        yield dg.Output(one_or_all(values), output_name=name)


def _sound(checked: CheckedTable) -> Outcome:
    """Whether the arms of every experiment may be compared."""
    return _alarm(checked, "from_experiment AND blocked <> ''", "experiment || ': ' || blocked")


def _unharmed(checked: CheckedTable) -> Outcome:
    """Whether no guardrail of an experiment is worse."""
    return _alarm(
        checked,
        "role = 'guardrail' AND verdict = 'worse'",
        "experiment || ': ' || metric || ' is worse in ' || variant",
    )


def _alarm(checked: CheckedTable, condition: str, text: str) -> Outcome:
    rows = checked.engine.select(
        Query(
            "check of experiments",
            f"SELECT DISTINCT day, {text} AS problem FROM {RESULTS.sql_name} "  # noqa: S608 - declared
            f"WHERE day BETWEEN :first AND :last AND {condition} ORDER BY day, problem",
        ),
        {"first": checked.days[0], "last": checked.days[-1]},
    ).to_pylist()
    problems = sorted({row["problem"] for row in rows})
    return Outcome("; ".join(problems), sorted({row["day"] for row in rows}))


SOUND = FurtherCheck(
    RESULTS,
    "comparable_arms",
    "Every experiment has the shares of customers that were planned (p at least .001), arms that "
    "were alike before, and one variant a customer.",
    _sound,
)
UNHARMED = FurtherCheck(
    RESULTS,
    "guardrails",
    "No guardrail of an experiment is worse; one that is asks to stop it.",
    _unharmed,
)
ASSETS = [experiment_units, experiment_results]
CHECKS = [table_checks("experiment_checks", TABLES, further=[SOUND, UNHARMED])]
