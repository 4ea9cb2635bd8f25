"""Schedules ask for the right day, and the drift sensor only for a drift that holds."""

from datetime import UTC, date, datetime, timedelta

import dagster as dg
import pytest

from engagement_assets.definitions import defs
from engagement_assets.features.labels import LABELS
from engagement_assets.models.specs import EVERY_MODEL, MODELS
from engagement_assets.orchestration.jobs import DAILY
from engagement_assets.orchestration.schedules import SCHEDULES
from engagement_assets.orchestration.sensors import (
    DRIFT_DAYS,
    SENSORS,
    alerts_sensor,
    drift_check,
)
from engagement_assets.settings.installation import Settings, current_home, yesterday
from engagement_assets.settings.partitions import daily_partitions

DRIFT_CHECK = drift_check("churn")
DRIFT_SENSORS = {sensor.name: sensor for sensor in SENSORS if sensor.has_jobs}
BY_NAME = {schedule.name: schedule for schedule in SCHEDULES}
TODAY = datetime.now(UTC).replace(hour=2, minute=0, second=0, microsecond=0)


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def asked(name, at, instance):
    """What a schedule asks for at a time."""
    context = dg.build_schedule_context(instance=instance, scheduled_execution_time=at)
    return BY_NAME[name](context)


# Dagster's own builder of schedules calls what Dagster deprecates
@pytest.mark.filterwarnings("ignore:.*run_request_for_partition.* is deprecated")
def test_the_daily_schedule_asks_for_yesterday_at_two(instance):
    schedule = defs.get_repository_def().get_schedule_def("daily")
    assert schedule.cron_schedule == "0 2 * * *"
    assert schedule.job_name == "daily"
    context = dg.build_schedule_context(
        instance=instance,
        scheduled_execution_time=TODAY,
        repository_def=defs.get_repository_def(),
    )
    (request,) = schedule.evaluate_tick(context).run_requests
    assert request.partition_key == yesterday().isoformat()


@pytest.mark.parametrize("label", LABELS.values(), ids=LABELS)
def test_a_label_schedule_asks_for_the_snapshot_whose_window_closed_the_day_before(instance, label):
    request = asked(f"label_{label.name}", TODAY, instance)
    snapshot = date.fromisoformat(request.partition_key)
    assert label.closes_on(snapshot) == TODAY.date() - timedelta(days=1)


@pytest.mark.parametrize("label", LABELS.values(), ids=LABELS)
def test_a_label_schedule_skips_before_the_first_day_can_be_labelled(instance, label):
    start = Settings.load(current_home()).start
    # the morning after the window of the day before the first day has closed
    early = label.closes_on(start - timedelta(days=1)) + timedelta(days=1)
    at = datetime(early.year, early.month, early.day, 4, tzinfo=UTC)
    name = f"label_{label.name}"
    skipped = asked(name, at, instance)
    assert f"lies before the first day, {start}" in skipped.skip_message
    request = asked(name, at + timedelta(days=1), instance)
    assert request.partition_key == start.isoformat()


def test_training_is_scheduled_on_the_first_day_of_each_quarter():
    assert BY_NAME["quarterly_training"].cron_schedule == "0 6 1 1,4,7,10 *"


def test_the_ethics_audit_is_asked_for_each_quarter_up_to_its_last_day(instance):
    assert BY_NAME["ethics_audit"].cron_schedule == "0 4 2 1,4,7,10 *"
    request = asked("ethics_audit", datetime(2027, 1, 2, 4, tzinfo=UTC), instance)
    assert request.partition_key == "2026-12-31"


@pytest.mark.parametrize("spec", MODELS, ids=lambda spec: spec.name)
def test_the_schedule_of_a_models_cadence_trains_it(spec):
    job = defs.resolve_job_def(BY_NAME[f"{spec.cadence}_training"].job_name)
    made = {key.to_user_string() for key in job.asset_layer.selected_asset_keys}
    assert {f"{spec.name}/{part}" for part in spec.training_parts} <= made


def test_what_spends_privacy_is_trained_by_its_own_schedule_alone():
    spec = next(spec for spec in EVERY_MODEL if spec.spends_privacy)
    assert spec.name == "federated_churn"
    own = BY_NAME[f"train_{spec.name}"]
    assert own.cron_schedule == "0 6 1 1,4,7,10 *"
    candidate = dg.AssetKey([spec.name, "model"])
    jobs = [
        job.name
        for job in defs.get_repository_def().get_all_jobs()
        if candidate in job.asset_layer.selected_asset_keys and not job.name.startswith("__")
    ]
    assert jobs == [own.job_name]


def test_a_source_that_goes_on_has_partitions_to_yesterday_and_one_that_ends_to_its_last_day(
    tmp_path,
):
    first, last = date(2026, 1, 1), date(2026, 4, 10)
    ended = daily_partitions(Settings(home=tmp_path, first_day=first, last_day=last, ends=True))
    assert ended.get_first_partition_key() == first.isoformat()
    assert ended.get_last_partition_key() == last.isoformat()
    going_on = daily_partitions(Settings(home=tmp_path, first_day=first, last_day=last))
    assert going_on.get_last_partition_key() == yesterday().isoformat()


def drift(instance, *, found):
    """One more result of the check of scores."""
    instance.report_runless_asset_event(
        dg.AssetCheckEvaluation(
            asset_key=DRIFT_CHECK.asset_key,
            check_name=DRIFT_CHECK.name,
            passed=not found,
            severity=dg.AssetCheckSeverity.WARN,
        )
    )


def asks(instance):
    with dg.build_sensor_context(instance=instance) as context:
        return DRIFT_SENSORS["train_churn_on_drift"](context)


@pytest.mark.parametrize("spec", MODELS, ids=lambda spec: spec.name)
def test_the_check_that_a_drift_sensor_reads_is_there(spec):
    assert drift_check(spec.name) in defs.resolve_asset_graph().asset_check_keys


def test_no_training_is_asked_for_before_drift_was_found_three_times_in_a_row(instance):
    assert isinstance(asks(instance), dg.SkipReason)
    for drifted in (True, True, False, True, True):
        drift(instance, found=drifted)
        assert isinstance(asks(instance), dg.SkipReason)
    drift(instance, found=True)
    assert DRIFT_DAYS == 3
    assert isinstance(asks(instance), dg.RunRequest)


def test_one_drift_asks_for_one_training_however_long_it_holds(instance):
    keys = set()
    for _ in range(DRIFT_DAYS + 2):
        drift(instance, found=True)
        answer = asks(instance)
        if isinstance(answer, dg.RunRequest):
            keys.add(answer.run_key)
    assert len(keys) == 1
    drift(instance, found=False)
    assert isinstance(asks(instance), dg.SkipReason)
    for _ in range(DRIFT_DAYS):
        drift(instance, found=True)
    assert asks(instance).run_key not in keys


def test_alerts_are_looked_for_from_the_start_and_training_only_when_someone_turns_it_on():
    assert alerts_sensor.default_status is dg.DefaultSensorStatus.RUNNING
    assert set(DRIFT_SENSORS) == {f"train_{spec.name}_on_drift" for spec in MODELS}
    for spec in MODELS:
        sensor = DRIFT_SENSORS[f"train_{spec.name}_on_drift"]
        assert sensor.default_status is dg.DefaultSensorStatus.STOPPED
        assert sensor.job_name == f"train_{spec.name}"


# Dagster's own tester selects by what is in beta
@pytest.mark.filterwarnings("ignore:Parameter `include_sources`")
def test_the_fairness_overview_follows_any_report_and_is_asked_for_once(instance):
    def asked_for(cursor):
        actual = dg.evaluate_automation_conditions(defs, instance, cursor=cursor)
        return actual.total_requested, actual.cursor

    nothing, cursor = asked_for(None)
    instance.report_runless_asset_event(dg.AssetMaterialization(["churn", "fairness"]))
    # the report's check failed: the overview is made especially then
    instance.report_runless_asset_event(
        dg.AssetCheckEvaluation(
            asset_key=dg.AssetKey(["churn", "fairness"]),
            check_name="eighty_percent_rule",
            passed=False,
        )
    )
    changed, cursor = asked_for(cursor)
    again, _ = asked_for(cursor)
    assert (nothing, changed, again) == (0, 1, 0)


def test_what_the_daily_job_makes_must_be_fresh_and_nothing_else():
    graph = defs.resolve_asset_graph()
    watched = {key for key in graph.get_all_asset_keys() if graph.get(key).freshness_policy}
    assert watched == DAILY.resolve(graph)
    assert dg.AssetKey(["serving", "published"]) in watched
    assert dg.AssetKey(["churn", "champion"]) not in watched


@pytest.mark.parametrize("key", ["serving/published", *(f"{spec.name}/model" for spec in MODELS)])
def test_what_must_not_run_twice_at_once_has_a_pool_of_its_own(key):
    graph = defs.resolve_asset_graph()
    (pool,) = graph.get(dg.AssetKey(key.split("/"))).pools
    others = [
        other
        for other in graph.get_all_asset_keys()
        if other.to_user_string() != key and pool in graph.get(other).pools
    ]
    assert others == []
