"""What `engagement train-sentiment` does: fine-tune a sentiment adapter and say how good it is.

Belongs here: what is said. Does not belong here: learning (`learning/text/training.py`).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from engagement_assets.learning.text.corpus import CorpusError, read_corpus
from engagement_assets.learning.text.encoder import MAX_TOKENS, EncoderError, TextEncoder
from engagement_assets.learning.text.heads import (
    RANK,
    AdapterError,
    SentimentNetwork,
    load_adapter,
    save_adapter,
)
from engagement_assets.learning.text.sentiment import SHIPPED
from engagement_assets.learning.text.training import TrainingSettings, train

ERRORS = (CorpusError, EncoderError, AdapterError)
# what a card says of the adapter that training went on from
_OF_START = ("weights_sha256", "settings", "minutes", "corpora", "metrics", "start")


def train_adapter(
    corpus: str,
    output: Path,
    *,
    encoder: str | None = None,
    start: str | None = None,
    rank: int | None = None,
    max_tokens: int | None = None,
    **how: Any,
) -> None:
    """Train and write an adapter.

    Args:
        corpus: CSV files or a folder of labelled texts.
        output: Folder of the new adapter.
        encoder: Hugging Face name or local folder; the built-in one by default.
        start: Folder of the adapter to go on from, or `shipped`; none by default.
        rank: Rank of the adapters.
        max_tokens: Tokens of a text that are read.
        **how: Fields of `TrainingSettings`.

    Raises:
        CorpusError: The corpus cannot be read.
        EncoderError: There is no such encoder.
        AdapterError: The adapter to go on from cannot be read.
    """
    corpora = read_corpus(corpus)
    for task, labelled in corpora.items():
        _say(f"{task}: {len(labelled.texts):,} texts, {int(labelled.aside.sum()):,} kept aside")
    text_encoder = TextEncoder.load(encoder, max_tokens=max_tokens or MAX_TOKENS)
    network = SentimentNetwork(text_encoder, rank=rank or RANK)
    before: dict[str, Any] = {}
    if start:
        tensors, card = load_adapter(SHIPPED if start == "shipped" else Path(start))
        network.take(tensors)
        before = {"start": {name: card[name] for name in _OF_START if name in card}}
    settings = TrainingSettings(**how)
    card = train(network, text_encoder, corpora, settings=settings, progress=_say)
    save_adapter(network, text_encoder, card | before, output)
    for task, found in card["metrics"].items():
        ours, plain = found["adapter"], found["tfidf_logistic_regression"]
        _say(
            f"{task}, {found['measure']} on {found['texts']:,} texts kept aside: "
            f"{ours['value']:.3f} ({ours['low']:.3f} to {ours['high']:.3f}); TF-IDF with logistic "
            f"regression {plain['value']:.3f} ({plain['low']:.3f} to {plain['high']:.3f})"
        )
    _say(f"written: {output}; use it with `make run SENTIMENT_ADAPTER={output}`")


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
