"""Sentiment: quality on what training never saw, speed of one text and of many, by runtime.

Quality stands in the card of the shipped adapter, made by the training command, and is measured
again here for each runtime on the tenth of the corpora that was kept aside. Speed is measured on
tweets and on the simulator's texts.

    python -m benchmarks.sentiment

onnxruntime is measured too where it is installed (`pip install onnx onnxruntime`); the platform
does not need it.

Belongs here: measuring. Does not belong here: the model.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import time
import warnings
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.ao.quantization import per_channel_dynamic_qconfig, quantize_dynamic

from engagement_assets.learning.text.corpus import TASKS, Labelled, read_corpus
from engagement_assets.learning.text.heads import CARD_FILE, SentimentNetwork, load_adapter
from engagement_assets.learning.text.packed import computes_in_bfloat16
from engagement_assets.learning.text.score import fit_score_map, score_map
from engagement_assets.learning.text.sentiment import SHIPPED, SentimentModel
from engagement_assets.learning.text.training import TrainingSettings, measured
from engagement_assets.source.simulator import Simulator

TWEETS = Path(__file__).resolve().parents[1] / ".." / "shared" / "data" / "tweets"
FIRST = date(2025, 1, 1)
ONE_TEXT_CALLS = 500
MANY = 2_000
PASSES = 3


def simulated_texts(count: int) -> list[str]:
    """Posts of a small simulated world."""
    world = Simulator(customers=3_000, seed=7, first_day=FIRST, days=120)
    texts: list[str] = []
    day = FIRST.toordinal()
    while len(texts) < count:
        posts = world.day(date.fromordinal(day))["posts"].column("text").to_pylist()
        texts += [text for text in posts if text]
        day += 1
    return texts[:count]


def one_text(model: SentimentModel, texts: list[str]) -> dict[str, float]:
    """Milliseconds of one text at a time, one thread: on the clock, and of the processor."""
    torch.set_num_threads(1)
    for text in texts[:50]:
        model.score_text(text)
    spent, worked = [], []
    for number in range(ONE_TEXT_CALLS):
        began, before = time.perf_counter(), time.thread_time()
        model.score_text(texts[number % len(texts)])
        spent.append(1000 * (time.perf_counter() - began))
        worked.append(1000 * (time.thread_time() - before))
    torch.set_num_threads(2)
    return {
        "p50": float(np.percentile(spent, 50)),
        "p99": float(np.percentile(spent, 99)),
        "processor_p50": float(np.percentile(worked, 50)),
    }


def rate(model: SentimentModel, texts: list[str]) -> float:
    """Texts a second, many at a time, two threads; the median of some passes."""
    model.score_texts(texts[:200])
    spent = []
    for _ in range(PASSES):
        began = time.perf_counter()
        model.score_texts(texts)
        spent.append(time.perf_counter() - began)
    return len(texts) / float(np.median(spent))


def quality(model: SentimentModel, corpora: dict[str, Labelled]) -> dict[str, Any]:
    """The measures on the texts kept aside."""
    result = {}
    for task, corpus in corpora.items():
        texts = [text for text, aside in zip(corpus.texts, corpus.aside, strict=True) if aside]
        scored = model.score_texts(texts)[[f"p_{name}" for name in TASKS[task]]].to_numpy()
        predicted = scored.argmax(axis=1)
        labels = corpus.labels[corpus.aside]
        result[task] = measured(task, labels, predicted, TrainingSettings(bootstrap=500)).to_dict()
    return result


class InFloat32(SentimentModel):
    """Scores in float32."""

    @staticmethod
    def _make_ready(network: SentimentNetwork) -> None:
        network.body.float()


class Unpacked(SentimentModel):
    """Scores in bfloat16, the weights laid out anew at every call."""

    @staticmethod
    def _make_ready(network: SentimentNetwork) -> None:
        network.body.to(torch.bfloat16)


class InInt8(SentimentModel):
    """Scores with weights quantised to 8 bits, a scale for each channel."""

    @staticmethod
    def _make_ready(network: SentimentNetwork) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch is about to move it to another package
            network.body = quantize_dynamic(
                network.body.float(), {torch.nn.Linear: per_channel_dynamic_qconfig}
            )


RUNTIMES: dict[str, type[SentimentModel]] = {
    "shipped: packed, in the processor's precision": SentimentModel,
    "torch float32": InFloat32,
    "torch int8 by channel": InInt8,
}
if computes_in_bfloat16():
    # emulated it takes minutes a thousand texts
    RUNTIMES["torch bfloat16"] = Unpacked
if importlib.util.find_spec("onnxruntime"):
    from benchmarks.sentiment_onnx import OnnxFloat32, OnnxInt8

    RUNTIMES |= {"onnxruntime float32": OnnxFloat32, "onnxruntime int8 by channel": OnnxInt8}


def calibrate() -> None:
    """Learn the map to the shipped adapter's score anew, and write it into its card."""
    corpus = read_corpus(str(TWEETS))["sentiment"]
    texts = [text for text, aside in zip(corpus.texts, corpus.aside, strict=True) if aside]
    scored = SentimentModel.load(threads=2).score_texts(texts)
    made = fit_score_map(
        scored["p_positive"] - scored["p_negative"], corpus.labels[corpus.aside], seed=0
    )
    path = SHIPPED / CARD_FILE
    card = json.loads(path.read_text())
    card["metrics"]["sentiment"]["score"] = made.to_dict()
    path.write_text(json.dumps(card, indent=1) + "\n")
    print(made)


def main() -> None:
    """Measure quality and speed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, default=None)
    parser.add_argument("--calibrate", action="store_true", help="write the shipped score's map")
    options = parser.parse_args()
    if options.calibrate:
        calibrate()
        return
    _, card = load_adapter(SHIPPED)
    results: dict[str, Any] = {"card": card["metrics"]}
    print("| task | measure | texts kept aside | adapter (95 %) | TF-IDF, logistic regression |")
    print("|---|---|---:|---|---|")
    for task, figure in card["metrics"].items():
        cells = [
            f"{v['value']:.3f} ({v['low']:.3f} to {v['high']:.3f})"
            for v in (figure["adapter"], figure["tfidf_logistic_regression"])
        ]
        print(f"| {task} | {figure['measure']} | {figure['texts']:,} | {cells[0]} | {cells[1]} |")
    ends = score_map(card)
    results["score"] = ends.to_dict()
    print(
        f"\nOf {ends.texts:,} texts kept aside, each half scored by the map of the other: of those "
        f"below -0.5 {ends.negative_share:.1%} are negative, of those above 0.5 "
        f"{ends.positive_share:.1%} positive"
    )
    posts = simulated_texts(MANY)
    corpora = read_corpus(str(TWEETS)) if TWEETS.exists() else {}
    tweets = corpora["sentiment"].texts[:MANY] if corpora else []
    torch.set_num_threads(2)
    model = SentimentModel.load(threads=2)
    upto = [text for text in tweets or posts if len(model._encoder.tokens([text])[0]) <= 64]
    long = [text for text in upto if len(model._encoder.tokens([text])[0]) >= 50] or upto
    print(
        f"\nOne text at a time, one thread, {ONE_TEXT_CALLS} calls, in brackets the median of the "
        f"processor's own time; many texts, two threads, median of {PASSES} passes. Load of the "
        f"machine at the start: {os.getloadavg()[0]:.1f}. Processor: "
        f"{torch.backends.cpu.get_cpu_capability()}, "
        f"{'with' if computes_in_bfloat16() else 'without'} bfloat16.\n"
    )
    print(
        "| runtime | one text of up to 64 tokens, p50, p99 | of 50 to 64 tokens | tweets/s | "
        "simulated posts/s | macro recall | emotion macro F1 |"
    )
    print("|---|---|---|---:|---:|---:|---:|")
    results["runtimes"] = {}
    for name, runtime in RUNTIMES.items():
        model = runtime.load(threads=2)
        told: dict[str, Any] = {
            "one_text": one_text(model, upto),
            "one_long_text": one_text(model, long),
            "tweets": rate(model, tweets) if tweets else float("nan"),
            "posts": rate(model, posts),
        }
        by_task = quality(model, corpora) if corpora else {}
        results["runtimes"][name] = told | {"quality": by_task}
        one, other = (
            f"{told[kind]['p50']:.1f} ms, {told[kind]['p99']:.1f} ms "
            f"({told[kind]['processor_p50']:.1f})"
            for kind in ("one_text", "one_long_text")
        )
        shown = [f"{by_task[task]['value']:.4f}" if by_task else "–" for task in TASKS]
        print(
            f"| {name} | {one} | {other} | {told['tweets']:,.0f} | {told['posts']:,.0f} | "
            f"{' | '.join(shown)} |"
        )
    if not corpora:
        print("\nTweets: not measured, shared/data/tweets is not here")
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
