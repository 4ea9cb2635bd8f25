"""Counting a quarter's complaints: by topic, by what they are about, by who complains.

Belongs here: counts, shares and their intervals, from rows. Does not belong here: reading the rows
(`gathering.py`), what breaks a promise (`judging.py`).
"""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta

import pandas as pd

from engagement_assets.governance.audit.evidence import Complaints, ComplaintShare
from engagement_assets.learning.fairness.groups import age_bands, group_names

# A group with fewer customers could name somebody.
LEAST_OF_A_GROUP = 10
_DAYS_OF_A_YEAR = 365.25


def count_complaints(
    rows: pd.DataFrame, people: pd.DataFrame, *, first: date, last_day: date, due_days: int
) -> Complaints:
    """Count the complaints of a quarter.

    Args:
        rows: As `governance/complaints.sql` gives them, as known by the last day.
        people: Customers who may be analysed: customer_id, gender, birth_date.
        first: First day of the quarter.
        last_day: Last day that is judged.
        due_days: Days within which a complaint is to be answered.
    """
    begins, ends = datetime.combine(first, time()), datetime.combine(last_day, time())
    ends += timedelta(days=1)
    made, answered = (pd.to_datetime(rows[name]) for name in ("occurred_at", "resolved_at"))
    deadline = pd.Timedelta(days=due_days)
    marked = rows.assign(
        received=made >= begins,
        answered=answered >= begins,
        late=(answered >= begins) & (answered - made > deadline),
        open=answered.isna(),
        overdue=answered.isna() & (ends - made > deadline),
    )
    marks = ("received", "answered", "late", "open", "overdue")
    totals = {mark: int(marked[mark].sum()) for mark in marks}
    analysed = marked["customer_id"].isin(people["customer_id"])
    return Complaints(
        **totals,
        due_days=due_days,
        grouped=int((analysed & marked["received"]).sum()),
        shares=[*_topics(marked), *_groups(marked, people, last_day)],
    )


def _topics(marked: pd.DataFrame) -> Iterator[ComplaintShare]:
    """Yield each topic, and each thing complained about, as a share of what was received."""
    total = int(marked["received"].sum())
    for column in ("category", "about"):
        names = pd.Series(group_names(marked[column]), index=marked.index)
        for name, own in marked.groupby(names):
            yield _share(column, str(name), own, int(own["received"].sum()), total)


def _groups(marked: pd.DataFrame, people: pd.DataFrame, day: date) -> Iterator[ComplaintShare]:
    """Yield each group, and which share of its customers complained in the quarter."""
    born = pd.to_datetime(people["birth_date"])
    years = (pd.Timestamp(day) - born).dt.days / _DAYS_OF_A_YEAR
    by = {"gender": group_names(people["gender"]), "age": age_bands(years).astype(str).to_numpy()}
    complained = set(marked.loc[marked["received"], "customer_id"])
    for attribute, names in by.items():
        for name, ids in people["customer_id"].groupby(names):
            if len(ids) >= LEAST_OF_A_GROUP:
                own = marked[marked["customer_id"].isin(ids)]
                yield _share(attribute, str(name), own, len(complained & set(ids)), len(ids))


def _share(by: str, name: str, own: pd.DataFrame, part: int, whole: int) -> ComplaintShare:
    from scipy.stats import binomtest

    low, high = binomtest(part, whole).proportion_ci(method="wilson") if whole else (0.0, 1.0)
    return ComplaintShare(
        by=by,
        name=name,
        received=int(own["received"].sum()),
        open=int(own["open"].sum()),
        overdue=int(own["overdue"].sum()),
        late=int(own["late"].sum()),
        part=part,
        whole=whole,
        low=float(low),
        high=float(high),
    )
