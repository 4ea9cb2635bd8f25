"""Governance as assets: fairness across models, and the queue for human review.

Belongs here: wrapping `fairness.py` and the SQL for Dagster. Does not belong here: their content.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import dagster as dg

from engagement_assets.decisions.customers.declared import prediction_schemas
from engagement_assets.governance.declared import (
    FAIRNESS_MEASURES,
    FAIRNESS_MEASURES_SCHEMA,
    FLAGGED_DAYS,
    REVIEW_QUEUE,
    REVIEW_QUEUE_SCHEMA,
)
from engagement_assets.governance.fairness import fairness_overview, measure_rows
from engagement_assets.lifecycle.daily import one_or_all
from engagement_assets.models.specs import ANOMALY, MODELS
from engagement_assets.settings.partitions import DAILY, partition_days
from resources.io_managers import COLUMN_SCHEMA, Report, ui_schema
from resources.platform import EngineResource

OWNERS = ["team:governance"]
CODE_VERSION = "1"
GROUP = "governance"


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
    deps=[[spec.name, "fairness"] for spec in MODELS],
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
    key=FAIRNESS_MEASURES.split("/"),
    description="Every measure of every group of every model's latest fairness report: value, "
    "interval, p-value corrected over the report, the gap that would have been seen, and whether "
    "it fails.",
    group_name=GROUP,
    owners=OWNERS,
    kinds={"parquet"},
    code_version=CODE_VERSION,
    io_manager_key="tables",
    deps=[[spec.name, "fairness"] for spec in MODELS],
    partitions_def=DAILY,
    backfill_policy=dg.BackfillPolicy.single_run(),
    metadata={COLUMN_SCHEMA: ui_schema(FAIRNESS_MEASURES_SCHEMA)},
)
def fairness_measures(
    context: dg.AssetExecutionContext, reports: dg.ResourceParam[Any]
) -> dg.Output[Any]:
    """Write the reports' long tables as of each day of this run."""
    import pandas as pd  # noqa: PLC0415 - declarations load without it

    names = list(FAIRNESS_MEASURES_SCHEMA.names)
    rows = pd.DataFrame(measure_rows(_latest(reports)), columns=names)
    days = partition_days(context)
    return dg.Output(one_or_all({day.isoformat(): rows.assign(snapshot_date=day) for day in days}))


def _latest(reports: Any) -> dict[str, Any]:
    """Figures of each model's latest fairness report, None where none was made."""
    found = {spec.name: reports.latest([spec.name, "fairness"]) for spec in MODELS}
    return {name: report.figures if report else None for name, report in found.items()}


@dg.asset(
    key=REVIEW_QUEUE.split("/"),
    description="Customers whom a person should look at, the highest anomaly score first, with "
    "reasons; a verdict in the table `reviews` takes a customer out.",
    group_name=GROUP,
    owners=OWNERS,
    kinds={"sql", "duckdb", "parquet"},
    code_version=CODE_VERSION,
    deps=[ANOMALY.predictions.split("/"), ["source", "reviews"]],
    partitions_def=DAILY,
    backfill_policy=dg.BackfillPolicy.single_run(),
    metadata={COLUMN_SCHEMA: ui_schema(REVIEW_QUEUE_SCHEMA)},
)
def review_queue(
    context: dg.AssetExecutionContext, engine: EngineResource
) -> Iterator[dg.MaterializeResult]:
    """Land the queue of each day of this run."""
    run = engine.engine(prediction_schemas())
    for day in partition_days(context):
        landed = run.land(
            engine.sql.query(REVIEW_QUEUE),
            {"snapshot_date": day, "earliest": day - timedelta(days=FLAGGED_DAYS)},
            into=REVIEW_QUEUE,
            schema=REVIEW_QUEUE_SCHEMA,
            day=day,
        )
        context.add_asset_metadata(
            {
                "dagster/row_count": landed.rows,
                "waiting": landed.rows,
                **landed.cost_metadata,
            },
            asset_key=REVIEW_QUEUE.split("/"),
            partition_key=day.isoformat(),
        )
    yield dg.MaterializeResult()


ASSETS = [governance_fairness, fairness_measures, review_queue]
