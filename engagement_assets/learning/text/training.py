"""Fine-tuning the adapters on labelled texts, and measuring what came of it.

Belongs here: learning, the figures on what was kept aside, the plain method beside it. Does not
belong here: reading corpora (`corpus.py`) and the command line (`train.py`).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, recall_score
from sklearn.pipeline import make_pipeline, make_union

from engagement_assets.learning.evaluation.bootstrap import Interval, bootstrapped
from engagement_assets.learning.text.corpus import TASKS, Labelled
from engagement_assets.learning.text.encoder import TextEncoder, by_length
from engagement_assets.learning.text.heads import SentimentNetwork
from engagement_assets.learning.text.score import NEGATIVE, POSITIVE, fit_score_map

logger = logging.getLogger(__name__)

MEASURES: Mapping[str, str] = {"sentiment": "macro_recall", "emotion": "macro_f1"}
"""What each task is judged by: those of the benchmark TweetEval (Barbieri et al. 2020)."""
_REPORT_STEPS = 50
_BATCHES_SORTED = 50


@dataclass(frozen=True)
class TrainingSettings:
    """Settings of fine-tuning.

    Attributes:
        epochs: Passes over the larger task.
        learning_rate: Largest step; it warms up over 6 % of the steps and falls to 0.
        batch: Texts a step.
        emotion_repeats: Passes over the emotions for each over the sentiments: they are few.
        sentiment_share: Share of the sentiments that each epoch learns from; a small one when going
            on from an adapter that knows them, so that it does not forget.
        balance: 0 weighs every text alike, 1 every label alike.
        label_smoothing: Share of a label that is spread over all.
        seed: Seed of order, dropout and new weights.
        bootstrap: Resamples behind each interval.
    """

    epochs: int = 2
    learning_rate: float = 7e-4
    batch: int = 64
    emotion_repeats: int = 2
    sentiment_share: float = 1.0
    balance: float = 0.6
    label_smoothing: float = 0.05
    seed: int = 0
    bootstrap: int = 1000


def train(
    network: SentimentNetwork,
    encoder: TextEncoder,
    corpora: Mapping[str, Labelled],
    *,
    settings: TrainingSettings,
    progress: Callable[[str], None] = logger.info,
) -> dict[str, Any]:
    """Fine-tune a network in place on what is not kept aside.

    Args:
        network: Gains adapters and heads; a task without a corpus keeps its head.
        encoder: Gives the tokens.
        corpora: Labelled texts by task.
        settings: How.
        progress: Called with a line from time to time.

    Returns:
        The card: corpora, settings, minutes, and figures on what was kept aside.
    """
    torch.manual_seed(settings.seed)
    rng = np.random.default_rng(settings.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network.to(device).train()
    ids = {task: encoder.tokens(corpus.texts) for task, corpus in corpora.items()}
    weights = {task: _weights(corpus, settings.balance) for task, corpus in corpora.items()}
    steps = list(_schedule(corpora, ids, settings, rng))
    optimiser, schedule = _optimiser(network, settings, len(steps))
    learnt = [parameter for parameter in network.parameters() if parameter.requires_grad]
    began, losses = time.perf_counter(), []
    for number, (task, rows) in enumerate(steps, start=1):
        tokens, mask = encoder.padded([ids[task][row] for row in rows])
        labels = torch.from_numpy(corpora[task].labels[rows])
        with torch.autocast(device.type, dtype=torch.bfloat16):
            pooled = network.pooled(tokens.to(device), mask.to(device))
        loss = torch.nn.functional.cross_entropy(
            network.heads[task](pooled.float()),
            labels.to(device),
            weight=weights[task].to(device),
            label_smoothing=settings.label_smoothing,
        )
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call] # torch's own
        torch.nn.utils.clip_grad_norm_(learnt, 1.0)
        optimiser.step()
        schedule.step()
        losses.append(loss.item())
        if number % _REPORT_STEPS == 0 or number == len(steps):
            minutes = (time.perf_counter() - began) / 60
            left = minutes / number * (len(steps) - number)
            recent = float(np.mean(losses[-_REPORT_STEPS:]))
            progress(f"step {number} of {len(steps)}: loss {recent:.3f}, {left:.0f} minutes left")
    network.to("cpu").eval()
    return {
        "settings": asdict(settings),
        "minutes": round((time.perf_counter() - began) / 60, 1),
        "corpora": {task: _described(corpus) for task, corpus in corpora.items()},
        "metrics": {
            task: evaluate(network, encoder, corpus, settings=settings)
            for task, corpus in corpora.items()
        },
    }


def _described(corpus: Labelled) -> dict[str, Any]:
    return {
        "texts": len(corpus.texts),
        "aside": int(corpus.aside.sum()),
        "sha256": corpus.digest,
        "labels": np.bincount(corpus.labels, minlength=len(TASKS[corpus.task])).tolist(),
    }


def _weights(corpus: Labelled, balance: float) -> torch.Tensor:
    counts = np.bincount(corpus.labels[~corpus.aside], minlength=len(TASKS[corpus.task]))
    weight = (counts.sum() / (len(counts) * np.maximum(counts, 1))) ** balance
    return torch.tensor(weight, dtype=torch.float32)


def _schedule(
    corpora: Mapping[str, Labelled],
    ids: Mapping[str, Sequence[Sequence[int]]],
    settings: TrainingSettings,
    rng: np.random.Generator,
) -> Iterator[tuple[str, list[int]]]:
    """Batches of all tasks, shuffled together within each epoch."""
    for _ in range(settings.epochs):
        epoch: list[tuple[str, list[int]]] = []
        for task, corpus in corpora.items():
            alone = len(corpora) == 1
            repeats = settings.emotion_repeats if task == "emotion" and not alone else 1
            # few texts want small steps
            size = settings.batch // 2 if task == "emotion" else settings.batch
            for _ in range(repeats):
                rows = rng.permutation(np.flatnonzero(~corpus.aside))
                if task == "sentiment":
                    rows = rows[: max(1, round(settings.sentiment_share * len(rows)))]
                epoch += [(task, batch) for batch in _batches(ids[task], rows, size)]
        yield from (epoch[place] for place in rng.permutation(len(epoch)))


def _batches(
    ids: Sequence[Sequence[int]], rows: NDArray[np.int64], size: int
) -> Iterator[list[int]]:
    """Batches of like length, cut from stretches that are long enough to mix the texts."""
    for start in range(0, len(rows), size * _BATCHES_SORTED):
        part = rows[start : start + size * _BATCHES_SORTED].tolist()
        for batch in by_length([ids[row] for row in part], size):
            yield [part[place] for place in batch]


def _optimiser(
    network: SentimentNetwork, settings: TrainingSettings, steps: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    body = [parameter for parameter in network.body.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(
        [
            {"params": body, "lr": settings.learning_rate},
            {"params": list(network.heads.parameters()), "lr": 2 * settings.learning_rate},
        ],
        weight_decay=0.01,
    )
    warm = max(1, round(0.06 * steps))

    def factor(step: int) -> float:
        return min((step + 1) / warm, max(0.0, (steps - step) / max(1, steps - warm)))

    return optimiser, torch.optim.lr_scheduler.LambdaLR(optimiser, factor)


def evaluate(
    network: SentimentNetwork,
    encoder: TextEncoder,
    corpus: Labelled,
    *,
    settings: TrainingSettings,
) -> dict[str, Any]:
    """The network's figure on what was kept aside, beside TF-IDF with logistic regression.

    Returns:
        The measure's name, of both methods its value with a 95 % bootstrap interval, and of
        sentiment the map to its score.
    """
    texts = [text for text, aside in zip(corpus.texts, corpus.aside, strict=True) if aside]
    labels = corpus.labels[corpus.aside]
    probability = np.zeros((len(texts), len(TASKS[corpus.task])))
    ids = encoder.tokens(texts)
    network.eval()
    for rows in by_length(ids, settings.batch):
        tokens, mask = encoder.padded([ids[row] for row in rows])
        with torch.inference_mode():
            logits = network.logits(corpus.task, tokens, mask)
            probability[rows] = torch.softmax(logits.double(), dim=1).numpy()
    predicted = probability.argmax(axis=1)
    figures = {
        "measure": MEASURES[corpus.task],
        "texts": len(texts),
        "adapter": measured(corpus.task, labels, predicted, settings).to_dict(),
        "tfidf_logistic_regression": measured(
            corpus.task, labels, plain_prediction(corpus), settings
        ).to_dict(),
    }
    if corpus.task == "sentiment":
        difference = probability[:, POSITIVE] - probability[:, NEGATIVE]
        figures["score"] = fit_score_map(difference, labels, seed=settings.seed).to_dict()
    return figures


def plain_prediction(corpus: Labelled) -> NDArray[np.int64]:
    """Predict the labels of the texts kept aside by TF-IDF with logistic regression.

    Words and word pairs, and character n-grams of 2 to 5, balanced classes: the usual strong
    plain method.
    """
    features = make_union(
        TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True),
        TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), min_df=3, sublinear_tf=True),
    )
    model = make_pipeline(features, LogisticRegression(class_weight="balanced", max_iter=1000))
    learn = [text for text, aside in zip(corpus.texts, corpus.aside, strict=True) if not aside]
    judge = [text for text, aside in zip(corpus.texts, corpus.aside, strict=True) if aside]
    model.fit(learn, corpus.labels[~corpus.aside])
    predicted: NDArray[np.int64] = model.predict(judge)
    return predicted


def measured(
    task: str,
    labels: NDArray[np.int64],
    predicted: NDArray[np.int64],
    settings: TrainingSettings,
) -> Interval:
    """A task's measure with its bootstrap interval over the texts."""
    score = {"macro_recall": recall_score, "macro_f1": f1_score}[MEASURES[task]]

    def value(weights: NDArray[np.float64]) -> float:
        return float(
            score(labels, predicted, average="macro", zero_division=0, sample_weight=weights)
        )

    figure = {task: value}
    return bootstrapped(
        figure, rows=len(labels), n_bootstrap=settings.bootstrap, seed=settings.seed
    )[task]
