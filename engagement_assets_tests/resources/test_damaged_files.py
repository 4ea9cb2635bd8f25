"""A file that somebody edited by hand is named, with what to do, and never passed over."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from upath import UPath

from engagement_assets.governance.privacy.masking import readings
from engagement_assets.learning.tuning.study import DamagedStudyError, StudyRecord
from resources.erasures import Erasures
from resources.files import DamagedFileError
from resources.questions import QuestionLog
from resources.reviews import VERDICT, ReviewLog, Step

STEP = Step(
    customer_id="ann",
    since="2026-01-01",
    action=VERDICT,
    by="eva",
    at="2026-01-02T10:00:00+00:00",
    fraud=False,
)


def reviewed(root: Path) -> tuple[Path, Callable[[], Any]]:
    log = ReviewLog(UPath(root), days=30, second_share=0.0)
    log.add(STEP)
    return next(root.glob("*.jsonl")), log.steps


def asked(root: Path) -> tuple[Path, Callable[[], Any]]:
    log = QuestionLog(UPath(root), days=90)
    log.add({"text": "how many?"}, by="eva")
    return next(root.glob("*.jsonl")), log.lines


def certified(root: Path) -> tuple[Path, Callable[[], Any]]:
    erasures = Erasures(UPath(root))
    erasures.certify({"certificate_id": "one", "ended_at": "2026-01-02"})
    return root / "certificates" / "one.json", erasures.certificates


def buried(root: Path) -> tuple[Path, Callable[[], Any]]:
    erasures = Erasures(UPath(root))
    erasures.bury(["ann"], at="2026-01-02")
    return root / "tombstones.json", lambda: erasures.erased(["ann"])


def begun(root: Path) -> tuple[Path, Callable[[], Any]]:
    erasures = Erasures(UPath(root))
    erasures.begin({"ids": ["ann"]})
    return root / "pending.json", lambda: erasures.pending


def keyed(root: Path) -> tuple[Path, Callable[[], Any]]:
    erasures = Erasures(UPath(root))
    erasures.bury(["ann"], at="2026-01-02")
    return root / "key", lambda: Erasures(UPath(root)).hashed("ann")


def noted(root: Path) -> tuple[Path, Callable[[], Any]]:
    root.mkdir()
    (root / "one.json").write_text('{"reader": "eva"}')
    return root / "one.json", lambda: readings(UPath(root))


@pytest.mark.parametrize("of", [reviewed, asked, certified, buried, begun, keyed, noted])
@pytest.mark.parametrize(
    "damage", [b'{"at": ', b"[1]", b"\xff\xfe\xff"], ids=["cut off", "a list", "no text"]
)
def test_a_broken_file_is_named_with_what_to_do(
    tmp_path: Path, of: Callable[[Path], tuple[Path, Callable[[], Any]]], damage: bytes
) -> None:
    path, read = of(tmp_path / "root")
    assert read()
    path.write_bytes(damage)
    with pytest.raises(DamagedFileError, match="restore") as error:
        read()
    assert str(path) in str(error.value)


@pytest.mark.parametrize(
    "change",
    [
        {"fraud": None},
        {"fraud": "no"},
        {"frauds": True},
        {"action": "cleared"},
        {"action": "assigned"},
        {"at": "yesterday"},
        {"since": 7},
    ],
    ids=lambda change: "-".join(f"{name} {value}" for name, value in change.items()),
)
def test_a_step_that_was_changed_into_none_is_named(tmp_path: Path, change: dict[str, Any]) -> None:
    path, read = reviewed(tmp_path / "root")
    path.write_text(path.read_text() + json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(DamagedFileError, match="line 2") as error:
        read()
    assert str(path) in str(error.value)


def study(folder: Path) -> StudyRecord:
    return StudyRecord(folder, {"trials": 3})


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("study.json", b'{"trials": '),
        ("trials.jsonl", b"{\n"),
        ("trials.jsonl", b'{"number": 1}\n'),
        ("trials.jsonl", b"[]\n"),
        ("first.npy", b"no array"),
        ("first.npy", b""),
    ],
)
def test_a_broken_study_is_named_with_what_to_do(tmp_path: Path, name: str, damage: bytes) -> None:
    study(tmp_path).keep("first", np.zeros(3))
    (tmp_path / name).write_bytes(damage)
    with pytest.raises(DamagedStudyError, match="remove its folder") as error:
        study(tmp_path).margin("first")
    assert str(tmp_path / name) in str(error.value)
