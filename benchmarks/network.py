"""The social graph's metrics: time and memory at a million edges, and how good they are.

Each graph is measured in a process of its own, so that its peak memory is its own.

    python -m benchmarks.network

Belongs here: measuring. Does not belong here: the metrics.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pandas as pd
from sklearn.metrics import normalized_mutual_info_score

from benchmarks.graphs import simulated_edges, without_communities
from engagement_assets.learning.graph.centrality import betweenness
from engagement_assets.learning.graph.graph import build_graph
from engagement_assets.learning.graph.metrics import (
    MetricSettings,
    NetworkMetrics,
    network_metrics,
)

# so many that about a million friendships are among them
CUSTOMERS = 125_000
SEEDS = range(5)


def measure(edges: pd.DataFrame, nodes: Any = None) -> tuple[dict[str, Any], NetworkMetrics]:
    """Build a graph from an edge list and compute all metrics."""
    began = time.perf_counter()
    graph = build_graph(edges, nodes=nodes)
    built = time.perf_counter() - began
    measured = network_metrics(graph, settings=MetricSettings(seed=7), threads=2)
    seconds = time.perf_counter() - began
    return {
        "nodes": graph.n_nodes,
        "edges": graph.n_edges,
        "build": built,
        "seconds": seconds,
        "peak_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        "figures": measured.figures,
    }, measured


def simulator() -> dict[str, Any]:
    """The simulator's friendships, and its planted communities."""
    edges, community = simulated_edges(CUSTOMERS)
    told, measured = measure(edges)
    truth = community[measured.table["node"].to_numpy(dtype=np.int64)]
    nmi = normalized_mutual_info_score(truth, measured.table["community"])
    return told | {"nmi": float(nmi), "planted": len(np.unique(truth))}


def barabasi_albert() -> dict[str, Any]:
    """A graph without communities."""
    graph = without_communities(100_000, edges_per_node=10)
    edges = pd.DataFrame({"source": graph.source, "target": graph.target})
    return measure(edges, range(100_000))[0]


def star() -> dict[str, Any]:
    """One node that knows 100,000 others."""
    return measure(pd.DataFrame({"source": 0, "target": np.arange(1, 100_001)}))[0]


def sampled() -> dict[str, Any]:
    """Sampled betweenness against exact on graphs of 5,000 nodes."""
    rows: dict[str, Any] = {}
    for kind in ("simulator", "Barabasi-Albert"):
        for seed in SEEDS:
            graph = (
                build_graph(simulated_edges(5_000, seed=seed)[0])
                if kind == "simulator"
                else without_communities(5_000, edges_per_node=5, seed=seed)
            )
            exact = betweenness(graph, sources=graph.n_nodes, threads=2, seed=0).value
            top = max(1, graph.n_nodes // 100)
            best = set(np.argsort(-exact)[:top])
            chosen = MetricSettings().sources(graph)
            for sources in sorted({200, 500, 1000, chosen}):
                measured = betweenness(graph, sources=sources, threads=2, seed=seed)
                label = "default" if sources == chosen else str(sources)
                rows.setdefault(f"{kind}, {label} sources", []).append(
                    (
                        sources,
                        pd.Series(exact).corr(pd.Series(measured.value), method="spearman"),
                        len(best & set(np.argsort(-measured.value)[:top])) / top,
                        float(np.abs(exact - measured.value).max()),
                        measured.error,
                    )
                )
    return rows


def plain_networkx() -> dict[str, Any]:
    """The same metrics by NetworkX alone, on a graph of 5,000 nodes."""
    edges, _ = simulated_edges(5_000)
    ours = measure(edges)[0]
    graph = nx.Graph(zip(edges["source"], edges["target"], strict=True))
    began = time.perf_counter()
    nx.pagerank(graph)
    nx.eigenvector_centrality(graph, max_iter=1000)
    nx.betweenness_centrality(graph, k=ours["figures"]["betweenness_sources"], seed=1)
    nx.core_number(graph)
    nx.clustering(graph)
    nx.community.louvain_communities(graph, seed=1)
    return {"networkx": time.perf_counter() - began, "ours": ours["seconds"]}


PARTS: dict[str, Callable[[], dict[str, Any]]] = {
    "simulator": simulator,
    "barabasi_albert": barabasi_albert,
    "star": star,
    "sampled": sampled,
    "plain_networkx": plain_networkx,
}


def main() -> None:
    """Measure every part in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", choices=PARTS, default=None)
    parser.add_argument("--json", type=Path, default=None)
    options = parser.parse_args()
    if options.part:
        print(json.dumps(PARTS[options.part]()))
        return
    results = {name: _alone(name) for name in PARTS}
    print("| graph | nodes | edges | build | all | betweenness | sources | communities | peak |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|")
    for name in ("simulator", "barabasi_albert", "star"):
        told, figures = results[name], results[name]["figures"]
        print(
            f"| {name} | {told['nodes']:,} | {told['edges']:,} | {told['build']:.1f} s | "
            f"{told['seconds']:.1f} s | {figures['seconds_betweenness']:.1f} s | "
            f"{figures['betweenness_sources']} | {figures['communities']:,} | "
            f"{told['peak_gib']:.2f} GiB |"
        )
    measured = results["simulator"]
    print(
        f"\nNormalised mutual information with the {measured['planted']:,} planted communities: "
        f"{measured['nmi']:.3f}; modularity {measured['figures']['modularity']:.3f}\n"
    )
    print(
        "| betweenness on 5,000 nodes | rank correlation, mean (least) | top 1 % shared, mean "
        "(least) | largest error | bound |"
    )
    print("|---|---|---|---:|---:|")
    for name, rows in results["sampled"].items():
        values = np.array(rows)
        print(
            f"| {name} ({values[:, 0].mean():.0f}) | {values[:, 1].mean():.3f} "
            f"({values[:, 1].min():.3f}) | {values[:, 2].mean():.2f} ({values[:, 2].min():.2f}) | "
            f"{values[:, 3].max():.4f} | {values[:, 4].max():.2f} |"
        )
    plain = results["plain_networkx"]
    print(
        f"\nThe same on 5,000 nodes by NetworkX alone: {plain['networkx']:.1f} s; here "
        f"{plain['ours']:.1f} s"
    )
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))


def _alone(part: str) -> dict[str, Any]:
    done = subprocess.run(  # noqa: S603 - the project's own benchmark
        [sys.executable, "-m", "benchmarks.network", "--part", part],
        capture_output=True,
        text=True,
        check=True,
    )
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


if __name__ == "__main__":
    main()
