"""What an audit examines, as plain data.

Belongs here: the shapes. Does not belong here: reading them (`gathering.py`), judging them
(`judging.py`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from engagement_assets.governance.review import Agreement
from resources.quarter import Quarter
from resources.standing import Acceptance


@dataclass(frozen=True, kw_only=True)
class Serving:
    """What serves for one model or learnt decision, and what happened to it in the quarter.

    Attributes:
        name: The model.
        version: What serves at the end; None where nothing does.
        registered: When that was registered, ISO 8601; None where it is not known.
        fault: Why its files are not what was registered; empty where they are.
        about_people: Whether it has a report of fairness.
        accepted: Who answers for that version, where it was refused.
        changes: Promotions and rollbacks of the quarter: `action`, `version`, `reason`, `at`.
        refusals: Refused versions of the quarter.
        overrides: Acceptances of the quarter.
        judged: Days on which any candidate was judged, up to the quarter's end.
        drifted: Whether the scores of each judged day had drifted; None where they are not watched.
    """

    name: str
    version: str | None = None
    registered: str | None = None
    fault: str = ""
    about_people: bool = True
    accepted: Acceptance | None = None
    changes: Sequence[Mapping[str, Any]] = ()
    refusals: int = 0
    overrides: Sequence[Acceptance] = ()
    judged: Sequence[str] = ()
    drifted: Mapping[date, bool] | None = None


@dataclass(frozen=True, kw_only=True)
class Contacts:
    """Messages that the platform made due in the quarter.

    Attributes:
        days: Days whose outbox there is.
        messages: How many were due.
        breaches: How many of them broke which promise.
    """

    days: int = 0
    messages: int = 0
    breaches: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Reviews:
    """Human reviews.

    Attributes:
        decided: Cases decided in the quarter.
        fraud: Those of them in which fraud was confirmed.
        alone: Those of them in which fewer than two people said fraud.
        waiting: Cases that wait when the quarter ends.
        overdue: Those of them whose deadline has gone by.
        agreement: Of the reviewers.
    """

    decided: int = 0
    fraud: int = 0
    alone: int = 0
    waiting: int = 0
    overdue: int = 0
    agreement: Agreement


@dataclass(frozen=True, kw_only=True)
class ComplaintShare:
    """Complaints of one topic, about one thing, or of one group of customers.

    Attributes:
        by: `category`, `about`, `gender` or `age`.
        name: Which one.
        received: Complaints received in the quarter.
        open: Complaints without an answer when it ends, of whatever quarter.
        overdue: Those of them whose deadline has gone by.
        late: Complaints answered in the quarter, after their deadline.
        part: Complaints received, or customers of the group who complained in the quarter.
        whole: All complaints received, or all customers of the group.
        low: Lower end of the 95 % interval of `part` of `whole`.
        high: Upper end.
    """

    by: str
    name: str
    received: int
    open: int
    overdue: int
    late: int
    part: int
    whole: int
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Complaints:
    """Complaints of customers.

    Attributes:
        due_days: Days within which each was to be answered.
        received: In the quarter.
        answered: In the quarter, of whatever quarter.
        late: Those of them answered after their deadline.
        open: Without an answer when the quarter ends.
        overdue: Those of them whose deadline has gone by.
        grouped: Those received from customers who may be analysed, which groups count.
        shares: By topic, by what they are about, by group.
    """

    due_days: int
    received: int = 0
    answered: int = 0
    late: int = 0
    open: int = 0
    overdue: int = 0
    grouped: int = 0
    shares: Sequence[ComplaintShare] = ()


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What an audit examines.

    Attributes:
        quarter: The quarter.
        last_day: The last day of it whose data are there.
        serving: Models and learnt decisions.
        fairness: Measures of the latest report of each version, as of the table
            `governance/fairness_measures`.
        contacts: Messages.
        scored_refusers: Customers who refused analytics before the last day and are scored on it,
            None where nothing was scored.
        reviews: Human reviews.
        complaints: Of customers; None where the source has no such table.
        cards: By kind how many cards and data sheets there are to be, and what is wrong with which.
        unsigned: Earlier quarters whose audit nobody signed off.
    """

    quarter: Quarter
    last_day: date
    serving: Sequence[Serving]
    fairness: Sequence[Mapping[str, Any]]
    contacts: Contacts
    scored_refusers: int | None
    reviews: Reviews
    complaints: Complaints | None = None
    cards: Mapping[str, tuple[int, Mapping[str, str]]]
    unsigned: Sequence[str] = ()
