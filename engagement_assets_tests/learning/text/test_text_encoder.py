"""Encoders are loaded as data: the built-in one by its hashes, any other from its folder."""

import copy
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from engagement_assets.learning.text.encoder import EncoderError, TextEncoder, by_length, readable
from engagement_assets.learning.text.packed import computes_in_bfloat16, make_ready, pack_linear
from engagement_assets.learning.text.weights import (
    HASHES,
    MissingEncoderError,
    TamperedEncoderError,
    builtin_encoder,
    check_hashes,
)
from engagement_assets_tests.learning.text.small_encoder import save_small_distilbert


@pytest.fixture(scope="module")
def builtin() -> TextEncoder:
    return TextEncoder.load()


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> TextEncoder:
    folder = tmp_path_factory.mktemp("distilbert")
    save_small_distilbert(folder)
    return TextEncoder.load(folder)


def test_texts_of_one_meaning_lie_closer_than_others(builtin: TextEncoder) -> None:
    texts = ["I love this song", "this music is wonderful", "the train leaves at nine"]
    vectors = builtin.encode(texts)
    assert vectors.shape == (3, 384)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.2


def test_the_order_and_the_company_of_texts_change_nothing(builtin: TextEncoder) -> None:
    texts = ["short", "a rather longer text about nothing much at all", "mid sized text"]
    together = builtin.encode(texts, batch=2)
    assert np.allclose(builtin.encode(texts[::-1])[::-1], together, atol=1e-5)
    assert np.allclose(builtin.encode(texts[:1])[0], together[0], atol=1e-5)


def test_a_changed_file_of_the_builtin_encoder_is_refused(tmp_path: Path) -> None:
    for name in HASHES:
        shutil.copy(builtin_encoder() / name, tmp_path / name)
    check_hashes(tmp_path)
    with (tmp_path / "tokenizer.json").open("a") as file:
        file.write(" ")
    with pytest.raises(TamperedEncoderError, match=r"tokenizer\.json.*not the published"):
        check_hashes(tmp_path, ((0, 0),))


def test_a_missing_builtin_encoder_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engagement_assets.learning.text.weights.DISTRIBUTION", "no-such-package")
    with pytest.raises(MissingEncoderError, match=r"encoder\.txt"):
        builtin_encoder()


def test_a_distilbert_from_a_folder_is_an_encoder(small: TextEncoder) -> None:
    vectors = small.encode(["good day", "bad day"])
    assert vectors.shape == (2, small.width)
    assert (small.encode(["good day", "bad day"]) == vectors).all()
    assert small.max_tokens == 32  # what its positions allow


def test_a_folder_without_safetensors_is_refused(tmp_path: Path) -> None:
    save_small_distilbert(tmp_path)
    (tmp_path / "model.safetensors").rename(tmp_path / "pytorch_model.bin")
    with pytest.raises(EncoderError, match="safetensors"):
        TextEncoder.load(tmp_path)


def test_a_name_that_is_nothing_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match="nowhere"):
        TextEncoder.load(tmp_path / "nowhere")


def test_another_set_of_weights_has_another_fingerprint(
    small: TextEncoder, builtin: TextEncoder, tmp_path: Path
) -> None:
    save_small_distilbert(tmp_path, seed=2)
    prints = {small.fingerprint(), builtin.fingerprint(), TextEncoder.load(tmp_path).fingerprint()}
    assert len(prints) == 3


def test_batches_hold_every_row_once_the_longest_first() -> None:
    ids = [[0] * length for length in (3, 9, 1, 7, 5)]
    batches = list(by_length(ids, 2))
    assert batches == [[1, 3], [4, 0], [2]]


@pytest.mark.parametrize("text", ["a\0b", "a\ud800b", "", "🙂" * 10])
def test_any_text_is_made_readable(text: str) -> None:
    assert readable(text).encode("utf-8") is not None
    assert "\0" not in readable(text)


@pytest.mark.parametrize(
    ("precision", "rounding"), [(torch.float32, 1e-4), (torch.bfloat16, 0.05)], ids=str
)
@pytest.mark.parametrize("encoder", ["builtin", "small"])
def test_packed_layers_compute_the_same_for_any_number_of_tokens(
    encoder: str, precision: torch.dtype, rounding: float, request: pytest.FixtureRequest
) -> None:
    if precision == torch.bfloat16 and not computes_in_bfloat16():
        pytest.skip("this processor has no instructions for bfloat16")
    network = copy.deepcopy(request.getfixturevalue(encoder).network).to(precision)
    packed = copy.deepcopy(network)
    linear = sum(type(layer) is torch.nn.Linear for layer in network.modules())
    assert pack_linear(packed) == linear
    for rows, tokens in ((1, 5), (1, 32), (7, 30)):
        ids = torch.arange(rows * tokens).reshape(rows, tokens) % 20
        with torch.inference_mode():
            expected = network(input_ids=ids).last_hidden_state
            actual = packed(input_ids=ids).last_hidden_state
        assert torch.allclose(actual.float(), expected.float(), atol=rounding)


def test_layers_of_another_precision_are_left_alone(small: TextEncoder) -> None:
    network = copy.deepcopy(small.network).double()
    assert pack_linear(network) == 0
    assert not any(type(layer).__name__ == "_PackedLinear" for layer in network.modules())


def test_a_network_that_only_infers_works_in_a_precision_of_the_processor(
    small: TextEncoder,
) -> None:
    network = copy.deepcopy(small.network)
    expected = torch.bfloat16 if computes_in_bfloat16() else torch.float32
    assert make_ready(network) == expected
    assert {weight.dtype for weight in network.parameters()} == {expected}
