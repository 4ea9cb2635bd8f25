"""From a question to an answer that is checked and logged.

Belongs here: the order of steps. Does not belong here: each of them.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from engagement_assets.chat.catalogue import DIMENSIONS, VIEW
from engagement_assets.chat.facts import Answer, Fact, RefusedError, unbound
from engagement_assets.chat.grammar import Grammar
from engagement_assets.chat.query import QueryError, Warehouse
from engagement_assets.chat.tools import SCOPES, Tools
from resources.files import one_writer
from resources.lake import Lake

logger = logging.getLogger(__name__)

LOG_FILE = "questions.jsonl"
LONGEST = 500
# Words an answer by a question and its claims; what is not bound is not shown.
Wording = Callable[[str, Sequence[Fact]], str]


def template(question: str, facts: Sequence[Fact]) -> str:  # noqa: ARG001 - a model words by it
    """Word an answer: its claims, one after the other."""
    return " ".join(f"{fact.quoted}." for fact in facts)


def shown(answer: Answer) -> str:
    """Return an answer as lines for a terminal, with where each claim comes from."""
    lines = [answer.text]
    for fact in answer.facts:
        lines.append(f"  {fact.id}: {fact.source}{f'; {fact.sql}' if fact.sql else ''}")
    return "\n".join(lines) + "\n"


@dataclass
class Assistant:
    """Answers questions about the last day of a lake.

    Attributes:
        lake: The lake.
        log: Where question and answer are kept; None for nowhere.
        wording: Words answers; `template` stands in where it fails or is not bound.
    """

    lake: Lake
    log: Path | None = None
    wording: Wording = template
    _warehouse: Warehouse = field(init=False, repr=False)
    _grammar: Grammar = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._warehouse = Warehouse(self.lake)
        self._warehouse.open()
        self._grammar = Grammar(*self._known())

    def _known(self) -> tuple[dict[str, list[str]], list[str]]:
        if not self._warehouse.has(VIEW):
            return {}, []
        people = self._warehouse.texts(VIEW, "customer_id")
        return {name: self._warehouse.texts(VIEW, name) for name in DIMENSIONS}, people

    def ask(self, question: str, *, scopes: frozenset[str] = SCOPES) -> Answer:
        """Answer a question, or say why not.

        Args:
            question: In words.
            scopes: What the asker may see.
        """
        try:
            if len(question) > LONGEST:
                raise RefusedError("ambiguous", "The question is too long.")
            asked = self._grammar.read(question)
            tool, facts = Tools(self._warehouse, scopes).answer(asked)
            answer = Answer(question, self._worded(question, facts), tuple(facts), tool)
        except RefusedError as refused:
            answer = Answer(question, str(refused), refusal=refused.kind)
        except QueryError as error:
            logger.warning("a statement of a tool was refused: %s", error)
            answer = Answer(question, "This takes too much.", refusal="not_allowed")
        self._keep(answer)
        return answer

    def _worded(self, question: str, facts: Sequence[Fact]) -> str:
        if self.wording is not template:
            try:
                text = self.wording(question, facts)
            except Exception as error:  # noqa: BLE001 - whatever a model's service raises, the template answers
                logger.warning("the wording failed, the template answers: %s", type(error).__name__)
            else:
                if not unbound(text, facts):
                    return text
                logger.warning("the wording was not bound to its claims, the template answers")
        return template(question, facts)

    def _keep(self, answer: Answer) -> None:
        if self.log is None:
            return
        line = {"at": datetime.now(UTC).isoformat(timespec="seconds"), **answer.to_dict()}
        with one_writer(self.log), self.log.open("a") as file:
            file.write(json.dumps(line) + "\n")
