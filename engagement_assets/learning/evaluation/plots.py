"""Small pictures for reports and asset metadata.

Belongs here: figures drawn from finished tables and returned as Markdown images with the PNG
inside, so that a report is one text. Does not belong here: computing what is drawn.
"""

from __future__ import annotations

import base64
import io

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

_BLUE = "#2b6cb0"
GREY = "#8a94a0"
INK = "#25303b"
_GRID = "#dfe4ea"


def reliability_plot(table: pd.DataFrame) -> str:
    """Draw observed rates against predicted probabilities, from `metrics.reliability_table`."""
    title = "Reliability"
    figure, axes = new_figure(4.6, 4.2, title)
    limit = 1.08 * 100 * max(table["mean_probability"].max(), table["positive_rate"].max(), 0.01)
    axes.plot([0, limit], [0, limit], color=GREY, linestyle="--", label="perfectly calibrated")
    axes.plot(
        100 * table["mean_probability"],
        100 * table["positive_rate"],
        color=_BLUE,
        marker="o",
        label="bins of equal size",
    )
    axes.set(
        xlabel="mean predicted probability (%)",
        ylabel="observed rate (%)",
        xlim=(0, limit),
        ylim=(0, limit),
    )
    axes.legend(frameon=False, loc="upper left")
    return as_markdown(figure, title)


def lift_plot(table: pd.DataFrame) -> str:
    """Draw the lift of each decile with its interval, from `metrics.lift_table`, as Markdown."""
    title = "Lift by decile"
    figure, axes = new_figure(5.6, 3.6, title)
    _bars(axes, table, "lift")
    axes.axhline(1.0, color=GREY, linestyle="--", label="average row")
    axes.set(
        xlabel="decile of predicted probability (1 = highest)",
        ylabel="rate / overall rate (×)",
    )
    axes.legend(frameon=False, loc="upper right")
    return as_markdown(figure, title)


def decile_plot(table: pd.DataFrame, *, unit: str) -> str:
    """Draw the mean target of each decile, with its interval, beside the mean prediction.

    Args:
        table: From `regression.decile_table`.
        unit: Unit of both.

    Returns:
        A Markdown image.
    """
    title = "Predicted and true by decile"
    figure, axes = new_figure(5.6, 3.6, title)
    _bars(axes, table, "mean_target", label="true")
    axes.plot(
        table["decile"],
        table["mean_prediction"],
        color=INK,
        marker="D",
        linestyle="none",
        label="predicted",
    )
    # A dollar sign would start a formula.
    axes.set(xlabel="decile of the prediction (1 = highest)", ylabel=unit.replace("$", r"\$"))
    axes.legend(frameon=False, loc="upper right")
    return as_markdown(figure, title)


def _bars(axes: Axes, table: pd.DataFrame, column: str, *, label: str = "") -> None:
    """Draw a bar a decile with its interval, from `<column>_low` to `<column>_high`."""
    below = (table[column] - table[f"{column}_low"]).clip(lower=0.0)
    above = (table[f"{column}_high"] - table[column]).clip(lower=0.0)
    axes.bar(
        table["decile"],
        table[column],
        color=_BLUE,
        width=0.75,
        yerr=np.array([below.fillna(0.0), above.fillna(0.0)]),
        ecolor=INK,
        capsize=2,
        label=label,
    )
    axes.set_xticks(table["decile"])


def new_figure(width: float, height: float, title: str) -> tuple[Figure, Axes]:
    """Return a new figure and its axes, of a size in inches."""
    # A Figure of its own: pyplot keeps global state, which threads and servers trip over.
    figure = Figure(figsize=(width, height), dpi=90, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_title(title, color=INK, fontsize=11, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(GREY)
    axes.tick_params(colors=INK, labelsize=8)
    axes.grid(visible=True, color=_GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    return figure, axes


def as_markdown(figure: Figure, title: str, *, tight: bool = False) -> str:
    """Return a figure as a Markdown image with the PNG inside.

    Args:
        figure: The figure.
        title: Its alternative text.
        tight: Whether the picture grows or shrinks to what is drawn, outside of the figure too.
    """
    buffer = io.BytesIO()
    # Without the software's version in it, the same table gives the same bytes.
    figure.savefig(
        buffer,
        format="png",
        metadata={"Software": None},
        bbox_inches="tight" if tight else None,
    )
    encoded = base64.b64encode(buffer.getvalue()).decode("ascii")
    return f"![{title}](data:image/png;base64,{encoded})"
