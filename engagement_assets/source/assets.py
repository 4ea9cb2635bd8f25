"""The raw tables and the quarantine as daily assets.

Belongs here: wrapping `ingestion.ingest` for Dagster. Does not belong here: rules on rows.
"""

from collections.abc import Iterator
from datetime import date

import dagster as dg

from engagement_assets.learning import markdown
from engagement_assets.settings.partitions import DAILY, partition_days
from engagement_assets.source.contract import TABLES
from engagement_assets.source.ingestion import IngestReport, ingest
from engagement_assets.source.quarantine import QUARANTINE, SOURCE_TABLES
from engagement_assets.source.resource import SourceResource
from resources.io_managers import asset_fields
from resources.lake import LakeError
from resources.platform import LakeResource

CODE_VERSION = "1"
# A source that is away for a moment is tried again; a broken mapping fails the same way each time,
# so few tries are enough.
RETRIES = dg.RetryPolicy(max_retries=2, delay=5, backoff=dg.Backoff.EXPONENTIAL)
PERMANENT = "it would fail again: not retried"


SPECS = [
    dg.AssetSpec(**asset_fields(table), kinds={"parquet", "duckdb"}, code_version=CODE_VERSION)
    for table in SOURCE_TABLES
]


@dg.multi_asset(
    name="ingest_source",
    specs=SPECS,
    partitions_def=DAILY,
    backfill_policy=dg.BackfillPolicy.single_run(),
    retry_policy=RETRIES,
    description="Takes the days of the source into the lake, and what breaks the contract into "
    "quarantine. A range of days is one run.",
)
def ingest_source(
    context: dg.AssetExecutionContext, source: SourceResource, lake: LakeResource
) -> Iterator[dg.MaterializeResult]:
    """Ingest the partitions of this run."""
    days = partition_days(context)
    try:
        report = ingest(
            source.reader,
            lake.lake,
            days[0],
            days[-1],
            settings=source.settings,
            progress=context.log.info,
        )
    except (ValueError, LakeError) as error:
        # the source, its mapping, or an earlier partition must be mended first
        raise dg.Failure(f"{error} ({PERMANENT})", allow_retries=False) from error
    for table, columns in report.not_provided.items():
        context.log.info("source/%s does not provide %s", table, ", ".join(columns))
    for name in TABLES:
        _note_days(context, report, name, days)
        yield dg.MaterializeResult(
            asset_key=TABLES[name].asset_key, metadata=_run_metadata(report, name)
        )
    for day in days:
        bad = sum(counts.get(day, 0) for counts in report.quarantined.values())
        context.add_asset_metadata(
            {"dagster/row_count": bad},
            asset_key=QUARANTINE.asset_key,
            partition_key=day.isoformat(),
        )
    yield dg.MaterializeResult(
        asset_key=QUARANTINE.asset_key,
        metadata={
            "quarantined_rows": report.total_quarantined,
            "quarantine_share": report.quarantine_share,
            "reasons": dg.MetadataValue.md(_reasons_table(report)),
        },
    )


def _note_days(
    context: dg.AssetExecutionContext, report: IngestReport, name: str, days: list[date]
) -> None:
    for day in days:
        context.add_asset_metadata(
            {
                "dagster/row_count": report.rows[name][day],
                "quarantined": report.quarantined[name][day],
                "late_rows": report.late[name].get(day, 0),
            },
            asset_key=TABLES[name].asset_key,
            partition_key=day.isoformat(),
        )


def _run_metadata(report: IngestReport, name: str) -> dict[str, str | int | bool]:
    metadata: dict[str, str | int | bool] = {
        "rows_in_run": report.rows_of(name),
        "source": report.source,
        "provided": name not in report.missing_tables,
    }
    if report.not_provided.get(name):
        metadata["columns_not_provided"] = ", ".join(report.not_provided[name])
    return metadata


def _reasons_table(report: IngestReport) -> str:
    if not report.reasons:
        return "No row broke the contract."
    return markdown.table(
        ["table", "reason", "rows"],
        [
            (table, reason, f"{count:,}")
            for (table, reason), count in report.reasons.most_common(50)
        ],
        align=[markdown.LEFT, markdown.LEFT, markdown.RIGHT],
    )
