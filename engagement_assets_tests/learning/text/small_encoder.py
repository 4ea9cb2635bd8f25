"""A DistilBERT of a few thousand numbers, saved as a folder."""

import json
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import DistilBertConfig, DistilBertModel

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
PLAIN = (
    "good bad day love hate the a is fine great awful so very happy sad angry hope number five town"
)
WORDS = [*SPECIAL, *PLAIN.split(), "bus"]


def save_small_distilbert(folder: Path, *, seed: int = 1) -> None:
    """Write its weights, configuration and tokenizer."""
    torch.manual_seed(seed)
    config = DistilBertConfig(
        vocab_size=len(WORDS), dim=32, hidden_dim=64, n_layers=2, n_heads=2,
        max_position_embeddings=32,
    )  # fmt: skip
    DistilBertModel(config).save_pretrained(folder)
    tokenizer = Tokenizer(WordLevel({w: n for n, w in enumerate(WORDS)}, unk_token=SPECIAL[1]))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    special = {"pad_token": "[PAD]", "unk_token": "[UNK]", "tokenizer_class": "TokenizersBackend"}
    (folder / "tokenizer_config.json").write_text(json.dumps(special))


def labelled_texts(count: int = 240) -> tuple[list[str], list[int]]:
    words = [("bad", "awful", "hate"), ("bus", "five", "town"), ("good", "great", "love")]
    rng = np.random.default_rng(1)
    labels = [n % 3 for n in range(count)]
    filler = ["the", "a", "is", "day", "so", "very"]
    return [
        " ".join([*rng.choice(filler, 6), rng.choice(words[label]), *rng.choice(filler, 3)])
        for label in labels
    ], labels
