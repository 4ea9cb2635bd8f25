"""Value of 90 days on a public retailer's line items, beside models of ten minutes.

Baselines read the same columns; BG/NBD with Gamma-Gamma reads the past orders alone. Learns on
1 March and 1 June 2011 from four fifths of the customers, and scores the other fifth on
1 September: other people, later time, five times around. Intervals are judged on the other people
of 1 June besides, where nothing is missed by the autumn's greater spending. The Parquet file of
line items (quantity, unit price, customer, time; cancellations are negative) is an argument and no
part of the project.

    python -m benchmarks.value_retail --data ../shared/data/value/online_retail.parquet
"""

from __future__ import annotations

import argparse
import json
import sys
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from engagement_assets.learning.evaluation.baselines import baseline_predictions
from engagement_assets.learning.evaluation.quantiles import covered
from engagement_assets.learning.evaluation.regression import evaluate_regression
from engagement_assets.learning.purchases import BuyerModel
from engagement_assets.models.lifetime_value.model import ValueModel

DEFAULT_DATA = Path("../shared/data/value/online_retail.parquet")
LEARNT, TESTED, WINDOW = ("2011-03-01", "2011-06-01"), "2011-09-01", 90
FOLDS = 5
FEATURES = (
    "revenue_to_date_usd", "transaction_revenue_month", "days_since_last_order", "orders",
    "mean_order_usd", "tenure_days",
)  # fmt: skip
OURS, BUYERS = "value model", "BG/NBD with Gamma-Gamma"


def main() -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DEFAULT_DATA)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", help="write the figures here too")
    options = parser.parse_args()
    if not options.data.exists():
        sys.exit(f"The line items are not at {options.data}. Give the Parquet file by --data.")
    items = line_items(options.data)
    learnt = pd.concat([snapshot(items, day) for day in LEARNT], ignore_index=True)
    tested = snapshot(items, TESTED)
    parts = np.random.default_rng(options.seed).permutation(int(items["customer"].max()) + 1)
    predictions, later = out_of_sample(learnt, tested, parts % FOLDS, seed=options.seed)
    _, then = out_of_sample(learnt, snapshot(items, LEARNT[-1]), parts % FOLDS, seed=options.seed)
    figures = {
        name: evaluate_regression(
            tested["future"], predicted, n_bootstrap=1000, seed=options.seed, payers=True
        )
        for name, predicted in predictions.items()
    }
    print(f"{len(tested):,} customers on {TESTED}, seed {options.seed}\n")
    shown = {name: list(of) for name, of in figures.items()}[OURS]
    print("| model | " + " | ".join(shown) + " |\n|---|" + "--:|" * len(shown))
    for name, of in figures.items():
        print(f"| {name} | " + " | ".join(str(of[key]) for key in shown) + " |")
    coverage = {day: covered_shares(of) for day, of in ((LEARNT[-1], then), (TESTED, later))}
    print("\n| P10 to P90 of other customers on | share covered | of those who pay | over P90 |")
    print("|---|--:|--:|--:|")
    for day, shares in coverage.items():
        print(f"| {day} | " + " | ".join(f"{share:.1%}" for share in shares.values()) + " |")
    if options.json:
        data = {n: {k: v.to_dict() for k, v in of.items()} for n, of in figures.items()}
        Path(options.json).write_text(json.dumps({**data, "coverage": coverage}, indent=1))


def line_items(path: Path) -> pd.DataFrame:
    """Read customer, time and amount of every line of a known customer."""
    table = pd.read_parquet(path).dropna(subset="CustomerID")
    usd = table["Quantity"] * table["UnitPrice"]
    customer, _ = pd.factorize(table["CustomerID"], sort=True)
    return pd.DataFrame({"customer": customer, "at": table["InvoiceDate"], "usd": usd})


def snapshot(items: pd.DataFrame, day: str) -> pd.DataFrame:
    """Return a row a customer known by a day: features and what was paid in the days after."""
    at = pd.Timestamp(day)
    past, after = (
        items[items["at"] < at],
        items[items["at"].between(at, at + pd.Timedelta(WINDOW, "D"))],
    )
    by = past.groupby("customer")
    revenue, orders = by["usd"].sum(), by["at"].nunique()
    paid = past.groupby(["customer", "at"], as_index=False)["usd"].sum().query("usd > 0")
    bought = paid.groupby("customer").agg(
        first=("at", "min"),
        last=("at", "max"),
        paid_orders=("at", "size"),
        mean_paid=("usd", "mean"),
    )
    month = past[past["at"] >= at - pd.Timedelta(30, "D")].groupby("customer")["usd"].sum()
    rows = pd.DataFrame(
        {
            "revenue_to_date_usd": revenue,
            "transaction_revenue_month": month.reindex(revenue.index).fillna(0.0),
            "days_since_last_order": (at - by["at"].max()).dt.days,
            "orders": orders,
            "mean_order_usd": revenue / orders,
            "tenure_days": (at - by["at"].min()).dt.days,
            "paid_orders": bought["paid_orders"],
            "mean_paid": bought["mean_paid"],
            "recency_days": (bought["last"] - bought["first"]).dt.total_seconds() / 86_400,
            "age_days": (at - bought["first"]).dt.total_seconds() / 86_400,
            "future": after.groupby("customer")["usd"].sum().reindex(revenue.index).fillna(0.0),
        }
    )
    return rows.assign(snapshot_date=at.date()).reset_index(names="customer_id")


def covered_shares(intervals: pd.DataFrame) -> dict[str, float]:
    """Shares of customers within their interval, of those who pay, and of those above it."""
    inside, pays = covered(*(intervals[key] for key in ("y", "low", "high"))), intervals["y"] > 0
    return {
        "all": float(inside.mean()),
        "who pay": float(inside[pays].mean()),
        "above": float((intervals["y"] > intervals["high"]).mean()),
    }


def out_of_sample(
    learnt: pd.DataFrame, tested: pd.DataFrame, part: np.ndarray, *, seed: int
) -> tuple[dict[str, np.ndarray], pd.DataFrame]:
    """Predict each fifth of the customers, and its intervals, by what was learnt on the others."""
    predictions: dict[str, np.ndarray] = {}
    intervals = tested[["future"]].rename(columns={"future": "y"}).assign(low=0.0, high=0.0)
    for fold in range(FOLDS):
        train = learnt[part[learnt["customer_id"]] != fold].reset_index(drop=True)
        asked = part[tested["customer_id"]] == fold
        test = tested[asked].reset_index(drop=True)
        model = ValueModel.fit(
            train,
            train["future"],
            features=FEATURES,
            first_day=date(2010, 12, 1),
            window_days=WINDOW,
            parameters={"random_state": seed, "n_jobs": 2},
            sensitive=pd.DataFrame(index=train.index),
        )
        inputs = model.inputs(train), train["future"], model.inputs(test)
        mean, _, quantiles = model.predict_all(test)
        intervals.loc[asked, ["low", "high"]] = quantiles[:, [0, -1]]
        made = {
            OURS: mean,
            BUYERS: by_past_orders(train, test),
            **baseline_predictions(*inputs, classify=False, seed=seed),
        }
        for name, predicted in made.items():
            predictions.setdefault(name, np.empty(len(tested)))[asked] = predicted
    return predictions, intervals


def by_past_orders(train: pd.DataFrame, test: pd.DataFrame) -> np.ndarray:
    """Expected spend by the buyers' past orders; 0 for who has none that was paid."""
    latest = train[train["snapshot_date"] == train["snapshot_date"].max()]
    names = {"paid_orders": "orders", "mean_paid": "mean_order"}
    learnt, asked = (
        rows.drop(columns="orders").rename(columns=names).dropna(subset="orders")
        for rows in (latest, test)
    )
    spend = pd.Series(BuyerModel.fit(learnt).predict(asked, days=WINDOW), index=asked.index)
    return spend.reindex(test.index, fill_value=0.0).to_numpy()


if __name__ == "__main__":
    main()
