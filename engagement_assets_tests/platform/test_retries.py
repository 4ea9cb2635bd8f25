"""Dagster's daemon runs again what died, never what failed by itself."""

import dagster as dg
import pytest
from dagster._core.events import JobFailureData, RunFailureReason
from dagster._daemon.auto_run_reexecution.auto_run_reexecution import should_retry

from engagement_assets_tests.platform.homes import WORLD, Home, command
from resources.event_log import end_abandoned_runs


@pytest.fixture
def bare(tmp_path):
    """A home without data, with the settings that `make dev` uses."""
    assert command(tmp_path / "home", "home", *WORLD).returncode == 0
    return Home(tmp_path / "home")


def fails(permanent: bool) -> dg.AssetsDefinition:
    @dg.asset
    def things() -> None:
        raise dg.Failure("mend the data first", allow_retries=not permanent)

    return things


@pytest.mark.parametrize("permanent", [True, False])
def test_a_run_that_failed_by_itself_is_not_run_again(bare, permanent):
    with bare.instance() as instance:
        run = dg.materialize([fails(permanent)], instance=instance, raise_on_error=False)
        failed = instance.get_run_by_id(run.run_id)
        assert failed.status is dg.DagsterRunStatus.FAILURE
        assert not should_retry(failed, instance)


def test_a_run_whose_process_died_is_run_again(bare):
    with bare.instance() as instance:
        run = instance.create_run_for_job(
            dg.Definitions([fails(True)]).resolve_implicit_global_asset_job_def()
        )
        lost = JobFailureData(error=None, failure_reason=RunFailureReason.RUN_EXCEPTION)
        instance.report_run_failed(run, "the worker is gone", lost)
        assert should_retry(instance.get_run_by_id(run.run_id), instance)


def test_a_pool_that_a_dead_run_held_is_free_again(bare):
    @dg.asset(pool="training")
    def trained() -> None:
        return None

    with bare.instance() as instance:
        storage = instance.event_log_storage
        storage.initialize_concurrency_limit_to_default("training")
        assert storage.claim_concurrency_slot("training", "gone", "trained").is_claimed
        end_abandoned_runs(instance)
        assert dg.materialize([trained], instance=instance).success
