"""What the simulator knows and the platform must not see, written to `truth/` tables.

Only benchmarks and tests read them; a test holds that no asset and no SQL does. Belongs here:
writing them. Does not belong here: what is true (`simulator/truth.py`).
"""

from collections.abc import Iterable
from datetime import date

import pyarrow as pa

from engagement_assets.source.simulator import Simulator
from resources.lake import Lake, Written
from resources.tables import Column, Table

CUSTOMERS = "truth/customers"
CHURN = "truth/churn"
EXPERIMENTS = "truth/experiments"
ACTIONS = "truth/actions"
NOTIFICATIONS = "truth/notifications"


def write_truth(lake: Lake, simulator: Simulator, days: Iterable[date]) -> list[Written]:
    """Write the truth of the ends of some days, a partition each; gives what was written."""
    written = []
    for day in days:
        for table, rows in (
            (CUSTOMERS, simulator.truth_customers(day)),
            (CHURN, simulator.truth_churn(day)),
            (EXPERIMENTS, simulator.truth_experiments(day)),
            (ACTIONS, simulator.truth_actions(day)),
            (NOTIFICATIONS, simulator.truth_notifications(day)),
        ):
            written.append(lake.write(_declared(table, rows), rows, day=day))
    return written


def _declared(key: str, rows: pa.Table) -> Table:
    """A table with the columns that the simulator gives: its truth grows with what it knows."""
    names = {"double": "float64", "date32[day]": "date", "timestamp[us]": "timestamp"}
    return Table(
        key,
        tuple(
            Column(field.name, names.get(str(field.type), str(field.type))) for field in rows.schema
        ),
    )
