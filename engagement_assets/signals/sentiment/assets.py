"""Sentiment as daily assets: scores of single texts, alerts for support, customers' sentiment.

Belongs here: wrapping `scoring.py` for Dagster. Does not belong here: which texts may be read, and
the model.
"""

from collections.abc import Iterator
from datetime import date
from functools import partial

import dagster as dg

from engagement_assets.settings.partitions import DAILY, partition_days
from engagement_assets.signals.sentiment.resource import SentimentResource
from engagement_assets.signals.sentiment.scoring import (
    PURPOSE,
    DayScored,
    land_customer_sentiment,
    score_days,
)
from engagement_assets.signals.tables import (
    CUSTOMER_SENTIMENT,
    KNOWN_TABLES,
    SENTIMENT_ALERTS,
    SENTIMENT_SCORES,
)
from engagement_assets.source.checks import SOURCE_BLOCKING
from engagement_assets.source.contract import TABLES
from engagement_assets.source.resource import SourceResource
from resources.delivery import DeliveryResource
from resources.gate import require_checks
from resources.io_managers import RegistryResource, asset_fields
from resources.lake import MissingPartitionError
from resources.platform import EngineResource, LakeResource

CODE_VERSION = "1"
KINDS = {"parquet", "pytorch"}
# how often a long range says how far it is
PROGRESS_DAYS = 25
TEXT_SOURCES = ("posts", "interactions", "messages", "consents")
TEXT_SPECS = [
    dg.AssetSpec(
        **asset_fields(SENTIMENT_SCORES),
        deps=[TABLES[name].asset_key for name in TEXT_SOURCES],
        kinds=KINDS,
        code_version=CODE_VERSION,
    ),
    dg.AssetSpec(
        **asset_fields(SENTIMENT_ALERTS),
        deps=[SENTIMENT_SCORES.asset_key],
        kinds=KINDS,
        code_version=CODE_VERSION,
    ),
]


@dg.multi_asset(
    name="sentiment_texts",
    specs=TEXT_SPECS,
    partitions_def=DAILY,
    backfill_policy=dg.BackfillPolicy.single_run(),
    description="Scores the texts that became known on the days of this run.",
)
def sentiment_texts(
    context: dg.AssetExecutionContext,
    source: SourceResource,
    lake: LakeResource,
    engine: EngineResource,
    sentiment: SentimentResource,
    registry: RegistryResource,
    delivery: DeliveryResource,
) -> Iterator[dg.MaterializeResult]:
    """Score the partitions of this run."""
    from engagement_assets.signals.sentiment.events import scored_before  # noqa: PLC0415 - beside pandas

    days = partition_days(context)
    require_checks(context.instance, SOURCE_BLOCKING, days=days)
    landed = score_days(
        engine.engine(KNOWN_TABLES),
        engine.sql,
        days,
        scorer=partial(sentiment.model, registry.registry),
        consent=source.consent(lake.lake, purpose=PURPOSE),
        alert_below=sentiment.alert_below,
        before=partial(scored_before, delivery.claims()),
    )
    for number, scored in enumerate(landed, start=1):
        _note(context, scored)
        if number % PROGRESS_DAYS == 0 or number == len(days):
            context.log.info("texts scored up to %s (%s of %s days)", scored.day, number, len(days))
    yield dg.MaterializeResult(asset_key=SENTIMENT_SCORES.asset_key)
    yield dg.MaterializeResult(asset_key=SENTIMENT_ALERTS.asset_key)


def _note(context: dg.AssetExecutionContext, scored: DayScored) -> None:
    mean = {} if scored.mean is None else {"mean_score": scored.mean}
    for table, written, more in (
        (SENTIMENT_SCORES, scored.scores, mean),
        (SENTIMENT_ALERTS, scored.alerts, {}),
    ):
        context.add_asset_metadata(
            {"dagster/row_count": written.rows, "bytes": written.bytes, **more},
            asset_key=table.asset_key,
            partition_key=scored.day.isoformat(),
        )


@dg.multi_asset(
    name="sentiment_customer",
    specs=[
        dg.AssetSpec(
            **asset_fields(CUSTOMER_SENTIMENT),
            deps=[SENTIMENT_SCORES.asset_key, TABLES["consents"].asset_key],
            kinds={"sql", "duckdb", "parquet"},
            code_version=CODE_VERSION,
        )
    ],
    partitions_def=DAILY,
    backfill_policy=dg.BackfillPolicy.single_run(),
    description="Sums the scores up by customer.",
)
def sentiment_customer(
    context: dg.AssetExecutionContext,
    source: SourceResource,
    lake: LakeResource,
    engine: EngineResource,
    sentiment: SentimentResource,
) -> dg.MaterializeResult:
    """Land the partitions of this run."""
    run = engine.engine(KNOWN_TABLES)
    consent = source.consent(lake.lake, purpose=PURPOSE)
    for day in partition_days(context):
        try:
            written = land_customer_sentiment(
                run,
                engine.sql,
                day,
                first_day=date.fromisoformat(source.first_day),
                days=sentiment.window_days,
                consent=consent,
            )
        except MissingPartitionError as error:
            raise dg.Failure(
                f"{error}; run the job `text_scores` for these days", allow_retries=False
            ) from error
        context.add_asset_metadata(
            {
                "dagster/row_count": written.rows,
                "bytes": written.bytes,
                **written.cost_metadata,
            },
            asset_key=CUSTOMER_SENTIMENT.asset_key,
            partition_key=day.isoformat(),
        )
    return dg.MaterializeResult(asset_key=CUSTOMER_SENTIMENT.asset_key)


ASSETS = [sentiment_texts, sentiment_customer]
