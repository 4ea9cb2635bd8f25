"""The bars that a whole run is held to.

Belongs here: the bars. Does not belong here: the table (`bars.py`) and measuring (`whole_run.py`).
"""

from benchmarks.model_bars import Bar
from benchmarks.whole_run import TO_PUBLISHED

PART = "whole_run"

WHOLE_RUN_BARS: tuple[Bar, ...] = (
    (
        "`make run` of 100,000 customers with 400 days: from the lake to published predictions",
        "at most 600 s",
        PART,
        lambda f: sum(f["stages"].get(name, 0.0) for name in TO_PUBLISHED),
        "{:.0f} s",
        lambda v: v <= 600,
    ),
    (
        "the daily job after it",
        "at most 300 s",
        PART,
        lambda f: f["daily"]["seconds"],
        "{:.0f} s",
        lambda v: v <= 300,
    ),
)
