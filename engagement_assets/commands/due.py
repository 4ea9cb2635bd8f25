"""What is due: what the lake, the registry and Dagster's records say is not made, or is old.

Belongs here: what counts as made. Does not belong here: the order of the jobs (`pipeline.py`).
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import dagster as dg

from engagement_assets.commands.runner import REINGEST
from engagement_assets.features.labels import WINDOW_COLUMN, Label
from engagement_assets.lifecycle.spec import LABEL_WINDOWS, Cadence, UseCaseSpec, label_windows
from engagement_assets.models.specs import MODELS
from engagement_assets.settings.installation import Settings
from resources.checks import asset_key
from resources.lake import Lake
from resources.online_store.store import OnlineStore
from resources.registry import ModelRegistry

# A champion is retrained when data this many days newer than its own can be learnt from.
MAX_AGE_DAYS: dict[Cadence, int] = {"daily": 0, "weekly": 6, "quarterly": 60}


def last_reingestion(instance: dg.DagsterInstance) -> float | None:
    """When all days were last taken in again, in seconds since 1970; None where never."""
    runs = instance.get_run_records(dg.RunsFilter(tags={REINGEST: "yes"}), limit=1)
    return runs[0].start_time if runs else None


def predicted_by_champions(registry: ModelRegistry, lake: Lake, day: date) -> bool:
    """Whether a day's predictions are the champions', which a rollback moves."""
    for spec in MODELS:
        made_by = lake.read(spec.predictions, days=[day], columns=["model_version"])
        versions = set(made_by.column("model_version").to_pylist())
        if not versions <= {registry.champion(spec.name)}:
            return False
    return True


def promoted_at(registry: ModelRegistry, model: str) -> float:
    """When the present champion began to serve, in seconds since 1970; 0 where there is none."""
    history = registry.history(model)
    return datetime.fromisoformat(history[-1]["at"]).timestamp() if history else 0.0


def is_published(store: OnlineStore, day: date) -> bool:
    """Whether the online store serves a day, or a newer one."""
    served = store.served()
    return served is not None and served.snapshot_date >= day


def needs_training(
    spec: UseCaseSpec, registry: ModelRegistry, settings: Settings, *, retrain: bool
) -> bool:
    """Whether there is no champion, it is old, or its costs or windows are not today's.

    After a rollback only `RETRAIN=1` trains: the same data would give the very version that was
    turned down.
    """
    version = registry.champion(spec.name)
    if version is None or retrain:
        return True
    if version in registry.retired(spec.name):
        sys.stderr.write(f"{spec.name} learnt from somebody who was erased: it is learnt again\n")
        return True
    if registry.history(spec.name)[-1]["action"] == "rollback":
        sys.stderr.write(
            f"the champion of {spec.name} was rolled back: no new training without RETRAIN=1\n"
        )
        return False
    card = registry.card(spec.name, version)
    tested = date.fromisoformat(card["test_snapshot"])
    age = settings.end - timedelta(days=spec.window_days) - tested
    if age > timedelta(days=MAX_AGE_DAYS[spec.cadence]):
        return True
    costs = {
        "cost_lost_customer_usd": settings.cost_lost_customer,
        "cost_intervention_usd": settings.cost_intervention,
        "save_rate": settings.save_rate,
    }
    if card[LABEL_WINDOWS] != label_windows(spec):
        return True
    thresholds = card.get("thresholds", {})
    return any(thresholds[name] != value for name, value in costs.items() if name in thresholds)


@dataclass
class Made:
    """What is made already: in the lake and in Dagster's records, since either may be removed.

    Attributes:
        since: When all days of the source were last taken in again: what was made before then is
            not made any more. None where they never were.
    """

    instance: dg.DagsterInstance
    lake: Lake
    since: float | None = None

    def missing(self, table: str, days: Sequence[date]) -> list[date]:
        """The days of a table that are not made yet."""
        recorded = self._recorded(table)
        there, filled = set(self.lake.days(table)), set(self.lake.filled_days(table))
        # of many days without rows, not each is recorded
        return [
            day
            for day in days
            if day not in there or (day in filled and day.isoformat() not in recorded)
        ]

    def _recorded(self, table: str) -> set[str]:
        key = dg.AssetKey(table.split("/"))
        if self.since is None:
            return self.instance.get_materialized_partitions(key)
        wanted = dg.AssetRecordsFilter(asset_key=key, after_timestamp=self.since)
        recorded, cursor, more = set(), None, True
        while more:
            page = self.instance.fetch_materializations(wanted, limit=1000, cursor=cursor)
            recorded |= {record.partition_key for record in page.records if record.partition_key}
            cursor, more = page.cursor, page.has_more
        return recorded

    def is_outdated(self, spec: UseCaseSpec) -> bool:
        """Whether a model was last trained before all days were taken in again."""
        return self.since is not None and self._made_at(f"{spec.name}/champion") < self.since

    def missing_labels(self, label: Label, days: Sequence[date]) -> list[date]:
        """The days of a label that are not made yet, or look at other days than are set."""
        absent = set(self.missing(label.key, days))
        name = WINDOW_COLUMN.name
        for day in days:
            if day not in absent:
                made_with = self.lake.read(label.key, days=[day], columns=[name]).column(name)
                absent |= {day} if set(made_with.to_pylist()) - {label.window_days} else set()
        return sorted(absent)

    def is_older(self, asset: str, inputs: Sequence[str]) -> bool:
        """Whether an asset was not made since one of its inputs was."""
        made_at = self._made_at(asset)
        return any(self._made_at(table) > made_at for table in inputs)

    def is_before(self, asset: str, at: float) -> bool:
        """Whether an asset was last made before a time, in seconds since 1970."""
        return self._made_at(asset) < at

    def _made_at(self, asset: str) -> float:
        event = self.instance.get_latest_materialization_event(asset_key(asset))
        return event.timestamp if event else 0.0

    def absent(self, tables: Sequence[str]) -> bool:
        """Whether one of these tables has no rows at all."""
        return not all(self.lake.has_rows(table) for table in tables)
