"""Forms that most declarations share, and the names of the tables they come from.

Belongs here: short ways to declare a category, a count and a number. Does not belong here: the
features themselves.

"The month" is the 30 days that end with the snapshot date; all times are UTC. Age, gender and
location are sensitive: fairness is measured by them, and models do not learn from them unless a
user names them, because a model that never saw an attribute cannot have used it.
"""

from dataclasses import replace

from engagement_assets.features.feature import Calendar, Change, Feature, WithoutRows

CUSTOMERS = "source/customers"
SESSIONS = "source/sessions"
POSTS = "source/posts"
MESSAGES = "source/messages"
INTERACTIONS = "source/interactions"
EVENT_JOINS = "source/event_joins"
CONNECTIONS = "source/connections"
TRANSACTIONS = "source/transactions"
JOB_RATINGS = "source/job_ratings"
REVIEWS = "source/reviews"

TIMES_OF_DAY = ("night", "morning", "afternoon", "evening")
# no use for four days, then three full ones: (1 + 2 + 3) / 28, rounded up
STEEPEST_TREND = 0.2143

NO_SESSION = "the customer had no session in the month"
NO_SIGNAL = "the snapshot date's partition lacks the customer"


def of_group(group: str, *features: Feature) -> tuple[Feature, ...]:
    """The features of a group, in order."""
    return tuple(replace(feature, group=group) for feature in features)


def text(
    name: str,
    meaning: str,
    source: str,
    *,
    null_note: str,
    allowed: tuple[str, ...] = (),
    sensitive: bool = False,
) -> Feature:
    """A category; a sensitive one is not a model input."""
    return Feature(
        name=name,
        type="string",
        meaning=meaning,
        sources=(source,),
        without_rows="null",
        null_note=null_note,
        allowed=allowed,
        sensitive=sensitive,
        model_input=not sensitive,
    )


def count(
    name: str,
    unit: str,
    meaning: str,
    *sources: str,
    calendar: Calendar = "",
    change: Change | None = None,
    moves_with: str = "",
) -> Feature:
    """A count: 0 without rows, null for everybody while an optional source is unknown."""
    return Feature(
        name=name,
        type="int64",
        unit=unit,
        meaning=meaning,
        sources=sources,
        without_rows="zero",
        needs=_optional(sources),
        minimum=0,
        calendar=calendar,
        change=change,
        moves_with=moves_with,
    )


def number(  # noqa: PLR0913 - what a declaration says
    name: str,
    unit: str,
    meaning: str,
    *sources: str,
    null_note: str = "",
    bounds: tuple[float | None, float | None] = (0, None),
    decimals: int | None = 6,
    without_rows: WithoutRows = "null",
    whole: bool = False,
    calendar: Calendar = "",
    change: Change | None = None,
    moves_with: str = "",
) -> Feature:
    """A number that is not a count, null for everybody while an optional source is unknown."""
    return Feature(
        name=name,
        type="int64" if whole else "float64",
        unit=unit,
        meaning=meaning,
        sources=sources,
        without_rows=without_rows,
        needs=_optional(sources),
        null_note=null_note,
        minimum=bounds[0],
        maximum=bounds[1],
        decimals=None if whole else decimals,
        calendar=calendar,
        change=change,
        moves_with=moves_with,
    )


def _optional(sources: tuple[str, ...]) -> tuple[str, ...]:
    """The source tables that a lake may lack; signals have a null rule of their own."""
    return tuple(
        source
        for source in sources
        if source.startswith("source/") and source not in (CUSTOMERS, SESSIONS)
    )
