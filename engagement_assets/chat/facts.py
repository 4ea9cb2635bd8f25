"""Claims that an answer is made of, and the check that it has no others.

A claim is a whole: of whom, what, how much, in which unit, of which day. An answer quotes claims by
their ids, as they are; between them stand only words of a closed list, in which there is no number,
name, unit or direction. So a figure cannot pass for another's: it has no place outside its claim.

Belongs here: claims, refusals, answers and the check. Does not belong here: what makes claims
(`tools.py`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, Literal

Refusal = Literal["not_allowed", "not_known", "nothing_found", "ambiguous"]


def word_set(text: str) -> frozenset[str]:
    """Return the words of a text."""
    return frozenset(text.split())


# What may stand between claims. A word of an entity, a unit, a number, a direction or a denial has
# no place here.
CONNECTIVES = word_set("a also and answer are as asked for here is it of the this what")
_QUOTED = re.compile(r"\[(f\d+): ")


@dataclass(frozen=True)
class Fact:
    """One claim.

    Attributes:
        id: `f1`, `f2`, … within its answer.
        text: The claim in words, with its day.
        values: What it holds, as data.
        source: Table that it comes from.
        day: Day of the table.
        sql: The query that made it; empty where a table's declaration says it.
    """

    id: str
    text: str
    values: tuple[float | int | str | None, ...]
    source: str
    day: date | None
    sql: str

    @property
    def quoted(self) -> str:
        """The claim as an answer quotes it."""
        return f"[{self.id}: {self.text}]"


@dataclass(frozen=True)
class Answer:
    """What is shown of a question.

    Attributes:
        question: As it was asked.
        text: What is shown.
        facts: The claims that it quotes.
        tool: What made them; empty for a refusal.
        refusal: Why there is no answer, or None.
    """

    question: str
    text: str
    facts: tuple[Fact, ...] = ()
    tool: str = ""
    refusal: Refusal | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON data."""
        data = asdict(self)
        data["facts"] = [
            {**fact, "day": fact["day"] and fact["day"].isoformat()} for fact in data["facts"]
        ]
        return data


class RefusedError(Exception):
    """A question has no answer; the message says why and what may be asked instead."""

    def __init__(self, kind: Refusal, message: str) -> None:
        super().__init__(message)
        self.kind: Refusal = kind


def unbound(text: str, facts: Sequence[Fact]) -> list[str]:
    """Return what in an answer is no claim quoted whole and no connective; empty where it binds.

    Args:
        text: The answer.
        facts: The claims that it may quote, each once.
    """
    by_id = {fact.id: fact for fact in facts}
    rest, at, quoted = [], 0, set[str]()
    while match := _QUOTED.search(text, at):
        fact = by_id.get(match[1])
        if fact is None or match[1] in quoted or not text.startswith(fact.quoted, match.start()):
            return [text[match.start() : match.start() + 80]]
        rest.append(text[at : match.start()])
        at = match.start() + len(fact.quoted)
        quoted.add(match[1])
    if facts and not quoted:
        return [text]
    rest.append(text[at:])
    between = " ".join(rest)
    words = re.split(r"[\s,.:]+", between.lower())
    return [word for word in words if word and word not in CONNECTIVES]
