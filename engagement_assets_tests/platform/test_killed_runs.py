"""A run that was killed holds up nothing, and what it would have made is made."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time

import dagster as dg
import pytest

from engagement_assets_tests.platform.homes import (
    PROJECT,
    SOON,
    WORLD,
    Home,
    command,
    environment,
    python,
    variables,
)
from resources.event_log import end_abandoned_runs

STARTED = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])


def killed_in(home, job, step, *arguments):
    """`make run`, killed with -9 once a step of a job has begun; the run that it leaves."""
    process = subprocess.Popen(
        [sys.executable, "-m", "engagement_assets.commands", "run"],
        cwd=PROJECT,
        env=environment(home.path, **variables(home.path, *WORLD, *arguments)),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    with home.instance() as instance:
        give_up = time.monotonic() + SOON
        while time.monotonic() < give_up:
            assert process.poll() is None, f"{job} ended before {step} began"
            for run in instance.get_runs(STARTED):
                steps = {
                    entry.dagster_event.step_key
                    for entry in instance.all_logs(
                        run.run_id, of_type=dg.DagsterEventType.STEP_START
                    )
                }
                if run.job_name == job and step in steps:
                    os.kill(process.pid, signal.SIGKILL)
                    process.wait()
                    return run.run_id
            time.sleep(0.05)
    raise AssertionError(f"{step} of {job} never began")


def made_at(instance, key):
    event = instance.get_latest_materialization_event(dg.AssetKey(key.split("/")))
    return event.timestamp


def test_a_run_killed_while_it_trains_is_ended_and_the_next_one_makes_all_that_it_would_have(home):
    before = time.time()
    run_id = killed_in(home, "training", "churn__model", "RETRAIN=1")
    with home.instance() as instance:
        assert instance.get_run_by_id(run_id).status is dg.DagsterRunStatus.STARTED
    done = command(home.path, "run", *WORLD)
    assert done.returncode == 0, done.stderr
    with home.instance() as instance:
        assert instance.get_run_by_id(run_id).status is dg.DagsterRunStatus.FAILURE
        assert not instance.get_runs(STARTED)
        for key in ("anomaly/champion", "churn/champion", "ensemble/model", "governance/fairness"):
            assert made_at(instance, key) > before, key


def test_a_run_killed_before_its_checks_leaves_none_of_them_planned(home):
    (home.path / "online.sqlite").unlink()
    killed_in(home, "publish", "serving__published")
    done = command(home.path, "run", *WORLD)
    assert done.returncode == 0, done.stderr
    assert "0 did not" in done.stdout


@pytest.fixture
def bare(tmp_path):
    """A home without data."""
    assert command(tmp_path / "home", "home", *WORLD).returncode == 0
    home = Home(tmp_path / "home")
    # Dagster makes its databases when they are first opened; two processes at once would collide
    with home.instance():
        return home


def test_a_run_that_lives_is_left_alone(bare):
    home = bare
    living = story_process_of(home)
    try:
        with home.instance() as instance:
            (run,) = wait_for(lambda: instance.get_runs(STARTED))
            assert end_abandoned_runs(instance) == []
            assert instance.get_run_by_id(run.run_id).status is dg.DagsterRunStatus.STARTED
            living.kill()
            living.wait()
            assert [ended.run_id for ended in end_abandoned_runs(instance)] == [run.run_id]
    finally:
        living.kill()


def story_process_of(home):
    """A process that is in the middle of a run."""
    code = (
        "import time, dagster as dg\n"
        "@dg.asset\n"
        "def slow(): time.sleep(600)\n"
        "with dg.DagsterInstance.get() as instance: dg.materialize([slow], instance=instance)\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=PROJECT,
        env=environment(home.path),
        stderr=subprocess.DEVNULL,
    )


def wait_for(question, seconds=60):
    give_up = time.monotonic() + seconds
    while time.monotonic() < give_up:
        answer = question()
        if answer:
            return answer
        time.sleep(0.05)
    raise AssertionError("it did not happen")


def test_after_a_kill_a_run_that_is_launched_by_the_queue_is_executed(bare):
    killed = story_process_of(bare)
    with bare.instance() as instance:
        wait_for(lambda: instance.get_runs(STARTED))
    killed.kill()
    killed.wait()
    dev = subprocess.Popen(
        [sys.executable, "-m", "engagement_assets.commands", "dev", "--port", str(free_port())],
        cwd=PROJECT,
        env={**environment(bare.path), "HOME_DIR": str(bare.path)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        launched = python(
            *("-W", "ignore", "-m", "dagster", "job", "launch"),
            *("-w", "workspace.yaml", "-j", "fairness_overview"),
            home=bare.path,
        )
        assert launched.returncode == 0, launched.stderr
        ended = dg.RunsFilter(job_name="fairness_overview", statuses=[dg.DagsterRunStatus.SUCCESS])
        with bare.instance() as instance:
            wait_for(lambda: instance.get_runs(ended), seconds=SOON)
    finally:
        os.killpg(dev.pid, signal.SIGTERM)
        try:
            dev.wait(timeout=60)
        finally:
            # What outlives its parent; there is no such group where all have ended.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(dev.pid, signal.SIGKILL)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.parametrize("after", ["the lake is", "] ingest", "day 30"])
def test_an_interrupt_ends_a_run_in_one_line_whenever_it_comes(tmp_path, after):
    home = tmp_path / "home"
    given = variables(home, "CUSTOMERS=30", "DAYS=100", "WORLD=plain")
    process = subprocess.Popen(
        [sys.executable, "-m", "engagement_assets.commands", "run"],
        cwd=PROJECT,
        env=environment(home, **given),
        stderr=subprocess.PIPE,
        text=True,
        # as a terminal does, the whole group is interrupted
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - one thread
    )
    lines = []
    while not lines or after not in lines[-1]:
        lines.append(process.stderr.readline())
        assert lines[-1], "the run ended before"
    os.killpg(process.pid, signal.SIGINT)
    _, rest = process.communicate(timeout=SOON)
    assert process.returncode == 130
    last = rest.splitlines()
    assert [line for line in last if not line.startswith("[") and "   " not in line] == last[-1:]
    assert last[-1].startswith("interrupted")
