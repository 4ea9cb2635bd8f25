"""A transformer that reads texts: tokens, token vectors, sentence embeddings.

Belongs here: loading an encoder as data, tokenising, encoding in batches. Does not belong here:
what is learnt on top of it (`signals.sentiment`) and how texts are cleaned before.
"""

from __future__ import annotations

import hashlib
import logging
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from numpy.typing import NDArray

from engagement_assets.learning.text.weights import builtin_encoder

BUILTIN = "all-MiniLM-L6-v2"
MAX_TOKENS = 128
BATCH = 64
# A token is at least one character; beyond this a long text cannot change its first tokens.
_CHARACTERS_PER_TOKEN = 40

transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call] # its own
logger = logging.getLogger(__name__)


class EncoderError(RuntimeError):
    """An encoder cannot be loaded; the message says which and why."""


@dataclass
class TextEncoder:
    """A loaded encoder.

    Attributes:
        name: What it was loaded by.
        network: The transformer; n x t token ids in, n x t x d token vectors out.
        tokenizer: Its fast tokenizer.
        max_tokens: Texts are cut after so many tokens.
    """

    name: str
    network: Any
    tokenizer: Any
    max_tokens: int = MAX_TOKENS

    @classmethod
    def load(cls, name: str | Path | None = None, *, max_tokens: int = MAX_TOKENS) -> TextEncoder:
        """Load an encoder as data: safetensors and JSON, never code.

        Args:
            name: A local folder or the name of a Hugging Face model, such as
                `distilbert-base-uncased` (needs the hub, or its cache); the built-in MiniLM, which
                needs neither, when None.
            max_tokens: Texts are cut after so many tokens, at most what the model can take.

        Raises:
            EncoderError: It is not there, or not stored as safetensors.
            MissingEncoderError: The built-in one is not installed.
            TamperedEncoderError: A file of the built-in one is not the published one.
        """
        place = builtin_encoder() if name is None else name
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", FutureWarning)  # of transformers about itself
                tokenizer = transformers.AutoTokenizer.from_pretrained(
                    place, use_fast=True, trust_remote_code=False
                )
                network = transformers.AutoModel.from_pretrained(
                    place, use_safetensors=True, trust_remote_code=False
                )
        except (OSError, ValueError) as error:
            raise EncoderError(
                f"the text encoder {name} cannot be loaded: {error}. It must be a folder, or a "
                "model of the Hugging Face hub, with safetensors weights and a tokenizer"
            ) from error
        network.eval()
        room = int(getattr(network.config, "max_position_embeddings", max_tokens))
        return cls(str(name or BUILTIN), network, tokenizer, min(max_tokens, room))

    @property
    def width(self) -> int:
        """Length d of a token vector."""
        return int(getattr(self.network.config, "hidden_size", 0) or self.network.config.dim)

    def fingerprint(self) -> str:
        """A hash of the weights and the vocabulary: what was trained on it fits nothing else."""
        digest = hashlib.sha256()
        for key, tensor in sorted(self.network.state_dict().items()):
            digest.update(key.encode())
            digest.update(tensor.detach().contiguous().numpy().tobytes())
        for word, number in sorted(self.tokenizer.get_vocab().items()):
            digest.update(f"{word}\0{number}\0".encode())
        return digest.hexdigest()

    def tokens(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, cut after `max_tokens`."""
        if not texts:
            return []
        # what lies far beyond the last token that counts need not be split into tokens
        limit = self.max_tokens * _CHARACTERS_PER_TOKEN
        short = [readable(text[:limit]) for text in texts]
        tokens: list[list[int]] = self.tokenizer(
            short, truncation=True, max_length=self.max_tokens, return_attention_mask=False
        )["input_ids"]
        return tokens

    def padded(self, ids: Sequence[Sequence[int]]) -> tuple[torch.Tensor, torch.Tensor]:
        """Token ids as an n x t tensor, and its mask of what is no padding."""
        longest = max(len(row) for row in ids)
        pad = self.tokenizer.pad_token_id or 0
        tokens = torch.tensor([[*row, *[pad] * (longest - len(row))] for row in ids])
        lengths = torch.tensor([len(row) for row in ids])
        return tokens, (torch.arange(longest)[None, :] < lengths[:, None]).long()

    def encode(self, texts: Sequence[str], *, batch: int = BATCH) -> NDArray[np.float32]:
        """Embed texts: the mean of the token vectors, of length 1.

        Args:
            texts: n texts.
            batch: Texts at a time.

        Returns:
            n x d.
        """
        embedded = np.zeros((len(texts), self.width), dtype=np.float32)
        ids = self.tokens(texts)
        for rows in by_length(ids, batch):
            tokens, mask = self.padded([ids[row] for row in rows])
            with torch.inference_mode():
                states = self.network(input_ids=tokens, attention_mask=mask).last_hidden_state
                mean = (states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
                unit = torch.nn.functional.normalize(mean, dim=1)
            embedded[rows] = unit.float().numpy()
        return embedded


def readable(text: str) -> str:
    """A text without what no tokenizer can take: lone surrogates and null bytes."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", " ")


def by_length(ids: Sequence[Sequence[int]], batch: int) -> Iterator[list[int]]:
    """Rows in batches of like length, so that little is padding; the longest batch first.

    The first batch is the one that needs the most memory: it fails at once or not at all.
    """
    order = sorted(range(len(ids)), key=lambda row: (-len(ids[row]), row))
    for start in range(0, len(order), batch):
        yield order[start : start + batch]
