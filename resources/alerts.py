"""Alerts: failed checks and runs, told once each, in a log and to every channel.

Belongs here: finding what failed since the last time, and telling it. Does not belong here: what is
checked, when to look (`sensors.py`) and how a channel sends (`channels.py`).
"""

import json
import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import Field
from upath import UPath

from resources.channels import Channel, Webhook
from resources.files import append
from resources.gate import QUIET
from resources.lake import put_atomically

logger = logging.getLogger(__name__)

BATCH = 1_000
# Runs that ended this long before the last look are looked at again: what was told is remembered.
LOOK_BACK = timedelta(hours=1)


class AlertSink(dg.ConfigurableResource):
    """Where alerts go.

    An alert is one JSON object: `at`, `kind` (`check` or `run`), `severity`, `asset`, `check`,
    `run_id`, `message`. The log gets every alert; a channel that does not take one gets it again at
    the next look, so that nothing is lost, and the log says so.
    """

    log_path: str = Field(
        description="JSON lines file, or on an object store, where nothing can be added to a file, "
        "a folder of them; change it to where your log shipper reads."
    )
    options: dict[str, Any] = Field(
        default_factory=dict, description="What fsspec needs for that URL; nothing for a file."
    )
    webhook_url: str = Field(
        default="", description="Posted to as JSON, one alert a request; empty for nowhere."
    )

    def channels(self) -> Sequence[Channel]:
        """Where alerts are sent besides the log."""
        return [Webhook(self.webhook_url)] if self.webhook_url else []

    def tell(self, instance: dg.DagsterInstance) -> int:
        """Tell every check and run that failed since the last call.

        Returns:
            How many alerts were new.
        """
        state = self._state()
        fresh = sorted(_failed(instance, state), key=lambda alert: str(alert["at"]))
        self._log(fresh)
        state["told"] = [*state["told"], *(str(alert["id"]) for alert in fresh)][-BATCH * 10 :]
        before = state["unsent"]
        state["unsent"] = {
            channel.name: channel.send_all([*before.get(channel.name, ()), *fresh])
            for channel in self.channels()
        }
        put_atomically(self._state_path(), json.dumps(state).encode())
        return len(fresh)

    def tell_now(self, alert: dict) -> None:
        """Tell one alert that somebody waits for, to every channel and then in the log.

        Raises:
            NotSentError: A channel did not take it; tell it again, under the same id.
        """
        for channel in self.channels():
            channel.send(alert)
        self._log([alert])

    def _log(self, alerts: Sequence[dict]) -> None:
        text = "".join(json.dumps(alert) + "\n" for alert in alerts)
        if "://" not in self.log_path:
            append(Path(self.log_path), text.encode())
        elif alerts:
            now = datetime.now(UTC).strftime("%Y-%m-%dT%H%M%S.%f")
            put_atomically(self._url / f"{now}.jsonl", text.encode())

    @property
    def _url(self) -> UPath:
        url: UPath = UPath(self.log_path, **self.options)
        return url

    def _state_path(self) -> UPath:
        if "://" in self.log_path:
            return self._url / "state.json"
        return self._url.with_suffix(".state.json")

    def _state(self) -> dict:
        path = self._state_path()
        new: dict[str, Any] = {"told": [], "unsent": {}}
        if not path.exists():
            return new
        try:
            state = json.loads(path.read_bytes())
            if not isinstance(state["told"], list) or not isinstance(state["unsent"], dict):
                raise TypeError("told or unsent are of another kind")
            datetime.fromisoformat(state.get("looked_at", "2000-01-01"))
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            logger.warning(
                "%s is damaged (%s): what failed is told from the beginning, some of it again",
                path,
                error,
            )
            return new
        return dict(state)


def _failed(instance: dg.DagsterInstance, state: dict) -> list[dict]:
    known = set(state["told"])
    failures = instance.fetch_run_status_changes(dg.DagsterEventType.RUN_FAILURE, limit=BATCH)
    alerts = [
        *(_alert(entry) for entry in _evaluations(instance, state)),
        *(_alert(record.event_log_entry) for record in failures.records),
    ]
    return [alert for alert in alerts if alert is not None and alert["id"] not in known]


def _evaluations(instance: dg.DagsterInstance, state: dict) -> list[dg.EventLogEntry]:
    """Check results of the runs since the last look, however many; moves the mark in the state."""
    since = state.get("looked_at")
    state["looked_at"] = datetime.now(UTC).isoformat()
    cursor = None
    if since:
        # SQLite numbers events within a run, so its cursor is the time of the runs
        cursor = dg.RunShardedEventsCursor(
            id=0, run_updated_after=datetime.fromisoformat(since) - LOOK_BACK
        )
    records = instance.event_log_storage.get_event_records(
        dg.EventRecordsFilter(dg.DagsterEventType.ASSET_CHECK_EVALUATION, after_cursor=cursor)
    )
    return [record.event_log_entry for record in records]


def _alert(entry: dg.EventLogEntry) -> dict | None:
    event = entry.dagster_event
    if event is None:
        return None
    at = datetime.fromtimestamp(entry.timestamp, tz=UTC).isoformat(timespec="milliseconds")
    alert = {"at": at, "run_id": entry.run_id}
    if event.event_type == dg.DagsterEventType.RUN_FAILURE:
        return alert | {
            "id": f"{entry.run_id}/run",
            "kind": "run",
            "severity": "ERROR",
            "message": f"run of {entry.job_name} failed: {entry.user_message or event.message}",
        }
    evaluation = event.event_specific_data
    if not isinstance(evaluation, dg.AssetCheckEvaluation) or evaluation.passed:
        return None
    if QUIET in evaluation.metadata:
        return None
    asset = evaluation.asset_key.to_user_string()
    return alert | {
        "id": f"{entry.run_id}/{asset}/{evaluation.check_name}/{entry.timestamp}",
        "kind": "check",
        "severity": evaluation.severity.value,
        "asset": asset,
        "check": evaluation.check_name,
        "message": evaluation.description or f"check {evaluation.check_name} of {asset} failed",
    }
