"""Models are trained one after another or side by side, as the setting or the cores say."""

import json
import os
import subprocess
import sys

import pytest

from engagement_assets.settings.installation import Settings
from engagement_assets_tests.platform.homes import PROJECT

CODE = (
    "from engagement_assets.orchestration.jobs import training_job, train_jobs;"
    "print(training_job.executor_def.name, train_jobs['churn'].executor_def)"
)


def executor(home, processes):
    Settings(home=home, training_processes=processes).save()
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        cwd=PROJECT,
        env={**os.environ, "ENGAGEMENT_HOME": str(home)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


def test_one_process_trains_one_model_after_another(tmp_path):
    assert executor(tmp_path, 1)[0] == "in_process"


def test_two_processes_train_two_models_at_once(tmp_path):
    assert executor(tmp_path, 2)[0] == "multiprocess"


@pytest.mark.parametrize(("cores", "processes"), [(1, 1), (2, 1), (4, 2), (8, 4), (64, 5)])
def test_without_a_setting_each_model_gets_two_cores(tmp_path, monkeypatch, cores, processes):
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    assert Settings(home=tmp_path).processes == processes
    assert Settings(home=tmp_path, training_processes=3).processes == 3


def test_the_setting_is_kept_with_the_home(tmp_path):
    Settings(home=tmp_path, training_processes=2).save()
    kept = json.loads((tmp_path / "settings.json").read_text())
    assert kept["training_processes"] == 2
