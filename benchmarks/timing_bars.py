"""The bars that notification timing is held to.

Belongs here: the bars. Does not belong here: the table (`bars.py`) and measuring (`timing.py`).
"""

from benchmarks.model_bars import Bar

DQN, TRAINED = "deep Q-network", "training world"


def _worlds(figures: dict) -> float:
    """In how many of the five other worlds it is as good as the best hour, and drives no more."""
    return float(
        sum(
            line["over best hour"]["value"] >= 0.0
            and line["unsubscribes over best hour"]["value"] <= 0.0
            for line in figures["lines"]
            if line["policy"] == DQN and line["world"] != TRAINED
        )
    )


TIMING_BARS: tuple[Bar, ...] = (
    (
        "when to notify, simulated world: gain over random of (exact best - random)",
        "at least 90 %",
        "timing",
        lambda f: f["share of best"],
        "{:.1%}",
        lambda v: v >= 0.9,
    ),
    (
        "the same in worlds that differ: as good as the best hour, unsubscribing no higher",
        "4 of 5",
        "timing",
        _worlds,
        "{:.0f}",
        lambda v: v >= 4,
    ),
    (
        "a world without memory: a rule or bandit serves",
        "yes",
        "timing",
        lambda f: float(f["without memory"]["serves"] != DQN),
        "{:.0f}",
        lambda v: v == 1.0,
    ),
    (
        "training of the deep Q-network and the bandit",
        "at most 600 s",
        "timing",
        lambda f: f["seconds"],
        "{:.0f} s",
        lambda v: v <= 600.0,
    ),
)
