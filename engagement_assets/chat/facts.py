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
from dataclasses import dataclass
from typing import Literal

from engagement_assets.learning.json_data import JsonData

Refusal = Literal["not_allowed", "not_known", "nothing_found", "ambiguous"]


def word_set(text: str) -> frozenset[str]:
    """Return the words of a text."""
    return frozenset(text.split())


# What may stand between claims. A word of an entity, a unit, a number, a direction or a denial has
# no place here.
CONNECTIVES = word_set("a also and answer are as asked for here is it of the this what")
_QUOTED = re.compile(r"\[(f\d+): ")


@dataclass(frozen=True)
class Fact(JsonData):
    """One claim.

    Attributes:
        id: `f1`, `f2`, … within its answer.
        text: The claim in words, with its day.
        values: What it holds, as data.
        source: Table that it comes from.
        day: Day of the table, ISO 8601; empty where a table's declaration says it.
        sql: The query that made it; empty where a table's declaration says it.
    """

    id: str
    text: str
    values: tuple[float | int | str | None, ...]
    source: str
    day: str
    sql: str

    @property
    def quoted(self) -> str:
        """The claim as an answer quotes it."""
        return f"[{self.id}: {self.text}]"


@dataclass(frozen=True)
class Answer(JsonData):
    """What is shown of a question.

    Attributes:
        question: As it was asked.
        text: What is shown.
        facts: The claims that it quotes.
        tool: What made them, names with a space between; empty for a refusal.
        refusal: Why there is no answer, or None.
        id: Names the answer for feedback; empty where it is not kept.
    """

    question: str
    text: str
    facts: tuple[Fact, ...] = ()
    tool: str = ""
    refusal: Refusal | None = None
    id: str = ""

    @property
    def readable(self) -> str:
        """The text for a person: each claim as a sentence, its id behind it."""
        return readable(self.text, self.facts)


def readable(text: str, facts: Sequence[Fact]) -> str:
    """Return a text, or its beginning, with each quoted claim as a sentence, its id behind it."""
    for fact in facts:
        text = text.replace(fact.quoted, f"{fact.text[:1].upper()}{fact.text[1:]} [{fact.id}]")
    return text


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
    quoted, rest, wrong = _read(text, facts)
    if wrong:
        return [wrong]
    return _strange(rest) if quoted or not facts else [text]


def bound_part(text: str, facts: Sequence[Fact]) -> str | None:
    """Return as much of the beginning of an answer as can be shown while the rest is on its way.

    Args:
        text: The beginning.
        facts: The claims that the answer may quote.

    Returns:
        What binds: whole claims and whole words; None where the text can bind no more.
    """
    at = text.rfind("[f")
    open_claim = at >= 0 and any(
        fact.quoted.startswith(text[at:]) and fact.quoted != text[at:] for fact in facts
    )
    end = at if open_claim else len(text)
    # a last word or claim mark may go on
    while not open_claim and end and not (text[end - 1].isspace() or text[end - 1] == "]"):
        end -= 1
    _, rest, wrong = _read(text[:end], facts)
    return None if wrong or _strange(rest) else text[:end]


def _read(text: str, facts: Sequence[Fact]) -> tuple[set[str], str, str]:
    """Return the ids of quoted claims, what stands between them, and what is quoted wrongly."""
    by_id = {fact.id: fact for fact in facts}
    rest, at, quoted = [], 0, set[str]()
    while match := _QUOTED.search(text, at):
        fact = by_id.get(match[1])
        if fact is None or match[1] in quoted or not text.startswith(fact.quoted, match.start()):
            return quoted, "", text[match.start() : match.start() + 80]
        rest.append(text[at : match.start()])
        at = match.start() + len(fact.quoted)
        quoted.add(match[1])
    return quoted, " ".join([*rest, text[at:]]), ""


def _strange(between: str) -> list[str]:
    words = re.split(r"[\s,.:]+", between.lower())
    return [word for word in words if word and word not in CONNECTIVES]
