"""Sentiment and emotion of texts, by the trained model.

Belongs here: scoring many texts or one. Does not belong here: whose texts may be scored
(`scoring.py`) and how the model was trained (`training.py`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from upath import UPath

from engagement_assets.learning.text.corpus import TASKS
from engagement_assets.learning.text.encoder import MAX_TOKENS, TextEncoder, by_length
from engagement_assets.learning.text.heads import (
    AdapterError,
    SentimentNetwork,
    load_adapter,
)
from engagement_assets.learning.text.normalise import normalise
from engagement_assets.learning.text.packed import make_ready
from engagement_assets.learning.text.score import score_map
from engagement_assets.learning.torch_threads import torch_threads

Folder = Path | UPath
SHIPPED = Path(__file__).parent / "adapter"
# what fits the cache: more texts at a time are slower
BATCH = 32
_SCORED = ("score", *(f"p_{name}" for name in TASKS["sentiment"]))
COLUMNS = (*_SCORED, "emotion", *(f"p_{name}" for name in TASKS["emotion"]))


@dataclass(frozen=True)
class TextScore:
    """Sentiment and emotion of one text.

    Attributes:
        score: -1 to 1; of texts below -0.5 four in five are negative (`ScoreMap`). None where the
            text has nothing that the model can read.
        sentiment: Probability of negative, neutral and positive, or empty.
        emotion: The likeliest of anger, joy, optimism and sadness, or None.
        emotions: Probability of each, or empty.
    """

    score: float | None
    sentiment: dict[str, float]
    emotion: str | None
    emotions: dict[str, float]


class SentimentModel:
    """An encoder with a trained adapter merged into it, ready to score.

    Safe to use from several threads at once: scoring changes nothing. It works in the fastest
    precision of the processor that costs no accuracy (`benchmarks.sentiment`).

    Args:
        encoder: What the adapter was trained on.
        network: The network, its adapters not yet merged.
        version: Names the content.
        card: What is known of the training.
        threads: Threads of scoring many texts.
    """

    def __init__(
        self,
        encoder: TextEncoder,
        network: SentimentNetwork,
        *,
        version: str,
        card: dict[str, Any],
        threads: int = 2,
    ) -> None:
        self.version = version
        self.card = card
        self.threads = threads
        self._encoder = encoder
        self._score = score_map(card)
        network.eval()
        network.merge()
        self._make_ready(network)
        self._network = network
        # nobody reads a text made of unknown tokens alone
        special = set(encoder.tokenizer.all_special_ids)
        self._mute = special | {encoder.tokenizer.unk_token_id}

    @staticmethod
    def _make_ready(network: SentimentNetwork) -> None:
        """Choose the runtime; benchmarks put others in its place."""
        make_ready(network.body)

    @classmethod
    def load(
        cls,
        folder: Folder | None = None,
        *,
        version: str | None = None,
        encoder: str | None = None,
        max_tokens: int = MAX_TOKENS,
        threads: int = 2,
    ) -> SentimentModel:
        """Load a trained adapter and its encoder.

        Args:
            folder: Folder of the adapter; the shipped one when None.
            version: Names the content; a hash of adapter and encoder when None.
            encoder: Folder or name of the encoder it was trained on; the built-in one when None.
            max_tokens: Texts are cut after so many tokens.
            threads: Threads of scoring many texts.

        Raises:
            AdapterError: There is no adapter, it was changed, or it fits another encoder.
            EncoderError: The encoder cannot be loaded.
        """
        place = folder or SHIPPED
        tensors, card = load_adapter(place)
        base = TextEncoder.load(encoder, max_tokens=max_tokens)
        network = SentimentNetwork(base, rank=int(card["rank"]))
        if network.base != card["encoder_sha256"]:
            raise AdapterError(
                f"the adapter in {place} was trained on {card['encoder']}, not on {base.name}: "
                "name that encoder by TEXT_ENCODER, or train an adapter for this one"
            )
        network.take(tensors)
        seal = f"{card['weights_sha256']}{card['encoder_sha256']}{base.max_tokens}{score_map(card)}"
        version = version or hashlib.sha256(seal.encode()).hexdigest()[:16]
        return cls(base, network, version=version, card=card, threads=threads)

    def score_texts(self, texts: Sequence[str]) -> pd.DataFrame:
        """Score many texts.

        Args:
            texts: n texts of any length, script and content; beyond 5,000 characters or the
                encoder's tokens nothing is read.

        Returns:
            n rows in the order of the texts: score (-1 to 1), p_negative, p_neutral, p_positive,
            emotion, p_anger, p_joy, p_optimism, p_sadness. All are null where a text has nothing
            that the model can read: white space, or characters it has no token for.

        Raises:
            TypeError: Something is not a text; the message says at which position.
        """
        read = self._encoder.tokens([normalise(_text(text, n)) for n, text in enumerate(texts)])
        # what people write in few words comes again and again, and is scored once
        places: dict[tuple[int, ...], int] = {}
        place = [places.setdefault(tuple(tokens), len(places)) for tokens in read]
        ids = list(places)
        legible = [row for row, tokens in enumerate(ids) if not self._mute.issuperset(tokens)]
        probabilities = {
            task: np.full((len(ids), len(names)), np.nan) for task, names in TASKS.items()
        }
        with torch_threads(self.threads):
            for rows in by_length([ids[row] for row in legible], BATCH):
                chosen = [legible[row] for row in rows]
                scored = self._probabilities([ids[row] for row in chosen])
                for task, probability in scored.items():
                    probabilities[task][chosen] = probability
        return self._table({task: each[place] for task, each in probabilities.items()})

    def score_text(self, text: str) -> TextScore:
        """Score one text; fast enough to answer a request, from any thread.

        Raises:
            TypeError: It is not a text.
        """
        ids = self._encoder.tokens([normalise(_text(text, 0))])
        if self._mute.issuperset(ids[0]):
            return TextScore(None, {}, None, {})
        probabilities = self._probabilities(ids)
        sentiment, emotions = (
            {name: float(p) for name, p in zip(TASKS[task], probabilities[task][0], strict=True)}
            for task in ("sentiment", "emotion")
        )
        return TextScore(
            score=float(self._score(sentiment["positive"] - sentiment["negative"])),
            sentiment=sentiment,
            emotion=max(emotions, key=lambda name: emotions[name]),
            emotions=emotions,
        )

    def _probabilities(self, ids: Sequence[Sequence[int]]) -> dict[str, NDArray[np.float64]]:
        tokens, mask = self._encoder.padded(ids)
        with torch.inference_mode():
            pooled = self._network.pooled(tokens, mask)
            return {
                task: torch.softmax(head(pooled).double(), dim=1).numpy()
                for task, head in self._network.heads.items()
            }

    def _table(self, probabilities: dict[str, NDArray[np.float64]]) -> pd.DataFrame:
        table = pd.DataFrame(
            {
                f"p_{name}": probabilities[task][:, place]
                for task, names in TASKS.items()
                for place, name in enumerate(names)
            }
        )
        table["score"] = self._score(table["p_positive"] - table["p_negative"])
        names = np.array(TASKS["emotion"], dtype=object)
        legible = table["score"].notna().to_numpy()
        emotion = np.full(len(table), None, dtype=object)
        emotion[legible] = names[probabilities["emotion"][legible].argmax(axis=1)]
        return table.assign(emotion=emotion)[list(COLUMNS)]


def _text(value: object, position: int) -> str:
    if not isinstance(value, str):
        raise TypeError(f"text {position} is {type(value).__name__}, expected str")
    return value
