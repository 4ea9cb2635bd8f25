"""Cleaning texts before they are read, the same in training and in scoring.

Belongs here: rules on characters. Does not belong here: tokens and what is learnt from them.
"""

from __future__ import annotations

import html
import re
import unicodedata
from functools import lru_cache

# Beyond this nothing reaches the encoder, which reads some hundred tokens.
MAX_CHARACTERS = 5_000
_ESCAPES = {"\\n": " ", "\\u2019": "'", "\\u002c": ",", '\\""': '"', "’": "'", "\0": " "}
_URL = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)
_MENTION = re.compile(r"@\w+")
_HASHTAG = re.compile(r"#(?=\w)")
_ELONGATED = re.compile(r"(\S)\1{3,}")
_SPACES = re.compile(r"\s+")
_SYMBOLS = {"So", "Sk", "Cs", "Co", "Cn"}
_FIRST_SYMBOL = 0x2190
_DROPPED = {"\ufe0f", "\u200d", "\u20e3"}


def normalise(text: str) -> str:
    """Clean one text.

    Entities are resolved, addresses become `http`, mentions `@user`, an emoji its name in words
    (most vocabularies lack it), a character repeated over three times is cut to three, white space
    is single. What is clean stays as it is: cleaning twice changes nothing.

    Args:
        text: Any text; what follows its first 5,000 characters is left out.

    Returns:
        The clean text; empty for one of white space.
    """
    clean = text[:MAX_CHARACTERS]
    for escape, character in _ESCAPES.items():
        clean = clean.replace(escape, character)
    # twice, since feeds escape what was escaped
    clean = html.unescape(html.unescape(clean))
    clean = _URL.sub("http", clean)
    clean = _MENTION.sub("@user", clean)
    clean = "".join(_in_words(character) for character in clean)
    clean = _HASHTAG.sub("# ", clean)
    clean = _ELONGATED.sub(r"\1\1\1", clean)
    return _SPACES.sub(" ", clean).strip()


@lru_cache(maxsize=4096)
def _in_words(character: str) -> str:
    """A character itself, or the name of a symbol; nothing for a modifier of one."""
    if character in _DROPPED:
        return ""
    if ord(character) < _FIRST_SYMBOL or unicodedata.category(character) not in _SYMBOLS:
        return character
    name = unicodedata.name(character, "").lower()
    if not name or "modifier" in name or "variation" in name:
        return ""
    return f" {name.replace(' sign', '')} "
