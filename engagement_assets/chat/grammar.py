"""From a question to what is asked: cues, metrics, dimensions, values, days and customers.

Every word must be understood: one that is none of these and no filler refuses the question, so an
answer never passes over the part of a question that it has no table for.

Belongs here: reading. Does not belong here: answering (`tools.py`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from engagement_assets.chat.catalogue import (
    AGE_BAND,
    DIMENSION_WORDS,
    MEANINGS,
    METRIC_WORDS,
)
from engagement_assets.chat.facts import RefusedError, word_set
from engagement_assets.learning.fairness.groups import AGE_BANDS
from engagement_assets.models.specs import EVERY_MODEL

# What nobody gets here, whoever asks: persons' data, changes, secrets, raw rows.
FORBIDDEN = word_set(
    "e-mail e-mails email emails phone password passwords names address addresses delete drop "
    "insert alter truncate create attach copy pragma export update send grant key keys ignore "
    "private rows file files read_csv read_parquet secret secrets"
)
_FILLER = word_set(
    "a an the is are was were be been will would do does did of in on at for to by from with me "
    "my we our us it its they them their there this that what which who how many much so and or "
    "up show tell give about say says asked has month months last next now days accounts help "
    "account users people customers customer model whether can could what's please than"
)
# Words that are understood and ask for nothing that a table holds.
_VAGUE = word_set("doing going good bad best better worst numbers compare top segment segments")
_SOFT = word_set("number score high low one look between")
_CUES: Mapping[str, str] = {
    "why": "reasons", "reason": "reasons", "reasons": "reasons", "drives": "reasons",
    "might": "reasons", "influencer": "influencers", "influencers": "influencers",
    "holdout": "holdout", "programme": "holdout", "global": "holdout", "bring": "holdout",
    "fair": "fairness", "unfair": "fairness", "forecast": "forecast", "tomorrow": "forecast",
    "peak": "peak", "difference": "difference", "highest": "highest", "most": "highest",
    "lowest": "lowest", "least": "lowest", "mean": "avg", "average": "avg", "total": "sum",
    "increase": "change", "raise": "change", "improve": "change", "lower": "change",
    "reduce": "change", "keep": "change", "stay": "change", "differently": "change",
    "many": "count", "will": "future", "next": "future", "last": "past", "months": "past",
}  # fmt: skip
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
SERIES = {
    "active customers": "active_customers",
    "sessions": "sessions",
    "messages": "messages",
    "revenue": "revenue_usd",
    "engagement": "engagement",
}
_GENDERS = {"women": "female", "woman": "female", "men": "male", "man": "male"}
_ID = re.compile(r"(?=.*\d)(?=.*[a-z])[a-z0-9][a-z0-9_-]*|(?=.*\d)[a-z]+-\d+")
_NUMBER = re.compile(r"\d{1,2}")


@dataclass
class Asked:
    """What a question asks for.

    Attributes:
        cues: Kinds of question that its words stand for.
        metrics: Columns, in order.
        dimensions: Columns to break down by.
        values: Column and value, in order.
        series: Forecast series.
        customer: A customer's id, or "".
        unknown_customer: Whether an id is of nobody.
        number: A number of rows, or 0.
        weekday: 0 for Monday, or None.
        models: Models by name.
        meaning: A column whose meaning is asked for, or "".
    """

    cues: set[str] = field(default_factory=set)
    metrics: list[str] = field(default_factory=list)
    dimensions: list[str] = field(default_factory=list)
    values: list[tuple[str, str]] = field(default_factory=list)
    series: list[str] = field(default_factory=list)
    customer: str = ""
    unknown_customer: bool = False
    number: int = 0
    weekday: int | None = None
    models: list[str] = field(default_factory=list)
    meaning: str = ""


@dataclass(frozen=True)
class Known:
    """What the tables know.

    Attributes:
        values: Values of each dimension.
        customers: Ids of customers by the same in small letters, where that is of one alone.
    """

    values: Mapping[str, Sequence[str]]
    customers: Mapping[str, str]

    @classmethod
    def of(cls, values: Mapping[str, Sequence[str]], customers: Iterable[str]) -> Known:
        """Return it of values and ids."""
        ids = list(customers)
        times = Counter(customer.lower() for customer in ids)
        # of two that differ in capitals alone a question does not say which is meant
        return cls(values, {one.lower(): one for one in ids if times[one.lower()] == 1})


class Grammar:
    """Reads questions.

    Args:
        known: What the tables know.
    """

    def __init__(self, known: Known) -> None:
        self._customers = known.customers
        self._phrases: dict[tuple[str, ...], list[tuple[str, object]]] = {}
        for words, column in METRIC_WORDS.items():
            self._add(words, "metrics", column)
        for words, column in DIMENSION_WORDS.items():
            self._add(words, "dimensions", column)
        for words, name in SERIES.items():
            self._add(words, "series", name)
        for spec in EVERY_MODEL:
            self._add(spec.name.replace("_", " "), "models", spec.name)
        for column, values in known.values.items():
            for value in values:
                self._add(value.replace("_", " "), "values", (column, value))
        for words, value in _GENDERS.items():
            self._add(words, "values", ("gender", value))
        for band in AGE_BANDS[:-1]:
            self._add(band, "values", (AGE_BAND, band))
            self._add(f"aged {band}", "values", (AGE_BAND, band))
        self._add("over 55", "values", (AGE_BAND, AGE_BANDS[-2]))
        self._longest = max(map(len, self._phrases))

    def _add(self, words: str, slot: str, value: object) -> None:
        self._phrases.setdefault(tuple(words.lower().split()), []).append((slot, value))

    def read(self, question: str) -> Asked:
        """Read a question.

        Raises:
            RefusedError: It asks for what nobody gets, or has a word that is not understood.
        """
        tokens = [
            token.removesuffix("'s")
            for token in re.findall(r"[\w'+/-]+", question.lower().replace("’", "'"))
        ]
        asked = Asked()
        if FORBIDDEN & set(tokens):
            raise RefusedError("not_allowed", "This is not allowed here.")
        if tokens[:2] == ["what", "does"] and tokens[-1:] == ["mean"]:
            return self._meaning(asked, tokens[2:-1])
        unread = list[str]()
        at = 0
        while at < len(tokens):
            at += self._phrase(tokens, at, asked) or self._word(tokens[at], asked, unread)
        if unread and not asked.unknown_customer:
            # not which words: a refusal repeats nothing that was put into the question
            raise RefusedError("not_known", "No table here answers this.")
        return asked

    def _meaning(self, asked: Asked, words: list[str]) -> Asked:
        name = "_".join(words)
        if name in MEANINGS:
            asked.meaning = name
            asked.cues.add("meaning")
        elif not set(words) <= _FILLER:
            raise RefusedError("not_known", "The dictionary has no such name.")
        return asked

    def _phrase(self, tokens: list[str], at: int, asked: Asked) -> int:
        for length in range(min(self._longest, len(tokens) - at), 0, -1):
            for slot, value in self._phrases.get(tuple(tokens[at : at + length]), ()):
                slots = getattr(asked, slot)
                if value not in slots:
                    slots.append(value)
            if tuple(tokens[at : at + length]) in self._phrases:
                return length
        return 0

    def _word(self, word: str, asked: Asked, unread: list[str]) -> int:
        if word in self._customers:
            asked.customer = self._customers[word]
        elif word in WEEKDAYS:
            asked.weekday = WEEKDAYS.index(word)
            asked.cues.add("forecast")
        elif word in _CUES:
            asked.cues.add(_CUES[word])
        elif _NUMBER.fullmatch(word):
            asked.number = int(word)
        elif _ID.fullmatch(word):
            asked.unknown_customer = True
        elif word in _VAGUE:
            asked.cues.add("vague")
        elif word not in _FILLER | _SOFT:
            unread.append(word)
        return 1
