"""The bars that the next best action is held to.

Belongs here: the bars. Does not belong here: the table (`bars.py`) and measuring (`bandits.py`).
"""

from benchmarks.model_bars import Bar

PART, STRENGTH = "bandits", "4"


def _least_above(figures: dict) -> float:
    """The least lower end by which Thompson sampling is above a baseline."""
    above = figures["strengths"][STRENGTH]["above"]
    return min(one["low"] for name, one in above.items() if name != "bayesianbandits")


BANDIT_BARS: tuple[Bar, ...] = (
    (
        "Thompson sampling, last fifth of 100,000 decisions: share of (best - uniform), actions "
        "four times as strong as the simulator's",
        "at least 90 %",
        PART,
        lambda f: f["strengths"][STRENGTH]["share"]["Thompson sampling"]["value"],
        "{:.1%}",
        lambda v: v >= 0.9,
    ),
    (
        "the same at the simulator's own strength, where the best adds little to any other",
        "at least 90 %",
        PART,
        lambda f: f["strengths"]["1"]["share"]["Thompson sampling"]["value"],
        "{:.1%}",
        lambda v: v >= 0.9,
    ),
    (
        "four times as strong: above epsilon-greedy, the best fixed action and LinUCB: least "
        "paired lower end",
        "over 0",
        PART,
        _least_above,
        "{:+.3f}",
        lambda v: v > 0.0,
    ),
    (
        "actions swapped midway: won back within 10,000 decisions, with forgetting",
        "at least 80 %",
        PART,
        lambda f: f["swap"]["won back"]["value"],
        "{:.0%}",
        lambda v: v >= 0.8,
    ),
    (
        "propensity against 10,000 redraws in 200 contexts: least p, times 200",
        "at least .05",
        PART,
        lambda f: f["redraws"]["least p"],
        "{:.2f}",
        lambda v: v >= 0.05,
    ),
    (
        "online draw with its reason, p99",
        "at most 10 ms",
        PART,
        lambda f: f["time"]["draw p99 ms"],
        "{:.1f} ms",
        lambda v: v <= 10.0,
    ),
    (
        "choices of 100,000 customers",
        "at most 10 s",
        PART,
        lambda f: f["time"]["batch s"],
        "{:.1f} s",
        lambda v: v <= 10.0,
    ),
)
