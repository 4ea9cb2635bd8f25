"""The shipped model reads texts rightly, any text, from any thread."""

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from engagement_assets.learning.text.corpus import labelled
from engagement_assets.learning.text.encoder import TextEncoder
from engagement_assets.learning.text.heads import (
    AdapterError,
    SentimentNetwork,
    load_adapter,
    save_adapter,
)
from engagement_assets.learning.text.sentiment import COLUMNS, SHIPPED, SentimentModel
from engagement_assets.learning.text.training import TrainingSettings, train
from engagement_assets_tests.learning.text.small_encoder import (
    labelled_texts,
    save_small_distilbert,
)

GOOD = ["I love this, best day ever!", "What a wonderful surprise 😍", "so happy with my new bike"]
BAD = ["This is awful, I hate it", "worst service ever, never again 😡", "so sad and disappointed"]


@pytest.fixture(scope="module")
def model() -> SentimentModel:
    return SentimentModel.load(threads=1)


def test_plain_texts_are_read_rightly(model: SentimentModel) -> None:
    actual = model.score_texts([*GOOD, *BAD, "The train leaves at nine from platform two."])
    assert (actual["score"][:3] > 0.5).all()
    assert (actual["score"][3:6] < -0.5).all()
    assert abs(actual["score"][6]) < 0.5
    assert actual["emotion"][:3].isin(["joy", "optimism"]).all()
    assert actual["emotion"][3:6].isin(["anger", "sadness"]).all()


def test_a_table_has_every_probability_and_they_sum_to_one(model: SentimentModel) -> None:
    actual = model.score_texts(GOOD + BAD)
    assert tuple(actual.columns) == COLUMNS
    assert np.allclose(actual[["p_negative", "p_neutral", "p_positive"]].sum(axis=1), 1)
    assert np.allclose(actual[list(COLUMNS[5:])].sum(axis=1), 1)
    assert np.array_equal(
        actual["score"].rank(), (actual["p_positive"] - actual["p_negative"]).rank()
    )


def test_one_text_scores_as_it_does_among_many_and_in_any_order(model: SentimentModel) -> None:
    texts = [*GOOD, *BAD, "ok", "a long text " * 30]
    together = model.score_texts(texts)["score"].to_numpy()
    backwards = model.score_texts(texts[::-1])["score"].to_numpy()[::-1]
    single = np.array([model.score_text(text).score for text in texts])
    assert np.abs(together - backwards).max() < 0.02
    assert np.abs(together - single).max() < 0.04
    assert (model.score_texts(texts)["score"].to_numpy() == together).all()


def test_a_text_that_comes_again_is_scored_once(
    model: SentimentModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored = []
    once = model._probabilities
    monkeypatch.setattr(model, "_probabilities", lambda ids: scored.extend(ids) or once(ids))
    table = model.score_texts(["thanks", "it is broken again", "thanks", "", "thanks"])
    assert len(scored) == 2
    assert table.loc[0].equals(table.loc[2])
    assert table.loc[0].equals(table.loc[4])
    assert table.loc[1, "score"] < table.loc[0, "score"]
    assert table.loc[3].isna().all()


@pytest.mark.parametrize("text", ["", "   \n\t", "\0", "\ud800", "日本語のテキスト𓀀"[-1:]])
def test_a_text_without_anything_to_read_has_no_score(model: SentimentModel, text: str) -> None:
    assert model.score_text(text).score is None
    row = model.score_texts(["fine", text]).iloc[1]
    assert row.isna().all()


@pytest.mark.parametrize(
    "text",
    ["x" * 100_000, "word " * 20_000, "😂😂😂", "Это прекрасный день", "これは素晴らしい",
     "a\0b\0c", "<script>alert(1)</script>", "'; DROP TABLE posts; --", "\u202eabc", "é" * 500],
)  # fmt: skip
def test_any_other_text_has_a_score_within_its_range(model: SentimentModel, text: str) -> None:
    score = model.score_text(text).score
    assert score is not None
    assert -1 <= score <= 1
    assert model.score_texts([text])["score"].between(-1, 1).all()


@pytest.mark.parametrize("value", [None, 3, b"bytes", float("nan")])
def test_what_is_no_text_is_an_error_with_its_position(
    model: SentimentModel, value: object
) -> None:
    with pytest.raises(TypeError, match="text 1 is"):
        model.score_texts(["fine", value])  # type: ignore[list-item] # no text, on purpose


def test_no_texts_give_an_empty_table(model: SentimentModel) -> None:
    actual = model.score_texts([])
    assert tuple(actual.columns) == COLUMNS
    assert actual.empty


def test_eight_threads_get_the_answers_of_one(model: SentimentModel) -> None:
    texts = (GOOD + BAD) * 8
    expected = [model.score_text(text) for text in texts]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(model.score_text, texts)) == expected


def test_the_shipped_adapter_is_small_and_says_how_it_was_made() -> None:
    assert sum(path.stat().st_size for path in SHIPPED.iterdir()) < 2_000_000
    _, card = load_adapter(SHIPPED)
    assert card["metrics"]["sentiment"]["adapter"]["value"] > 0.68
    assert set(card["corpora"]) == {"sentiment", "emotion"}


def test_a_changed_adapter_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "adapter"
    shutil.copytree(SHIPPED, folder)
    weights = folder / "adapter.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(AdapterError, match="not what its card"):
        SentimentModel.load(folder)
    card = folder / "card.json"
    card.write_text(json.dumps({"format": "other"}))
    with pytest.raises(AdapterError, match="format 'other'"):
        SentimentModel.load(folder)
    card.unlink()
    with pytest.raises(AdapterError, match="train-sentiment"):
        SentimentModel.load(folder)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("distilbert")
    save_small_distilbert(folder)
    return folder


def test_an_adapter_fits_no_other_encoder(small: Path) -> None:
    with pytest.raises(AdapterError, match="all-MiniLM-L6-v2"):
        SentimentModel.load(encoder=str(small))


def test_a_small_distilbert_learns_a_corpus_and_survives_saving(
    small: Path, tmp_path: Path
) -> None:
    corpora = {"sentiment": labelled("sentiment", *labelled_texts())}
    encoder = TextEncoder.load(small)
    network = SentimentNetwork(encoder, rank=4)
    settings = TrainingSettings(epochs=25, batch=16, learning_rate=1e-2, bootstrap=20)
    lines: list[str] = []
    card = train(network, encoder, corpora, settings=settings, progress=lines.append)
    assert card["metrics"]["sentiment"]["adapter"]["value"] > 0.9
    assert lines[-1].startswith("step ")
    save_adapter(network, encoder, card, tmp_path)
    model = SentimentModel.load(tmp_path, encoder=str(small))
    actual = model.score_texts(["the day is great so very", "the day is awful so very"])["score"]
    assert actual[0] > 0 > actual[1]
    assert actual[0] - actual[1] > 0.4
    assert SentimentModel.load(tmp_path, encoder=str(small)).version == model.version
