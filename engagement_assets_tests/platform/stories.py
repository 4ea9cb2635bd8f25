"""What the tests let happen in a home, each in a process of its own; prints JSON.

`python -m engagement_assets_tests.platform.stories NAME '{"argument": …}'` with the environment of
`homes.environment`. Belongs here: running jobs and breaking things. Does not belong here: what is
expected of it (the tests).
"""

import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any
from unittest.mock import patch

import dagster as dg
import pyarrow as pa

from engagement_assets.definitions import defs
from engagement_assets.lifecycle import promotion
from engagement_assets.lifecycle.champion import Verdict
from engagement_assets.models.specs import MODELS
from engagement_assets.serving import published
from engagement_assets.settings.installation import Settings, current_home
from engagement_assets.source import assets as source_assets
from engagement_assets.source.contract import TABLES
from resources.event_log import end_abandoned_runs
from resources.gate import FIRST_DAY, LAST_DAY, QUIET
from resources.online_store import resource, sqlite
from resources.online_store.sqlite import SqliteStore
from resources.registry import CHAMPION_FILE, ModelRegistry

SESSIONS = "source/sessions"


def run(
    job: str,
    *,
    day: str | None = None,
    span: Sequence[str] | None = None,
    assets: Sequence[str] | None = None,
    ops: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Run a job of the code location, and tell what it did."""
    tags = {}
    if span:
        tags = {
            "dagster/asset_partition_range_start": span[0],
            "dagster/asset_partition_range_end": span[1],
        }
    with dg.DagsterInstance.get() as instance:
        # as every command does: a run that was killed would hold its pools for ever
        end_abandoned_runs(instance)
        outcome = defs.resolve_job_def(job).execute_in_process(
            instance=instance,
            partition_key=day,
            tags=tags,
            asset_selection=[dg.AssetKey(key.split("/")) for key in assets] if assets else None,
            run_config={
                "loggers": {"terminal": {"config": {"log_level": "CRITICAL"}}},
                "ops": ops or {},
            },
            raise_on_error=False,
        )
    return {"success": outcome.success, "run_id": outcome.run_id, **_events(outcome.all_events)}


def _events(events: Sequence[dg.DagsterEvent]) -> dict[str, Any]:
    made: dict[str, list[str | None]] = {}
    failed_checks, failures, started = [], {}, []
    for event in events:
        if event.event_type_value == "ASSET_MATERIALIZATION":
            made.setdefault(event.asset_key.to_user_string(), []).append(event.partition)
        elif event.event_type_value == "STEP_START":
            started.append(event.step_key)
        elif event.event_type_value == "STEP_FAILURE":
            data = event.step_failure_data
            said = data.user_failure_data.description if data.user_failure_data else None
            failures[event.step_key] = said or data.error.to_string()
        elif event.event_type_value == "ASSET_CHECK_EVALUATION":
            actual = event.event_specific_data
            if not actual.passed and QUIET not in actual.metadata:
                failed_checks.append(f"{actual.asset_key.to_user_string()}: {actual.check_name}")
    return {
        "made": made,
        "failed_checks": failed_checks,
        "failures": failures,
        "started": sorted(started),
    }


def broken_ingestion(*arguments: Any, **named: Any) -> Any:
    """Ingestion with a bug: it takes the first session of the last day in twice."""
    lake, last_day = arguments[1], arguments[3]
    report = _real_ingest(*arguments, **named)
    rows = lake.read(SESSIONS, days=[last_day])
    doubled = pa.concat_tables([rows, rows.slice(0, 1)])
    lake.write(TABLES["sessions"], doubled, day=last_day)
    return report


_real_ingest = source_assets.ingest


def a_broken_day(day: str) -> list[dict[str, Any]]:
    """The daily job with a bug in ingestion; features alone; mended; features alone again."""
    with patch.object(source_assets, "ingest", broken_ingestion):
        broken = run("daily", day=day)
    blocked = run("features", day=day)
    return [broken, blocked, run("ingest", day=day), run("features", day=day)]


def a_refused_candidate() -> list[dict[str, Any]]:
    """Training where no champion of churn was, its candidate refused; then again, not refused."""
    home = Settings.load(current_home()).home
    (home / "registry" / "churn" / CHAMPION_FILE).unlink()
    judge = promotion.promote_or_keep

    def refuse(spec: Any, *arguments: Any, **named: Any) -> Verdict:
        if spec.name == "churn":
            return Verdict(promote=False, reasons=["made up"])
        return judge(spec, *arguments, **named)

    kinds = [
        f"{spec.name}/{part}"
        for spec in MODELS
        if spec.name in ("churn", "ensemble")
        for part in spec.training_parts
    ]
    told = []
    for judged in (refuse, judge):
        with patch.object(promotion, "promote_or_keep", judged):
            told.append(run("training", assets=kinds))
        told[-1]["champion"] = ModelRegistry(home / "registry").champion("churn")
    return told


def ranges(first: str, last: str) -> list[dict[str, Any]]:
    """Signals, features, then predictions, of a range of days, each in one run."""
    return [run(job, span=(first, last)) for job in ("signals", "features", "predictions")]


def from_nothing(
    span: Sequence[str], snapshots: Sequence[str], labels: Mapping[str, Sequence[str]]
) -> list[dict[str, Any]]:
    """All that the daily job needs, the models trained, and then the daily job of the last day."""
    told = [run(job, span=span) for job in ("ingest", "text_scores")]
    told += [run(job, day=day) for day in snapshots for job in ("signals", "features")]
    told += [run(f"label_{name}", day=day) for name, days in labels.items() for day in days]
    as_of = {"config": {"as_of": span[1]}}
    told.append(run("training", ops={f"{spec.name}__model": as_of for spec in MODELS}))
    return [*told, run("daily", day=span[1])]


def again(job: str, day: str, tables: Sequence[str] = ()) -> dict[str, Any]:
    """One job over one day; or only what some tables need of it, but the source."""
    if not tables:
        return run(job, day=day)
    needed = dg.AssetSelection.assets(*tables).upstream() - dg.AssetSelection.groups("source")
    whole = needed.required_multi_asset_neighbors()
    made = defs.resolve_job_def(job).asset_layer.selected_asset_keys
    keys = whole.resolve(defs.resolve_asset_graph()) & made
    return run(job, day=day, assets=sorted(key.to_user_string() for key in keys))


def publish_in_batches(day: str, kill_after: int | None = None) -> dict[str, Any]:
    """Publish a day in batches of 100; by a process that is killed after some, if that is given."""

    def put(self: Any, batch: int, documents: Any) -> None:
        if batch == kill_after:
            os.kill(os.getpid(), signal.SIGKILL)
        _real_put(self, batch, documents)

    def impatient(path: Any, lease_seconds: float) -> SqliteStore:
        return SqliteStore(path, lease_seconds=min(1.0, lease_seconds))

    with (
        patch.object(published, "publish_day", partial(published.publish_day, batch=100)),
        patch.object(published, "release_of", partial(published.release_of, batch=100)),
        patch.object(resource, "SqliteStore", impatient),
        patch.object(sqlite._SqlitePublication, "put", put),
    ):
        return run("publish", day=day)


_real_put = sqlite._SqlitePublication.put


def publish_after_a_check(day: str, *, passed: bool) -> dict[str, Any]:
    """Publish a day after a check of the unified predictions was told to have failed, or not."""
    with dg.DagsterInstance.get() as instance:
        instance.report_runless_asset_event(
            dg.AssetCheckEvaluation(
                asset_key=dg.AssetKey(["predictions", "customers"]),
                check_name="keys",
                passed=passed,
                metadata={
                    FIRST_DAY: dg.MetadataValue.text(day),
                    LAST_DAY: dg.MetadataValue.text(day),
                },
                blocking=True,
            )
        )
    return run("publish", day=day)


if __name__ == "__main__":
    told = globals()[sys.argv[1]](**json.loads(sys.argv[2]))
    sys.stdout.write(json.dumps(told) + "\n")
