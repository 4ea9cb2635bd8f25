"""The record of a search: its trials as lines of JSON and their predictions as arrays.

Each line, and each file of predictions, ends with a digest: what turned into another number would
be chosen by.

Belongs here: writing each trial when it ends and reading them back, so that a search that was
killed goes on with the trials that an uninterrupted one would have. Does not belong here: running
trials (`search`).
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import json
import os
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import numpy as np
import optuna
from optuna.distributions import distribution_to_json, json_to_distribution
from optuna.trial import FrozenTrial, TrialState

from engagement_assets.learning.evaluation.binary import Floats

STUDY_FILE, TRIALS_FILE = "study.json", "trials.jsonl"
AGAIN = "remove its folder to begin the search again"
_DIGEST_BYTES = 32


class DamagedStudyError(ValueError):
    """A file of a study holds something else than was written; the message names it."""


class StudyInUseError(ValueError):
    """Another process searches in a folder."""


class OtherStudyError(ValueError):
    """A folder holds a study of other data or settings."""


class StudyRecord:
    """Trials of one search, in a folder or in memory; a block in which nobody else adds any.

    Args:
        folder: Where they are kept; None for in memory alone.
        asked: What the search is of, as JSON data: a record of anything else is refused.

    Attributes:
        trials: The trials that ended, in order.

    Raises:
        OtherStudyError: The folder holds a study of something else.
        DamagedStudyError: A file of it is not what was written.
        StudyInUseError: Another process searches there.
    """

    def __init__(self, folder: Path | None, asked: Mapping[str, Any]) -> None:
        self._folder = folder
        self.trials: list[FrozenTrial] = []
        self._margins: dict[str, Floats] = {}
        self._open = ExitStack()
        if folder is None:
            return
        folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as opened:
            lock = opened.enter_context((folder / "lock").open("a"))
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise StudyInUseError(
                    f"another process searches in {folder}: wait for it, or name another folder"
                ) from error
            self._read_seal(folder, asked)
            self._read_trials(folder / TRIALS_FILE)
            self._open = opened.pop_all()

    def __enter__(self) -> Self:
        """Begin what ends with the folder free for others."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let others search there."""
        self._open.close()

    @staticmethod
    def _read_seal(folder: Path, asked: Mapping[str, Any]) -> None:
        seal = folder / STUDY_FILE
        if seal.exists() and _parsed(seal, seal.read_bytes()) != json.loads(json.dumps(asked)):
            raise OtherStudyError(
                f"{folder} holds a search of other data or settings: name another folder, or "
                "remove it to begin again"
            )
        if not seal.exists() and (folder / TRIALS_FILE).exists():
            raise DamagedStudyError(
                f"{seal} is gone, so of what the trials are is not known: {AGAIN}"
            )
        _replace(seal, json.dumps(asked, indent=1).encode())

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
                file.write(_sealed(_line(trial)) + b"\n")
                file.flush()
                os.fsync(file.fileno())

    def keep(self, name: str, margin: Floats) -> None:
        """Keep n margins under a name."""
        if self._folder is None:
            self._margins[name] = margin
            return
        file = io.BytesIO()
        np.save(file, margin, allow_pickle=False)
        content = file.getvalue()
        _replace(self._folder / f"{name}.npy", content + _digest(name.encode() + content))

    def margin(self, name: str) -> Floats | None:
        """Return the margins kept under a name, or None."""
        if self._folder is None:
            return self._margins.get(name)
        path = self._folder / f"{name}.npy"
        if not path.exists():
            return None
        whole = path.read_bytes()
        content, digest = whole[:-_DIGEST_BYTES], whole[-_DIGEST_BYTES:]
        if digest != _digest(name.encode() + content):
            raise DamagedStudyError(f"{path} is not what was written: {AGAIN}")
        margin: Floats = np.load(io.BytesIO(content), allow_pickle=False)
        return margin


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


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()


def _sealed(line: Mapping[str, Any]) -> bytes:
    """Return a line with its digest as its last member."""
    digest = _digest(json.dumps(line).encode()).hex()
    return json.dumps({**line, "digest": digest}).encode()


def _parsed(where: object, content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise DamagedStudyError(f"{where} is no JSON ({error}): {AGAIN}") from error


def _trial(path: Path, content: bytes, number: int) -> FrozenTrial:
    where = f"{path}, line {number},"
    line = _parsed(where, content)
    try:
        # another number of the same line, or a line that is gone or twice, would be chosen by
        if _sealed({k: v for k, v in line.items() if k != "digest"}) != content.strip():
            raise ValueError("it is not what was written")
        if line["number"] != number - 1:
            raise ValueError(f"it is of trial {line['number']}")
        trial = optuna.create_trial(
            state=TrialState[line["state"]],
            value=line["value"],
            params=line["parameters"],
            distributions={k: json_to_distribution(v) for k, v in line["distributions"].items()},
            intermediate_values={int(step): value for step, value in line["means"].items()},
            user_attrs=line["notes"],
        )
        trial.number = int(line["number"])
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise DamagedStudyError(f"{where} is no trial ({error!r}): {AGAIN}") from error
    return trial
