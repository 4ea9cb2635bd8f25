"""The bars that erasing is held to.

Belongs here: the bars. Does not belong here: the table (`bars.py`) and measuring (`erasure.py`).
"""

from benchmarks.model_bars import Bar

PART = "erasure-customers-100000"
WHAT = "erasing 100 of 100,000 customers with 400 raw days while the API answers"

PRIVACY_BARS: tuple[Bar, ...] = (
    (WHAT, "at most 120 s", PART, lambda f: f["seconds"], "{:.0f} s", lambda v: v <= 120),
    (
        "its survivors, looked for again afterwards",
        "none",
        PART,
        lambda f: f["survivors"],
        "{:.0f}",
        lambda v: v == 0,
    ),
    (
        "requests that failed meanwhile, at 100 a second",
        "none",
        PART,
        lambda f: f["requests that failed"],
        "{:.0f}",
        lambda v: v == 0,
    ),
)
