"""The log of questions that were asked, with their answers and what people thought of them.

    <root>/<time>-<id>.jsonl               a question and its answer, one line
    <root>/<time>-<id>_<random>.jsonl      what somebody thought of it, one line

Both go some days after the question was asked. A `<root>.jsonl` is the log of an older release, one
line a question, and goes line by line.

Belongs here: writing and reading it. Does not belong here: what an answer is (`engagement_assets`).
"""

import json
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import dagster as dg
from pydantic import Field
from upath import UPath

from resources.files import RESTORE, DamagedFileError, parsed
from resources.lake import put_atomically

DAY_NANOSECONDS = 86_400 * 10**9


@dataclass(frozen=True)
class QuestionLog:
    """The log.

    Attributes:
        root: Its folder; made with the first question.
        days: Days after which a question goes.
    """

    root: UPath
    days: int

    def add(self, answer: Mapping[str, Any], *, by: str) -> str:
        """Write a question with its answer down, and return the id that feedback names."""
        identity = uuid.uuid4().hex
        self._write(f"{time.time_ns():020d}-{identity}", {**answer, "id": identity}, by=by)
        return identity

    def add_feedback(self, identity: str, *, by: str, helpful: bool, note: str = "") -> bool:
        """Write down what who asked thought of the answer.

        Returns:
            Whether there is such an answer of theirs; of others nothing is said.
        """
        asked = self._asked(identity)
        if asked is None or parsed(asked, asked.read_bytes()).get("by") != by:
            return False
        name = f"{asked.stem}_{uuid.uuid4().hex[:12]}"
        self._write(name, {"feedback_on": identity, "helpful": helpful, "note": note}, by=by)
        return True

    def lines(self) -> list[dict[str, Any]]:
        """Return every line, in the order in which questions were asked.

        Raises:
            DamagedFileError: A line is no JSON object; the message names it.
        """
        # an erasure leaves a file without its line
        return [
            parsed(path, text, line=number)
            for path in self._files()
            for number, text in enumerate(path.read_bytes().splitlines(), 1)
        ]

    def expire(self) -> int:
        """Remove what was asked too long ago, with its answers and feedback; returns how much.

        In a bucket a lifecycle rule does it (`storage.yaml`): who answers may not remove there.

        Raises:
            DamagedFileError: A line of an older release's log does not say when it was asked.
        """
        if self.root.protocol not in ("", "file"):
            return 0
        before = time.time_ns() - self.days * DAY_NANOSECONDS
        old = [path for path in self._files() if path.name < f"{before:020d}"]
        for path in old:
            path.unlink(missing_ok=True)
        return len(old) + self._expire_lines(before)

    def _expire_lines(self, before: int) -> int:
        path = self.root.with_name(f"{self.root.name}.jsonl")
        if not path.is_file():
            return 0
        lines = path.read_bytes().splitlines(keepends=True)
        stay = [line for number, line in enumerate(lines, 1) if _at(path, line, number) >= before]
        if stay:
            put_atomically(path, b"".join(stay))
        else:
            path.unlink()
        return len(lines) - len(stay)

    def _files(self) -> list[UPath]:
        return sorted(self.root.glob("*.jsonl")) if self.root.exists() else []

    def _asked(self, identity: str) -> UPath | None:
        # an id is looked for, and no path
        if len(identity) != 32 or not identity.isalnum() or not self.root.exists():
            return None
        files = [path for path in self.root.glob(f"*-{identity}.jsonl") if path.stat().st_size]
        return files[0] if files else None

    def _write(self, name: str, line: Mapping[str, Any], *, by: str) -> None:
        at = datetime.now(UTC).isoformat(timespec="seconds")
        text = json.dumps({"at": at, "by": by, **line}) + "\n"
        put_atomically(self.root / f"{name}.jsonl", text.encode())


def _at(path: UPath, line: bytes, number: int) -> int:
    """When a line was written, in nanoseconds since 1970."""
    entry = parsed(path, line, line=number)
    try:
        return int(datetime.fromisoformat(entry["at"]).timestamp()) * 10**9
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedFileError(
            f"{path}, line {number}, does not say when it was asked: {RESTORE}"
        ) from error


class QuestionsResource(dg.ConfigurableResource):
    """The log of questions to the chat."""

    root: str = Field(description="Folder or URL.")
    days: int = Field(description="Days after which a question goes.")
    options: dict[str, Any] = Field(
        default_factory=dict, description="What fsspec needs for that URL; nothing for a folder."
    )

    @property
    def log(self) -> QuestionLog:
        """The log."""
        return QuestionLog(UPath(self.root, **self.options), self.days)
