"""The bars of the recommenders on a million interactions.

Belongs here: which there are. Does not belong here: measuring (`recommendation_million.py`).
"""

from benchmarks.model_bars import Bar, Figures

MILLION = "recommendation_million"
WIDE = "recommendation_million-items-12092-methods-popularity-ease-als"


def _lead(figures: Figures, method: str) -> float:
    """The least lead of a method over the better of EASE and ALS, of the worlds."""
    return min(float(run["methods"][method]["hr_gap"]["value"]) for run in figures)


RECOMMENDATION_BARS: tuple[Bar, ...] = (
    (
        "a million interactions: the neural model's HR@10 less the better of EASE and ALS",
        "at least -.02",
        MILLION,
        lambda f: _lead(f, "neural"),
        "{:.4f}",
        lambda v: v >= -0.02,
    ),
    (
        "its epoch with four negatives, processor time of one core",
        "at most 60 s",
        MILLION,
        lambda f: max(run["methods"]["neural"]["epoch_seconds"] for run in f),
        "{:.0f} s",
        lambda v: v <= 60,
    ),
    (
        "its whole fit, processor time of one core",
        "at most 10 minutes",
        MILLION,
        lambda f: max(run["methods"]["neural"]["seconds"] for run in f) / 60,
        "{:.1f} minutes",
        lambda v: v <= 10,
    ),
    (
        "a million interactions: the hybrid's HR@10 less the better of EASE and ALS",
        "at least 0",
        MILLION,
        lambda f: _lead(f, "hybrid"),
        "{:.4f}",
        lambda v: v >= 0,
    ),
    (
        "a million interactions with 12,092 items: share of the uses that EASE learns",
        "all that memory allows",
        WIDE,
        lambda f: min(run["methods"]["ease"]["learnt_share"] for run in f),
        "{:.1%}",
        lambda v: v == 1.0,
    ),
)
