"""The command `engagement train-sentiment`.

Belongs here: its options, and what is said. Does not belong here: learning
(`learning/text/training.py`), which is imported inside the command.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from engagement_assets.commands.options import refused

# what a card says of the adapter that training went on from
_OF_START = ("weights_sha256", "settings", "minutes", "corpora", "metrics", "start")


def train_sentiment(
    corpus: Annotated[str, typer.Argument(help="CSV files (comma-separated) or a folder")],
    output: Annotated[Path, typer.Option(help="folder of the new adapter")] = Path(
        "data/sentiment-adapter"
    ),
    encoder: Annotated[
        str | None, typer.Option(help="Hugging Face name or local folder; built-in by default")
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            help="go on from the adapter in this folder, or from the `shipped` one: a task that "
            "the corpus lacks keeps what it knew, and is else untrained"
        ),
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="passes over the larger task")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="the largest step")] = None,
    emotion_repeats: Annotated[
        int | None, typer.Option(help="passes over the emotions for each over the sentiments")
    ] = None,
    sentiment_share: Annotated[
        float | None, typer.Option(help="share of the sentiments that each epoch learns from")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="seed of order, dropout and new weights")] = None,
    rank: Annotated[int | None, typer.Option(help="rank of the adapters")] = None,
    max_tokens: Annotated[int | None, typer.Option(help="tokens of a text that are read")] = None,
) -> None:
    """Fine-tune sentiment on your own labelled texts, and let it score where it is good enough.

    \b
    engagement train-sentiment texts.csv --start shipped --epochs 3
    engagement run
    """
    from engagement_assets.learning.text.corpus import TASKS, CorpusError, read_corpus
    from engagement_assets.learning.text.encoder import (
        BUILTIN,
        MAX_TOKENS,
        EncoderError,
        TextEncoder,
    )
    from engagement_assets.learning.text.heads import (
        RANK,
        AdapterError,
        SentimentNetwork,
        load_adapter,
        save_adapter,
    )
    from engagement_assets.learning.text.sentiment import SHIPPED
    from engagement_assets.learning.text.training import TrainingSettings, train

    how: dict[str, Any] = {
        "epochs": epochs,
        "learning_rate": learning_rate,
        "emotion_repeats": emotion_repeats,
        "sentiment_share": sentiment_share,
        "seed": seed,
    }
    settings = TrainingSettings(**{name: value for name, value in how.items() if value is not None})
    with refused(None, CorpusError, EncoderError, AdapterError):
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
        card = train(network, text_encoder, corpora, settings=settings, progress=_say)
        save_adapter(network, text_encoder, card | before, output)
    for task, metric in card["metrics"].items():
        ours, plain = metric["adapter"], metric["tfidf_logistic_regression"]
        _say(
            f"{task}, {metric['measure']} on {metric['texts']:,} texts kept aside: "
            f"{ours['value']:.3f} ({ours['low']:.3f} to {ours['high']:.3f}); TF-IDF with logistic "
            f"regression {plain['value']:.3f} ({plain['low']:.3f} to {plain['high']:.3f})"
        )
    _say(f"written: {output}")
    promote_or_say(output, load_adapter(output)[1], tasks=tuple(TASKS), builtin=BUILTIN)


def promote_or_say(
    folder: Path, card: Mapping[str, Any], *, tasks: tuple[str, ...], builtin: str
) -> None:
    """Register an adapter in the home in use, and make it the champion unless a gate refuses it."""
    from engagement_assets.commands.homes import open_home

    settings = open_home({})
    from engagement_assets.deployments.resources import resources_of
    from engagement_assets.signals.sentiment.versions import NAME, refusals, register_adapter

    registry = resources_of(settings)["registry"].registry
    version = register_adapter(registry, folder)
    reasons = refusals(card, tasks=tasks, encoder=settings.text_encoder or builtin)
    if reasons:
        _say(f"{NAME} {version} is registered and does not score: {'; '.join(reasons)}")
        return
    registry.promote(NAME, version, "not below TF-IDF with logistic regression on texts kept aside")
    _say(f"{NAME} {version} is the champion: it scores the texts of the next run")


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
