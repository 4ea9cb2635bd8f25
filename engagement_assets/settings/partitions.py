"""The daily partitions that events, snapshots, predictions and reports share.

Belongs here: partition definitions. Does not belong here: which assets use them.
"""

from datetime import date, timedelta

import dagster as dg

from engagement_assets.settings.installation import Settings, current_home


def daily_partitions(settings: Settings) -> dg.DailyPartitionsDefinition:
    """Days from the source's first to yesterday, or to its last where it ends."""
    end = settings.end + timedelta(days=1) if settings.ends else None
    return dg.DailyPartitionsDefinition(
        start_date=settings.start.isoformat(),
        end_date=end.isoformat() if end else None,
    )


def partition_days(context: dg.AssetExecutionContext) -> list[date]:
    """The days of a run, in order."""
    return [date.fromisoformat(key) for key in context.partition_keys]


DAILY = daily_partitions(Settings.load(current_home()))
