"""Feature tables and labels as daily assets; the partition is the snapshot date.

Belongs here: wrapping `snapshot.py` for Dagster. Does not belong here: what a feature is
(`catalogue.py`) and how it is computed (`sql/features/`).
"""

from collections.abc import Iterable, Iterator
from datetime import date

import dagster as dg

from engagement_assets.features.catalogue import (
    CUSTOMER_FEATURES,
    CUSTOMER_FEATURES_SCHEMA,
    FEATURE_SCHEMAS,
    GROUP_FEATURES,
    GROUP_SCHEMAS,
    GROUP_SOURCES,
    dictionary_markdown,
)
from engagement_assets.features.labels import LABELS, Label, LabelWindowOpenError
from engagement_assets.features.snapshot import (
    SnapshotDateError,
    declared_schemas,
    land_labels,
    land_snapshot,
    missing_tables,
    month_days,
)
from engagement_assets.settings.partitions import DAILY, partition_days
from engagement_assets.signals.checks import BLOCKING_KEYS as SIGNAL_BLOCKING
from engagement_assets.signals.schemas import CUSTOMER_SENTIMENT, NETWORK_METRICS
from engagement_assets.signals.spec import SOURCE_BLOCKING
from engagement_assets.source.resource import SourceResource
from resources.gate import require_checks
from resources.io_managers import COLUMN_SCHEMA, ui_schema
from resources.lake import MissingPartitionError
from resources.platform import EngineResource, LakeResource
from resources.schema import TableSchema

OWNERS = ["team:data-science"]
CODE_VERSION = "1"


def _spec(
    key: list[str], description: str, schema: TableSchema, deps: list[list[str]], **metadata: object
) -> dg.AssetSpec:
    return dg.AssetSpec(
        key,
        description=description,
        group_name=key[0],
        owners=OWNERS,
        kinds={"sql", "duckdb", "parquet"},
        code_version=CODE_VERSION,
        deps=deps,
        metadata={COLUMN_SCHEMA: ui_schema(schema), **metadata},
    )


def _keys(tables: Iterable[str]) -> list[list[str]]:
    return [table.split("/") for table in sorted(tables)]


FEATURE_SPECS = [
    *(
        _spec(
            ["features", group],
            f"{len(GROUP_FEATURES[group])} {group} features of every customer at the end of the "
            "snapshot date: " + ", ".join(f.name for f in GROUP_FEATURES[group]) + ".",
            schema,
            _keys(GROUP_SOURCES[group]),
        )
        for group, schema in GROUP_SCHEMAS.items()
    ),
    _spec(
        CUSTOMER_FEATURES.split("/"),
        "All 49 features of every customer at the end of the snapshot date, from what had "
        "happened and was recorded by then.",
        CUSTOMER_FEATURES_SCHEMA,
        [["features", group] for group in GROUP_SCHEMAS],
        dictionary=dg.MetadataValue.md(dictionary_markdown()),
    ),
]


@dg.multi_asset(
    name="customer_snapshot",
    specs=FEATURE_SPECS,
    partitions_def=DAILY,
    backfill_policy=dg.BackfillPolicy.single_run(),
    description="Lands the six feature groups and the table of all 49 features, one snapshot a "
    "partition. A range of days is one run.",
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
    run = engine.engine(declared_schemas())
    for number, day in enumerate(days, start=1):
        try:
            # a signal that was not made is an error here: its features would be null without a word
            for signal in (CUSTOMER_SENTIMENT, NETWORK_METRICS):
                lake.lake.require(signal, [day])
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
        for table, written in landed.items():
            context.add_asset_metadata(
                {
                    "dagster/row_count": written.rows,
                    "bytes": written.bytes,
                    **written.cost_metadata,
                },
                asset_key=table.split("/"),
                partition_key=day.isoformat(),
            )
    for table in FEATURE_SCHEMAS:
        yield dg.MaterializeResult(asset_key=table.split("/"))


def label_asset(label: Label) -> dg.AssetsDefinition:
    """The asset of one label."""

    @dg.asset(
        key=label.table.split("/"),
        description=f"{label.meaning}. A snapshot date exists here once the {label.window_days} "
        "days after it were ingested.",
        group_name="labels",
        owners=OWNERS,
        kinds={"sql", "duckdb", "parquet"},
        code_version=CODE_VERSION,
        partitions_def=DAILY,
        backfill_policy=dg.BackfillPolicy.single_run(),
        deps=_keys(label.sources),
        metadata={COLUMN_SCHEMA: ui_schema(label.schema)},
    )
    def labels(
        context: dg.AssetExecutionContext,
        source: SourceResource,
        lake: LakeResource,
        engine: EngineResource,
    ) -> dg.MaterializeResult:
        run = engine.engine(declared_schemas())
        absent = missing_tables(lake.lake, label)
        first_day = date.fromisoformat(source.first_day)
        for day in partition_days(context):
            try:
                landed = land_labels(run, engine.sql, day, names=[label.name], first_day=first_day)
            except (LabelWindowOpenError, SnapshotDateError) as error:
                raise dg.Failure(str(error), allow_retries=False) from error
            context.add_asset_metadata(
                {
                    "dagster/row_count": landed[label.table].rows,
                    **landed[label.table].cost_metadata,
                },
                partition_key=day.isoformat(),
            )
        return dg.MaterializeResult(
            metadata={"window_days": label.window_days, "missing_tables": ", ".join(absent)}
        )

    return labels


LABEL_ASSETS = [label_asset(label) for label in LABELS.values()]
