"""Blocking checks that hold across runs.

Dagster stops what is downstream of a failed blocking check within one run only. A later run, or one
that someone starts by hand for the downstream asset alone, would go ahead; `require_checks` stops
it too. Belongs here: reading past check results. Does not belong here: what is checked.
"""

from collections.abc import Iterable, Iterator
from datetime import date

import dagster as dg
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecord

# Keys of the metadata by which a check says what its result is about.
FIRST_DAY = "first_day"
LAST_DAY = "last_day"
FAILED_DAYS = "failed_days"
VERSION = "model_version"
# Stands in the metadata of a check that did not pass and that nobody needs to be called for.
QUIET = "quiet"
# Results are read as far back as the days that are asked for, this many at a time.
PAGE = 50


class BlockedByCheckError(dg.Failure):
    """A blocking check of something upstream failed; `Failure` so that it is not retried."""


def require_checks(
    instance: dg.DagsterInstance,
    checks: Iterable[dg.AssetCheckKey],
    *,
    days: Iterable[date],
) -> None:
    """Refuse to go on where the latest result of a blocking check is a failure.

    A check that never ran on these days does not block: a range may be made before its checks run,
    and within a run Dagster orders them.

    Raises:
        BlockedByCheckError: Names every check and day that failed.
    """
    wanted = sorted(set(days))
    problems = []
    for key in checks:
        failed = _failures(_history(instance, key), wanted)
        if failed:
            problems.append(f"{key.asset_key.to_user_string()}: {key.name} ({', '.join(failed)})")
    if problems:
        raise BlockedByCheckError(
            description="blocked by failed checks upstream: "
            + "; ".join(problems)
            + ". Mend the data and materialise and check it again.",
            allow_retries=False,
        )


def _history(
    instance: dg.DagsterInstance, key: dg.AssetCheckKey
) -> Iterator[AssetCheckExecutionRecord]:
    """All results of a check, the newest first, read as they are asked for."""
    cursor: int | None = None
    while True:
        page = instance.event_log_storage.get_asset_check_execution_history(
            key, limit=PAGE, cursor=cursor
        )
        yield from page
        if len(page) < PAGE:
            return
        cursor = page[-1].id


def _failures(records: Iterable[AssetCheckExecutionRecord], days: list[date]) -> list[str]:
    """The days whose latest result is a failure; records come newest first."""
    open_days = {day.isoformat() for day in days}
    failed = []
    for record in records:
        evaluation = _evaluation(record)
        if evaluation is None:
            continue
        values = {name: value.value for name, value in evaluation.metadata.items()}
        first, last = str(values.get(FIRST_DAY, "")), str(values.get(LAST_DAY, ""))
        covered = {day for day in open_days if first <= day <= last}
        if not evaluation.passed and evaluation.severity == dg.AssetCheckSeverity.ERROR:
            named = values.get(FAILED_DAYS)
            bad = set(named) if isinstance(named, list) else covered
            failed += sorted(covered & bad)
        open_days -= covered
        if not open_days:
            break
    return sorted(failed)


def _evaluation(record: AssetCheckExecutionRecord) -> dg.AssetCheckEvaluation | None:
    event = record.event
    if event is None or event.dagster_event is None:
        return None
    data = event.dagster_event.event_specific_data
    return data if isinstance(data, dg.AssetCheckEvaluation) else None
