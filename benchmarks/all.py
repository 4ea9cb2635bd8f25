"""Runs every benchmark and writes `RESULTS.md`: what was run, where, and what it printed.

    make bench                 # all, about two hours on two cores
    make bench ARGS="--only stages"
    make bench ARGS="--only serving --lakes FOLDER"   # over a lake that benchmarks.models kept

Belongs here: which benchmarks there are, and the page. Does not belong here: measuring.
"""

import argparse
import os
import platform
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import capabilities
from benchmarks.bars import bars_table

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "RESULTS.md"
PARTS = HERE / "results"
STAGE_HEAD = "| stage | customers | wall time | peak memory | figures |\n|---|---:|---:|---:|---|"
FIGURE_HEAD = "| what | figure |\n|---|---:|"
TIME_HEAD = "| what | wall time |\n|---|---:|"

INTRODUCTION = (
    "# Results",
    "",
    "Made by `make bench`; every figure was printed by the command that stands above it. Walls are "
    "single runs on a machine whose other work varies; intervals are 95 %.",
    "",
)

# name, what it is about, arguments, the head of the table it prints lines of
BENCHMARKS: tuple[tuple[str, str, list[str], str], ...] = (
    ("main_job", "`make run` after installation, and loading the location", [], TIME_HEAD),
    ("stages", "The stages at 10,000 customers", ["--customers", "10000"], STAGE_HEAD),
    ("stages", "The stages at 100,000 customers", ["--customers", "100000"], STAGE_HEAD),
    (
        "event_log",
        "Reporting a range of partitions to the event log",
        [],
        "| event log | what | wall time |\n|---|---|---:|",
    ),
    (
        "history",
        "Taking in 5,000 days of few rows",
        ["--days", "5000", "--rows", "20000"],
        "| history | wall time | size | files |\n|---|---:|---:|---:|",
    ),
    ("whole_sources", "`make run` on public data as sources", [], ""),
    ("suite", "The test suite", [], TIME_HEAD),
    ("sentiment", "Sentiment: quality, one text, many texts", [], ""),
    ("network", "The social graph's metrics at a million edges", [], ""),
    ("link_prediction", "node2vec and link prediction", [], ""),
    ("network_learning", "GraphSAGE, virality and spread", [], ""),
    ("segments", "Segments of planted kinds and of one cloud", [], ""),
    ("counterfactuals", "Counterfactuals in a planted world", [], FIGURE_HEAD),
    ("ask", "Questions to the chat, on a home of 300", ["--customers", "300"], FIGURE_HEAD),
    (
        "models",
        "Every model at 10,000 customers",
        ["--customers", "10000"],
        STAGE_HEAD,
    ),
    (
        "models",
        "Every model at 100,000 customers",
        ["--customers", "100000"],
        STAGE_HEAD,
    ),
    (
        "recommendation",
        "Recommenders on simulated days",
        ["--customers", "10000"],
        "",
    ),
    ("recommendation_texts", "What the texts of posts add to recommendation", [], ""),
    ("movielens", "Recommenders on MovieLens-100K", [], ""),
    ("recommendation_million", "Recommenders on a million planted interactions", [], ""),
    (
        "recommendation_million",
        "Recommenders on a million planted interactions with a wide catalogue",
        ["--items", "12092", "--methods", "popularity", "ease", "als"],
        "",
    ),
    ("deskdrop_recommendation", "Recommenders on the Deskdrop log", [], ""),
    ("anomaly", "Anomaly detection on eight public sets", [], ""),
    (
        "anomaly_planted",
        "Planted bots and fraud, 10,000 customers",
        ["--customers", "10000"],
        "",
    ),
    (
        "anomaly_planted",
        "Planted bots and fraud, 100,000 customers",
        ["--customers", "100000"],
        "",
    ),
    ("lake_size", "Rows and bytes of a lake", ["--customers", "100000"], FIGURE_HEAD),
    (
        "publish",
        "Publishing 100,000 customers to SQLite",
        ["--customers", "100000"],
        FIGURE_HEAD,
    ),
    (
        "publish",
        "Publishing 5,000 customers to a local server of DynamoDB's protocol",
        ["--customers", "5000", "--store", "dynamodb"],
        FIGURE_HEAD,
    ),
    (
        "serving",
        "The API under load, 100,000 customers in the store",
        ["--customers", "100000"],
        FIGURE_HEAD,
    ),
    (
        "soak",
        "Ten minutes of load while days are published and processes are killed",
        ["--customers", "100000"],
        FIGURE_HEAD,
    ),
    (
        "fuzz",
        "Made-up requests at every endpoint (Schemathesis)",
        ["--customers", "100000"],
        FIGURE_HEAD,
    ),
    (
        "million",
        "Features and churn at 1,000,000 customers",
        ["--customers", "1000000"],
        STAGE_HEAD,
    ),
    (
        "fairness_chance",
        "How often the fairness check refuses fair and unfair models",
        ["--runs", "150"],
        "",
    ),
    ("fairness_mitigation", "Mitigations of unfairness: what they close and cost", [], ""),
    (
        "experiments",
        "How often an experiment without effect shows one, and what a broken one is called",
        ["--runs", "2000"],
        "",
    ),
    ("gate_chance", "How often a gate refuses a small model that is right", [], ""),
    ("drift", "False alarms of drift over 60 quiet days, and planted shifts", [], ""),
    (
        "off_policy",
        "Off-policy evaluation: coverage of doubly robust intervals, and Open Bandit logs",
        [],
        "",
    ),
    ("value", "The programme against its holdout: planted incremental revenue", [], ""),
    ("effects", "Treatment effects on IHDP", ["--only", "ihdp"], ""),
    ("effects", "Treatment effects where there is one effect", ["--only", "none"], ""),
    ("effects", "Treatment effects that differ, planted", ["--only", "planted"], ""),
    ("effects", "Treatment effects of a confounded campaign", ["--only", "campaign"], ""),
    ("effects", "Treatment effects of 100,000 customers", ["--only", "large"], ""),
    ("bandits", "Next best actions: Thompson sampling beside simpler ways to choose", [], ""),
    ("timing", "When to notify: a deep Q-network against the exact best policy", [], ""),
    ("tuning", "Tuning: no deployment by chance", ["--part", "chance"], ""),
    (
        "tuning",
        "Tuning: R2 of planted numbers",
        ["--part", "planted", "--minutes", "3", "--threads", "1"],
        "",
    ),
    ("tuning", "Tuning: a search that is killed", ["--part", "kill"], ""),
    (
        "tuning",
        "Tuning: phoneme and credit_g",
        ["--part", "public", "--minutes", "2", "--threads", "1"],
        "",
    ),
    (
        "tuning",
        "Tuning: 100,000 customers",
        ["--part", "large", "--minutes", "5", "--threads", "1"],
        "",
    ),
    ("whole_run", "One `make run` of 100,000 customers, and the day after", [], ""),
    ("connection_limits", "What the limits of connections cost a request", [], ""),
    ("page_load", "Pages of the dashboard at 100,000 customers", [], ""),
    ("federated", "Federated learning: budget, quality, attacks, 100,000 clients", [], ""),
    (
        "erasure",
        "Erasing 100 of 100,000 customers with 400 raw days while the API answers",
        ["--customers", "100000"],
        FIGURE_HEAD,
    ),
    ("contact", "Limits of contact over ten million decisions; publishers killed", [], ""),
    ("texts", "From a text that was written to support's alert", [], ""),
    ("forecast", "Use of the next days: the simulated world, and a public log", [], ""),
    (
        "break_it",
        "Broken on purpose: flipped bits, requests, settings, inputs, damaged files, questions",
        ["--only", "attacks"],
        "",
    ),
    ("break_it", "Runs that are killed on their way", ["--only", "kills", "--kills", "30"], ""),
    ("break_it", "Three days, killed in between", ["--only", "daily", "--kills", "9"], ""),
    ("code_size", "Lines of code outside tests and benchmarks", [], FIGURE_HEAD),
    ("default_runs", "Default runs of 1,500 customers, 20 pairs of seed and date", [], ""),
    ("row_groups", "Groups of rows: one customer's row, and a query over all", [], ""),
    ("encryption", "An encrypted lake beside a plain one", [], FIGURE_HEAD),
    ("small_world", "A small world against the code before it was reshaped", [], ""),
    ("parallel_training", "Training one after another, and at once", [], TIME_HEAD),
    ("value_retail", "Value of 90 days on a public retailer's line items", [], ""),
    ("churn_telecom", "Churn on public telecom data, 5 folds", [], ""),
    ("deskdrop", "Churn on the public Deskdrop log, other people, later time", [], ""),
)
# These go on from a kept lake, with models or with raw tables, and make one where none is kept.
OVER_A_LAKE = {
    "publish": ".models", "serving": ".models", "soak": ".models", "fuzz": ".models",
    "lake_size": ".models", "ask": ".models",
    "million": "source", "erasure": "source",
}  # fmt: skip
# These look at a home that was made, and run only where one is named.
OVER_A_HOME = {
    ("page_load",), ("connection_limits",), ("row_groups",),
}  # fmt: skip
WITH_JSON = (
    "main_job", "stages", "suite", "sentiment", "network", "link_prediction", "network_learning",
    "models", "recommendation", "recommendation_million", "movielens", "anomaly", "anomaly_planted",
    "parallel_training",
    "publish", "serving", "soak", "fuzz", "million", "lake_size", "fairness_chance",
    "fairness_mitigation",
    "gate_chance", "default_runs", "code_size", "drift", "history", "whole_sources",
    "value_retail", "experiments", "off_policy", "value", "effects", "timing", "bandits",
    "contact", "texts", "tuning", "forecast", "federated", "break_it", "whole_run",
    "erasure", "encryption", "page_load", "connection_limits", "ask", "counterfactuals", "segments",
    "row_groups",
)  # fmt: skip


def main() -> None:
    """Run the chosen benchmarks, then write the page from all that were ever run here."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", help="the name of benchmarks, or a part of results/")
    parser.add_argument(
        "--lakes",
        type=Path,
        help="folder of lakes that `benchmarks.models --lake` kept, each named by its customers",
    )
    parser.add_argument("--home", type=Path, help="a home that `make run` made, of 100,000")
    parser.add_argument("--page", action="store_true", help="only write the page again")
    options = parser.parse_args()
    PARTS.mkdir(exist_ok=True)
    for name, title, arguments, head in BENCHMARKS:
        if (name, *arguments) in OVER_A_HOME and options.only is None and options.home is None:
            continue
        if not options.page and options.only in (None, name, part_path(name, arguments).stem):
            print(f"{title} …", flush=True)
            part_path(name, arguments).write_text(
                run(name, title, arguments, head, lakes=options.lakes, home=options.home)
            )
    parts = [part_path(name, arguments) for name, _, arguments, _ in BENCHMARKS]
    there = [path.read_text() for path in parts if path.exists()]
    RESULTS.write_text("\n".join([*INTRODUCTION, bars_table(PARTS), "", *there]))
    print(f"written: {RESULTS.relative_to(HERE.parent)}")
    capabilities.write()


def part_path(name: str, arguments: list[str]) -> Path:
    """Where the section of a benchmark is kept."""
    return PARTS / f"{'-'.join([name, *(word.strip('-') for word in arguments)])}.md"


def over_lake(name: str, arguments: list[str], lakes: Path | None) -> list[str]:
    """Where a benchmark finds its lake, as arguments."""
    if lakes is None or name not in OVER_A_LAKE:
        return []
    folder = OVER_A_LAKE[name]
    sizes = sorted(int(path.parent.name) for path in lakes.glob(f"*/{folder}"))
    wanted = int(arguments[arguments.index("--customers") + 1])
    enough = [size for size in sizes if size >= wanted]
    if not enough:
        raise SystemExit(f"no lake in {lakes} has {folder} and {wanted} customers")
    return ["--lake", str(lakes / str(enough[0]))]


def over_home(name: str, arguments: list[str], home: Path | None) -> list[str]:
    """Where a benchmark finds its home, as arguments."""
    if (name, *arguments) not in OVER_A_HOME:
        return []
    if home is None:
        raise SystemExit(f"{name} goes on from a home: give --home")
    return ["--home", str(home)]


def run(
    name: str,
    title: str,
    arguments: list[str],
    head: str,
    *,
    lakes: Path | None = None,
    home: Path | None = None,
) -> str:
    """Run a benchmark and give its section; one that fails says so in the section."""
    command = ["-m", f"benchmarks.{name}", *arguments]
    lake = [*over_lake(name, arguments, lakes), *over_home(name, arguments, home)]
    shown = " ".join([*command, *(part for word in lake[::2] for part in (word, word[2:].upper()))])
    keep = ["--json", str(part_path(name, arguments).with_suffix(".json"))]
    began = time.perf_counter()
    with subprocess.Popen(  # noqa: S603 - the project's own benchmarks
        [sys.executable, *command, *lake, *(keep if name in WITH_JSON else ())],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        errors: list[str] = []
        passing = threading.Thread(target=_pass_on, args=(process.stderr or (), errors))
        passing.start()
        output = process.stdout.read() if process.stdout else ""
        passing.join()
    seconds = time.perf_counter() - began
    # a benchmark whose bar is missed ends with 1 too, and its figures are what is wanted
    error = "".join(errors)
    failed = process.returncode != 0 and ("Traceback" in error or not output)
    section = f"FAILED\n\n{error[-2000:]}" if failed else output
    at = datetime.now(UTC).strftime("%Y-%m-%d")
    load = os.getloadavg()[0]
    return "\n".join(
        [
            f"## {title}",
            "",
            f"`python {shown}` on {at}, {machine()}; took {seconds:.0f} s, load at the "
            f"end {load:.1f}.",
            "",
            f"{head}\n{section}" if head and not failed else section,
        ]
    )


def _pass_on(lines: Iterable[str], collected: list[str]) -> None:
    """Show a benchmark's progress while it runs, and collect it."""
    for line in lines:
        sys.stderr.write(line)
        collected.append(line)


def machine() -> str:
    """The machine in a few words."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
    cores = os.cpu_count()
    return f"{processor()}, {cores} cores, {memory:.0f} GiB, Python {platform.python_version()}"


def processor() -> str:
    """The processor's name and its widest instructions, which decide how fast texts are read."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    known = dict(line.replace("\t", "").split(": ", 1) for line in lines if ": " in line)
    flags = known.get("flags", "").split()
    widest = next((name for name in ("amx_tile", "avx512f", "avx2") if name in flags), "")
    return " ".join([known.get("model name", platform.machine()), widest]).strip()


if __name__ == "__main__":
    main()
