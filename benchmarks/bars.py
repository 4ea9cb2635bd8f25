"""The bars that the platform is held to, and where the last figures stand against them.

Belongs here: the bars and the table. Does not belong here: measuring.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

Figures = Mapping[str, Any]
LARGE, SMALL = "stages-customers-100000", "stages-customers-10000"
GROWTH_BAR = 12.0

# what, the bar, the part that holds the figure, how to read it, how to write it, whether it is met
BARS: tuple[tuple[str, str, str, Callable[[Figures], float], str, Callable[[float], bool]], ...] = (
    (
        "`make run` after installation, 10,000 customers",
        "under 240 s",
        "main_job",
        lambda f: f["first run"],
        "{:.0f} s",
        lambda v: v < 240,
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
    (
        "test suite",
        "under 12 minutes",
        "suite",
        lambda f: f["seconds"],
        "{:.0f} s",
        lambda v: v < 720,
    ),
)


def bars_table(parts: Path) -> str:
    """The bars with the last figures, as Markdown.

    Args:
        parts: Folder of the figures; a bar whose figure is not there says so.
    """
    figures = {path.stem: json.loads(path.read_text()) for path in parts.glob("*.json")}
    lines = ["## Bars", "", "| what | bar | figure | met |", "|---|---|---:|---|"]
    for what, bar, part, read, form, met in BARS:
        if part not in figures:
            lines.append(f"| {what} | {bar} | not run | – |")
            continue
        value = read(figures[part])
        lines.append(
            f"| {what} | {bar} | {form.format(value)} | {'yes' if met(value) else '**no**'} |"
        )
    lines += growth_lines(figures)
    lines.append(
        "| point in time | the future-poison test passes for each of the 49 features | in the test "
        "suite | – |"
    )
    lines.append("| Deskdrop | above recency and above logistic regression | below | – |")
    return "\n".join(lines)


def growth_lines(figures: Mapping[str, Figures]) -> list[str]:
    """How much longer each stage takes for ten times the customers."""
    if LARGE not in figures or SMALL not in figures:
        return []
    lines = []
    for stage, found in figures[LARGE].items():
        times = found["seconds"] / figures[SMALL][stage]["seconds"]
        met = "yes" if times <= GROWTH_BAR else "**no**"
        lines.append(
            f"| {stage}: 10,000 to 100,000 customers | at most 12 times | {times:.1f} times "
            f"| {met} |"
        )
    return lines
