"""A forecast and its quality in words and pictures.

Belongs here: Markdown. Does not belong here: figures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from engagement_assets.learning import markdown
from engagement_assets.learning.evaluation.bootstrap import Interval
from engagement_assets.learning.evaluation.plots import as_markdown
from engagement_assets.learning.forecasting.breaks import LevelShift
from engagement_assets.learning.forecasting.replay import NAIVE

_WEEKDAYS = ("Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed")
_SHOWN_STEPS = 56


def quality_markdown(figures: Mapping[str, Any], weights: Mapping[str, Mapping[str, Any]]) -> str:
    """Write errors by method, weights and who earned one, and coverage.

    Args:
        figures: From `replay.figures`.
        weights: By group, weights by method (`values`) and what costly ones bring (`earned`).
    """
    names = list(dict.fromkeys(n for by in figures["methods"].values() for n in by))
    rows = []
    for group, errors in figures["methods"].items():
        lead = (
            Interval.from_dict(figures["advantage"][group][NAIVE])
            if (NAIVE in figures["advantage"][group])
            else "–"
        )
        cells = [f"{errors[n]:.3f}" if n in errors else "–" for n in names]
        rows.append((group, *cells, figures["best"][group], lead))
    head = ["series", *names, "best single", "seasonal naive minus combination (95 %)"]
    weighted = [
        (
            group,
            ", ".join(f"{name} {value:.2f}" for name, value in one["values"].items() if value > 0),
            "; ".join(f"{name}: {earning(gain)}" for name, gain in one["earned"].items()) or "–",
        )
        for group, one in weights.items()
    ]
    covered = figures["coverage"]
    events = (
        f" On holidays and events {covered['events']:.1%} of {covered['event_times']:,} values."
        if covered["events"] is not None
        else " No holiday or event lay among them."
    )
    return "\n\n".join(
        [
            f"Mean absolute scaled errors at {figures['judged_origins']} of {figures['origins']} "
            "rolling origins (1 is the in-sample error of the same day a season before). Weights "
            "and intervals of each origin are from earlier ones.",
            markdown.table(head, rows),
            "Weights. A costly method has one only where it takes from the error of later origins "
            "beyond chance.",
            markdown.table(["series", "weights", "what costly methods take off (95 %)"], weighted),
            f"Of all usual times, {covered['all']:.1%} lay in their 95 % interval."
            f"{events} One origin's values move together: a single week says little.",
            markdown.table(
                [f"{n + 1} ahead" for n in range(len(covered["by_horizon"]))],
                [[_percent(value) for value in covered["by_horizon"]]],
            ),
            markdown.table(
                _phases(len(covered["by_phase"])),
                [[_percent(value) for value in covered["by_phase"]]],
            ),
        ]
    )


def earning(gain: Mapping[str, Any] | None) -> str:
    """Return what a costly method brings, in words."""
    if gain is None:
        return "too few origins to say, so no weight"
    interval = Interval.from_dict(gain)
    verdict = "earns its weight" if interval.low > 0 else "does not earn a weight"
    return f"{interval.value:.1%} ({interval.low:.1%} to {interval.high:.1%}), {verdict}"


def shifts_markdown(shifts: Mapping[str, Sequence[LevelShift]]) -> str:
    """Write the level shifts, or that there are none."""
    rows = [
        (name, shift.at[:10], f"{shift.change:+.1%}", f"{shift.deviations:.1f}")
        for name, there in shifts.items()
        for shift in there
    ]
    if not rows:
        return "No level shift is seen. One shows two seasons after it came."
    head = ["series", "since about", "change of level", "usual deviations"]
    return "A level shift is seen.\n\n" + markdown.table(head, rows)


def forecast_picture(
    history: pd.DataFrame, forecast: pd.DataFrame, series: Sequence[str], *, title: str
) -> str:
    """Draw the last weeks of some series, what follows, and its interval.

    Args:
        history: Rows of series, time, value.
        forecast: From `Forecaster.predict`.
        series: Which, each a panel.
        title: The picture's alternative text.

    Returns:
        A Markdown image.
    """
    figure = Figure(figsize=(7.5, 1.7 * len(series) + 0.4), dpi=90, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(len(series), 1, squeeze=False)[:, 0]
    for axes, name in zip(panels, series, strict=True):
        past = history[history["series"] == name].sort_values("time").tail(_SHOWN_STEPS)
        ahead = forecast[forecast["series"] == name]
        axes.plot(past["time"], past["value"], color="#25303b", linewidth=1.2, label="was")
        axes.plot(ahead["time"], ahead["value"], color="#2b6cb0", marker="o", markersize=3)
        axes.fill_between(ahead["time"], ahead["low"], ahead["high"], color="#2b6cb0", alpha=0.2)
        axes.set_title(name.replace("$", r"\$"), fontsize=9, loc="left")
        axes.tick_params(labelsize=7)
        axes.spines[["top", "right"]].set_visible(False)
    return as_markdown(figure, title)


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.1%}"


def _phases(count: int) -> list[str]:
    return list(_WEEKDAYS) if count == len(_WEEKDAYS) else [f"place {n}" for n in range(count)]
