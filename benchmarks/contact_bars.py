"""The bars that contact and texts as they are written are held to.

Belongs here: the bars. Does not belong here: the table (`bars.py`) and measuring (`contact.py`,
`texts.py`).
"""

from benchmarks.model_bars import Bar

CONTACT_BARS: tuple[Bar, ...] = (
    (
        "limits of contact broken in 10,000,000 decisions",
        "none",
        "contact",
        lambda f: float(sum(f["limits"]["broken"].values())),
        "{:.0f}",
        lambda v: v == 0,
    ),
    (
        "two publishers, one killed at every step: messages lost, customers with two",
        "none",
        "contact",
        lambda f: float(f["killed"]["lost"] + f["killed"]["customers with two messages"]),
        "{:.0f}",
        lambda v: v == 0,
    ),
    (
        "from a text to support's alert at 50 texts a second, p99",
        "under 100 ms",
        "texts",
        lambda f: f["at a rate"]["alert_p99_ms"],
        "{:.0f} ms",
        lambda v: v < 100,
    ),
    (
        "a killed server: alerts of low texts lost, and alerts of no cause",
        "none",
        "texts",
        lambda f: float(f["killed"]["lost"] + f["killed"]["of no cause"]),
        "{:.0f}",
        lambda v: v == 0,
    ),
)
