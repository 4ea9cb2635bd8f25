"""What is learnt from the social graph: GraphSAGE, virality, spread, each beside simpler methods.

On a simulated world of its own; GraphSAGE's time and memory also on 100,000 nodes and a million
edges with as many columns as the features have.

    python -m benchmarks.network_learning

Belongs here: measuring. Does not belong here: the estimators.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.graphs import simulated_graph
from engagement_assets.features.catalogue import MODEL_INPUTS
from engagement_assets.features.labels import LABELS
from engagement_assets.features.snapshot import land_labels, land_snapshot
from engagement_assets.features.tables import KNOWN_TABLES
from engagement_assets.learning.graph.graphsage import GraphSageRegressor
from engagement_assets.learning.graph.metrics import MetricSettings
from engagement_assets.lifecycle.rows import labelled_rows
from engagement_assets.models.graph_engagement.training import (
    Snapshot,
    gain_markdown,
    train_graph_engagement,
)
from engagement_assets.models.virality.training import (
    fit_virality,
    post_cascades,
    virality_markdown,
)
from engagement_assets.signals.network.snapshot import graph_of, land_network
from engagement_assets.signals.network.spread import (
    SPREAD_DAYS,
    fit_spread,
    recent,
    spread_markdown,
)
from engagement_assets.source.contract import TABLES
from engagement_assets.source.ingestion import ingest
from engagement_assets.source.known import product_sql
from engagement_assets.source.readers import SimulatedReader
from engagement_assets.source.simulator import Simulator
from resources.engine import DuckDBEngine
from resources.lake import Lake
from resources.tables import by_sql_name

SQL = product_sql(Path(__file__).resolve().parents[1] / "sql")
FIRST = date(2025, 1, 1)
DAYS = 150
SEED = 7
LABEL = LABELS["engagement_score"]
# about a million friendships among them
LARGE = 125_000


def world(folder: str, customers: int) -> DuckDBEngine:
    """A simulated lake."""
    reader = SimulatedReader(
        Simulator(customers=customers, seed=SEED, first_day=FIRST, days=DAYS),
        first_day=FIRST,
        tables=frozenset(TABLES),
    )
    lake = Lake(folder)
    ingest(reader, lake, FIRST, FIRST + timedelta(days=DAYS - 1), progress=lambda _: None)
    return DuckDBEngine(lake, declared=by_sql_name(KNOWN_TABLES), threads=2)


def engagement(run: DuckDBEngine) -> dict[str, Any]:
    """GraphSAGE beside the same network without the graph, and boosted trees."""
    test = FIRST + timedelta(days=DAYS - 1 - LABEL.window_days)
    measured = []
    for day in (test - timedelta(days=30), test):
        graph = graph_of(run, SQL, day)
        land_network(run.lake, graph, day, settings=MetricSettings(seed=SEED), threads=2)
        land_snapshot(run, SQL, day)
        land_labels(run, SQL, day, labels=[LABEL])
        rows = labelled_rows(run.lake, day, LABEL).set_index("customer_id")
        measured.append(Snapshot(rows[list(MODEL_INPUTS)], rows[LABEL.name], graph))
    trained = train_graph_engagement(*measured, seed=SEED, threads=2, n_bootstrap=500)
    print(f"\n{gain_markdown(trained.card)}")
    return trained.card


def virality(run: DuckDBEngine) -> dict[str, Any]:
    """Three methods on later posts."""
    day = FIRST + timedelta(days=DAYS - 1)
    posts, _ = post_cascades(run, SQL, day, days=35)
    card = fit_virality(posts, estimator="auto", seed=SEED, threads=2, n_bootstrap=500).card
    print(f"\n{virality_markdown(card)}")
    return card


def spread(run: DuckDBEngine) -> dict[str, Any]:
    """Greedy seeds beside those of degree, PageRank and chance."""
    day = FIRST + timedelta(days=DAYS - 1)
    posts, interactions = recent(run, SQL, day, SPREAD_DAYS)
    graph = graph_of(run, SQL, day)
    measured = fit_spread(graph, posts, interactions, day=day, seed=SEED)
    print(f"\n{spread_markdown(measured)}")
    return {"reach": measured.reach, "gain": measured.gain}


def large() -> dict[str, Any]:
    """Time and memory of GraphSAGE on a million edges."""
    graph = simulated_graph(LARGE)
    rng = np.random.default_rng(SEED)
    table = pd.DataFrame(rng.normal(size=(graph.n_nodes, len(MODEL_INPUTS))), index=graph.nodes)
    table.columns = [f"f{n}" for n in table.columns]
    near = graph.adjacency() @ table["f0"].to_numpy() / np.maximum(graph.degree(), 1)
    began = time.perf_counter()
    model = GraphSageRegressor(random_state=SEED, n_jobs=2).fit(table, near, graph=graph)
    model.predict(table, graph=graph)
    return {
        "nodes": graph.n_nodes,
        "edges": graph.n_edges,
        "seconds": time.perf_counter() - began,
        "epochs": model.epochs_,
        "peak_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    }


def main() -> None:
    """Measure all three, and GraphSAGE's size in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=20_000)
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--json", type=Path, default=None)
    options = parser.parse_args()
    if options.large:
        print(json.dumps(large()))
        return
    results: dict[str, Any] = {}
    print(f"{options.customers:,} simulated customers, {DAYS} days, seed {SEED}.")
    with tempfile.TemporaryDirectory() as folder:
        run = world(folder, options.customers)
        for name, part in (("graphsage", engagement), ("virality", virality), ("spread", spread)):
            began = time.perf_counter()
            results[name] = part(run)
            print(f"\n{name}: {time.perf_counter() - began:.0f} s")
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.network_learning", "--large"],
        capture_output=True,
        text=True,
        check=True,
    )
    told = results["large"] = json.loads(done.stdout.splitlines()[-1])
    print(
        f"\nGraphSAGE on {told['nodes']:,} nodes, {told['edges']:,} edges, {len(MODEL_INPUTS)} "
        f"columns: {told['seconds']:.0f} s, peak {told['peak_gib']:.1f} GiB"
    )
    if options.json:
        options.json.write_text(json.dumps(results, indent=1, default=float))


if __name__ == "__main__":
    main()
