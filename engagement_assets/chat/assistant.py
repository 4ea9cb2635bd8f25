"""From a question to an answer that is checked and logged.

Belongs here: the order of steps. Does not belong here: each of them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TextIO

from engagement_assets.chat.catalogue import DIMENSIONS, VIEW
from engagement_assets.chat.facts import Answer, Fact, RefusedError, bound_part, readable, unbound
from engagement_assets.chat.grammar import Asked, Grammar, Known
from engagement_assets.chat.query import QueryError, Warehouse
from engagement_assets.chat.requests import asked_of
from engagement_assets.chat.tools import SCOPES, Tools
from engagement_assets.settings.chat import BEDROCK, ChatSettings
from resources.lake import Lake
from resources.questions import QuestionLog

logger = logging.getLogger(__name__)

LONGEST = 500
OnText = Callable[[str], None]


class Language(Protocol):
    """A language model; whatever it raises, the grammar reads and templates word instead."""

    def read(self, question: str, scopes: frozenset[str]) -> list[tuple[str, dict[str, Any]]]:
        """Return the calls of tools that a question asks for, each a name and its input."""

    def word(self, question: str, facts: Sequence[Fact], on_text: OnText | None = None) -> str:
        """Return an answer in its words."""


def language_of(settings: ChatSettings) -> Language | None:
    """Return the language model of the settings, or None."""
    if settings.engine != BEDROCK:
        return None
    from engagement_assets.chat.bedrock import Bedrock  # noqa: PLC0415 - only where it is used

    return Bedrock(settings.model, settings.region, settings.seconds)


def template(facts: Sequence[Fact]) -> str:
    """Word an answer: its claims, one after the other."""
    return " ".join(f"{fact.quoted}." for fact in facts)


def shown(answer: Answer) -> str:
    """Return an answer as lines for a terminal, with where each claim comes from."""
    lines = [answer.readable]
    for fact in answer.facts:
        lines.append(f"  {fact.id}: {fact.source}{f'; {fact.sql}' if fact.sql else ''}")
    return "\n".join(lines) + "\n"


@dataclass
class Streamed:
    """Writes an answer while it comes, and once it is whole what it comes from.

    Attributes:
        out: Where to.
    """

    out: TextIO
    _written: str = field(default="", init=False, repr=False)

    def part(self, text: str) -> None:
        """Write what of a beginning is not written yet."""
        self.out.write(text.removeprefix(self._written))
        self.out.flush()
        self._written = text

    def end(self, answer: Answer) -> None:
        """Write the rest; the whole on a new line where another wording took the place."""
        whole = shown(answer)
        came = whole.startswith(self._written)
        self.out.write(whole.removeprefix(self._written) if came else f"\n{whole}")


@dataclass
class Assistant:
    """Answers questions about the last day of a lake.

    Attributes:
        lake: The lake.
        log: Where question and answer are kept; None for nowhere.
        language: The language model; None for the grammar and templates.
        refusing: Customers who refuse analytics: no answer counts or names them.
    """

    lake: Lake
    log: QuestionLog | None = None
    language: Language | None = None
    refusing: frozenset[str] = frozenset()
    _warehouse: Warehouse = field(init=False, repr=False)
    _grammar: Grammar = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._warehouse = Warehouse(self.lake, self.refusing)
        self._warehouse.open()
        self._known = self._what_is_known()
        self._grammar = Grammar(self._known)

    def _what_is_known(self) -> Known:
        if not self._warehouse.has(VIEW):
            return Known.of({}, ())
        people = self._warehouse.texts(VIEW, "customer_id")
        return Known.of({name: self._warehouse.texts(VIEW, name) for name in DIMENSIONS}, people)

    def ask(
        self,
        question: str,
        *,
        scopes: frozenset[str] = SCOPES,
        by: str = "",
        on_text: OnText | None = None,
    ) -> Answer:
        """Answer a question, or say why not.

        Args:
            question: In words.
            scopes: What the asker may see.
            by: Who asks, for the log.
            on_text: Is given the readable beginning of the answer, as far as it binds, while it
                comes.

        Raises:
            OSError: The answer cannot be kept, so none is given.
        """
        try:
            if len(question) > LONGEST:
                raise RefusedError("ambiguous", "The question is too long.")
            names, facts = self._answered(question, scopes)
            text = self._worded(question, facts, on_text)
            answer = Answer(question, text, tuple(facts), " ".join(names))
        except RefusedError as refused:
            answer = Answer(question[:LONGEST], str(refused), refusal=refused.kind)
        except QueryError as error:
            logger.warning("a statement of a tool was refused: %s", error)
            answer = Answer(question, "This takes too much.", refusal="not_allowed")
        if self.log is None:
            return answer
        return replace(answer, id=self.log.add(answer.to_dict(), by=by))

    def _answered(self, question: str, scopes: frozenset[str]) -> tuple[list[str], list[Fact]]:
        names, facts = list[str](), list[Fact]()
        for asked in self._read(question, scopes):
            name, made = Tools(self._warehouse, scopes).answer(asked)
            names.append(name)
            facts += [
                replace(fact, id=f"f{place}") for place, fact in enumerate(made, len(facts) + 1)
            ]
        return names, facts

    def _read(self, question: str, scopes: frozenset[str]) -> list[Asked]:
        if self.language is not None:
            try:
                calls = self.language.read(question, scopes)
            except Exception as error:  # noqa: BLE001 - whatever a model's service raises, the grammar reads
                logger.warning("the model reads no question: %s: %s", type(error).__name__, error)
            else:
                return [asked_of(name, given, self._known) for name, given in calls]
        return [self._grammar.read(question)]

    def _worded(self, question: str, facts: Sequence[Fact], on_text: OnText | None) -> str:
        if self.language is not None:
            try:
                text = self.language.word(question, facts, on_text and _binding(facts, on_text))
            except Exception as error:  # noqa: BLE001 - whatever a model's service raises, the template answers
                logger.warning("the template answers: %s: %s", type(error).__name__, error)
            else:
                if not unbound(text, facts):
                    return text
                logger.warning("the wording was not bound to its claims, the template answers")
        return template(facts)


class UnboundError(ValueError):
    """What comes of an answer binds no more."""


def _binding(facts: Sequence[Fact], on_text: OnText) -> OnText:
    """Return what hands on so much of a beginning as binds, and stops where nothing more can."""

    def hand_on(text: str) -> None:
        part = bound_part(text, facts)
        if part is None:
            raise UnboundError("what came is not bound to its claims")
        on_text(readable(part, facts))

    return hand_on
