"""Recommendation on the public Deskdrop log: the derived windows beside those of a feed of hours.

The log has no table of articles. At each of some dates, four weeks apart, the lists of all readers
are made twice from what was known a week before, by what each way of windows and parameters
chooses on the week before that, and held against what the readers turned to in the week. Hits are
comparable, shares are not: what cannot be recommended is relevant in neither, and the ways differ
in what they can recommend.

    python -m benchmarks.deskdrop_recommendation

Belongs here: measuring. Does not belong here: the methods.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from engagement_assets.learning.recommendation.data import Dataset
from engagement_assets.learning.recommendation.tables import prepare
from engagement_assets.models.recommendation.feed import settings_of
from engagement_assets.models.recommendation.sources import weigh, with_first_use
from engagement_assets.models.recommendation.training import TrainingSettings, train_recommendation
from engagement_assets.models.recommendation.windows import SCANNED_DAYS, Windows, derive_windows

DATA = Path(__file__).resolve().parents[1] / ".." / "shared" / "data" / "deskdrop"
KINDS = {"VIEW": "view", "LIKE": "like", "BOOKMARK": "like", "COMMENT CREATED": "comment"}
WEEK = 7
METHODS = ("popularity", "ease", "als", "hybrid")


def read() -> pd.DataFrame:
    """All interactions, as `sql/source/deskdrop` maps them."""
    rows = pd.read_csv(
        DATA / "users_interactions.csv.gz", dtype={"personId": str, "contentId": str}
    )
    rows = rows[rows["eventType"].isin(KINDS)]
    rows = rows.drop_duplicates(["sessionId", "timestamp", "eventType", "contentId"])
    return weigh(
        pd.DataFrame(
            {
                "customer_id": rows["personId"],
                "post_id": rows["contentId"],
                "kind": rows["eventType"].map(KINDS),
                "occurred_at": pd.to_datetime(rows["timestamp"], unit="s"),
            }
        )
    )


def windows_of(rows: pd.DataFrame) -> Windows:
    """What `sources.windows_as_of` derives, with a week to judge on."""
    end = rows["time"].max()
    recent = rows[rows["time"] >= end - pd.Timedelta(days=SCANNED_DAYS)]
    first = recent.groupby(["user", "item"])["time"].min().reset_index()
    begun = first.groupby("item")["time"].transform("min")
    aged = first[first["time"] > begun]
    days = (aged["time"] - begun[aged.index]).dt.days.value_counts()
    ages = pd.DataFrame({"age_days": days.index, "uses": days.to_numpy()})
    nobody = pd.DataFrame({"days_ago": [], "readers": []})
    known = (end - rows["time"].min()).days
    return replace(derive_windows(ages, nobody, known_days=known), test_days=WEEK)


def ways(rows: pd.DataFrame, end: pd.Timestamp) -> dict[str, tuple[Dataset, TrainingSettings]]:
    """Data and settings as they were for every source, and as they are derived."""
    feed, derived = Windows(history_days=30, item_days=3, test_days=WEEK), windows_of(rows)
    made = {}
    for name, windows in (("windows of a feed", feed), ("derived", derived)):
        read = rows[rows["time"] >= end - pd.Timedelta(days=windows.read_days)]
        items = None
        if name == "derived":
            items = with_first_use(pd.DataFrame({"item": [], "published": []}), read)
        data = prepare(
            read,
            items=items,
            as_of=end,
            candidate_days=windows.item_days if name == "derived" else None,
            horizon_days=WEEK,
        )
        settings = settings_of(
            windows, interactions=len(read), candidates=METHODS, min_categories=1
        )
        made[name] = (data, settings)
    return made


def main() -> None:
    """Measure at several dates."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dates", type=int, default=5)
    options = parser.parse_args()
    if not DATA.exists():
        print("Deskdrop: not measured, shared/data/deskdrop is not here")
        return
    rows = read()
    last = rows["time"].max().ceil("D")
    print("| week before | way | windows | method | readers | candidates | hits in 10 | NDCG@10 |")
    print("|---|---|---|---|---:|---:|---:|---:|")
    hits: dict[str, list[float]] = {}
    for back in range(options.dates):
        end = last - pd.Timedelta(days=28 * back)
        known = rows[rows["time"] < end]
        for name, (data, settings) in ways(known, end).items():
            card = train_recommendation(data, settings).card
            count = 10 * card["metrics"]["precision"]["value"] * card["test_customers"]
            hits.setdefault(name, []).append(count)
            life = "any age" if data.candidate_days is None else f"{data.candidate_days:g} days"
            print(
                f"| {end:%Y-%m-%d} | {name} | {settings.window_days:g} days, {life} | "
                f"{card['estimator']} | {card['test_customers']} | {card['test_candidates']:,} | "
                f"{count:.0f} | {card['metrics']['ndcg']['value']:.4f} |",
                flush=True,
            )
    for name, counts in hits.items():
        print(f"{name}: {np.sum(counts):.0f} hits at {options.dates} dates")


if __name__ == "__main__":
    main()
