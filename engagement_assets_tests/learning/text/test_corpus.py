"""Labelled texts from any CSV, and a tenth of them kept aside."""

import csv
import gzip
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engagement_assets.learning.text.corpus import (
    CorpusError,
    is_aside,
    labelled,
    read_corpus,
)
from engagement_assets.learning.text.normalise import normalise

NAMES = ("negative", "neutral", "positive")


def rows(count: int = 200) -> list[tuple[str, str]]:
    return [(f"text number {n}, of sort {n % 3}", NAMES[n % 3]) for n in range(count)]


def write(path: Path, lines: list[tuple[str, ...]]) -> Path:
    text = io.StringIO()
    csv.writer(text).writerows(lines)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.getvalue().encode()))
    else:
        path.write_text(text.getvalue())
    return path


def test_a_header_says_the_order_and_without_one_the_label_is_first(tmp_path: Path) -> None:
    texts = rows()
    one = write(tmp_path / "a.csv", [("label", "id", "text"), *[(b, "x", a) for a, b in texts]])
    other = write(tmp_path / "b.csv.gz", [(str(NAMES.index(b)), a) for a, b in texts])
    first, second = (read_corpus(str(path))["sentiment"] for path in (one, other))
    assert first.texts == second.texts == [text for text, _ in texts]
    assert first.labels.tolist() == second.labels.tolist()
    assert first.digest == second.digest


def test_files_and_tasks_are_joined(tmp_path: Path) -> None:
    write(tmp_path / "s.csv", [("text", "label"), *rows()])
    emotions = ["anger", "joy", "optimism", "sadness"]
    write(
        tmp_path / "e.csv", [("text", "label"), *[(f"t {n}", emotions[n % 4]) for n in range(300)]]
    )
    actual = read_corpus(f"{tmp_path / 's.csv'},{tmp_path / 'e.csv'}")
    assert {task: len(corpus.texts) for task, corpus in actual.items()} == {
        "sentiment": 200,
        "emotion": 300,
    }
    assert read_corpus(str(tmp_path))["emotion"].digest == actual["emotion"].digest


def test_a_pair_of_files_is_read_and_must_fit(tmp_path: Path) -> None:
    (tmp_path / "e_text.txt").write_text("\n".join(f"t {n}" for n in range(300)) + "\n")
    labels = tmp_path / "e_labels.txt"
    labels.write_text("\n".join(str(n % 4) for n in range(300)))
    assert len(read_corpus(str(tmp_path))["emotion"].texts) == 300
    labels.write_text("0\n")
    with pytest.raises(CorpusError, match=r"300 lines but e_labels\.txt 1"):
        read_corpus(str(tmp_path))


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([("text", "label"), ("fine", "meh")], r"line 2: unknown label 'meh'"),
        ([("0",)], "line 1: expected a text and a label"),
        ([("text", "label"), ("fine", "0")], "too few"),
        ([], "is empty"),
    ],
)
def test_a_bad_file_is_named_with_its_line(
    tmp_path: Path, lines: list[tuple[str, ...]], message: str
) -> None:
    with pytest.raises(CorpusError, match=message):
        read_corpus(str(write(tmp_path / "bad.csv", lines)))


def test_what_is_not_there_or_not_text_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="no file or folder"):
        read_corpus(str(tmp_path / "none.csv"))
    with pytest.raises(CorpusError, match=r"\(empty\)"):
        read_corpus("")
    with pytest.raises(CorpusError, match=r"has no \.csv"):
        read_corpus(str(tmp_path))
    (tmp_path / "x.csv").write_bytes(b"\xff\xfe0,caf\xe9")
    with pytest.raises(CorpusError, match="UTF-8"):
        read_corpus(str(tmp_path))
    (tmp_path / "x.csv").rename(tmp_path / "x.csv.gz")
    with pytest.raises(CorpusError, match="cannot be read"):
        read_corpus(str(tmp_path))


@given(st.lists(st.tuples(st.text(max_size=30), st.integers(0, 2)), min_size=1, max_size=30))
def test_any_csv_gives_its_texts_or_says_why_not(
    tmp_path_factory: pytest.TempPathFactory, lines: list[tuple[str, int]]
) -> None:
    path = tmp_path_factory.mktemp("corpus") / "c.csv"
    text = io.StringIO()
    csv.writer(text).writerows([("text", "label"), *lines])
    path.write_bytes(text.getvalue().encode("utf-8", "replace"))
    try:
        actual = read_corpus(str(path))["sentiment"]
    except CorpusError:
        return
    assert len(actual.texts) <= len(lines)


def test_a_tenth_is_aside_whatever_its_case_and_a_repeated_text_on_one_side() -> None:
    texts = [normalise(f"a text about {n}") for n in range(5000)]
    share = sum(map(is_aside, texts)) / len(texts)
    assert 0.08 < share < 0.12
    assert all(is_aside(text) == is_aside(text.upper()) for text in texts[:200])
    twice = labelled("sentiment", texts + texts, [0] * 10_000)
    assert (twice.aside[:5000] == twice.aside[5000:]).all()
