"""Feature tables and labels as daily assets; the partition is the snapshot date.

Belongs here: wrapping `snapshot.py` for Dagster. Does not belong here: what a feature is
(`catalogue.py`) and how it is computed (`sql/features/`).
"""

from collections.abc import Iterator
from datetime import date

import dagster as dg

from engagement_assets.features.catalogue import (
    CUSTOMER_FEATURES,
    CUSTOMER_FEATURES_TABLE,
    FEATURE_TABLES,
    GROUP_FEATURES,
    GROUP_SOURCES,
    dictionary_markdown,
)
from engagement_assets.features.labels import LABELS, Label, LabelWindowOpenError
from engagement_assets.features.snapshot import (
    SnapshotDateError,
    churn_window,
    data_days,
    land_labels,
    land_snapshot,
    missing_tables,
    month_days,
)
from engagement_assets.features.tables import KNOWN_TABLES
from engagement_assets.settings.partitions import DAILY, partition_days
from engagement_assets.signals.checks import SIGNAL_BLOCKING
from engagement_assets.signals.tables import CUSTOMER_SENTIMENT, NETWORK_METRICS
from engagement_assets.source.checks import SOURCE_BLOCKING
from engagement_assets.source.resource import SourceResource
from resources.gate import require_checks
from resources.io_managers import asset_fields
from resources.lake import MissingPartitionError
from resources.platform import EngineResource, LakeResource, note_landed
from resources.tables import Table, asset_keys

CODE_VERSION = "1"
# Key of the churn label's metadata.
SUGGESTION = "suggested_window"


KINDS = {"sql", "duckdb", "parquet"}


def _deps(table: Table) -> list[list[str]]:
    if table is CUSTOMER_FEATURES_TABLE:
        return [FEATURE_TABLES[f"features/{group}"].asset_key for group in GROUP_FEATURES]
    return asset_keys(GROUP_SOURCES[table.noun])


FEATURE_SPECS = [
    dg.AssetSpec(
        **asset_fields(
            table,
            **{"dictionary": dg.MetadataValue.md(dictionary_markdown())}
            if table is CUSTOMER_FEATURES_TABLE
            else {},
        ),
        kinds=KINDS,
        code_version=CODE_VERSION,
        deps=_deps(table),
    )
    for table in FEATURE_TABLES.values()
]


@dg.multi_asset(
    name="customer_snapshot",
    specs=FEATURE_SPECS,
    partitions_def=DAILY,
    backfill_policy=dg.BackfillPolicy.single_run(),
    description="Lands the feature groups and the table of all features, one snapshot a partition. "
    "A range of days is one run.",
)
def customer_snapshot(
    context: dg.AssetExecutionContext,
    source: SourceResource,
    lake: LakeResource,
    engine: EngineResource,
) -> Iterator[dg.MaterializeResult]:
    """Land the snapshots of this run."""
    days = partition_days(context)
    first_day = date.fromisoformat(source.first_day)
    # a snapshot counts the month before it, so a bad day anywhere in it blocks
    month = {past for day in days if day >= first_day for past in month_days(day, first_day)}
    require_checks(context.instance, SOURCE_BLOCKING, days=month)
    require_checks(context.instance, SIGNAL_BLOCKING, days=days)
    run = engine.engine(KNOWN_TABLES)
    for number, day in enumerate(days, start=1):
        try:
            # a signal that was not made is an error here: its features would be null without a word
            for signal in (CUSTOMER_SENTIMENT, NETWORK_METRICS):
                lake.lake.require(signal.key, [day])
            landed = land_snapshot(run, engine.sql, day, first_day=first_day)
        except MissingPartitionError as error:
            raise dg.Failure(
                f"{error}; run the job `signals` for {day}", allow_retries=False
            ) from error
        except SnapshotDateError as error:
            raise dg.Failure(str(error), allow_retries=False) from error
        customers = landed[CUSTOMER_FEATURES].rows
        context.log.info(
            "snapshot %s (%s of %s): %s customers", day, number, len(days), f"{customers:,}"
        )
        for written in landed.values():
            note_landed(context, written, bytes=written.bytes)
    for made in FEATURE_TABLES.values():
        yield dg.MaterializeResult(asset_key=made.asset_key)


def label_asset(label: Label) -> dg.AssetsDefinition:
    """The asset of one label."""

    @dg.asset(
        **asset_fields(label),
        kinds=KINDS,
        code_version=CODE_VERSION,
        partitions_def=DAILY,
        backfill_policy=dg.BackfillPolicy.single_run(),
        deps=asset_keys(label.sources),
    )
    def labels(
        context: dg.AssetExecutionContext,
        source: SourceResource,
        lake: LakeResource,
        engine: EngineResource,
    ) -> dg.MaterializeResult:
        run = engine.engine(KNOWN_TABLES)
        absent = missing_tables(lake.lake, label)
        first_day = date.fromisoformat(source.first_day)
        for day in partition_days(context):
            try:
                landed = land_labels(run, engine.sql, day, labels=[label], first_day=first_day)
            except (LabelWindowOpenError, SnapshotDateError) as error:
                raise dg.Failure(str(error), allow_retries=False) from error
            note_landed(context, landed[label.key])
        figures: dict[str, str | int] = {
            "window_days": label.window_days,
            "missing_tables": ", ".join(absent),
        }
        if label is LABELS["churn_30_day"]:
            # by all that is known now, not by the snapshot: the window is set for the days to come
            _, last_day = data_days(lake.lake)
            suggestion = churn_window(run, engine.sql, last_day, window_days=label.window_days)
            figures[SUGGESTION] = suggestion.describe(label.window_days)
        return dg.MaterializeResult(metadata=figures)

    return labels


LABEL_ASSETS = [label_asset(label) for label in LABELS.values()]
