"""The bars of what is broken on purpose.

Belongs here: the bars. Does not belong here: the table (`bars.py`) and breaking (`break_it.py`).
"""

from benchmarks.model_bars import Bar

PARTS = {
    "flips": ("400 flipped bits: not noticed, and other values read", "attacks"),
    "requests": ("200 hostile requests: neither refused nor harmless", "attacks"),
    "settings": ("odd settings: neither refused in words nor taken", "attacks"),
    "estimators": ("odd inputs of estimators: neither refused in words nor learnt from", "attacks"),
    "files": ("damaged files of state: not named, or a trace", "attacks"),
    "questions": ("hostile questions: answered wrongly, or a trace", "attacks"),
    "kills": (
        "30 kills of `make run`: partitions, models and documents that differ from one left alone",
        "kills-kills-30",
    ),
    "daily": (
        "9 kills within three days' runs: partitions, models and documents that differ",
        "daily-kills-9",
    ),
}
BREAK_BARS: tuple[Bar, ...] = tuple(
    (
        what,
        "none",
        f"break_it-only-{part}",
        lambda f, name=name: len(f[name]["fell"]),
        "{:.0f}",
        lambda v: v == 0,
    )
    for name, (what, part) in PARTS.items()
)
