"""The outbox as a daily asset, and its checks.

Belongs here: wrapping the gate for Dagster. Does not belong here: what it lets through (`gate.py`).
"""

from datetime import timedelta
from typing import Any

import dagster as dg

from engagement_assets.decisions.contact.resource import ContactSettings
from engagement_assets.decisions.contact.tables import BREAKDOWNS, KNOWN_TABLES, OUTBOX
from engagement_assets.decisions.specs import DECISIONS
from engagement_assets.lifecycle.daily import one_or_all
from engagement_assets.settings.partitions import DAILY, partition_days
from engagement_assets.source.checks import SOURCE_BLOCKING
from engagement_assets.source.contract import TABLES as SOURCE
from engagement_assets.source.resource import SourceResource
from resources.checks import CheckedTable, FurtherCheck, Outcome, blocking_keys, table_checks
from resources.gate import require_checks
from resources.io_managers import asset_fields
from resources.platform import EngineResource, LakeResource
from resources.sql import Query
from resources.tables import asset_keys

CONTACTING = [spec for spec in DECISIONS if any(action.channel for action in spec.actions)]
CHOICES = [spec.choices for spec in CONTACTING]
GROUPS = [table for table, _ in BREAKDOWNS]
LONGEST_COOLDOWN = max(a.cooldown_days for spec in CONTACTING for a in spec.actions)
ABOUT_PEOPLE = ("customers", "consents", "notifications", "experiment_assignments")


@dg.asset(
    **asset_fields(OUTBOX),
    kinds={"parquet", "python"},
    code_version="1",
    deps=asset_keys((*CHOICES, *GROUPS, *(SOURCE[name].key for name in ABOUT_PEOPLE))),
    partitions_def=DAILY,
    backfill_policy=dg.BackfillPolicy.single_run(),
    io_manager_key="tables",
)
def outbox(
    context: dg.AssetExecutionContext,
    source: SourceResource,
    lake: LakeResource,
    engine: EngineResource,
    contact: ContactSettings,
) -> Any:
    """Judge the choices of this run's days, for the days after."""
    from engagement_assets.decisions.contact import gate  # noqa: PLC0415 - loads pandas
    from engagement_assets.decisions.contact.candidates import candidates  # noqa: PLC0415 - loads pandas
    from engagement_assets.decisions.contact.state import read_state  # noqa: PLC0415 - loads pandas

    days = partition_days(context)
    require_checks(context.instance, [*SOURCE_BLOCKING, *blocking_keys(CHOICES)], days=days)
    run, tables = engine.engine(KNOWN_TABLES), {}
    made: list[Any] = []
    for day in days:
        state = read_state(
            run,
            engine.sql,
            source.reader,
            day,
            holdout=contact.holdout_experiment,
            longest_cooldown=LONGEST_COOLDOWN,
            made_from=days[0],
            made=made,
        )
        wanted = candidates(lake.lake, CONTACTING, day)
        judged = gate.outbox(wanted, state, contact.limits, day=day + timedelta(days=1))
        table = judged.assign(snapshot_date=day)[list(OUTBOX.names)]
        made.append(table)
        context.add_asset_metadata(
            {
                "dagster/row_count": len(table),
                "due": int((table["status"] == gate.DUE).sum()),
                "suppressed": {
                    str(why): int(count)
                    for why, count in table["suppressed_by"].value_counts().items()
                },
            },
            asset_key=OUTBOX.asset_key,
            partition_key=day.isoformat(),
        )
        tables[day.isoformat()] = table
    return one_or_all(tables)


def _one_a_customer(checked: CheckedTable) -> Outcome:
    """Judge whether no customer has two messages due on a day."""
    rows = checked.engine.select(
        Query(
            "check of the outbox",
            f"SELECT day, COUNT(*) AS twice FROM (SELECT day, customer_id FROM {OUTBOX.sql_name} "  # noqa: S608 - declared
            "WHERE day BETWEEN :first AND :last AND status = 'due' GROUP BY day, customer_id "
            "HAVING COUNT(*) > 1) AS doubled GROUP BY day ORDER BY day",
        ),
        {"first": checked.days[0], "last": checked.days[-1]},
    ).to_pylist()
    problem = "; ".join(f"{row['day']}: {row['twice']} customers" for row in rows)
    return Outcome(problem, [row["day"] for row in rows])


ONE_A_CUSTOMER = FurtherCheck(
    OUTBOX,
    "one_a_customer",
    "No customer has more than one message due on a day.",
    _one_a_customer,
)
ASSETS = [outbox]
CHECKS = [table_checks("contact_checks", [OUTBOX], further=[ONE_A_CUSTOMER])]
