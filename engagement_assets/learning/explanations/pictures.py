"""Pictures of explanations: a beeswarm over many rows and a waterfall of one, drawn by `shap`.

Belongs here: handing contributions that are computed already to the plots of `shap` (Lundberg and
Lee, NeurIPS 2017). Does not belong here: computing contributions (`shap_values`) and the pictures
of other tables (`evaluation.plots`). `shap` takes seconds to import, so it is imported inside
functions.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from engagement_assets.learning.evaluation.plots import as_markdown
from engagement_assets.learning.explanations.explanation import Explanation, as_text

_DPI = 80
# features and rows of a beeswarm: the strongest, and a sample where there are more
_STRONGEST = 12
_MOST_ROWS = 1000
# of a waterfall; the last sums up all weaker features
_BARS = 10
# of the sample and of the dots' jitter
_SEED = 0
# shap draws on pyplot's current figure and by NumPy's global generator, which threads share.
_ONE_AT_A_TIME = threading.Lock()


def beeswarm(
    explanation: Explanation,
    *,
    unit: str = "log-odds",
) -> str:
    """Draw a dot a row and feature: its contribution across, the feature's value as its colour.

    Args:
        explanation: n rows with their `data`; categories are coloured in alphabetical order.
        unit: Unit of the contributions.

    Returns:
        A Markdown image.

    Raises:
        ValueError: The explanation has no rows or no `data`.
    """
    data = _data(explanation)
    rows = np.sort(np.random.default_rng(_SEED).permutation(len(data))[:_MOST_ROWS])
    colours = np.column_stack([_colours(values.iloc[rows]) for _, values in data.items()])
    shown = min(_STRONGEST, len(explanation.features))
    figure = Figure(figsize=(8.0, 1.4 + 0.33 * shown), dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    with _drawing() as shap:
        shap.plots.beeswarm(
            shap.Explanation(
                values=explanation.contributions[rows].astype(np.float64),
                base_values=np.full(len(rows), explanation.base_value),
                data=colours,
                feature_names=_names(explanation),
            ),
            max_display=shown,
            ax=figure.add_subplot(),
            show=False,
            plot_size=None,
            group_remaining_features=False,
        )
    figure.axes[0].set_xlabel(f"SHAP contribution ({_plain(unit)})")
    title = "Contributions by row"
    figure.axes[0].set_title(title, loc="left", fontsize=11)
    return as_markdown(figure, title)


def waterfall(
    explanation: Explanation,
    row: int,
    *,
    unit: str = "log-odds",
    title: str = "Contributions to one row",
) -> str:
    """Draw how the contributions of one row lead from the base value to its margin.

    Args:
        explanation: n rows with their `data`.
        row: Position of the row.
        unit: Unit of the contributions.
        title: Title of the figure.

    Returns:
        A Markdown image.

    Raises:
        IndexError: There is no such row.
        ValueError: The explanation has no rows or no `data`.
    """
    data = _data(explanation).iloc[row]
    with _drawing() as shap:
        from matplotlib import pyplot as plt  # noqa: PLC0415 - shap draws on its current figure

        figure = plt.figure(dpi=_DPI)
        try:
            shap.plots.waterfall(
                shap.Explanation(
                    values=explanation.contributions[row].astype(np.float64),
                    base_values=explanation.base_value,
                    data=np.array([_plain(as_text(value)) for value in data], dtype=object),
                    feature_names=_names(explanation),
                ),
                max_display=_BARS,
                show=False,
            )
            # shap writes the base value and the margin where labels of the axis would stand
            figure.suptitle(f"{title} ({_plain(unit)})", x=0.0, ha="left", fontsize=11)
            return as_markdown(figure, title, tight=True)
        finally:
            plt.close(figure)


@contextmanager
def _drawing() -> Iterator[Any]:
    """Give `shap` to one thread at a time, with the generator of its jitter seeded."""
    with _ONE_AT_A_TIME:
        with warnings.catch_warnings():
            # shap 0.51 makes its colour maps in a way that matplotlib will deprecate one day
            warnings.simplefilter("ignore", PendingDeprecationWarning)
            import shap  # noqa: PLC0415 - takes seconds to import
        before = np.random.get_state()
        np.random.seed(_SEED)
        try:
            yield shap
        finally:
            np.random.set_state(before)


def _data(explanation: Explanation) -> pd.DataFrame:
    if explanation.data is None or not len(explanation.data):
        raise ValueError("there is nothing to draw: the explanation has no rows with their values")
    return explanation.data[list(explanation.features)]


def _colours(values: pd.Series) -> NDArray[np.float64]:
    """Number n dots' colours; NaN is grey, and shap warns of a column of nothing else."""
    if not pd.api.types.is_numeric_dtype(values.dtype):
        codes = pd.Categorical(values.astype("string")).codes.astype(np.float64)
        values = pd.Series(np.where(codes < 0, np.nan, codes))
    numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
    return np.zeros(len(numbers)) if np.isnan(numbers).all() else numbers


def _names(explanation: Explanation) -> list[str]:
    return [_plain(name) for name in explanation.features]


def _plain(text: str) -> str:
    """Return a text in which a dollar sign starts no formula."""
    return text.replace("$", r"\$")
