"""The bars that a whole run is held to.

Belongs here: the bars. Does not belong here: the table (`bars.py`) and measuring (`whole_run.py`,
`page_load.py`).
"""

from benchmarks.model_bars import Bar
from benchmarks.whole_run import TO_PUBLISHED

ANSWER = "an answer of the chat"

WHOLE_RUN_BARS: tuple[Bar, ...] = (
    (
        "`make run` of 100,000 customers with 400 days: from the lake to published predictions",
        "at most 600 s",
        "whole_run",
        lambda f: sum(f["stages"].get(name, 0.0) for name in TO_PUBLISHED),
        "{:.0f} s",
        lambda v: v <= 600,
    ),
    (
        "the daily job after it",
        "at most 300 s",
        "whole_run",
        lambda f: f["stages"]["daily job"],
        "{:.0f} s",
        lambda v: v <= 300,
    ),
    (
        "dashboard, 100,000 customers: the slowest page's 95th percentile, warm",
        "at most 2 s",
        "page_load",
        lambda f: max(one["p95"] for name, one in f["pages"].items() if name != ANSWER),
        "{:.2f} s",
        lambda v: v <= 2,
    ),
    (
        "dashboard, 100,000 customers: an answer of the chat without a model, 95th percentile",
        "at most 2 s",
        "page_load",
        lambda f: f["pages"][ANSWER]["p95"],
        "{:.2f} s",
        lambda v: v <= 2,
    ),
)
