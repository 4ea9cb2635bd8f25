"""The record of a search: its trials as lines of JSON and their predictions as arrays.

Belongs here: writing each trial when it ends and reading them back, so that a search that was
killed goes on with the trials that an uninterrupted one would have. Does not belong here: running
trials (`search`).
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.distributions import distribution_to_json, json_to_distribution
from optuna.trial import FrozenTrial, TrialState

from engagement_assets.learning.evaluation.binary import Floats

STUDY_FILE, TRIALS_FILE = "study.json", "trials.jsonl"
AGAIN = "remove its folder to begin the search again"


class DamagedStudyError(ValueError):
    """A file of a study holds something else than was written; the message names it."""


class OtherStudyError(ValueError):
    """A folder holds a study of other data or settings."""


class StudyRecord:
    """Trials of one search, in a folder or in memory.

    Args:
        folder: Where they are kept; None for in memory alone.
        asked: What the search is of, as JSON data: a record of anything else is refused.

    Attributes:
        trials: The trials that ended, in order.

    Raises:
        OtherStudyError: The folder holds a study of something else.
        DamagedStudyError: A file of it is not what was written.
    """

    def __init__(self, folder: Path | None, asked: Mapping[str, Any]) -> None:
        self._folder = folder
        self.trials: list[FrozenTrial] = []
        self._margins: dict[str, Floats] = {}
        if folder is None:
            return
        folder.mkdir(parents=True, exist_ok=True)
        seal = folder / STUDY_FILE
        if seal.exists() and _parsed(seal, seal.read_bytes()) != json.loads(json.dumps(asked)):
            raise OtherStudyError(
                f"{folder} holds a search of other data or settings: name another folder, or "
                "remove it to begin again"
            )
        _replace(seal, json.dumps(asked, indent=1).encode())
        self._read_trials(folder / TRIALS_FILE)

    def _read_trials(self, path: Path) -> None:
        lines = path.read_bytes().split(b"\n") if path.exists() else []
        # what a kill cut off has no end of line: the trial did not end
        whole = lines[:-1]
        self.trials = [_trial(path, line, number) for number, line in enumerate(whole, 1)]
        if lines and lines[-1]:
            _replace(path, b"".join(line + b"\n" for line in whole))

    def add(self, trial: FrozenTrial, margin: Floats | None) -> None:
        """Keep a trial that ended, and the n out-of-fold margins of one that is complete."""
        if margin is not None:
            self.keep(f"trial-{trial.number}", margin)
        self.trials.append(trial)
        if self._folder is not None:
            with (self._folder / TRIALS_FILE).open("ab") as file:
                file.write(json.dumps(_line(trial)).encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())

    def keep(self, name: str, margin: Floats) -> None:
        """Keep n margins under a name."""
        if self._folder is None:
            self._margins[name] = margin
            return
        partial = self._folder / f"{name}.part.npy"
        np.save(partial, margin, allow_pickle=False)
        partial.replace(self._folder / f"{name}.npy")

    def margin(self, name: str) -> Floats | None:
        """Return the margins kept under a name, or None."""
        if self._folder is None:
            return self._margins.get(name)
        path = self._folder / f"{name}.npy"
        try:
            return np.load(path, allow_pickle=False) if path.exists() else None
        except (ValueError, EOFError) as error:
            raise DamagedStudyError(f"{path} is no array ({error}): {AGAIN}") from error


def _replace(path: Path, content: bytes) -> None:
    partial = path.with_suffix(".part")
    partial.write_bytes(content)
    partial.replace(path)


def _line(trial: FrozenTrial) -> dict[str, Any]:
    return {
        "number": trial.number,
        "state": trial.state.name,
        "value": trial.value,
        "parameters": trial.params,
        "distributions": {k: distribution_to_json(v) for k, v in trial.distributions.items()},
        "means": {str(step): value for step, value in trial.intermediate_values.items()},
        "notes": trial.user_attrs,
    }


def _parsed(where: object, content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError as error:
        raise DamagedStudyError(f"{where} is no JSON ({error}): {AGAIN}") from error


def _trial(path: Path, content: bytes, number: int) -> FrozenTrial:
    where = f"{path}, line {number},"
    line = _parsed(where, content)
    try:
        trial = optuna.create_trial(
            state=TrialState[line["state"]],
            value=line["value"],
            params=line["parameters"],
            distributions={k: json_to_distribution(v) for k, v in line["distributions"].items()},
            intermediate_values={int(step): value for step, value in line["means"].items()},
            user_attrs=line["notes"],
        )
        trial.number = int(line["number"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DamagedStudyError(f"{where} is no trial ({error!r}): {AGAIN}") from error
    return trial
