"""Governance as assets: fairness across models, and the queue for human review.

Belongs here: wrapping `fairness.py` and the SQL for Dagster. Does not belong here: their content.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import dagster as dg

from engagement_assets.decisions.specs import LEARNT, REVIEW
from engagement_assets.governance.fairness import fairness_overview, measure_rows
from engagement_assets.governance.tables import (
    CONSENT_LEDGER,
    CONSENT_LEDGER_TABLE,
    FAIRNESS_MEASURES_TABLE,
    FLAGGED_DAYS,
    KNOWN_TABLES,
    REVIEW_QUEUE,
    REVIEW_QUEUE_TABLE,
)
from engagement_assets.lifecycle.daily import one_or_all
from engagement_assets.models.specs import ANOMALY, MODELS
from engagement_assets.settings.partitions import DAILY, partition_days
from engagement_assets.source.contract import CONSENT_PURPOSES
from engagement_assets.source.resource import SourceResource
from resources.checks import table_checks
from resources.io_managers import Report, asset_fields
from resources.platform import EngineResource, note_landed
from resources.tables import asset_keys

OWNERS = ["team:governance"]
CODE_VERSION = "1"
GROUP = "governance"
# what has a fairness report
JUDGED = [spec for spec in (*MODELS, *LEARNT) if "fairness" in spec.training_parts]


@dg.asset(
    key=[GROUP, "fairness"],
    description="Fairness of all models in one report: whether the 80 % rule holds for the latest "
    "candidate of each, what fails, what was not judged, and which gaps would have been seen. A "
    "candidate that is refused, or not trained, does not stop it.",
    group_name=GROUP,
    owners=OWNERS,
    kinds={"report"},
    code_version=CODE_VERSION,
    io_manager_key="reports",
    deps=[[spec.name, "fairness"] for spec in JUDGED],
)
def governance_fairness(reports: dg.ResourceParam[Any]) -> dg.Output[Report]:
    """Put the models' latest fairness reports side by side."""
    figures, text = fairness_overview(_latest(reports))
    verdicts = [model["verdict"] for model in figures["models"].values()]
    return dg.Output(
        Report(figures, text),
        metadata={
            f"models_{word.replace(' ', '_')}": verdicts.count(word) for word in set(verdicts)
        },
    )


@dg.asset(
    **asset_fields(FAIRNESS_MEASURES_TABLE),
    kinds={"parquet"},
    code_version=CODE_VERSION,
    io_manager_key="tables",
    deps=[[spec.name, "fairness"] for spec in JUDGED],
    partitions_def=DAILY,
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def fairness_measures(
    context: dg.AssetExecutionContext, reports: dg.ResourceParam[Any]
) -> dg.Output[Any]:
    """Write the reports' long tables as of each day of this run."""
    import pandas as pd  # noqa: PLC0415 - declarations load without it

    names = list(FAIRNESS_MEASURES_TABLE.names)
    rows = pd.DataFrame(measure_rows(_latest(reports)), columns=names)
    days = partition_days(context)
    return dg.Output(one_or_all({day.isoformat(): rows.assign(snapshot_date=day) for day in days}))


def _latest(reports: Any) -> dict[str, Any]:
    """Figures of each model's latest fairness report, None where none was made."""
    latest = {spec.name: reports.latest([spec.name, "fairness"]) for spec in JUDGED}
    return {name: report.figures if report else None for name, report in latest.items()}


@dg.asset(
    **asset_fields(REVIEW_QUEUE_TABLE),
    kinds={"sql", "duckdb", "parquet"},
    code_version=CODE_VERSION,
    deps=asset_keys((ANOMALY.predictions, REVIEW.choices, "source/reviews")),
    partitions_def=DAILY,
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def review_queue(
    context: dg.AssetExecutionContext, engine: EngineResource
) -> Iterator[dg.MaterializeResult]:
    """Land the queue of each day of this run."""
    run = engine.engine(KNOWN_TABLES)
    for day in partition_days(context):
        landed = run.land(
            engine.sql.query(REVIEW_QUEUE),
            {"snapshot_date": day, "earliest": day - timedelta(days=FLAGGED_DAYS)},
            into=REVIEW_QUEUE_TABLE,
            day=day,
        )
        note_landed(context, landed, waiting=landed.rows)
    yield dg.MaterializeResult()


@dg.asset(
    **asset_fields(CONSENT_LEDGER_TABLE),
    kinds={"sql", "duckdb", "parquet"},
    code_version=CODE_VERSION,
    deps=asset_keys(("source/customers", "source/customer_merges", "source/consents")),
    partitions_def=DAILY,
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def consent_ledger(
    context: dg.AssetExecutionContext, engine: EngineResource, source: SourceResource
) -> Iterator[dg.MaterializeResult]:
    """Land the ledger of each day of this run, and count who is usable for each purpose."""
    run = engine.engine(KNOWN_TABLES)
    granted = [
        purpose
        for purpose in CONSENT_PURPOSES
        if source.consent(run.lake, purpose=purpose).granted_by_source
    ]
    for day in partition_days(context):
        landed = run.land(
            engine.sql.query(CONSENT_LEDGER),
            {"snapshot_date": day, "granted_purposes": f",{','.join(granted)},"},
            into=CONSENT_LEDGER_TABLE,
            day=day,
        )
        rows = run.lake.read(CONSENT_LEDGER, days=[day], columns=["purpose", "usable"])
        usable = rows.filter(rows["usable"])["purpose"].value_counts().to_pylist()
        counts = dict.fromkeys(CONSENT_PURPOSES, 0)
        counts |= {one["values"]: one["counts"] for one in usable}
        note_landed(context, landed, **{f"usable_for_{name}": n for name, n in counts.items()})
    yield dg.MaterializeResult()


ASSETS = [governance_fairness, fairness_measures, review_queue, consent_ledger]
CHECKS = [
    table_checks(
        "governance_checks", [REVIEW_QUEUE_TABLE, FAIRNESS_MEASURES_TABLE, CONSENT_LEDGER_TABLE]
    )
]
