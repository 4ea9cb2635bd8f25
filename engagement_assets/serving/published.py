"""Publishing to the online store as an asset, and its checks.

Belongs here: wrapping `publishing.py` for Dagster. Does not belong here: what is published
(`records.py`) and where to (`resources.online_store`).
"""

import random
from datetime import UTC, date, datetime
from typing import Any

import dagster as dg

from engagement_assets.decisions.customers.unified import (
    CUSTOMERS,
    KNOWN_TABLES,
    USE_CASES,
)
from engagement_assets.features.catalogue import CUSTOMER_FEATURES
from engagement_assets.serving.publishing import (
    PURPOSE,
    Published,
    publish_day,
    release_of,
)
from engagement_assets.serving.records import DayTables, decode, document_of, encode
from engagement_assets.settings.partitions import DAILY, partition_days
from engagement_assets.source.consent import agreed_customers
from engagement_assets.source.resource import SourceResource
from resources.checks import Outcome, blocking_keys, result, run_days
from resources.gate import require_checks
from resources.lake import Lake
from resources.online_store.releases import (
    OlderReleaseError,
    StoreBusyError,
    ThrottledError,
)
from resources.online_store.resource import OnlineStoreResource
from resources.online_store.store import OnlineStore
from resources.platform import EngineResource, LakeResource
from resources.tables import asset_keys

PUBLISHED = dg.AssetKey(["serving", "published"])
NOT_PUBLISHED = "not_published"
# Another publisher ends, and a table gets its capacity back, within minutes or not at all.
RETRIES = 2
RETRY_SECONDS = 30
SAMPLE = 100
MOST_DAYS_BEHIND = 2
# how often a long publication says how far it is
PROGRESS_SHARE = 10


@dg.asset(
    key=PUBLISHED,
    description="The online store, filled with one document a customer: features, predictions, "
    "reasons, recommended posts of those who agreed to them. Only the newest day is served; of a "
    "range of days the last one is published.",
    group_name="serving",
    owners=["team:data-platform"],
    kinds={"online_store"},
    code_version="1",
    deps=asset_keys(
        (CUSTOMERS, CUSTOMER_FEATURES, "source/consents", *(spec.output for spec in USE_CASES))
    ),
    partitions_def=DAILY,
    backfill_policy=dg.BackfillPolicy.single_run(),
    # one publisher at a time; a second one waits
    pool="publishing",
)
def published(
    context: dg.AssetExecutionContext,
    source: SourceResource,
    engine: EngineResource,
    online_store: OnlineStoreResource,
) -> dg.MaterializeResult:
    """Publish the last day of this run."""
    *earlier, day = partition_days(context)
    require_checks(context.instance, blocking_keys([CUSTOMERS]), days=[day])
    for other in earlier:
        _note(context, other, {NOT_PUBLISHED: f"of a range the last day is published, {day}"})
    _note(context, day, _publish(context, source, engine, online_store.store, day))
    return dg.MaterializeResult()


def _publish(
    context: dg.AssetExecutionContext,
    source: SourceResource,
    engine: EngineResource,
    store: OnlineStore,
    day: date,
) -> dict[str, Any]:
    lake = engine.lake.lake
    tenths = 0

    def progress(done: int, of: int) -> None:
        nonlocal tenths
        if done * PROGRESS_SHARE // max(of, 1) > tenths:
            tenths = done * PROGRESS_SHARE // max(of, 1)
            context.log.info("%s of %s customers published", f"{done:,}", f"{of:,}")

    try:
        done = publish_day(
            lake,
            store,
            day,
            agreed=_agreed(source, engine),
            owner=f"run {context.run_id[:8]}",
            progress=progress,
        )
    except OlderReleaseError as error:
        # a backfill of past days must not fail because a newer day is served
        context.log.info("not published: %s", error)
        return {NOT_PUBLISHED: str(error)}
    except (StoreBusyError, ThrottledError) as error:
        context.log.warning("%s", error)
        raise dg.RetryRequested(max_retries=RETRIES, seconds_to_wait=RETRY_SECONDS) from error
    return _figures(done)


def _figures(done: Published) -> dict[str, Any]:
    figures: dict[str, Any] = {
        "release": done.release.name,
        "served_day": done.release.snapshot_date.isoformat(),
        "customers": done.customers,
        "dagster/row_count": done.customers,
        "batches": done.batches,
        "batches_resumed": done.resumed,
        "bytes": done.bytes,
        "seconds": done.seconds,
    }
    return figures | (
        {"unchanged": "this very release is served already"} if done.was_served else {}
    )


def _note(context: dg.AssetExecutionContext, day: date, metadata: dict[str, Any]) -> None:
    context.add_asset_metadata(metadata, asset_key=PUBLISHED, partition_key=day.isoformat())


def _agreed(source: SourceResource, engine: EngineResource) -> frozenset[str]:
    consent = source.consent(engine.lake.lake, purpose=PURPOSE)
    run = engine.engine(KNOWN_TABLES)
    return agreed_customers(run, engine.sql, consent, purpose=PURPOSE)


DESCRIPTIONS = {
    "published_is_served": "What is served is this day as the lake has it now, or a newer day.",
    "published_count": f"Of {SAMPLE} customers the document that is served is what the lake says, "
    "and there are as many documents as customers.",
    "age": f"The served day is at most {MOST_DAYS_BEHIND} days behind the last one taken in.",
}
SPECS = [
    dg.AssetCheckSpec(name, asset=PUBLISHED, description=text)
    for name, text in DESCRIPTIONS.items()
]


@dg.multi_asset_check(name="serving_checks", specs=SPECS, can_subset=True)
def serving_checks(
    context: dg.AssetCheckExecutionContext,
    source: SourceResource,
    lake: LakeResource,
    engine: EngineResource,
    online_store: OnlineStoreResource,
) -> Any:
    """Check what is served."""
    store = online_store.store
    days = run_days(context, lake.lake.days(CUSTOMERS))[-1:]
    agreed = _agreed(source, engine)
    judges = {
        "published_is_served": lambda: served_outcome(lake.lake, store, days[-1], agreed),
        "published_count": lambda: count_outcome(lake.lake, store, agreed),
        "age": lambda: age_outcome(lake.lake, store),
    }
    for key in sorted(context.selected_asset_check_keys):
        yield result(key, judges[key.name](), days, warn=key.name == "age")


def served_outcome(lake: Lake, store: OnlineStore, day: date, agreed: frozenset[str]) -> Outcome:
    """Whether a day is served as the lake has it, or a newer one is."""
    served = store.served()
    if served is None:
        return Outcome("nothing is served yet", [day])
    figures = {"release": served.name}
    if served.snapshot_date > day:
        return Outcome(metadata=figures, note=f"a newer day is served, {served.snapshot_date}")
    if served.snapshot_date < day:
        return Outcome(f"{served.snapshot_date} is served, not {day}", [day], figures)
    if served.name != release_of(lake, day, agreed).name:
        return Outcome(
            f"{day} is served as it was before its predictions or consents were made again: run "
            "the job `publish`",
            [day],
            figures,
        )
    return Outcome(metadata=figures)


def count_outcome(lake: Lake, store: OnlineStore, agreed: frozenset[str]) -> Outcome:
    """Whether what is served of some customers is what the lake says."""
    served = store.served()
    if served is None:
        return Outcome("nothing is served yet")
    day = served.snapshot_date
    tables = DayTables.read(lake, day)
    count = served.details.get("customers")
    if count != tables.customers:
        return Outcome(f"{count} documents are served for {tables.customers} customers", [day])
    # by the release's name, so that a day's check looks at the same customers each time
    chance = random.Random(served.name)  # noqa: S311 - a sample, no secret
    rows = sorted(chance.sample(range(tables.customers), min(SAMPLE, tables.customers)))
    expected = {
        document["customer_id"]: decode(encode(document))
        for document in document_of(tables, agreed, rows)
    }
    served_now = {
        name: decode(content) for name, content in store.get(served.name, list(expected)).items()
    }
    wrong = sorted(name for name, document in expected.items() if served_now.get(name) != document)
    figures = {"compared": len(expected), "customers": tables.customers, "different": len(wrong)}
    if wrong:
        return Outcome(
            f"of {len(wrong)} of {len(expected)} customers another document is served, such as "
            f"{wrong[0]}",
            [day],
            figures,
        )
    return Outcome(metadata=figures)


def age_outcome(lake: Lake, store: OnlineStore) -> Outcome:
    """Whether the served day is near the last one that was taken in.

    Against the data, not the calendar alone: whether data still come in is the sources' own check.
    """
    served = store.served()
    if served is None:
        return Outcome("nothing is served yet")
    latest = max(lake.days("source/sessions"), default=served.snapshot_date)
    behind = (latest - served.snapshot_date).days
    old = (datetime.now(UTC).date() - served.snapshot_date).days
    figures = {"days_behind": behind, "days_before_today": old}
    if behind > MOST_DAYS_BEHIND:
        return Outcome(
            f"{served.snapshot_date} is served, {behind} days behind the last day taken in",
            [served.snapshot_date],
            figures,
        )
    return Outcome(metadata=figures)


ASSETS = [published]
CHECKS = [serving_checks]
