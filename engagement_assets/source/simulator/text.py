"""Texts from a grammar: posts, and the short texts of comments and messages.

Belongs here: choosing fragments by category and tone and joining them, as whole columns. Does not
belong here: the fragments (`vocabulary.py`), who writes what (`posts.py` and others).
"""

from collections.abc import Sequence
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from engagement_assets.source.simulator import vocabulary as words
from engagement_assets.source.simulator.parameters import CATEGORIES

# a tone is an index into negative, neutral, positive
_TYPO_CHANCE = 0.08
_TONE_SCALE = 0.9


class _Pool:
    """Fragments in groups, to take one of a group for each row of a column."""

    def __init__(self, groups: Sequence[Sequence[str]], *, typos: bool = False) -> None:
        sizes = [len(group) for group in groups]
        fragments = [fragment for group in groups for fragment in group]
        self._count = len(fragments)
        self._typos = typos
        if typos:
            fragments += [words.misspelt(fragment) for fragment in fragments]
        self._fragments = pa.array(fragments, pa.string())
        self._size = np.array(sizes)
        self._start = np.concatenate([[0], np.cumsum(sizes)])[:-1]

    def take(self, group: np.ndarray, rng: np.random.Generator) -> pa.Array:
        """One fragment of each row's group."""
        draws = rng.random((2, len(group)))
        place = self._start[group] + np.floor(draws[0] * self._size[group]).astype(np.int64)
        if self._typos:
            place = place + self._count * (draws[1] < _TYPO_CHANCE)
        return self._fragments.take(pa.array(place))


@cache
def _pools() -> dict[str, _Pool]:
    subjects = [words.SUBJECTS[category] for category in CATEGORIES]
    hashtags = [
        ("", "", f"#{category}", f"#{category}life", f"#{category}lovers", f"#daily{category}")
        for category in CATEGORIES
    ]
    return {
        "opener": _Pool(words.OPENERS),
        "subject": _Pool(subjects, typos=True),
        "predicate": _Pool(words.PREDICATES, typos=True),
        "closer": _Pool(words.CLOSERS),
        "emoji": _Pool(words.EMOJIS),
        "hashtag": _Pool(hashtags),
        "short": _Pool(words.SHORT_TEXTS, typos=True),
        "tail": _Pool([words.TAILS]),
    }


def tones(mood: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The tone of each text, 0 negative to 2 positive, given the mood of its author.

    The odds of a positive against a negative text are ``exp(2 * 0.9 * mood)``.
    """
    positive = np.exp(_TONE_SCALE * mood)
    total = positive + 1.0 + 1.0 / positive
    draws = rng.random(len(mood)) * total
    tone: np.ndarray = (draws > 1.0 / positive).astype(np.int64) + (draws > 1.0 / positive + 1.0)
    return tone


def post_texts(category: np.ndarray, tone: np.ndarray, rng: np.random.Generator) -> pa.Array:
    """A text for each post, given indices into `CATEGORIES` and tones; no nulls."""
    pools = _pools()
    nothing = np.zeros(len(tone), dtype=np.int64)
    aside = pools["tail"].take(nothing, rng)
    parts = [
        pools["opener"].take(tone, rng),
        pools["subject"].take(category, rng),
        pools["predicate"].take(tone, rng),
        aside,
        pools["closer"].take(tone, rng),
        pools["emoji"].take(tone, rng),
        pools["hashtag"].take(category, rng),
    ]
    return _join(parts)


def short_texts(tone: np.ndarray, rng: np.random.Generator) -> pa.Array:
    """A comment or a message for each tone; Arrow string array, no nulls."""
    pools = _pools()
    nothing = np.zeros(len(tone), dtype=np.int64)
    parts = [
        pools["short"].take(tone, rng),
        pools["tail"].take(nothing, rng),
        pools["emoji"].take(tone, rng),
    ]
    return _join(parts)


def some_texts(mood: np.ndarray, written: np.ndarray, rng: np.random.Generator) -> pa.Array:
    """A short text for some rows, given the mood of every row's author; null elsewhere."""
    words = short_texts(tones(mood[written], rng), rng)
    place = np.full(len(mood), -1, dtype=np.int64)
    place[written] = np.arange(len(written))
    return words.take(pa.array(place, mask=place < 0))


def _join(parts: list[pa.Array]) -> pa.Array:
    joined = pc.binary_join_element_wise(*parts, " ")
    single = pc.replace_substring_regex(joined, r" {2,}", " ")
    return pc.utf8_trim_whitespace(single)
