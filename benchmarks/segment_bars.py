"""The bars that segments are held to.

Belongs here: the bars. Does not belong here: the table (`bars.py`) and measuring (`segments.py`).
"""

from collections.abc import Callable

from benchmarks.model_bars import Bar, Figures

PART = "segments"
MIXTURES = (
    "a Gaussian mixture's, each of its own shape",
    "a Gaussian mixture's, all of one shape",
)


def _planted(name: str, which: str) -> Callable[[Figures], float]:
    return lambda figures: figures["planted"][name][which]


def _index(figures: Figures) -> float:
    return float(figures["planted"]["index to the kinds"]["mean"])


SEGMENT_BARS: tuple[Bar, ...] = (
    (
        "segments, planted kinds: adjusted Rand index, as a share of a classifier's, mean",
        "at least 70 %",
        PART,
        lambda f: _index(f) / f["planted"]["a classifier's"]["mean"],
        "{:.0%}",
        lambda v: v >= 0.7,
    ),
    (
        "segments, planted kinds: adjusted Rand index less the better Gaussian mixture's that "
        "knows how many there are, mean",
        "at least 0",
        PART,
        lambda f: _index(f) - max(f["planted"][name]["mean"] for name in MIXTURES),
        "{:.3f}",
        lambda v: v >= 0,
    ),
    *(
        (
            f"segments, planted kinds: {what}",
            bar,
            PART,
            _planted(name, which),
            form,
            met,
        )
        for what, bar, name, which, form, met in (
            (
                "adjusted Rand index of two seeds, mean",
                "at least .95",
                "index of two seeds",
                "mean",
                "{:.3f}",
                lambda v: v >= 0.95,
            ),
            (
                "the same, the worst world",
                "at least .95",
                "index of two seeds",
                "lowest",
                "{:.3f}",
                lambda v: v >= 0.95,
            ),
            (
                "Jaccard index over resamples, the least of any segment and world",
                "at least .75",
                "least Jaccard",
                "lowest",
                "{:.2f}",
                lambda v: v >= 0.75,
            ),
            (
                "change segment by learning again alone, the worst world",
                "at most 2 %",
                "changed by learning again",
                "highest",
                "{:.1%}",
                lambda v: v <= 0.02,
            ),
        )
    ),
    (
        "segments: single Gaussian clouds in which clusters are seen",
        "none",
        PART,
        lambda f: f["clouds"],
        "{:.0f}",
        lambda v: v == 0,
    ),
    (
        "segments of 100,000 customers, learnt and told apart",
        "at most 60 s",
        PART,
        lambda f: f["large"]["seconds"],
        "{:.0f} s",
        lambda v: v <= 60,
    ),
)
