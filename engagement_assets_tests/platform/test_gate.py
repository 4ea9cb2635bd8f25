"""Blocking checks stop what is downstream, in one run and in later ones."""

from datetime import date, timedelta

import dagster as dg
import pytest

from engagement_assets_tests.platform.homes import END, story
from resources.checks import Outcome, result
from resources.gate import BlockedByCheckError, require_checks

KEY = dg.AssetCheckKey(dg.AssetKey(["source", "things"]), "keys")
DAY = date(2026, 1, 10)
NEXT = DAY + timedelta(days=1)


def test_a_broken_day_stops_features_in_its_run_and_in_later_ones_until_it_is_mended(home):
    broken, blocked, mended, through = story(home, "a_broken_day", day=END.isoformat())

    assert not broken["success"]
    assert broken["failed_checks"] == ["source/sessions: keys"]
    assert "source/sessions" in broken["made"]
    assert "customer_snapshot" not in broken["started"]
    assert not {key for key in broken["made"] if key.startswith(("features/", "churn/", "lake/"))}

    assert not blocked["success"]
    assert blocked["made"] == {}
    said = blocked["failures"]["customer_snapshot"]
    assert f"source/sessions: keys ({END})" in said

    assert mended["success"]
    assert through["success"]
    assert through["made"]["features/customer_features"] == [END.isoformat()]


def test_a_refused_candidate_stops_its_own_champion_and_nothing_else(home):
    refused, through = story(home, "a_refused_candidate")
    assert refused["success"], refused["failures"]
    assert {"churn/champion", "ensemble/model", "ensemble/champion"} <= set(refused["made"])
    assert refused["champion"] is None
    assert through["success"], through["failures"]
    assert through["champion"] is not None


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def checked(instance, *, days=(), failed=(), warn=False, passed=None):
    """A run of a check of one small asset, as the real checks report."""

    @dg.asset(key=["source", "things"])
    def things() -> None:
        return None

    @dg.asset_check(asset=["source", "things"], name="keys")
    def keys() -> dg.AssetCheckResult:
        outcome = Outcome("broken" if failed or passed is False else "", failed)
        return result(KEY, outcome, days, warn=warn)

    selection = dg.AssetSelection.checks(keys)
    job = dg.define_asset_job("check", selection)
    defs = dg.Definitions(assets=[things], asset_checks=[keys], jobs=[job])
    assert defs.resolve_job_def("check").execute_in_process(instance=instance).success


def blocked(instance, **about):
    try:
        require_checks(instance, [KEY], **about)
    except BlockedByCheckError as error:
        # a failure that may be tried again would be tried in vain
        return "" if error.allow_retries else str(error.description)
    return ""


def test_a_check_that_never_ran_does_not_block(instance):
    assert blocked(instance, days=[DAY]) == ""


def test_a_failed_day_blocks_and_is_named_with_the_check(instance):
    checked(instance, days=[DAY], failed=[DAY])
    said = blocked(instance, days=[DAY, NEXT])
    assert "source/things: keys (2026-01-10)" in said


def test_a_failure_on_other_days_does_not_block(instance):
    checked(instance, days=[DAY], failed=[DAY])
    assert blocked(instance, days=[NEXT]) == ""


def test_in_a_range_only_the_days_that_failed_block(instance):
    week = [DAY + timedelta(days=n) for n in range(7)]
    checked(instance, days=week, failed=[week[2]])
    assert blocked(instance, days=[week[1], week[3]]) == ""
    assert f"({week[2]})" in blocked(instance, days=week)


def test_a_range_that_failed_without_naming_days_blocks_each(instance):
    checked(instance, days=[DAY, NEXT], passed=False)
    assert f"({DAY}, {NEXT})" in blocked(instance, days=[DAY, NEXT])


def test_the_latest_result_of_a_day_wins(instance):
    checked(instance, days=[DAY], failed=[DAY])
    checked(instance, days=[DAY])
    assert blocked(instance, days=[DAY]) == ""
    checked(instance, days=[DAY], failed=[DAY])
    assert blocked(instance, days=[DAY]) != ""


def test_a_later_result_of_another_day_does_not_mend_a_failed_one(instance):
    checked(instance, days=[DAY], failed=[DAY])
    checked(instance, days=[NEXT])
    assert blocked(instance, days=[DAY]) != ""


def test_a_warning_does_not_block(instance):
    checked(instance, days=[DAY], failed=[DAY], warn=True)
    assert blocked(instance, days=[DAY]) == ""
