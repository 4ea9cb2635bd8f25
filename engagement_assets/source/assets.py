"""The raw tables and the quarantine as daily assets.

Belongs here: wrapping `ingestion.ingest` for Dagster. Does not belong here: rules on rows.
"""

from collections.abc import Iterator
from datetime import date
from typing import Any

import dagster as dg

from engagement_assets.learning import markdown
from engagement_assets.settings.partitions import DAILY, partition_days
from engagement_assets.source.contract import TABLES
from engagement_assets.source.erased import without_erased
from engagement_assets.source.ingestion import IngestReport, ingest
from engagement_assets.source.profile import profile
from engagement_assets.source.quarantine import QUARANTINE, SOURCE_TABLES
from engagement_assets.source.resource import SourceResource
from engagement_assets.source.reviewed import with_verdicts
from engagement_assets.source.versions import REVISIONS
from resources.catalogue import Catalogue
from resources.erasures import ErasuresResource
from resources.io_managers import Report, asset_fields
from resources.lake import LakeError
from resources.partition_events import report_partitions
from resources.platform import EngineResource, LakeResource
from resources.reviews import ReviewsResource
from resources.tables import Table

CODE_VERSION = "1"
# A source that is away for a moment is tried again; a broken mapping fails the same way each time,
# so few tries are enough.
RETRIES = dg.RetryPolicy(max_retries=2, delay=5, backoff=dg.Backoff.EXPONENTIAL)
PERMANENT = "it would fail again: not retried"


# Days at the end of a run that are reported although they have no rows; years of such days would be
# most of what Dagster records.
REPORTED_WITHOUT_ROWS = 31
# Where the report on the raw tables lies among the reports.
PROFILE = ("source", "profile")


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
    context: dg.AssetExecutionContext,
    source: SourceResource,
    lake: LakeResource,
    engine: EngineResource,
    catalogue: Catalogue,
    erasures: ErasuresResource,
    reviews: ReviewsResource,
    reports: dg.ResourceParam[Any],
) -> Iterator[dg.MaterializeResult]:
    """Ingest the partitions of this run, profile them, and let people look at them.

    The catalogue is made here too, and not by what comes after: a failed check of these rows stops
    that, and then they must be seen most.
    """
    days = partition_days(context)
    try:
        report = ingest(
            without_erased(with_verdicts(source.reader, reviews.log.cases()), erasures.erasures),
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
    over = engine.engine(SOURCE_TABLES)
    catalogue.publish(over)
    measured = profile(
        over,
        timezone=source.reader.timezone,
        end=None if source.reader.last_day else days[-1],
    )
    text = measured.to_markdown()
    reports.save(PROFILE, Report({**measured.to_data(), "text": measured.to_text()}, text))
    report_partitions(context, _partition_metadata(report, days))
    for name in TABLES:
        yield dg.MaterializeResult(
            asset_key=TABLES[name].asset_key, metadata=_run_metadata(report, name)
        )
    yield dg.MaterializeResult(
        asset_key=QUARANTINE.asset_key,
        metadata={
            "quarantined_rows": report.total_quarantined,
            "quarantine_share": report.quarantine_share,
            "reasons": dg.MetadataValue.md(_reasons_table(report)),
            "profile": dg.MetadataValue.md(text),
        },
    )
    yield dg.MaterializeResult(asset_key=REVISIONS.asset_key)


def _partition_metadata(
    report: IngestReport, days: list[date]
) -> dict[dg.AssetKey, dict[str, dict[str, int]]]:
    """What each table's days brought: those with rows, and the latest without."""
    recent = set(days[-REPORTED_WITHOUT_ROWS:])
    counts: dict[Table, dict[date, dict[str, int]]] = {
        TABLES[name]: {
            day: {
                "dagster/row_count": report.rows[name][day],
                "quarantined": report.quarantined[name][day],
                "late_rows": report.late[name].get(day, 0),
            }
            for day in days
        }
        for name in TABLES
    }
    counts[QUARANTINE] = {
        day: {"dagster/row_count": sum(bad.get(day, 0) for bad in report.quarantined.values())}
        for day in days
    }
    counts[REVISIONS] = {day: {"dagster/row_count": report.revisions[day]} for day in days}
    return {
        dg.AssetKey(table.asset_key): {
            day.isoformat(): figures
            for day, figures in by_day.items()
            if day in recent or any(figures.values())
        }
        for table, by_day in counts.items()
    }


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
