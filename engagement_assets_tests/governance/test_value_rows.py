"""The rows that the programme is measured by are counted from the assignment on, as known then."""

from datetime import date, datetime, timedelta

import dagster as dg
import pytest

from engagement_assets.deployments.local import LocalEngine
from engagement_assets.governance.value.assets import ASSETS, CHECKS, ProgrammeResource
from engagement_assets.governance.value.measures import HOLDOUT, PROGRAMME
from engagement_assets.governance.value.tables import CASE_TABLE, PROGRAMME_TABLE
from engagement_assets.settings.installation import PROJECT
from engagement_assets.source.contract import TABLES
from engagement_assets_tests.decisions.tables import SQL, engine_of, filled
from resources.io_managers import ReportIOManager, TableIOManager
from resources.lake import Lake
from resources.platform import LakeResource

# of a resource that stands on another, by Dagster itself
pytestmark = pytest.mark.filterwarnings("ignore:.*dagster_run:DeprecationWarning")

DAY = date(2026, 3, 31)
NOON = datetime(2026, 3, 31, 12)


def ago(days):
    return NOON - timedelta(days=days)


class World:
    """A lake with rows that are written at the day that they happened on."""

    def __init__(self, folder):
        self.lake = Lake(str(folder))
        self.rows = {}

    def add(self, table, at, **values):
        spec = TABLES[table]
        row = {spec.event_time: at, "recorded_at": at} | values
        self.rows.setdefault((table, at.date()), []).append(row)

    def customer(self, name, at, variant, propensity=0.5):
        self.add("customers", at, customer_id=name, gender="female")
        self.add(
            "experiment_assignments",
            at,
            experiment="global_holdout",
            customer_id=name,
            variant=variant,
            propensity=propensity,
        )

    def visit(self, name, at):
        count = len(self.rows)
        self.add(
            "sessions", at, session_id=f"s{name}{at}{count}", customer_id=name, duration_seconds=120
        )

    def pay(self, name, at, amount):
        self.add(
            "transactions", at, transaction_id=f"t{name}{at}", customer_id=name, amount_usd=amount
        )

    def engine(self):
        for (table, day), rows in self.rows.items():
            self.lake.write(TABLES[table], filled(TABLES[table], rows), day=day)
        return engine_of(self.lake)


def programme(**settings):
    defaults = {"programme_days": 60, "churn_window": 30, "seed": 0, "business_case": ""}
    return ProgrammeResource(**{"holdout_experiment": "global_holdout", **defaults, **settings})


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def units(world, **settings):
    read = programme(**settings).readers(world.engine(), SQL, DAY)
    return read.units("global_holdout").set_index("customer_id")


def test_what_came_before_the_assignment_or_the_first_day_is_no_outcome(world):
    world.customer("early", ago(100), PROGRAMME)
    world.customer("late", ago(40), HOLDOUT)
    world.visit("early", ago(99))
    world.visit("early", ago(50))
    world.visit("late", ago(45))
    world.visit("late", ago(35))
    world.pay("early", ago(80), 100.0)
    world.pay("early", ago(20), 5.0)
    world.pay("late", ago(41), 7.0)
    actual = units(world)
    assert actual["sessions"].to_dict() == {"early": 1, "late": 1}
    assert actual["revenue_usd"].to_dict() == {"early": 5.0, "late": 0.0}
    assert actual["sessions_before"].to_dict() == {"early": 0, "late": 1}
    assert actual["revenue_before_usd"].to_dict() == {"early": 0.0, "late": 7.0}
    assert (actual["counted_from"] >= actual["assigned_at"]).all()
    # Neither was there in the last 30 days, and a payment is no visit.
    assert actual["retained"].to_dict() == {"early": 0.0, "late": 0.0}
    assert (actual["engagement"] == 0.0).all()


def test_who_came_back_is_retained_and_who_was_just_assigned_is_not_known_yet(world):
    world.customer("there", ago(50), PROGRAMME)
    world.customer("new", ago(5), PROGRAMME)
    for name in ("there", "new"):
        world.visit(name, ago(3))
    actual = units(world)
    assert actual.loc["there", "retained"] == 1.0
    assert actual.loc["there", "engagement"] > 0.0
    assert actual.loc["new", ["retained", "engagement"]].isna().all()
    assert actual.loc["new", "sessions"] == 1


def test_who_closed_the_account_stays_in(world):
    world.customer("gone", ago(50), PROGRAMME)
    world.add(
        "customers",
        ago(50),
        customer_id="gone",
        gender="male",
        closed_at=ago(10),
        recorded_at=ago(10),
    )
    actual = units(world)
    assert actual.loc["gone", "retained"] == 0.0
    assert actual.loc["gone", "gender"] == "female"


def test_costs_are_of_what_was_sent_and_accepted(world):
    world.customer("a", ago(50), PROGRAMME)
    for days, accepted in ((40, ago(39)), (30, None)):
        world.add(
            "retention_offers",
            ago(days),
            offer_id=f"o{days}",
            customer_id="a",
            offer="month_free",
            cost_usd=4.0,
            accepted_at=accepted,
        )
    for days in (70, 20, 10):
        at = ago(days)
        world.add("notifications", at, notification_id=f"n{days}", customer_id="a")
    actual = units(world).loc["a"]
    assert (actual["offers_usd"], actual["notifications"]) == (4.0, 2.0)
    assert actual.isna()["revenue_usd"], "there are no transactions at all"


def test_what_came_within_a_week_of_a_decision_is_its_outcome(world):
    world.customer("a", ago(50), PROGRAMME)
    for days in (40, 3):
        world.add(
            "action_log",
            ago(days),
            action_id=f"x{days}",
            customer_id="a",
            action="browse_feed",
            propensity=0.25,
        )
    for days in (41, 38, 34, 33):
        world.visit("a", ago(days))
    world.pay("a", ago(35), 9.0)
    read = programme().readers(world.engine(), SQL, DAY)
    first, second = read.decisions("action_log").to_dict("records")
    assert (first["action"], first["propensity"]) == ("browse_feed", 0.25)
    assert (first["sessions"], first["sessions_before"], first["revenue_usd"]) == (2.0, 1.0, 9.0)
    assert second["sessions"] != second["sessions"], "its week is not over"


def test_the_whole_is_measured_from_a_lake(world):
    for n in range(400):
        held_out = n % 2 == 0
        name = f"c{n}"
        world.customer(name, ago(45), HOLDOUT if held_out else PROGRAMME)
        world.pay(name, ago(20), 10.0 + n % 7 + (0.0 if held_out else 5.0))
        if n % 3:
            world.visit(name, ago(10))
    value = programme().value(world.engine(), SQL, DAY)
    revenue = next(row for row in value.rows if row.metric == "revenue_usd")
    assert not revenue.reason
    assert revenue.low < 5.0 < revenue.high
    assert revenue.verdict == "better"
    assert (value.first_day, value.last_day) == (date(2026, 2, 14), DAY)


def test_the_asset_lands_what_passes_its_checks_and_a_report(world, tmp_path):
    for n in range(240):
        world.customer(f"c{n}", ago(45), HOLDOUT if n % 2 else PROGRAMME)
        world.pay(f"c{n}", ago(20), 10.0 + n % 7)
    world.engine()
    lake = LakeResource(root=str(tmp_path))
    done = dg.materialize(
        [*ASSETS, *CHECKS],
        partition_key=DAY.isoformat(),
        resources={
            "lake": lake,
            "engine": LocalEngine(lake=lake, sql_root=str(PROJECT / "sql"), threads=1),
            "programme": programme(),
            "tables": TableIOManager(root=str(tmp_path)),
            "reports": ReportIOManager(root=str(tmp_path / "reports")),
        },
    )
    assert all(check.passed for check in done.get_asset_check_evaluations())
    assert len(done.get_asset_check_evaluations()) == 5
    rows = world.lake.read(PROGRAMME_TABLE.key, days=[DAY]).to_pandas()
    assert rows["capability"].value_counts()[PROGRAMME] == 9
    verdicts = world.lake.read(CASE_TABLE.key, days=[DAY]).to_pandas().set_index("name")
    assert verdicts.loc["fraud", "verdict"] == "cannot be told yet"
    report = done.asset_value(["value", "report"])
    assert "What the programme brought" in report.markdown
