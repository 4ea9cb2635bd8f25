"""What the texts of posts add to recommendation: none, the words, a trained encoder.

On simulated days as in `recommendation.py`, with the categories of posts known and not: where they
are, they say what a text is about. The hybrid alone is measured, since it makes the most of texts.

    python -m benchmarks.recommendation_texts

Belongs here: measuring. Does not belong here: the methods.
"""

from __future__ import annotations

import argparse
import time

import pandas as pd

from benchmarks.recommendation import WINDOWS, prepared, simulated
from engagement_assets.learning.evaluation.bootstrap import Interval
from engagement_assets.learning.recommendation.texts import text_vectors
from engagement_assets.models.recommendation.feed import settings_of
from engagement_assets.models.recommendation.training import train_recommendation


def by_words(posts: pd.DataFrame) -> pd.DataFrame:
    """What the product does: latent semantic analysis."""
    return pd.DataFrame(text_vectors(posts["text"].tolist()), index=posts["post_id"])


def by_encoder(posts: pd.DataFrame) -> pd.DataFrame:
    """Sentence embeddings of the built-in MiniLM, which the product used before."""
    from engagement_assets.learning.text.encoder import TextEncoder  # noqa: PLC0415 - loads torch
    from engagement_assets.learning.text.packed import make_ready  # noqa: PLC0415 - loads torch

    encoder = TextEncoder.load()
    make_ready(encoder.network)
    return pd.DataFrame(encoder.encode(posts["text"].tolist()), index=posts["post_id"])


WAYS = {"none": None, "words": by_words, "encoder": by_encoder}


def main() -> None:
    """Measure in several worlds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=10_000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[7, 8, 9])
    options = parser.parse_args()
    print("| world | categories | texts | posts | seconds to embed | hybrid, NDCG@10 (95 %) |")
    print("|---|---|---|---:|---:|---|")
    means: dict[tuple[str, str], list[float]] = {}
    for seed in options.seeds:
        tables = simulated(options.customers, seed)
        for texts, embed in WAYS.items():
            began = time.perf_counter()
            vectors = embed(tables["posts"]) if embed else None
            seconds = time.perf_counter() - began
            for categories in ("known", "not known"):
                kind = ["category"] if categories == "known" else []
                data = prepared(tables, ["author", "published", *kind], vectors)
                settings = settings_of(
                    WINDOWS,
                    interactions=len(data.user),
                    candidates=("popularity", "hybrid"),
                    serve="hybrid",
                    min_categories=1,
                )
                ndcg = train_recommendation(data, settings).card["metrics"]["ndcg"]
                means.setdefault((categories, texts), []).append(ndcg["value"])
                print(
                    f"| {seed} | {categories} | {texts} | {len(tables['posts']):,} | "
                    f"{seconds:.1f} | {Interval.from_dict(ndcg)} |",
                    flush=True,
                )
    print()
    for (categories, texts), values in means.items():
        mean = sum(values) / len(values)
        print(f"- categories {categories}, texts {texts}: mean NDCG@10 {mean:.4f}")


if __name__ == "__main__":
    main()
