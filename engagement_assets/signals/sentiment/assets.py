"""Sentiment as daily assets: scores of single texts, alerts for support, customers' sentiment.

Belongs here: wrapping `scoring.py` for Dagster. Does not belong here: which texts may be read, and
the model.
"""

from collections.abc import Iterator
from datetime import date
from functools import partial

import dagster as dg

from engagement_assets.settings.partitions import DAILY, partition_days
from engagement_assets.signals.schemas import (
    CUSTOMER_SENTIMENT,
    SENTIMENT_ALERTS,
    SENTIMENT_SCORES,
)
from engagement_assets.signals.sentiment.resource import SentimentResource
from engagement_assets.signals.sentiment.scoring import (
    PURPOSE,
    DayScored,
    land_customer_sentiment,
    score_days,
)
from engagement_assets.signals.spec import SOURCE_BLOCKING, table_spec
from engagement_assets.signals.tables import declared_schemas
from engagement_assets.source.resource import SourceResource
from resources.gate import require_checks
from resources.io_managers import RegistryResource
from resources.lake import MissingPartitionError
from resources.platform import EngineResource, LakeResource

CODE_VERSION = "1"
KINDS = {"parquet", "pytorch"}
# how often a long range says how far it is
PROGRESS_DAYS = 25
TEXT_SPECS = [
    table_spec(
        SENTIMENT_SCORES,
        "Sentiment and emotion of every new text (posts, comments, messages) of customers who "
        "agreed to it. It holds no text. A withdrawn consent stops it from the next run on.",
        deps=["source/posts", "source/interactions", "source/messages", "source/consents"],
        kinds=KINDS,
        code_version=CODE_VERSION,
    ),
    table_spec(
        SENTIMENT_ALERTS,
        "Texts that score below -0.5, for customer support: the text's id, never the text. For no "
        "other use: nobody is targeted because they are sad.",
        deps=[SENTIMENT_SCORES],
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
) -> Iterator[dg.MaterializeResult]:
    """Score the partitions of this run."""
    days = partition_days(context)
    require_checks(context.instance, SOURCE_BLOCKING, days=days)
    landed = score_days(
        engine.engine(declared_schemas()),
        engine.sql,
        days,
        scorer=partial(sentiment.model, registry.registry),
        consent=source.consent(lake.lake, purpose=PURPOSE),
        alert_below=sentiment.alert_below,
    )
    for number, scored in enumerate(landed, start=1):
        _note(context, scored)
        if number % PROGRESS_DAYS == 0 or number == len(days):
            context.log.info("texts scored up to %s (%s of %s days)", scored.day, number, len(days))
    yield dg.MaterializeResult(asset_key=SENTIMENT_SCORES.split("/"))
    yield dg.MaterializeResult(asset_key=SENTIMENT_ALERTS.split("/"))


def _note(context: dg.AssetExecutionContext, scored: DayScored) -> None:
    mean = {} if scored.mean is None else {"mean_score": scored.mean}
    for table, written, more in (
        (SENTIMENT_SCORES, scored.scores, mean),
        (SENTIMENT_ALERTS, scored.alerts, {}),
    ):
        context.add_asset_metadata(
            {"dagster/row_count": written.rows, "bytes": written.bytes, **more},
            asset_key=table.split("/"),
            partition_key=scored.day.isoformat(),
        )


@dg.multi_asset(
    name="sentiment_customer",
    specs=[
        table_spec(
            CUSTOMER_SENTIMENT,
            "Mean, trend and share of negative texts of every customer who agreed to it and wrote "
            "something in the window (90 days unless set otherwise).",
            deps=[SENTIMENT_SCORES, "source/consents"],
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
    run = engine.engine(declared_schemas())
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
            asset_key=CUSTOMER_SENTIMENT.split("/"),
            partition_key=day.isoformat(),
        )
    return dg.MaterializeResult(asset_key=CUSTOMER_SENTIMENT.split("/"))


ASSETS = [sentiment_texts, sentiment_customer]
