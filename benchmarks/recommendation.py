"""Recommenders on simulated interactions: a time split, fairness, time, lists for everybody.

Every selectable method is fitted before the last day but one, where the winner is chosen, and again
before the last day, where all are measured by full ranking. Items are the posts of the last three
days; only what a platform knows is used, never the simulator's truth.

    python -m benchmarks.recommendation
    python -m benchmarks.recommendation --customers 20000

Belongs here: measuring. Does not belong here: the methods.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from engagement_assets.learning.fairness.groups import age_bands
from engagement_assets.learning.fairness.measures import ranking_fairness
from engagement_assets.learning.fairness.rendering import report_markdown
from engagement_assets.learning.fairness.report import FairnessReport
from engagement_assets.learning.recommendation.data import Dataset, Encoder
from engagement_assets.learning.recommendation.fallback import ESTIMATORS
from engagement_assets.learning.recommendation.tables import prepare
from engagement_assets.learning.recommendation.texts import text_vectors
from engagement_assets.models.recommendation.feed import settings_of
from engagement_assets.models.recommendation.sources import weigh
from engagement_assets.models.recommendation.training import (
    Trained,
    methods_markdown,
    train_recommendation,
)
from engagement_assets.models.recommendation.windows import Windows
from engagement_assets.source.simulator import Simulator

FIRST = date(2025, 1, 1)
DAYS = 400
# what `derive_windows` makes of the simulated ages
WINDOWS = Windows(history_days=28, item_days=3, test_days=1)


def both_ways(connections: pd.DataFrame) -> pd.DataFrame:
    """The platform's `connections` as links of each side with the other.

    Args:
        connections: `customer_id`, `other_customer_id`, `occurred_at`.

    Returns:
        `user`, `author`, `time`, twice as many rows.
    """
    one, other = connections["customer_id"], connections["other_customer_id"]
    return pd.DataFrame(
        {
            "user": pd.concat([one, other], ignore_index=True),
            "author": pd.concat([other, one], ignore_index=True),
            "time": pd.concat([connections["occurred_at"]] * 2, ignore_index=True),
        }
    )


def simulated(customers: int, seed: int = 7) -> dict[str, pd.DataFrame]:
    """Interactions and posts of the last days, all connections and customers."""
    world = Simulator(customers=customers, seed=seed, first_day=FIRST, days=DAYS)
    parts: dict[str, list[pa.Table]] = {}
    for number in range(DAYS):
        day = world.day(FIRST + timedelta(days=number))
        recent = number >= DAYS - WINDOWS.read_days
        wanted = ("connections", "customers", *(("interactions", "posts") if recent else ()))
        for name in wanted:
            parts.setdefault(name, []).append(day[name])
    return {name: pa.concat_tables(days).to_pandas() for name, days in parts.items()}


def prepared(
    tables: Mapping[str, pd.DataFrame],
    columns: Sequence[str] = ("author", "published", "category", "text"),
    embeddings: pd.DataFrame | Encoder | None = text_vectors,
) -> Dataset:
    """What is known at the end of the last day, of some columns of posts."""
    now = pd.Timestamp(FIRST + timedelta(days=DAYS), tz="UTC")
    names = {"post_id": "item", "customer_id": "author", "occurred_at": "published"}
    interactions = weigh(tables["interactions"])
    return prepare(
        interactions[pd.to_datetime(interactions["time"], utc=True) < now],
        items=tables["posts"].rename(columns=names)[["item", *columns]],
        users=tables["customers"]
        .drop_duplicates("customer_id", keep="last")
        .rename(columns={"customer_id": "user", "location": "segment"})[["user", "segment"]],
        links=both_ways(tables["connections"]),
        embeddings=embeddings,
        as_of=now,
        candidate_days=WINDOWS.item_days,
        horizon_days=WINDOWS.test_days,
    )


def fairness(trained: Trained, customers: pd.DataFrame, now: pd.Timestamp) -> FairnessReport:
    """By gender and age band, of customers and of authors."""
    data = trained.test.data
    known = customers.drop_duplicates("customer_id", keep="last").set_index("customer_id")
    age = (now.tz_localize(None) - pd.to_datetime(known["birth_date"])).dt.days / 365.25
    people = pd.DataFrame({"gender": known["gender"], "age_band": age_bands(age)})
    # an author who is no customer has the id None, and so no group
    user_of = np.full(data.n_authors, -1)
    user_of[data.own[data.own >= 0]] = np.flatnonzero(data.own >= 0)
    authors = data.users.append(pd.Index([None], dtype=object))[user_of]
    return ranking_fairness(
        trained.judged.lists,
        trained.test.relevant,
        people.reindex(data.users[trained.test.users]).reset_index(drop=True),
        attributes=["gender", "age_band"],
        category=data.category,
        popularity=data.people(),
        candidates=trained.test.items,
        author=data.author,
        author_sensitive=people.reindex(authors).reset_index(drop=True),
        k=10,
    )


def main() -> None:
    """Train, judge, and make everybody's lists."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--methods", nargs="+", default=list(ESTIMATORS), choices=list(ESTIMATORS))
    parser.add_argument("--json", type=Path, default=None)
    options = parser.parse_args()
    tables = simulated(options.customers)
    began = time.perf_counter()
    data = prepared(tables)
    settings = settings_of(
        WINDOWS,
        interactions=len(data.user),
        candidates=options.methods,
        sampled_protocol=True,
        least_share=0.0,
    )
    trained = train_recommendation(data, settings)
    training = time.perf_counter() - began
    began = time.perf_counter()
    lists = trained.model.recommend(list(data.users))
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    now = pd.Timestamp(FIRST + timedelta(days=DAYS), tz="UTC")
    report = fairness(trained, tables["customers"], now)
    print(
        f"{options.customers:,} customers, {len(data.user):,} interactions with "
        f"{data.shape[1]:,} posts of {WINDOWS.read_days} days: training and evaluation of "
        f"{len(options.methods)} methods, texts included, {training:.0f} s; top 50 for "
        f"{len(data.users):,} customers {seconds:.0f} s; peak {peak:.1f} GiB\n"
    )
    print(methods_markdown(trained.card))
    least = lists.groupby("user")["category"].nunique().min()
    print(f"\nLeast number of categories in a list of 50: {least}. Sampled protocol, NDCG@10:")
    for name, method in trained.card["methods"].items():
        print(f"- {name}: {method['metrics']['sampled_ndcg']['value']:.4f}")
    print(f"\n{report_markdown(report)}")
    if options.json:
        results = {
            "training_seconds": training,
            "top_50_seconds": seconds,
            "peak_gib": peak,
            "card": trained.card,
            "fairness": report.to_dict(),
        }
        options.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
