"""What the programme brought, as assets.

Belongs here: reading the rows and wrapping the pure modules for Dagster. Does not belong here: what
is measured (`programme.py`).
"""

from collections.abc import Iterator
from dataclasses import KW_ONLY, asdict, dataclass
from datetime import date, timedelta
from typing import Any

import dagster as dg

from engagement_assets.decisions.customers.unified import KNOWN_TABLES
from engagement_assets.governance.value.plan import read_plan
from engagement_assets.governance.value.tables import (
    CASE_TABLE,
    GROUP,
    OWNER,
    PROGRAMME_TABLE,
    TABLES,
)
from engagement_assets.settings.fields import same
from engagement_assets.settings.installation import Settings
from engagement_assets.settings.partitions import DAILY
from engagement_assets.source.checks import SOURCE_BLOCKING
from resources.checks import table_checks
from resources.engine import Engine
from resources.gate import require_checks
from resources.io_managers import Report, asset_fields
from resources.platform import EngineResource
from resources.sql import ParameterValue, SqlFolder
from resources.tables import Table, asset_keys

CODE_VERSION = "1"
READ = (
    "source/customers",
    "source/experiment_assignments",
    "source/sessions",
    "source/transactions",
    "source/interactions",
    "source/messages",
    "source/posts",
    "source/event_joins",
    "source/notifications",
    "source/action_log",
    "source/retention_offers",
)


class ProgrammeResource(dg.ConfigurableResource):
    """Which experiment measures the programme, over how long, beside which business case."""

    holdout_experiment: str = same(Settings, "holdout_experiment")
    business_case: str = same(Settings, "business_case")
    programme_days: int = same(Settings, "programme_days")
    churn_window: int = same(Settings, "churn_window")
    seed: int = same(Settings, "seed")

    def readers(self, run: Engine, sql: SqlFolder, day: date) -> "Readers":
        """What gives the rows as of a day."""
        begin = [days[0] for table in READ if (days := run.lake.days(table))]
        since = max(day - timedelta(days=self.programme_days - 1), min(begin, default=day))
        return Readers(run, sql, since=since, day=day, window_days=self.churn_window)

    def value(self, run: Engine, sql: SqlFolder, day: date) -> Any:
        """Measure the programme as of a day.

        Raises:
            CaseError: The business case cannot be read.
        """
        from engagement_assets.governance.value.programme import (  # noqa: PLC0415 - loads pandas
            measure_programme,
        )

        read = self.readers(run, sql, day)
        return measure_programme(
            read_plan(self.business_case),
            holdout=self.holdout_experiment,
            units=read.units,
            decisions=read.decisions,
            first_day=read.since,
            last_day=day,
            random_state=self.seed,
        )


@dataclass(frozen=True)
class Readers:
    """What gives the rows that the programme is measured by.

    Attributes:
        run: Runs the SQL.
        sql: The SQL.
        since: First day that is counted.
        day: Last day that is counted, and as known then.
        window_days: Days at the end in which a customer who is retained was there.
    """

    run: Engine
    sql: SqlFolder
    _: KW_ONLY
    since: date
    day: date
    window_days: int

    def units(self, experiment: str) -> Any:
        """Give the customers of an experiment with what they did."""
        return self._rows(
            "units",
            experiment=experiment,
            last_day=self.day,
            known_by_day=self.day,
            first_day=self.day - timedelta(days=self.window_days - 1),
            window_days=self.window_days,
        )

    def decisions(self, log: str) -> Any:
        """Give the decisions of a log with what came of them."""
        return self._rows(log)

    def _rows(self, name: str, **parameters: ParameterValue) -> Any:
        dates = {"snapshot_date": self.day, "since_day": self.since}
        query = self.sql.query(f"{GROUP}/{name}")
        return self.run.select(query, {**dates, **parameters}).to_pandas()


def _table_out(table: Table) -> dg.AssetOut:
    return dg.AssetOut(
        **asset_fields(table),
        kinds={"parquet", "python"},
        code_version=CODE_VERSION,
        io_manager_key="tables",
    )


@dg.multi_asset(
    name="programme_value",
    outs={
        "programme": _table_out(PROGRAMME_TABLE),
        "business_case": _table_out(CASE_TABLE),
        "report": dg.AssetOut(
            key=[GROUP, "report"],
            description="What the programme brought, what it cost, its parts, and the business "
            "case beside it, for people.",
            group_name=GROUP,
            owners=[OWNER],
            kinds={"report"},
            code_version=CODE_VERSION,
            io_manager_key="reports",
        ),
    },
    partitions_def=DAILY,
    deps=asset_keys(READ),
    description="Compares who has the programme with who is held out, and measures each part by "
    "its own experiment or log.",
)
def programme_value(
    context: dg.AssetExecutionContext, engine: EngineResource, programme: ProgrammeResource
) -> Iterator[dg.Output[Any]]:
    """Measure the programme as of the partition's day."""
    import pandas as pd  # noqa: PLC0415 - declarations load without it

    day = date.fromisoformat(context.partition_key)
    require_checks(context.instance, SOURCE_BLOCKING, days=[day])
    value = programme.value(engine.engine(KNOWN_TABLES), engine.sql, day)
    for name, table, rows in (
        ("programme", PROGRAMME_TABLE, value.rows),
        ("business_case", CASE_TABLE, value.verdicts),
    ):
        frame = pd.DataFrame([{"snapshot_date": day, **asdict(row)} for row in rows])
        # a column without any value has no type of its own
        yield dg.Output(frame.reindex(columns=list(table.names)).convert_dtypes(), name)
    figures = {
        "programme": [asdict(row) for row in value.rows],
        "business_case": [asdict(one) for one in value.verdicts],
        "findings": value.findings,
    }
    yield dg.Output(Report(figures, value.markdown), "report")


ASSETS = [programme_value]
CHECKS = [table_checks("value_checks", TABLES)]
