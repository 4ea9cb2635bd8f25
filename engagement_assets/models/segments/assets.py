"""What is made of a day's segments: who moved from which to which.

Belongs here: wrapping the pure modules for Dagster. Does not belong here: the model's own life
(`lifecycle`) and counting (`transitions.py`).
"""

from typing import Any

import dagster as dg

from engagement_assets.models.segments.spec import SPEC
from engagement_assets.models.segments.tables import TABLES, TRANSITIONS
from engagement_assets.settings.partitions import DAILY, partition_days
from resources.checks import CheckedTable, FurtherCheck, Outcome, table_checks
from resources.io_managers import asset_fields
from resources.platform import LakeResource
from resources.tables import asset_keys

# More cannot be people who changed: the segments themselves are others.
MOST_MOVED = 0.5


@dg.asset(
    **asset_fields(TRANSITIONS),
    deps=asset_keys((SPEC.predictions,)),
    kinds={"parquet", "python"},
    code_version="1",
    io_manager_key="tables",
    partitions_def=DAILY,
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def segment_transitions(context: dg.AssetExecutionContext, lake: LakeResource) -> Any:
    """Count who moved, and draw it, for each day of the run."""
    from engagement_assets.lifecycle.daily import one_or_all  # noqa: PLC0415 - loads pandas
    from engagement_assets.models.segments.transitions import moves_of  # noqa: PLC0415 - heavy

    made = {}
    for day in partition_days(context):
        moves = moves_of(lake.lake, day)
        figures = {} if moves.moved is None else {"moved": moves.moved}
        context.add_asset_metadata(
            {"moves": dg.MetadataValue.md(moves.picture), **figures},
            asset_key=TRANSITIONS.asset_key,
            partition_key=day.isoformat(),
        )
        made[day.isoformat()] = moves.table
    return one_or_all(made)


def most_stay(checked: CheckedTable) -> Outcome:
    """Judge whether most customers are in the segment that they were in."""
    from engagement_assets.models.segments.transitions import moved_share  # noqa: PLC0415 - heavy

    moved = {
        day: share
        for day in checked.days
        if (share := moved_share(checked.lake.read(TRANSITIONS.key, days=[day]).to_pandas()))
        is not None
    }
    failed = [day for day, share in moved.items() if share > MOST_MOVED]
    if failed:
        return Outcome(
            f"{moved[failed[0]]:.0%} of the customers are in another segment than on the day with "
            f"segments before {failed[0]}, more than {MOST_MOVED:.0%}: a new champion's segments "
            "may be others than the ones before it; read `segments/evaluation`",
            failed,
            {"most_moved": max(moved.values())},
        )
    if not moved:
        return Outcome(note="nobody has a segment on two days yet")
    return Outcome(metadata={"most_moved": max(moved.values())})


ASSETS = [segment_transitions]
CHECKS = [
    table_checks(
        "segment_checks",
        TABLES,
        further=[
            FurtherCheck(
                TRANSITIONS,
                "most_stay",
                f"At least {1 - MOST_MOVED:.0%} of the customers are in the segment that they were "
                "in on the day before with segments.",
                most_stay,
            )
        ],
    )
]
