"""The command that fine-tunes a sentiment adapter: `make train-sentiment CORPUS=…`.

    python -m engagement_assets.commands.train_sentiment corpus.csv --output data/sentiment-adapter

Belongs here: arguments and what is said. Does not belong here: learning (`training.py`).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
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

OUTPUT = Path("data/sentiment-adapter")
# what a card says of the adapter that training went on from
_OF_START = ("weights_sha256", "settings", "minutes", "corpora", "metrics", "start")


def main(arguments: Sequence[str] | None = None) -> int:
    """Train; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        corpora = read_corpus(options.corpus)
        for task, corpus in corpora.items():
            _say(f"{task}: {len(corpus.texts):,} texts, {int(corpus.aside.sum()):,} kept aside")
        encoder = TextEncoder.load(options.encoder, max_tokens=options.max_tokens)
        network = SentimentNetwork(encoder, rank=options.rank)
        before: dict[str, Any] = {}
        if options.start:
            tensors, start = load_adapter(options.start)
            network.take(tensors)
            before = {"start": {name: start[name] for name in _OF_START if name in start}}
        settings = TrainingSettings(
            epochs=options.epochs,
            learning_rate=options.learning_rate,
            emotion_repeats=options.emotion_repeats,
            sentiment_share=options.sentiment_share,
            seed=options.seed,
        )
        card = train(network, encoder, corpora, settings=settings, progress=_say)
        save_adapter(network, encoder, card | before, options.output)
    except (CorpusError, EncoderError, AdapterError) as error:
        _say(f"error: {error}")
        return 2
    for task, found in card["metrics"].items():
        ours, plain = found["adapter"], found["tfidf_logistic_regression"]
        _say(
            f"{task}, {found['measure']} on {found['texts']:,} texts kept aside: "
            f"{ours['value']:.3f} ({ours['low']:.3f} to {ours['high']:.3f}); TF-IDF with logistic "
            f"regression {plain['value']:.3f} ({plain['low']:.3f} to {plain['high']:.3f})"
        )
    _say(f"written: {options.output}; use it with `make run SENTIMENT_ADAPTER={options.output}`")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="train-sentiment", description=__doc__)
    parser.add_argument("corpus", help="CSV files (comma-separated) or a folder; see the README")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="folder of the new adapter")
    parser.add_argument("--encoder", default=None, help="Hugging Face name or local folder")
    parser.add_argument(
        "--start",
        type=Path,
        nargs="?",
        const=SHIPPED,
        default=None,
        help="go on from this adapter; from the shipped one without a folder. A task that the "
        "corpus lacks keeps what it knew; without --start it is untrained",
    )
    parser.add_argument("--epochs", type=int, default=TrainingSettings.epochs)
    parser.add_argument("--learning-rate", type=float, default=TrainingSettings.learning_rate)
    parser.add_argument(
        "--emotion-repeats",
        type=int,
        default=TrainingSettings.emotion_repeats,
        help="passes over the emotions for each over the sentiments",
    )
    parser.add_argument(
        "--sentiment-share",
        type=float,
        default=TrainingSettings.sentiment_share,
        help="share of the sentiments that each epoch learns from",
    )
    parser.add_argument("--rank", type=int, default=RANK, help="rank of the adapters")
    parser.add_argument("--max-tokens", type=int, default=MAX_TOKENS)
    parser.add_argument("--seed", type=int, default=TrainingSettings.seed)
    return parser


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
