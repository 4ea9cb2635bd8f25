"""Pictures of segments: what sets each apart, and who moved between them.

Belongs here: drawing finished tables. Does not belong here: computing them.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path

from engagement_assets.learning.evaluation.plots import as_markdown

# Standings further out are one colour.
FARTHEST = 3.0
GAP = 0.02


def profile_picture(standings: pd.DataFrame) -> str:
    """Draw how far each segment's features are from the other segments', as a Markdown image.

    Args:
        standings: k named segments x c features, in standard deviations.
    """
    order = standings.abs().max().sort_values(ascending=False, kind="stable").index
    shown = standings[order]
    height = 1.2 + 0.24 * len(order)
    figure = Figure(figsize=(2.6 + 0.95 * len(shown), height), dpi=90, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    image = axes.imshow(
        shown.T.to_numpy(), cmap="RdBu_r", vmin=-FARTHEST, vmax=FARTHEST, aspect="auto"
    )
    axes.set_xticks(range(len(shown)), shown.index, rotation=30, ha="right", fontsize=8)
    axes.set_yticks(range(len(order)), order, fontsize=8)
    figure.colorbar(image, label="standard deviations from the other segments")
    return as_markdown(figure, "What sets each segment apart")


def moves_picture(moves: pd.DataFrame, names: Mapping[str, str], *, before: str, now: str) -> str:
    """Draw who moved from which segment to which, as a Markdown image.

    Args:
        moves: `from_segment_id`, `to_segment_id`, `customers`; those who stayed included.
        names: Each segment's name by its id, from the top down.
        before: The earlier day.
        now: The later day.
    """
    figure = Figure(figsize=(7.5, 4.5), dpi=90, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    counts = (
        moves.pivot_table(index="from_segment_id", columns="to_segment_id", values="customers")
        .reindex(index=list(names), columns=list(names))
        .fillna(0.0)
        .to_numpy()
    )
    shares = counts / max(counts.sum(), 1.0)
    colours = [f"C{place % 10}" for place in range(len(names))]
    left, right = _starts(shares.sum(axis=1)), _starts(shares.sum(axis=0))
    for side, starts, sizes in ((0.0, left, shares.sum(axis=1)), (1.0, right, shares.sum(axis=0))):
        axes.bar(side, sizes, bottom=starts - sizes, width=0.03, color=colours, align="center")
        for name, start, size in zip(names.values(), starts, sizes, strict=True):
            if size > 0.0:
                at, towards = (-0.03, "right") if side == 0.0 else (1.03, "left")
                words = f"{name} ({size:.0%})"
                axes.text(at, start - size / 2, words, ha=towards, va="center", fontsize=8)
    from_top, to_top = left.copy(), right.copy()
    for i, row in enumerate(shares):
        for j, share in enumerate(row):
            if share > 0.0:
                colour, alpha = colours[i], 0.25 if i == j else 0.6
                axes.add_patch(_ribbon(from_top[i], to_top[j], share, colour, alpha))
                from_top[i] -= share
                to_top[j] -= share
    axes.set(xlim=(-0.55, 1.55), ylim=(-1.0 - GAP * len(names), GAP))
    axes.set_title(f"From {before} to {now}", fontsize=11, loc="left")
    axes.axis("off")
    return as_markdown(figure, "Who moved between segments")


def _starts(sizes: np.ndarray) -> np.ndarray:
    """Return the upper ends of bars one below the other."""
    return -np.concatenate([[0.0], np.cumsum(sizes[:-1] + GAP)])


def _ribbon(top: float, to: float, share: float, colour: str, alpha: float) -> PathPatch:
    curve = [Path.CURVE4] * 3
    points = [
        (0.015, top), (0.5, top), (0.5, to), (0.985, to),
        (0.985, to - share), (0.5, to - share), (0.5, top - share), (0.015, top - share),
        (0.015, top),
    ]  # fmt: skip
    codes = [Path.MOVETO, *curve, Path.LINETO, *curve, Path.CLOSEPOLY]
    return PathPatch(Path(points, codes), facecolor=colour, alpha=alpha, linewidth=0)
