"""What the code location holds, as plain data: the stored list and the list as it is now.

Belongs here: reading both. Does not belong here: storing (`store_definitions.py`).
"""

import json
from pathlib import Path
from typing import Any

STORED = Path(__file__).with_name("stored_definitions.json")


def listed() -> dict[str, Any]:
    """The stored list."""
    actual: dict[str, Any] = json.loads(STORED.read_text())
    return actual


def present() -> dict[str, Any]:
    """The list as it is now."""
    from engagement_assets.definitions import defs  # noqa: PLC0415 - reads the home

    graph = defs.resolve_asset_graph()
    repository = defs.get_repository_def()
    checks = {
        f"{key.asset_key.to_user_string()}: {key.name}": (
            "blocking" if graph.get(key).blocking else "not blocking"
        )
        for key in graph.asset_check_keys
    }
    return {
        "assets": sorted(key.to_user_string() for key in graph.get_all_asset_keys()),
        "jobs": sorted(job.name for job in repository.get_all_jobs() if job.name[0] != "_"),
        "schedules": {
            schedule.name: str(schedule.cron_schedule)
            for schedule in sorted(repository.schedule_defs, key=lambda s: s.name)
        },
        "sensors": sorted(sensor.name for sensor in repository.sensor_defs),
        "checks": dict(sorted(checks.items())),
    }
