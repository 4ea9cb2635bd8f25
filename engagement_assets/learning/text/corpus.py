"""Labelled texts from files: what a sentiment model learns from.

Belongs here: reading corpora, what is kept aside. Does not belong here: learning (`training.py`).
"""

from __future__ import annotations

import csv
import gzip
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engagement_assets.learning.text.labels import EMOTIONS, SENTIMENTS
from engagement_assets.learning.text.normalise import normalise

TASKS: Mapping[str, tuple[str, ...]] = {"sentiment": SENTIMENTS, "emotion": EMOTIONS}
ASIDE_SHARE = 0.1
_LONGEST_FIELD = 1_000_000


class CorpusError(ValueError):
    """A corpus cannot be used; the message names the file and the line."""


@dataclass(frozen=True)
class Labelled:
    """Labelled texts of one task, cleaned.

    Attributes:
        task: `sentiment` or `emotion`.
        texts: n clean texts.
        labels: n positions in the task's list of labels.
        aside: Whether each of the n is kept aside: to choose and to measure, never to learn.
    """

    task: str
    texts: list[str]
    labels: NDArray[np.int64]
    aside: NDArray[np.bool_]

    @property
    def digest(self) -> str:
        """A hash of texts and labels."""
        lines = (f"{label}\t{text}" for text, label in zip(self.texts, self.labels, strict=True))
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def is_aside(text: str) -> bool:
    """Whether a clean text is kept aside: a tenth by a hash of its lower-cased words.

    A text that comes twice lies on one side both times, and always on the same.
    """
    digest = hashlib.sha256(text.lower().encode()).hexdigest()
    return int(digest[:8], 16) % round(1 / ASIDE_SHARE) == 0


def labelled(task: str, texts: Sequence[str], labels: Sequence[int]) -> Labelled:
    """Labelled texts, cleaned, those without anything to read left out."""
    clean = [(normalise(text), label) for text, label in zip(texts, labels, strict=True)]
    usable = [(text, label) for text, label in clean if text]
    return Labelled(
        task,
        [text for text, _ in usable],
        np.array([label for _, label in usable], dtype=np.int64),
        np.array([is_aside(text) for text, _ in usable], dtype=bool),
    )


def read_corpus(where: str) -> dict[str, Labelled]:
    """Read a corpus.

    Args:
        where: A CSV file (also `.gz`), several separated by commas, or a folder of CSV files and of
            pairs `<name>_text.txt` and `<name>_labels.txt`. A CSV has the columns `text` and
            `label`, in the order that its header says, or label before text without a header.
            Labels are negative, neutral, positive or 0, 1, 2 for sentiment; anger, joy, optimism,
            sadness (in a pair of files 0 to 3) for emotion.

    Returns:
        The labelled texts by task; a task without any is not there.

    Raises:
        CorpusError: A file is not there, has no such columns, an unknown label, or no text.
    """
    by_task: dict[str, tuple[list[str], list[int]]] = {task: ([], []) for task in TASKS}
    for path in _files(where):
        rows = _pair(path) if path.name.endswith("_text.txt") else _csv(path)
        for task, text, label in rows:
            by_task[task][0].append(text)
            by_task[task][1].append(label)
    corpora = {task: labelled(task, *rows) for task, rows in by_task.items() if rows[0]}
    for corpus in corpora.values():
        _check_usable(corpus, where)
    if not corpora:
        raise CorpusError(f"{where}: there is no labelled text")
    return corpora


def _check_usable(corpus: Labelled, where: str) -> None:
    names = TASKS[corpus.task]
    for part, rows in (("to learn from", ~corpus.aside), ("kept aside", corpus.aside)):
        missing = [names[n] for n in range(len(names)) if n not in set(corpus.labels[rows])]
        if missing:
            raise CorpusError(
                f"{where}: of {corpus.task}, no text labelled {', '.join(missing)} is {part} (a "
                f"tenth is, by a hash): {len(corpus.texts)} texts are too few"
            )


def _files(where: str) -> list[Path]:
    paths: list[Path] = []
    for name in where.split(","):
        path = Path(name.strip())
        if not name.strip() or not path.exists():
            raise CorpusError(
                f"CORPUS={where}: there is no file or folder {name.strip() or '(empty)'}"
            )
        if path.is_dir():
            inside = [*path.glob("*.csv"), *path.glob("*.csv.gz"), *path.glob("*_text.txt")]
            if not inside:
                raise CorpusError(f"{path} has no .csv, .csv.gz or _text.txt file")
            paths += sorted(inside)
        else:
            paths.append(path)
    return paths


def _csv(path: Path) -> Iterator[tuple[str, str, int]]:
    csv.field_size_limit(_LONGEST_FIELD)
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rt", encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(line.replace("\0", " ") for line in file)
            first = next(rows, None)
            if first is None:
                raise CorpusError(f"{path} is empty")
            names = [name.strip().lower() for name in first]
            header = {"text", "label"} <= set(names)
            label_at = names.index("label") if header else 0
            text_at = names.index("text") if header else 1
            if not header:
                yield _row(path, 1, first, label_at, text_at)
            for row in rows:
                if row:
                    yield _row(path, rows.line_num, row, label_at, text_at)
    except (UnicodeDecodeError, csv.Error, OSError, EOFError) as error:
        raise CorpusError(f"{path} cannot be read as CSV in UTF-8: {error}") from error


def _row(
    path: Path, line: int, row: Sequence[str], label_at: int, text_at: int
) -> tuple[str, str, int]:
    if len(row) <= max(label_at, text_at):
        raise CorpusError(f"{path} line {line}: expected a text and a label, found {len(row)} cell")
    name = row[label_at].strip().lower()
    for task, names in TASKS.items():
        if name in names:
            return task, row[text_at], names.index(name)
    if name in ("0", "1", "2"):
        return "sentiment", row[text_at], int(name)
    known = ", ".join(("0, 1, 2", *SENTIMENTS, *EMOTIONS))
    raise CorpusError(f"{path} line {line}: unknown label {name[:40]!r}; expected one of {known}")


def _pair(path: Path) -> Iterator[tuple[str, str, int]]:
    beside = path.with_name(path.name.replace("_text.txt", "_labels.txt"))
    if not beside.is_file():
        raise CorpusError(f"{path} has no {beside.name} beside it")
    texts = path.read_text(encoding="utf-8").split("\n")
    labels = beside.read_text(encoding="utf-8").split()
    texts = texts[:-1] if texts and not texts[-1] else texts
    if len(texts) != len(labels):
        raise CorpusError(f"{path} has {len(texts)} lines but {beside.name} {len(labels)}")
    for line, (text, label) in enumerate(zip(texts, labels, strict=True), start=1):
        if label not in {str(n) for n in range(len(EMOTIONS))}:
            raise CorpusError(
                f"{beside} line {line}: unknown label {label[:40]!r}; expected 0 to 3"
            )
        yield "emotion", text, int(label)
