"""Link prediction: node2vec beside Adamic-Adar and common neighbours, on held-out edges.

A tenth of the edges is held out with as many random pairs that are none; whatever is learnt is
learnt from the other edges. On the simulator's connections and on two public graphs. The number of
passes over the walks was chosen on edges set aside within the training edges (`--tune`).

    python -m benchmarks.link_prediction

Belongs here: measuring. Does not belong here: the methods.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.graphs import PUBLIC, public_graph, simulated_graph
from benchmarks.held_out_edges import (
    HeldOut,
    adamic_adar,
    common_neighbours,
    embedding_scorer,
    hold_out,
    link_auc,
)
from engagement_assets.learning.evaluation.bootstrap import Interval
from engagement_assets.learning.graph.embeddings import Node2Vec
from engagement_assets.learning.graph.graph import SocialGraph

SEEDS = range(5)
# A small graph gives few walks: more passes over them, so that every node is seen often enough.
SMALL = {"walk_length": 20, "window": 5, "learning_rate": 0.025, "epochs": 10}
LARGE: dict[str, Any] = {}
PUBLISHED = {
    "USAir": "Adamic-Adar .949, common neighbours .939",
    "PB": "Adamic-Adar .920, common neighbours .917",
}


def scores(held: HeldOut, settings: dict[str, Any], seed: int) -> dict[str, Interval]:
    """AUC of every method on the held-out pairs."""
    vectors = Node2Vec(random_state=seed, **settings).fit(held.graph).embedding_
    dot = (vectors[held.pairs[:, 0]] * vectors[held.pairs[:, 1]]).sum(axis=1)
    learnt = embedding_scorer(held.graph, vectors, seed=seed)(held.pairs)
    return {
        "common neighbours": link_auc(held, common_neighbours(held.graph, held.pairs)),
        "Adamic-Adar": link_auc(held, adamic_adar(held.graph, held.pairs)),
        "node2vec, dot product": link_auc(held, dot),
        "node2vec, logistic on products": link_auc(held, learnt),
    }


def compare(
    name: str, graph: SocialGraph, settings: dict[str, Any], seeds: range
) -> dict[str, Any]:
    """Print a table for one graph, over several splits."""
    began = time.perf_counter()
    runs = [scores(hold_out(graph, seed=seed), settings, seed) for seed in seeds]
    seconds = (time.perf_counter() - began) / len(runs)
    known = f"; published: {PUBLISHED[name]}" if name in PUBLISHED else ""
    print(
        f"\n{name}: {graph.n_nodes:,} nodes, {graph.n_edges:,} edges, {len(runs)} splits, ", end=""
    )
    print(f"node2vec {settings or 'defaults'}, {seconds:.0f} s a split{known}\n")
    print("| method | AUC, mean of the splits | least | greatest | 95 % interval of the first |")
    print("|---|---:|---:|---:|---|")
    measured = {}
    for method in runs[0]:
        values = [run[method].value for run in runs]
        first = runs[0][method]
        print(
            f"| {method} | {np.mean(values):.4f} | {min(values):.4f} | {max(values):.4f} | "
            f"{first.low:.4f} to {first.high:.4f} |"
        )
        measured[method] = {"mean": float(np.mean(values)), "first": asdict(first)}
    return measured


def tune() -> None:
    """AUC by number of passes on edges set aside within the training edges."""
    for name in ("USAir", "PB"):
        for seed in range(3):
            inner = hold_out(hold_out(public_graph(name), seed=seed).graph, seed=100 + seed)
            for epochs in (1, 3, 10):
                measured = scores(inner, {"epochs": epochs}, seed)
                told = ", ".join(
                    f"{method} {value.value:.4f}" for method, value in measured.items()
                )
                print(f"{name} split {seed}, {epochs} epochs: {told}", flush=True)


def main() -> None:
    """Compare on every graph."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=125_000)
    parser.add_argument("--tune", action="store_true")
    parser.add_argument("--json", type=Path, default=None)
    options = parser.parse_args()
    if options.tune:
        tune()
        return
    graph = simulated_graph(options.customers)
    began = time.perf_counter()
    Node2Vec(**LARGE).fit(graph)
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"node2vec, 64 wide, {graph.n_nodes:,} nodes, {graph.n_edges:,} edges, one thread and so "
        f"the same on every fit: {seconds:.0f} s, peak {peak:.1f} GiB"
    )
    results: dict[str, Any] = {
        "seconds": seconds,
        "peak_gib": peak,
        "nodes": graph.n_nodes,
        "edges": graph.n_edges,
        "simulator": compare("The simulator", graph, LARGE, range(1)),
    }
    for name in PUBLISHED:
        if not PUBLIC.exists():
            print(f"\n{name}: not measured, shared/data/graphs is not here")
            continue
        results[name] = compare(name, public_graph(name), SMALL, SEEDS)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
