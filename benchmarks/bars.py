"""The bars that the platform is held to, and where the last figures stand against them.

Belongs here: the bars and the table. Does not belong here: measuring.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.ask_bars import ASK_BARS
from benchmarks.bandit_bars import BANDIT_BARS
from benchmarks.break_bars import BREAK_BARS
from benchmarks.contact_bars import CONTACT_BARS
from benchmarks.effect_bars import EFFECT_BARS
from benchmarks.fairness_bars import FAIRNESS_BARS
from benchmarks.federated_bars import FEDERATED_BARS
from benchmarks.forecast_bars import FORECAST_BARS
from benchmarks.model_bars import MODEL_BARS, MODELS, MODELS_SMALL
from benchmarks.privacy_bars import PRIVACY_BARS
from benchmarks.recommendation_bars import RECOMMENDATION_BARS
from benchmarks.segment_bars import SEGMENT_BARS
from benchmarks.serving_bars import SERVING_BARS
from benchmarks.timing_bars import TIMING_BARS
from benchmarks.tuning_bars import TUNING_BARS
from benchmarks.whole_run_bars import WHOLE_RUN_BARS

Figures = Mapping[str, Any]
LARGE, SMALL = "stages-customers-100000", "stages-customers-10000"
FAIRNESS = "fairness_chance-runs-150"
EXPERIMENTS = "experiments-runs-2000"
HISTORY = "history-days-5000-rows-20000"
GROWTH_BAR = 12.0
SIGNALS_GROWTH_BAR = 11.0
# Snapshots that the models are learnt from, scored on and predict: five of churn, two of value,
# the last day.
TRAINING_DAYS = 8


def _shipped(figures: Figures) -> Any:
    return next(iter(figures["runtimes"].values()))


def _mean(rows: Any, column: int) -> float:
    return float(sum(row[column] for row in rows) / len(rows))


def _least_refused(model: str) -> Callable[[Figures], float]:
    """The least share refused of an unfair model over the groups whose quality is halved."""
    return lambda f: min(
        row["refused"] / row["runs"] for row in f["unfair"] if row["model"] == model
    )


# what, the bar, the part that holds the figure, how to read it, how to write it, whether it is met
BARS: tuple[tuple[str, str, str, Callable[[Figures], float], str, Callable[[float], bool]], ...] = (
    (
        "`make run` after installation, 10,000 customers",
        "at most 200 s",
        "main_job",
        lambda f: f["first run"],
        "{:.0f} s",
        lambda v: v <= 200,
    ),
    (
        "simulate 100,000 customers, 400 days, and take them in",
        "under 360 s",
        LARGE,
        lambda f: f["simulate"]["seconds"],
        "{:.0f} s",
        lambda v: v < 360,
    ),
    (
        "its peak memory",
        "under 8 GB",
        LARGE,
        lambda f: f["simulate"]["peak_gib"],
        "{:.2f} GiB",
        lambda v: v < 8 / 1.0737,
    ),
    (
        "one more day, 100,000 customers, fresh process",
        "under 5 s",
        LARGE,
        lambda f: f["one more day"]["seconds"],
        "{:.1f} s",
        lambda v: v < 5,
    ),
    (
        "one feature snapshot, 100,000 customers",
        "under 60 s",
        LARGE,
        lambda f: f["snapshot"]["seconds"],
        "{:.1f} s",
        lambda v: v < 60,
    ),
    (
        "its peak memory",
        "under 8 GB",
        LARGE,
        lambda f: f["snapshot"]["peak_gib"],
        "{:.2f} GiB",
        lambda v: v < 8 / 1.0737,
    ),
    (
        "churn: train, calibrate, evaluate at 100,000",
        "under 90 s",
        LARGE,
        lambda f: f["train"]["seconds"],
        "{:.1f} s",
        lambda v: v < 90,
    ),
    (
        "predict and explain all 100,000",
        "under 45 s",
        LARGE,
        lambda f: f["predict and explain"]["seconds"],
        "{:.1f} s",
        lambda v: v < 45,
    ),
    (
        "best possible AUC at 100,000, from the truth",
        "0.92 to 0.96",
        LARGE,
        lambda f: f["best possible"]["best_auc"]["value"],
        "{:.4f}",
        lambda v: 0.92 <= v <= 0.96,
    ),
    (
        "churn AUC at 100,000, as a share of the best possible",
        "at least 97 %",
        LARGE,
        lambda f: f["best possible"]["ratio"],
        "{:.2%}",
        lambda v: v >= 0.97,
    ),
    (
        "its calibration error",
        "at most 0.02",
        LARGE,
        lambda f: f["best possible"]["calibration_error"]["value"],
        "{:.4f}",
        lambda v: v <= 0.02,
    ),
    (
        "location load in a fresh interpreter",
        "under 3 s",
        "main_job",
        lambda f: f["load"],
        "{:.2f} s",
        lambda v: v < 3,
    ),
    *(
        (
            f"{task} on the tenth kept aside, {measure}",
            f"at least {bar}",
            "sentiment",
            lambda f, task=task: f["card"][task]["adapter"]["value"],
            "{:.3f}",
            lambda v, bar=bar: v >= bar,
        )
        for task, measure, bar in (
            ("sentiment", "macro recall", 0.68),
            ("emotion", "macro F1", 0.74),
        )
    ),
    *(
        (
            f"one text of {which}, one thread, {part}",
            f"at most {bar} ms",
            "sentiment",
            lambda f, kind=kind, part=part: _shipped(f)[kind][part],
            "{:.1f} ms",
            lambda v, bar=bar: v <= bar,
        )
        for which, kind in (("up to 64 tokens", "one_text"), ("50 to 64", "one_long_text"))
        for part, bar in (("p50", 8), ("p99", 25))
    ),
    *(
        (
            f"many texts, two cores: {kind}",
            "at least 600 a second",
            "sentiment",
            lambda f, kind=kind: _shipped(f)[kind],
            "{:,.0f} a second",
            lambda v: v >= 600,
        )
        for kind in ("tweets", "posts")
    ),
    *(
        (what, bar, "network", read, write, met)
        for kind in ("simulator", "barabasi_albert")
        for what, bar, read, write, met in (
            (
                f"graph and all metrics, 100,000 nodes, 1M edges, {kind}",
                "under 30 s",
                lambda f, kind=kind: f[kind]["seconds"],
                "{:.1f} s",
                lambda v: v < 30,
            ),
            (
                "its peak memory",
                "under 4 GB",
                lambda f, kind=kind: f[kind]["peak_gib"],
                "{:.2f} GiB",
                lambda v: v < 4 / 1.0737,
            ),
        )
    ),
    (
        "communities against the planted ones, normalised mutual information",
        "at least 0.8",
        "network",
        lambda f: f["simulator"]["nmi"],
        "{:.3f}",
        lambda v: v >= 0.8,
    ),
    *(
        (what, bar, "network", read, "{:.3f}", met)
        for kind in ("simulator", "Barabasi-Albert")
        for what, bar, read, met in (
            (
                f"sampled betweenness on 5,000 nodes, {kind}: rank correlation, mean of 5",
                "at least 0.95",
                lambda f, kind=kind: _mean(f["sampled"][f"{kind}, default sources"], 1),
                lambda v: v >= 0.95,
            ),
            (
                "its top 1 %",
                "overlaps by 80 %",
                lambda f, kind=kind: _mean(f["sampled"][f"{kind}, default sources"], 2),
                lambda v: v >= 0.8,
            ),
        )
    ),
    (
        "node2vec, 64 wide, 100,000 nodes, 1M edges",
        "under 300 s",
        "link_prediction",
        lambda f: f["seconds"],
        "{:.0f} s",
        lambda v: v < 300,
    ),
    (
        "GraphSAGE, 100,000 nodes, 1M edges",
        "under 300 s",
        "network_learning",
        lambda f: f["large"]["seconds"],
        "{:.0f} s",
        lambda v: v < 300,
    ),
    (
        "its peak memory",
        "under 8 GB",
        "network_learning",
        lambda f: f["large"]["peak_gib"],
        "{:.1f} GiB",
        lambda v: v < 8 / 1.0737,
    ),
    (
        "a day's increment at 100,000 customers: ingest, signals, features, predictions",
        "under 60 s",
        LARGE,
        lambda f: sum(
            f[stage]["seconds"]
            for stage in ("one more day", "signals of a day", "snapshot", "predict and explain")
        ),
        "{:.1f} s",
        lambda v: v < 60,
    ),
    (
        "test suite",
        "under 10 minutes",
        "suite",
        lambda f: f["seconds"],
        "{:.0f} s",
        lambda v: v < 600,
    ),
    (
        "lines of code outside tests and benchmarks, against before the code was reshaped",
        "at least 2,500 fewer",
        "code_size",
        lambda f: f["before"] - f["now"],
        "{:,.0f} fewer",
        lambda v: v >= 2_500,
    ),
    (
        "default runs of 1,500 customers that end with every model serving",
        "at least 19 of 20",
        "default_runs",
        lambda f: sum(not run["not_serving"] and not run["exit_status"] for run in f),
        "{:.0f} of 20",
        lambda v: v >= 19,
    ),
    (
        "small models right by construction, twenty worlds of 300 to 1,000 customers: refused by "
        "the worst gate",
        "at most 5 %",
        "gate_chance",
        lambda f: max(row["refused"] for row in f if row["says"] == 1 and row["gate"] != "any"),
        "{:.1%}",
        lambda v: v <= 0.05,
    ),
    *(
        (
            f"5,000 days of {what}",
            f"at most {most}",
            HISTORY,
            lambda f, name=name: f[name],
            unit,
            lambda v, limit=limit: v <= limit,
        )
        for what, name, most, unit, limit in (
            ("few rows (20,000) taken in", "seconds", "120 s", "{:.0f} s", 120),
            ("few rows (20,000), size of the home", "megabytes", "200 MB", "{:.0f} MB", 200),
            ("few rows (20,000), files of the home", "files", "10,000", "{:,.0f}", 10_000),
        )
    ),
    *(
        (
            f"`make run` on {source} as a source",
            "at most 120 s",
            "whole_sources",
            lambda f, source=source: f[source]["wall"],
            "{:.0f} s",
            lambda v: v <= 120,
        )
        for source in ("deskdrop", "movielens")
    ),
    *(
        (
            f"doubly robust 95 % intervals over 200 logs: the {which} coverage of all logs, reward "
            "models and policies",
            bar,
            "off_policy",
            lambda f, choose=choose: choose(row["coverage"] for row in f["coverage"]),
            "{:.1%}",
            met,
        )
        for which, bar, choose, met in (
            ("lowest", "at least 92 %", min, lambda v: v >= 0.92),
            ("highest", "at most 98 %", max, lambda v: v <= 0.98),
        )
    ),
    *(
        (
            f"holdout's 95 % interval for incremental revenue, 100 worlds, {planted} planted: "
            "covers what was planted",
            "at least 93",
            "value",
            lambda f, planted=planted: next(
                100 * row["covered"] / row["worlds"]
                for row in f["worlds"]
                if row["planted"] == planted
            ),
            "{:.0f}",
            lambda v: v >= 93,
        )
        for planted in ("an effect", "nothing")
    ),
    (
        "nothing planted, 100 worlds: reported as no effect on revenue",
        "at least 95",
        "value",
        lambda f: next(
            100 - 100 * row["effect on revenue shown"] / row["worlds"]
            for row in f["worlds"]
            if row["planted"] == "nothing"
        ),
        "{:.0f}",
        lambda v: v >= 95,
    ),
    (
        "Open Bandit men, random to Thompson and back: intervals that contain the click rate",
        "both",
        "off_policy",
        lambda f: sum(row["holds"] for row in f["bandit"]),
        "{:.0f} of 2",
        lambda v: v == 2,
    ),
    (
        "value of 90 days, public retailer: R2 less the best baseline's",
        "at least 0",
        "value_retail",
        lambda f: (
            f["value model"]["r2"]["value"]
            - max(
                of["r2"]["value"]
                for name, of in f.items()
                if name not in ("value model", "coverage")
            )
        ),
        "{:.3f}",
        lambda v: v >= 0,
    ),
    *(
        (
            f"value, public retailer: P10 to P90 of other people, {when}, {who}: coverage",
            "77 to 83 %",
            "value_retail",
            lambda f, day=day, key=key: 100.0 * f["coverage"][day][key],
            "{:.1f} %",
            lambda v: 77 <= v <= 83,
        )
        for when, day in (("at the same time", "2011-06-01"), ("in the next season", "2011-09-01"))
        for who, key in (("all", "all"), ("those who pay", "who pay"))
    ),
    *(
        (what, bar, EXPERIMENTS, read, "{:.2%}", met)
        for what, bar, read, met in (
            (
                "experiments without effect that show one at a fixed look, the metric farthest off",
                "5 % +- 1",
                lambda f: max(
                    (own["fixed"] for own in f["false alarms"].values()),
                    key=lambda share: abs(share - 0.05),
                ),
                lambda v: abs(v - 0.05) <= 0.01,
            ),
            (
                "the same at any of 100 looks, the worst metric",
                "at most 5 %",
                lambda f: max(own["any look"] for own in f["false alarms"].values()),
                lambda v: v <= 0.05,
            ),
            (
                "experiments of broken randomisation that are named, the worse kind",
                "all",
                lambda f: min(
                    share for name, share in f["reports"].items() if name.endswith("named")
                ),
                lambda v: v >= 1.0,
            ),
        )
    ),
    (
        "fairness check at 10,000 customers: fair models that are refused, the worst kind",
        "at most 5 %",
        FAIRNESS,
        lambda f: max(row["refused"] / row["runs"] for row in f["fair"]),
        "{:.1%}",
        lambda v: v <= 0.05,
    ),
    *(
        (
            f"fairness check at 10,000 customers: {model}s with a group's quality halved that are "
            "refused, the group that is seen least",
            "at least 18 of 20, 90 %",
            FAIRNESS,
            _least_refused(model),
            "{:.0%}",
            lambda v: v >= 0.9,
        )
        for model in ("classifier", "recommender")
    ),
)


@dataclass(frozen=True)
class Judged:
    """A bar with its last figure.

    Attributes:
        part: Part of the results that holds the figure.
        what: What is measured.
        bar: What is wanted.
        figure: What was measured, in words.
        met: Whether it is what is wanted; None where it was not measured.
    """

    part: str
    what: str
    bar: str
    figure: str
    met: bool | None

    @property
    def verdict(self) -> str:
        """Whether the bar is met, in a word."""
        return {True: "yes", False: "**no**", None: "–"}[self.met]


def judged(figures: Mapping[str, Figures]) -> list[Judged]:
    """Return every bar with its last figure.

    Args:
        figures: Figures by part.
    """
    made = []
    for what, bar, part, read, form, met in (
        *BARS, *MODEL_BARS, *EFFECT_BARS, *BANDIT_BARS, *TIMING_BARS, *CONTACT_BARS, *TUNING_BARS,
        *FEDERATED_BARS, *FAIRNESS_BARS,
        *FORECAST_BARS,
        *PRIVACY_BARS,
        *RECOMMENDATION_BARS,
        *SERVING_BARS,
        *BREAK_BARS,
    *WHOLE_RUN_BARS,
        *ASK_BARS,
        *SEGMENT_BARS,
    ):  # fmt: skip
        try:
            value = read(figures[part])
        except KeyError:
            # a part that was not run, or a figure that was not taken yet when it was last run
            made.append(Judged(part, what, bar, "not run", None))
        else:
            made.append(Judged(part, what, bar, form.format(value), bool(met(value))))
    return made


def figures_of(parts: Path) -> dict[str, Figures]:
    """Return the figures of every part in a folder."""
    return {path.stem: json.loads(path.read_text()) for path in parts.glob("*.json")}


def bars_table(parts: Path) -> str:
    """The bars with the last figures, as Markdown.

    Args:
        parts: Folder of the figures; a bar whose figure is not there says so.
    """
    figures = figures_of(parts)
    lines = ["## Bars", "", "| what | bar | figure | met |", "|---|---|---:|---|"]
    lines += [f"| {b.what} | {b.bar} | {b.figure} | {b.verdict} |" for b in judged(figures)]
    lines += summed_lines(figures)
    lines += growth_lines(figures, LARGE, SMALL)
    lines += growth_lines(figures, MODELS, MODELS_SMALL)
    lines.append(
        "| point in time | the future-poison test passes for each of the features | in the test "
        "suite | – |"
    )
    lines.append("| Deskdrop | above recency and above logistic regression | below | – |")
    return "\n".join(lines)


def summed_lines(figures: Mapping[str, Figures]) -> list[str]:
    """Bars on whole jobs at 100,000 customers, by the sum of their stages."""
    if LARGE not in figures or MODELS not in figures:
        return []
    stage, model = figures[LARGE], figures[MODELS]
    snapshot, predictions = stage["snapshot"]["seconds"], model["all predictions"]["seconds"]
    day = sum(stage[name]["seconds"] for name in ("one more day", "signals of a day"))
    sums = (
        (
            "daily job without training, sum of its stages: a day's ingest, signals, snapshot, "
            "predictions and explanations",
            300,
            day + snapshot + predictions,
        ),
        (
            f"whole run, sum of its stages: features of the {TRAINING_DAYS} snapshots, training, "
            "predictions and explanations",
            840,
            TRAINING_DAYS * snapshot + model["all training"]["seconds"] + predictions,
        ),
    )
    return [
        f"| {what} | under {limit // 60} minutes | {seconds:.0f} s | "
        f"{'yes' if seconds < limit else '**no**'} |"
        for what, limit, seconds in sums
    ]


def growth_lines(figures: Mapping[str, Figures], large: str, small: str) -> list[str]:
    """How much longer each stage takes for ten times the customers.

    Args:
        figures: Figures by part.
        large: Part of the stages at 100,000 customers.
        small: Part of the stages at 10,000.
    """
    if large not in figures or small not in figures:
        return []
    lines = []
    for stage, measured in figures[large].items():
        if stage == "prepare":
            # what was there was not made again
            continue
        if stage not in figures[small]:
            lines.append(
                f"| {stage}: 10,000 to 100,000 customers | at most 12 times | not run | – |"
            )
            continue
        times = measured["seconds"] / figures[small][stage]["seconds"]
        limit = SIGNALS_GROWTH_BAR if stage == "signals" else GROWTH_BAR
        met = "yes" if times <= limit else "**no**"
        lines.append(
            f"| {stage}: 10,000 to 100,000 customers | at most {limit:.0f} times "
            f"| {times:.1f} times | {met} |"
        )
    return lines
