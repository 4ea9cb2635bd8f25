"""The log of questions that were asked, with their answers and what people thought of them.

    <root>/<time>-<id>.jsonl               a question and its answer, one line
    <root>/<time>-<id>_<random>.jsonl      what somebody thought of it, one line

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

from resources.lake import put_atomically


@dataclass(frozen=True)
class QuestionLog:
    """The log.

    Attributes:
        root: Its folder; made with the first question.
    """

    root: UPath

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
        if asked is None or json.loads(asked.read_text())["by"] != by:
            return False
        name = f"{asked.stem}_{uuid.uuid4().hex[:12]}"
        self._write(name, {"feedback_on": identity, "helpful": helpful, "note": note}, by=by)
        return True

    def lines(self) -> list[dict[str, Any]]:
        """Return every line, in the order in which questions were asked."""
        files = sorted(self.root.glob("*.jsonl")) if self.root.exists() else []
        # an erasure leaves a file without its line
        return [json.loads(text) for path in files for text in path.read_text().splitlines()]

    def _asked(self, identity: str) -> UPath | None:
        # an id is looked for, and no path
        if len(identity) != 32 or not identity.isalnum() or not self.root.exists():
            return None
        files = [path for path in self.root.glob(f"*-{identity}.jsonl") if path.read_text()]
        return files[0] if files else None

    def _write(self, name: str, line: Mapping[str, Any], *, by: str) -> None:
        at = datetime.now(UTC).isoformat(timespec="seconds")
        text = json.dumps({"at": at, "by": by, **line}) + "\n"
        put_atomically(self.root / f"{name}.jsonl", text.encode())


class QuestionsResource(dg.ConfigurableResource):
    """The log of questions to the chat."""

    root: str = Field(description="Folder or URL.")
    options: dict[str, Any] = Field(
        default_factory=dict, description="What fsspec needs for that URL; nothing for a folder."
    )

    @property
    def log(self) -> QuestionLog:
        """The log."""
        return QuestionLog(UPath(self.root, **self.options))
