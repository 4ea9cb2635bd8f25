"""What is measured of a customer in an experiment.

Belongs here: metrics, as made of the measures of `sql/experiments/outcomes.sql`. Does not belong
here: which of them decide in an experiment (`plans.py`).
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class ExperimentMetric:
    """A metric of a customer over the window after the assignment.

    Attributes:
        measure: What it sums up.
        kind: Its total, its mean a day, whether there is any, or whether there is any in the
            second half of the window.
        per: The measure that it is divided by, over all customers; or "".
        better: Which direction is good.
        meaning: What it says.
    """

    measure: str
    kind: Literal["total", "daily", "any", "late"]
    meaning: str
    per: str = ""
    better: Literal["higher", "lower"] = "higher"


METRICS = {
    "engagement": ExperimentMetric("engagement", "daily", "mean daily engagement (0-1)"),
    "sessions": ExperimentMetric("sessions", "total", "sessions"),
    "session_minutes": ExperimentMetric("minutes", "total", "minutes in the app"),
    "minutes_per_session": ExperimentMetric(
        "minutes", "total", "minutes of all sessions over their number", per="sessions"
    ),
    "revenue_usd": ExperimentMetric("revenue", "total", "payments less refunds, USD"),
    "retained": ExperimentMetric("sessions", "late", "share with a session in the second half"),
    "unsubscribed": ExperimentMetric(
        "unsubscribes", "any", "share who unsubscribed from notifications", better="lower"
    ),
    "negative_text_share": ExperimentMetric(
        "negative_texts",
        "total",
        "negative texts over all texts, of those who agreed to sentiment",
        per="texts",
        better="lower",
    ),
}
PRIMARY = ("engagement",)
GUARDRAILS = ("unsubscribed", "negative_text_share")
