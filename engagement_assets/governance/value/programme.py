"""The whole measurement: the programme, its parts, and the business case beside them.

Belongs here: which part is measured how. Does not belong here: each measurement (`measures.py`,
`logs.py`, `expectations.py`) and where rows come from (`assets.py`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import pandas as pd

from engagement_assets.governance.value.expectations import Verdict, judge
from engagement_assets.governance.value.logs import measure_log
from engagement_assets.governance.value.measures import (
    HOLDOUT,
    PROGRAMME,
    Measured,
    customer_values,
    measure,
    with_return,
)
from engagement_assets.governance.value.plan import Plan
from engagement_assets.governance.value.report import value_report

Read = Callable[[str], pd.DataFrame]


@dataclass(frozen=True)
class Value:
    """What was measured.

    Attributes:
        rows: Of the programme, then of its parts.
        verdicts: One an expectation.
        findings: What the tests of the holdout's validity say.
        first_day: First day that is counted.
        last_day: Last day that is counted.
    """

    rows: list[Measured]
    verdicts: list[Verdict]
    findings: list[str]
    first_day: date
    last_day: date

    @property
    def markdown(self) -> str:
        """The report."""
        return value_report(
            self.rows,
            self.verdicts,
            self.findings,
            first_day=self.first_day,
            last_day=self.last_day,
        )


def measure_programme(
    plan: Plan,
    *,
    holdout: str,
    units: Read,
    decisions: Read,
    first_day: date,
    last_day: date,
    random_state: int = 0,
) -> Value:
    """Measure the programme and its parts, and judge the business case.

    Args:
        plan: Costs, parts and expectations.
        holdout: The experiment with the variants `holdout` and `programme`.
        units: Gives the customers of an experiment, as `sql/value/units.sql` does.
        decisions: Gives the decisions of a log; see `measure_log`.
        first_day: First day that is counted.
        last_day: Last day that is counted.
        random_state: Seed of off-policy estimates.
    """
    customers = customer_values(units(holdout), plan.costs)
    rows, findings = measure(customers, capability=PROGRAMME, source=holdout, control=HOLDOUT)
    rows = with_return(rows, customers, costs=plan.costs, first_day=first_day, last_day=last_day)
    verdicts = [judge(expectation, rows) for expectation in plan.expectations]
    for part in plan.capabilities:
        own_units = units(part.experiment) if part.experiment else None
        if own_units is not None and (len(own_units) or not part.log):
            own, _ = measure(
                customer_values(own_units, plan.costs),
                capability=part.name,
                source=part.experiment,
                control=part.control,
            )
        else:
            own = measure_log(
                decisions(part.log),
                capability=part.name,
                source=part.log,
                baseline=part.baseline,
                random_state=random_state,
            )
        rows += own
    return Value(rows, verdicts, findings, first_day, last_day)
