"""A file that somebody edited by hand is named, with what to do, and never passed over."""

import json
import resource
import signal
from collections.abc import Callable
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import numpy as np
import pytest
from upath import UPath

from engagement_assets.governance.privacy.masking import readings
from engagement_assets.learning.tuning.study import DamagedStudyError, StudyRecord
from resources.delivery import secret_in
from resources.erasures import ErasureError, Erasures, is_genuine
from resources.files import DamagedFileError, append, held, replace_file
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
    "damage",
    [b'{"at": ', b"[1]", b"\xff\xfe\xff", b"[" * 100_000],
    ids=["cut off", "a list", "no text", "deep"],
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
    with study(tmp_path) as record:
        record.keep("first", np.zeros(3))
    (tmp_path / name).write_bytes(damage)
    with (
        pytest.raises(DamagedStudyError, match="remove its folder") as error,
        study(tmp_path) as record,
    ):
        record.margin("first")
    assert str(tmp_path / name) in str(error.value)


def test_a_bit_that_turned_in_the_tombstones_lets_nobody_back_in(tmp_path: Path) -> None:
    path, read = buried(tmp_path / "root")
    whole = path.read_bytes()
    for place in range(len(whole)):
        turned = bytearray(whole)
        turned[place] ^= 1
        path.write_bytes(turned)
        try:
            assert read() == {"ann"}
        except DamagedFileError:
            continue


@pytest.mark.parametrize("content", [None, b"{}"])
def test_tombstones_that_are_gone_after_an_erasure_are_missed(
    tmp_path: Path, content: bytes | None
) -> None:
    path, read = buried(tmp_path / "root")
    Erasures(UPath(path.parent)).certify({"certificate_id": "one"})
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DamagedFileError, match="the erased come back"):
        read()


def test_tombstones_of_an_older_release_have_no_seal(tmp_path: Path) -> None:
    path, read = buried(tmp_path / "root")
    stones = json.loads(path.read_text())
    del stones["seal"]
    path.write_text(json.dumps(stones))
    assert read() == {"ann"}


def test_of_erasures_at_once_no_tombstone_is_lost(tmp_path: Path) -> None:
    begin = Barrier(4)

    def bury(number: int) -> None:
        begin.wait()
        for place in range(10):
            Erasures(UPath(tmp_path)).bury([f"{number}-{place}"], at="2026-01-02")

    threads = [Thread(target=bury, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    everybody = [f"{number}-{place}" for number in range(4) for place in range(10)]
    assert Erasures(UPath(tmp_path)).erased(everybody) == set(everybody)


def test_a_key_that_another_erasure_makes_meanwhile_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = Erasures._read

    def read_after_another(self: Erasures, name: str) -> Any:
        monkeypatch.setattr(Erasures, "_read", read)
        Erasures(UPath(tmp_path)).bury(["first"], at="2026-01-02")
        return read(self, name)

    monkeypatch.setattr(Erasures, "_read", read_after_another)
    Erasures(UPath(tmp_path)).bury(["second"], at="2026-01-02")
    assert Erasures(UPath(tmp_path)).erased(["first", "second"]) == {"first", "second"}


def test_one_erasure_is_at_work_at_a_time(tmp_path: Path) -> None:
    erasures = Erasures(UPath(tmp_path))
    with erasures.alone(), pytest.raises(ErasureError, match="another"), erasures.alone():
        pass
    with erasures.alone():
        pass


@pytest.mark.parametrize(
    "begun",
    [{"ids": 5}, {"ids": "ann"}, {"ids": [None]}, {"people": []}, {"known_since": ["never"]}],
    ids=json.dumps,
)
def test_an_erasure_that_does_not_say_whom_it_is_about_is_named(
    tmp_path: Path, begun: dict[str, Any]
) -> None:
    (tmp_path / "pending.json").write_text(json.dumps(begun))
    with pytest.raises(DamagedFileError, match="does not say whom"):
        _ = Erasures(UPath(tmp_path)).pending


@pytest.mark.parametrize(
    "signature",
    [None, "x", {}, {"public_key": "zz", "value": ""}, {"public_key": "00", "value": "00"}],
    ids=json.dumps,
)
def test_a_certificate_whose_signature_is_none_is_not_genuine(signature: Any) -> None:
    assert not is_genuine({"certificate_id": "one", "signature": signature})


@pytest.mark.parametrize("content", [b"", b"whsec_", b"whsec_!!!", b"whsec_YQ==", b"\xff\xfe"])
def test_a_short_or_broken_secret_signs_nothing(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "secret"
    path.write_bytes(content)
    with pytest.raises(DamagedFileError, match="holds no secret"):
        secret_in(path)


def test_feedback_on_a_damaged_answer_is_refused_in_words(tmp_path: Path) -> None:
    log = QuestionLog(UPath(tmp_path), days=90)
    identity = log.add({"text": "how many?"}, by="eva")
    (path,) = tmp_path.glob("*.jsonl")
    path.write_bytes(b"{}")
    assert not log.add_feedback(identity, by="eva", helpful=True)
    path.write_bytes(b"\xff")
    with pytest.raises(DamagedFileError, match="restore"):
        log.add_feedback(identity, by="eva", helpful=True)


def test_a_line_for_which_there_is_no_room_leaves_no_part_of_it(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    append(path, b"first\n")
    room = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 3, room[1]))
    try:
        with pytest.raises(OSError, match="No space") as error:
            append(path, b"second\n")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, room)
        signal.signal(signal.SIGXFSZ, before)
    assert error.value.filename == str(path)
    append(path, b"third\n")
    assert path.read_bytes() == b"first\nthird\n"


def test_a_line_that_comes_while_a_file_is_replaced_is_in_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    append(path, b"first\n", mode=0o600)
    with held(path):
        thread = Thread(target=append, args=(path, b"second\n"))
        thread.start()
        thread.join(0.2)
        assert thread.is_alive()
        replace_file(path, b"without the first\n")
    thread.join()
    assert path.read_bytes() == b"without the first\nsecond\n"
    assert path.stat().st_mode & 0o777 == 0o600
