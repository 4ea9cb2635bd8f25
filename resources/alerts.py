"""Alerts: failed checks and runs, told once each, in a log file and to a webhook.

Belongs here: finding what failed since the last time, and telling it. Does not belong here: what is
checked, and when to look (`sensors.py`).
"""

import http.client
import json
import logging
import urllib.error
import urllib.request
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
from pydantic import Field

logger = logging.getLogger(__name__)

WEBHOOK_TIMEOUT_SECONDS = 10
BATCH = 1_000
# Runs that ended this long before the last look are looked at again: what was told is remembered.
LOOK_BACK = timedelta(hours=1)


class AlertSink(dg.ConfigurableResource):
    """Where alerts go.

    An alert is one JSON object: `at`, `kind` (`check` or `run`), `severity`, `asset`, `check`,
    `run_id`, `message`. The log gets every alert; a webhook that does not answer is retried at the
    next look, so that nothing is lost, and the log says so.
    """

    log_path: str = Field(description="JSON lines file; change it to where your log shipper reads.")
    webhook_url: str = Field(
        default="", description="Posted to as JSON, one alert a request; empty for nowhere."
    )

    def tell(self, instance: dg.DagsterInstance) -> int:
        """Tell every check and run that failed since the last call.

        Returns:
            How many alerts were new.
        """
        state = self._state()
        fresh = sorted(_failed(instance, state), key=lambda alert: str(alert["at"]))
        path = Path(self.log_path)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as log:
            for alert in fresh:
                log.write(json.dumps(alert) + "\n")
        state["told"] = [*state["told"], *(str(alert["id"]) for alert in fresh)][-BATCH * 10 :]
        state["unsent"] = self._post([*state["unsent"], *fresh]) if self.webhook_url else []
        self._state_path().write_text(json.dumps(state))
        return len(fresh)

    def _post(self, alerts: Iterable[dict]) -> list[dict]:
        """Post alerts; gives back those that could not be posted."""
        unsent: list[dict] = []
        answers = True
        for alert in alerts:
            if not answers:
                unsent.append(alert)
                continue
            request = urllib.request.Request(  # noqa: S310 - settings allow http(s) only
                self.webhook_url,
                data=json.dumps(alert).encode(),
                headers={"Content-Type": "application/json"},
            )
            try:
                with urllib.request.urlopen(request, timeout=WEBHOOK_TIMEOUT_SECONDS):  # noqa: S310 - as above
                    pass
            except (OSError, http.client.HTTPException, ValueError) as error:
                logger.warning("the webhook did not take an alert (%s); tried again later", error)
                unsent.append(alert)
                # one that is down is not waited for again with each alert
                answers = isinstance(error, urllib.error.HTTPError)
        return unsent

    def _state_path(self) -> Path:
        return Path(self.log_path).with_suffix(".state.json")

    def _state(self) -> dict:
        path = self._state_path()
        return json.loads(path.read_text()) if path.exists() else {"told": [], "unsent": []}


def _failed(instance: dg.DagsterInstance, state: dict) -> list[dict]:
    told = set(state["told"])
    failures = instance.fetch_run_status_changes(dg.DagsterEventType.RUN_FAILURE, limit=BATCH)
    alerts = [
        *(_alert(entry) for entry in _evaluations(instance, state)),
        *(_alert(record.event_log_entry) for record in failures.records),
    ]
    return [alert for alert in alerts if alert is not None and alert["id"] not in told]


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
    asset = evaluation.asset_key.to_user_string()
    return alert | {
        "id": f"{entry.run_id}/{asset}/{evaluation.check_name}/{entry.timestamp}",
        "kind": "check",
        "severity": evaluation.severity.value,
        "asset": asset,
        "check": evaluation.check_name,
        "message": evaluation.description or f"check {evaluation.check_name} of {asset} failed",
    }
