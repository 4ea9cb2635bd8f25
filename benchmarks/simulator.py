"""Size, cost and difficulty of a simulated world.

Generates all days, one after the other, keeps nothing, and prints rows by table, seconds, peak
memory, and how well churn can be predicted by who knows all causes.
"""

import argparse
import resource
import time
from collections import Counter
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sklearn.metrics import roc_auc_score

from engagement_assets.source.simulator import VARIANTS, Simulator

FIRST_DAY = date(2024, 1, 1)
WINDOW = 30


def main() -> None:
    """Run the benchmark and print what it measures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=10_000)
    parser.add_argument("--days", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--world", choices=list(VARIANTS), default="causes")
    options = parser.parse_args()
    began = time.perf_counter()
    world = make(options)
    print(f"setup                  {time.perf_counter() - began:10.2f} s")
    rows: Counter[str] = Counter()
    opted_texts = 0
    opted: pa.Array = pa.array([], pa.string())
    active: list[np.ndarray] = []
    slowest = 0.0
    for number in range(options.days):
        start = time.perf_counter()
        tables = world.day(FIRST_DAY + timedelta(days=number))
        slowest = max(slowest, time.perf_counter() - start)
        rows.update({name: table.num_rows for name, table in tables.items()})
        opted = pa.concat_arrays([opted, newly_opted(tables["consents"])])
        opted_texts += sum(texts_by(tables[name], opted) for name in TEXT_TABLES)
        ids = tables["sessions"]["customer_id"].to_numpy()
        active.append(np.array(sorted({int(value[1:]) for value in ids}), dtype=np.int64))
    seconds = time.perf_counter() - began
    processor = time.process_time()
    for name, count in sorted(rows.items()):
        print(f"{name:22s} {count:10,d} rows")
    print(f"texts opted in         {opted_texts:10,d} rows")
    print(f"all days               {seconds:10.1f} s, slowest day {slowest:.2f} s")
    print(f"of it processor time   {processor:10.1f} s")
    print_fresh_day(options)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory            {peak:10.0f} MiB")
    for back in (100, 65, 31):
        print_churn(world, active, options.days - back)


TEXT_TABLES = ("posts", "messages", "interactions")


def make(options: argparse.Namespace) -> Simulator:
    """The simulator of the command line's options."""
    return Simulator(
        customers=options.customers,
        seed=options.seed,
        first_day=FIRST_DAY,
        days=options.days,
        causes=VARIANTS[options.world],
    )


def newly_opted(consents: pa.Table) -> pa.Array:
    """Customers who opt in to `sentiment`; withdrawals are few and not taken off."""
    chosen = pc.and_(pc.equal(consents["purpose"], "sentiment"), consents["granted"])
    return consents.filter(chosen)["customer_id"].combine_chunks()


def texts_by(table: pa.Table, customers: pa.Array) -> int:
    """Rows with a text by some customers."""
    ids = table.filter(pc.is_valid(table["text"]))["customer_id"]
    return int(pc.sum(pc.is_in(ids, customers)).as_py() or 0)


def print_fresh_day(options: argparse.Namespace) -> None:
    """Time a new simulator and one day after the range."""
    start = time.perf_counter()
    make(options).day(FIRST_DAY + timedelta(days=options.days))
    print(f"new simulator, one day {time.perf_counter() - start:10.2f} s")


def print_churn(world: Simulator, active: list[np.ndarray], number: int) -> None:
    """Print the churn rate among active customers and the best possible AUC of a day."""
    if number < WINDOW or number + WINDOW >= len(active):
        return
    start = time.perf_counter()
    truth = world.truth_churn(FIRST_DAY + timedelta(days=number))
    seconds = time.perf_counter() - start
    chance = truth["churn_probability"].to_numpy()
    before = np.unique(np.concatenate(active[number - WINDOW + 1 : number + 1]))
    after = np.unique(np.concatenate(active[number + 1 : number + WINDOW + 1]))
    churned = ~np.isin(before, after)
    best = roc_auc_score(churned, chance[before])
    print(
        f"day {number}: {len(before):,d} active, churn {churned.mean():.4f} "
        f"(expected {chance[before].mean():.4f}), best AUC {best:.4f}, truth in {seconds:.1f} s"
    )


if __name__ == "__main__":
    main()
