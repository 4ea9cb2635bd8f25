"""The desk of reviewers: the queue with its states, taking a case, and giving a verdict.

    from engagement_assets.governance import review
    desk = review.desk_of(resources)
    desk.queue()                                              # who waits, the overdue first
    desk.assign("c0000042", by="key:1f…")
    desk.give_verdict("c0000042", by="key:1f…", fraud=False, note="a family shares the account")

Belongs here: states, deadlines and what is refused. Does not belong here: who needs a review
(`sql/governance/review_queue.sql`), when a case is decided (`resources.reviews`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from engagement_assets.governance.tables import REVIEW_QUEUE
from resources.lake import Lake
from resources.reviews import ASSIGNED, VERDICT, Case, ReviewLog, Step

WAITING, TAKEN, FIRST_VERDICT, DECIDED = "waiting", "assigned", "first verdict", "decided"
STATES = (WAITING, TAKEN, FIRST_VERDICT, DECIDED)
MOST_NOTE = 2_000


class ReviewError(ValueError):
    """A step that is refused; the message says why."""


class UnknownCaseError(ReviewError):
    """The customer does not wait for a review."""


@dataclass(frozen=True)
class ReviewItem:
    """One case of the queue.

    Attributes:
        row: Its row of the table `governance/review_queue`: score, kind and reasons.
        case: What people did.
        deadline: Last day by which it is to be decided.
        overdue: Whether that day has gone by without a decision.
    """

    row: Mapping[str, Any]
    case: Case
    deadline: date
    overdue: bool

    @property
    def state(self) -> str:
        """`waiting`, `assigned`, `first verdict` or `decided`."""
        if self.case.fraud is not None:
            return DECIDED
        if self.case.assigned_to is not None:
            return TAKEN
        return FIRST_VERDICT if self.case.verdicts else WAITING


@dataclass(frozen=True)
class Desk:
    """The desk of reviewers.

    Attributes:
        lake: Has the queue of each day.
        log: What people did.
    """

    lake: Lake
    log: ReviewLog

    def queue(self, *, now: datetime | None = None, day: date | None = None) -> list[ReviewItem]:
        """Return the cases of the latest day, the overdue first, then by deadline and score.

        Args:
            now: When it is looked at; now by default.
            day: The latest day up to this one, looked at on it, with all that people did since.
        """
        today = day or (now or datetime.now(UTC)).date()
        days = [one for one in self.lake.filled_days(REVIEW_QUEUE) if day is None or one <= day]
        rows = self.lake.read(REVIEW_QUEUE, days=[days[-1]]).to_pylist() if days else []
        by_case: dict[tuple[str, str], list[Step]] = {}
        for step in self.log.steps():
            by_case.setdefault((step.customer_id, step.since), []).append(step)
        items = [self._item(row, by_case, today) for row in rows]
        return sorted(
            items,
            key=lambda one: (one.deadline, -one.row["anomaly_score"], one.row["customer_id"]),
        )

    def assign(self, customer_id: str, *, by: str, now: datetime | None = None) -> ReviewItem:
        """Take a case; nobody else gives its next verdict until they take it themselves.

        Raises:
            UnknownCaseError: The customer does not wait for a review.
            ReviewError: The case is decided, or this person has given a verdict.
        """
        self._write(self._open(customer_id, by, now), ASSIGNED, by=by, now=now)
        return self._named(customer_id, now)

    def give_verdict(
        self, customer_id: str, *, by: str, fraud: bool, note: str, now: datetime | None = None
    ) -> ReviewItem:
        """Give a verdict; it becomes a row of `reviews` when the case is decided by it.

        Args:
            customer_id: Whom it is about.
            by: Who gives it; one verdict a person.
            fraud: Whether they say that it is fraud.
            note: Why, in their words; none is no verdict.
            now: When; now by default.

        Raises:
            UnknownCaseError: The customer does not wait for a review.
            ReviewError: The case is decided, somebody else has it, this person has given a verdict,
                or there is no note.
        """
        item = self._open(customer_id, by, now)
        holder = item.case.assigned_to
        if holder not in (None, by):
            raise ReviewError(f"{holder} has this case: take it first")
        text = note.strip()
        if not text or len(text) > MOST_NOTE:
            raise ReviewError(f"a verdict needs a note of at most {MOST_NOTE:,} characters")
        self._write(item, VERDICT, by=by, now=now, fraud=fraud, note=text)
        return self._named(customer_id, now)

    def _open(self, customer_id: str, by: str, now: datetime | None) -> ReviewItem:
        item = self._named(customer_id, now)
        if item.state == DECIDED:
            raise ReviewError("this case is decided")
        if by in {one.by for one in item.case.verdicts}:
            raise ReviewError("you have given your verdict: another person must give the next one")
        return item

    def _named(self, customer_id: str, now: datetime | None) -> ReviewItem:
        for item in self.queue(now=now):
            if item.row["customer_id"] == customer_id:
                return item
        raise UnknownCaseError("this customer does not wait for a review")

    def _item(
        self, row: Mapping[str, Any], steps: Mapping[tuple[str, str], list[Step]], today: date
    ) -> ReviewItem:
        customer_id, since = row["customer_id"], row["flagged_since"].isoformat()
        case = self.log.case(customer_id, since, steps.get((customer_id, since), ()))
        deadline = row["flagged_since"] + timedelta(days=self.log.days)
        return ReviewItem(row, case, deadline, case.fraud is None and today > deadline)

    def _write(
        self,
        item: ReviewItem,
        action: str,
        *,
        by: str,
        now: datetime | None,
        fraud: bool | None = None,
        note: str = "",
    ) -> None:
        self.log.add(
            Step(
                customer_id=item.case.customer_id,
                since=item.case.since,
                action=action,
                by=by,
                at=(now or datetime.now(UTC)).isoformat(),
                fraud=fraud,
                note=note,
            )
        )


def desk_of(resources: Mapping[str, Any]) -> Desk:
    """Return the desk of an installation's resources."""
    return Desk(resources["lake"].lake, resources["reviews"].log)
