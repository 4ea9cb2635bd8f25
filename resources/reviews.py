"""What people decided of customers who were sent to review: a log of steps, and the cases it makes.

    <root>/<time>-<id>.jsonl    one step: somebody took a case, or gave a verdict; never changed

A step is a file of its own, so that two people who act at once lose nothing, on a disk and on an
object store alike. What a case has come to follows from its steps alone.

Belongs here: the log, and when a case is decided. Does not belong here: who is to be reviewed and
by when (`engagement_assets.governance.review`).
"""

import hashlib
import json
import time
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

import dagster as dg
from pydantic import Field
from upath import UPath

from resources.files import RESTORE, DamagedFileError, parsed
from resources.lake import put_atomically

ASSIGNED, VERDICT = "assigned", "verdict"
# Two people must agree: on every fraud, and on what is drawn for a second look.
AGREEING = 2


@dataclass(frozen=True, kw_only=True)
class Step:
    """Something that a person did in a case.

    Attributes:
        customer_id: Whom the case is about.
        since: First day of the need of review, ISO 8601; names the case with the customer.
        action: `assigned` or `verdict`.
        by: Who.
        at: When, UTC, ISO 8601.
        fraud: Whether they say that it is fraud; None where they only took the case.
        note: Why, in their words.
    """

    customer_id: str
    since: str
    action: str
    by: str
    at: str
    fraud: bool | None = None
    note: str = ""


@dataclass(frozen=True)
class Case:
    """What a case has come to.

    Attributes:
        customer_id: Whom it is about.
        since: First day of the need of review, ISO 8601.
        verdicts: The verdicts that counted, in order, one a person.
        assigned_to: Who has it; None where nobody took it since the last verdict.
        second_look: Whether two people judge it whatever the first says.
        fraud: What was decided; None before that.
        decided_at: When, UTC, ISO 8601; None before that.
    """

    customer_id: str
    since: str
    verdicts: tuple[Step, ...]
    assigned_to: str | None
    second_look: bool
    fraud: bool | None
    decided_at: str | None


def drawn(customer_id: str, since: str, share: float) -> bool:
    """Return whether a case is drawn for a second look, by its name alone."""
    digest = hashlib.sha256(f"{customer_id}\n{since}".encode()).digest()
    return int.from_bytes(digest[:8]) < share * 2**64


def case_of(customer_id: str, since: str, steps: Iterable[Step], *, second_share: float) -> Case:
    """Return what the steps of one case come to.

    Fraud takes two people who say so. What one person clears is cleared, unless the case is drawn
    for a second look; where two differ, a third decides.

    Args:
        customer_id: Whom it is about.
        since: First day of the need of review, ISO 8601.
        steps: Its steps, in order; a second verdict of the same person counts for nothing.
        second_share: Share of cases that two people judge whatever the first says.
    """
    second_look = drawn(customer_id, since, second_share)
    verdicts: list[Step] = []
    assigned = fraud = decided_at = None
    for step in steps:
        if step.action == ASSIGNED:
            assigned = step.by
        elif step.by not in {one.by for one in verdicts}:
            verdicts.append(step)
            assigned = None
            alike = sum(one.fraud == step.fraud for one in verdicts)
            cleared = not step.fraud and not second_look and len(verdicts) == 1
            if alike >= AGREEING or cleared:
                fraud, decided_at = bool(step.fraud), step.at
                break
    return Case(customer_id, since, tuple(verdicts), assigned, second_look, fraud, decided_at)


@dataclass(frozen=True)
class ReviewLog:
    """The log of steps.

    Attributes:
        root: Its folder; made with the first step.
        days: Days from the need of a review to its deadline.
        second_share: Share of cases that two people judge whatever the first says.
    """

    root: UPath
    days: int
    second_share: float

    def add(self, step: Step) -> None:
        """Write a step down."""
        name = f"{time.time_ns():020d}-{uuid.uuid4().hex[:12]}.jsonl"
        put_atomically(self.root / name, (json.dumps(asdict(step)) + "\n").encode())

    def steps(self) -> list[Step]:
        """Return every step, in the order in which they were written.

        Raises:
            DamagedFileError: A line is no step; the message names it.
        """
        if not self.root.exists():
            return []
        files = sorted(path for path in self.root.iterdir() if path.suffix == ".jsonl")
        return [
            _step(path, line, number)
            for path in files
            for number, line in enumerate(path.read_bytes().splitlines(), 1)
        ]

    def cases(self, steps: Sequence[Step] | None = None) -> list[Case]:
        """Return every case that has a step, in the order of their first ones."""
        by_case: dict[tuple[str, str], list[Step]] = {}
        for step in self.steps() if steps is None else steps:
            by_case.setdefault((step.customer_id, step.since), []).append(step)
        return [self.case(who, since, own) for (who, since), own in by_case.items()]

    def case(self, customer_id: str, since: str, steps: Iterable[Step]) -> Case:
        """Return what the steps of one case come to."""
        return case_of(customer_id, since, steps, second_share=self.second_share)


def _step(path: UPath, line: bytes, number: int) -> Step:
    entry = parsed(path, line, line=number)
    try:
        step = Step(**entry)
        datetime.fromisoformat(step.at)
        date.fromisoformat(step.since)
    except (TypeError, ValueError) as error:
        raise DamagedFileError(f"{path}, line {number}, is no step ({error}): {RESTORE}") from error
    if step.action not in {ASSIGNED, VERDICT} or (step.action == VERDICT) != (
        isinstance(step.fraud, bool)
    ):
        raise DamagedFileError(
            f"{path}, line {number}, neither takes a case nor gives a verdict: {RESTORE}"
        )
    return step


class ReviewsResource(dg.ConfigurableResource):
    """The log of human reviews, and what governs them."""

    root: str = Field(description="Folder or URL.")
    options: dict[str, Any] = Field(
        default_factory=dict, description="What fsspec needs for that URL; nothing for a folder."
    )
    days: int = Field(description="Days from the need of a review to its deadline.")
    second_share: float = Field(description="Share of cases that two people judge in any case.")

    @property
    def log(self) -> ReviewLog:
        """The log."""
        return ReviewLog(UPath(self.root, **self.options), self.days, self.second_share)
