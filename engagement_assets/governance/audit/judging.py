"""What an audit says of its evidence, a section each.

Belongs here: what breaks a promise, and what could not be measured. Does not belong here: reading
the evidence (`gathering.py`), the page (`section.py`).
"""

import math
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from engagement_assets.governance.audit.complaints import LEAST_OF_A_GROUP
from engagement_assets.governance.audit.evidence import Evidence, Serving
from engagement_assets.governance.audit.section import Section, audit_page

# A champion is looked at again each quarter; one quarter more is a breach.
OLDEST_DAYS = 184
# Drift on so many judged days in a row is no odd day.
DRIFT_HELD_DAYS = 3
NOTHING = "–"


def ethics_audit(evidence: Evidence) -> tuple[dict[str, Any], str]:
    """Judge a quarter; returns JSON data and Markdown, the same for the same evidence."""
    quarter = evidence.quarter
    period = f"From {quarter.first} to {evidence.last_day}."
    if evidence.last_day < quarter.last:
        period += f" The quarter ends on {quarter.last}: this is the audit of a part of it."
    figures, text = audit_page(
        f"Ethics audit {quarter}", period, [part(evidence) for part in SECTIONS]
    )
    return {"quarter": str(quarter), "last_day": evidence.last_day.isoformat(), **figures}, text


def _serving(evidence: Evidence) -> Section:
    section = Section(
        "Versions that serve, and what changed",
        head=("model", "version", "registered", "promoted", "rolled back", "refused"),
        notes=[
            "A version is named by its content: its bytes are compared with what was registered.",
            f"A champion is trained again each quarter; one older than {OLDEST_DAYS} days is a "
            "breach.",
        ],
    )
    for one in evidence.serving:
        if one.version is None:
            section.unmeasured.append(f"{one.name} has no version that serves")
        if one.fault:
            section.breaches.append(one.fault)
        if one.registered is not None:
            age = (evidence.last_day - date.fromisoformat(one.registered[:10])).days
            if age > OLDEST_DAYS:
                section.breaches.append(f"{one.name} {one.version} is {age} days old")
        actions = [change["action"] for change in one.changes]
        counts = (actions.count("promote"), actions.count("rollback"), one.refusals)
        registered = one.registered[:10] if one.registered else NOTHING
        section.rows.append((one.name, one.version or "none", registered, *counts))
        section.notes.extend(
            f"{change['at'][:10]} {one.name}: {change['action']} {change['version']}, "
            f"{change['reason']}"
            for change in one.changes
        )
    return section


def _overrides(evidence: Evidence) -> Section:
    section = Section(
        "Overrides",
        head=("model", "version", "by", "until", "reason", "what it had failed"),
        notes=["`make accept` lets a refused version serve until a day, its owner on record."],
    )
    for one in evidence.serving:
        for taken in one.overrides:
            failed = "; ".join(taken.refused)
            section.rows.append(
                (one.name, taken.version, taken.by, taken.until, taken.reason, failed)
            )
        if one.accepted is not None and not one.accepted.stands(evidence.last_day):
            section.breaches.append(
                f"{one.name} {one.version} still serves, for which {one.accepted.by} answered "
                f"until {one.accepted.until}"
            )
    return section


def _fairness(evidence: Evidence) -> Section:
    section = Section(
        "Fairness",
        head=("model", "version", "group", "measure", "value", "95 % interval", "people", "fails"),
        notes=["Every gap beyond chance of what serves and of the quarter's candidates."],
    )
    for row in evidence.fairness:
        if row["gap"] or row["fails"]:
            section.rows.append(_gap(row))
    for one in evidence.serving:
        if one.version is None:
            continue
        if not one.about_people:
            section.notes.append(f"{one.name} is not about people: it has no report.")
            continue
        own = [
            row
            for row in evidence.fairness
            if (row["model"], row["model_version"]) == (one.name, one.version)
        ]
        if not own:
            section.breaches.append(f"{one.name} {one.version} serves without a fairness report")
            continue
        stands = one.accepted is not None and one.accepted.stands(evidence.last_day)
        if any(row["verdict"] == "fails" for row in own) and not stands:
            section.breaches.append(
                f"{one.name} {one.version} serves although the 80 % rule fails, and nobody "
                "answers for it"
            )
        small = sorted({f"{r['attribute']}={r['group_name']}" for r in own if not r["judged"]})
        if small:
            section.unmeasured.append(f"{one.name} {one.version}: not tested {', '.join(small)}")
    return section


def _gap(row: Any) -> tuple[Any, ...]:
    value, low, high = (_number(row[name]) for name in ("value", "low", "high"))
    group = f"{row['side']}: {row['attribute']}={row['group_name']}"
    names = (row["model"], row["model_version"], group, row["measure"])
    fails = "yes" if row["fails"] else "no"
    return (*names, value, f"{low} to {high}", int(row["people"]), fails)


def _number(value: Any) -> str:
    return "unknown" if value is None or math.isnan(value) else f"{value:.4g}"


def _drift(evidence: Evidence) -> Section:
    section = Section(
        "Drift",
        head=("model", "days judged", "days with drift", "longest run"),
        notes=[
            f"Scores that drifted on {DRIFT_HELD_DAYS} judged days in a row, without a candidate "
            "judged since, are a breach."
        ],
    )
    for one in evidence.serving:
        if one.drifted is None:
            continue
        if not one.drifted:
            section.unmeasured.append(f"{one.name} was not judged on any day")
            continue
        runs = _runs(one)
        longest = max((len(run) for run in runs), default=0)
        section.rows.append((one.name, len(one.drifted), sum(one.drifted.values()), longest))
        for run in runs:
            since = run[0].isoformat()
            if len(run) >= DRIFT_HELD_DAYS and not any(at[:10] >= since for at in one.judged):
                section.breaches.append(
                    f"{one.name} drifted from {run[0]} to {run[-1]}, and no candidate was judged"
                )
    return section


def _runs(one: Serving) -> list[list[date]]:
    """Return runs of drift over judged days that follow each other by a day."""
    runs: list[list[date]] = []
    for day, drifted in sorted((one.drifted or {}).items()):
        if drifted and runs and day - runs[-1][-1] == timedelta(days=1):
            runs[-1].append(day)
        elif drifted:
            runs.append([day])
    return runs


def _contact(evidence: Evidence) -> Section:
    contacts = evidence.contacts
    section = Section(
        "Consent and limits",
        head=("what", "how many"),
        rows=[("days with an outbox", contacts.days), ("messages due", contacts.messages)],
        notes=[
            "Messages as the platform made them due, by what was known on their day. What your "
            "other systems send is not judged here."
        ],
    )
    for what, count in sorted(contacts.breaches.items()):
        if count:
            section.breaches.append(f"{count:,} messages {what}")
    if not contacts.days:
        section.unmeasured.append("there is no outbox of the quarter")
    if evidence.scored_refusers is None:
        section.unmeasured.append("nobody is scored on the last day")
    elif evidence.scored_refusers:
        section.breaches.append(
            f"{evidence.scored_refusers:,} customers who had refused analytics are scored on "
            f"{evidence.last_day}"
        )
    return section


def _reviews(evidence: Evidence) -> Section:
    reviews, agreement = evidence.reviews, evidence.reviews.agreement
    section = Section(
        "Human review",
        head=("what", "how many"),
        rows=[
            ("decided in the quarter", reviews.decided),
            ("of these fraud", reviews.fraud),
            ("waiting", reviews.waiting),
            ("of these overdue", reviews.overdue),
        ],
    )
    if reviews.overdue:
        section.breaches.append(f"{reviews.overdue:,} reviews are overdue")
    if reviews.alone:
        section.breaches.append(f"{reviews.alone:,} verdicts of fraud were given by one person")
    if agreement.reason:
        section.unmeasured.append(f"agreement of reviewers: {agreement.reason}")
    else:
        section.notes.append(
            f"Cohen's kappa {agreement.kappa:.2f} (95 % interval {agreement.low:.2f} to "
            f"{agreement.high:.2f}) over {agreement.pairs:,} cases that two people judged."
        )
    return section


def _complaints(evidence: Evidence) -> Section:
    complaints = evidence.complaints
    if complaints is None:
        return Section(
            "Complaints",
            unmeasured=["the source has no `complaints`: the committee adds those it knows"],
        )
    due = f"{complaints.due_days} days"
    section = Section(
        "Complaints",
        head=("by", "which", "received", "open", "overdue", "late", "part", "95 % interval"),
        notes=[
            f"A complaint is answered within {due}; one that is open for longer "
            "(overdue) or was answered later (late) is a breach. Withdrawn ones do not count.",
            f"{complaints.answered:,} were answered in the quarter, whenever they came.",
            "The part of a topic is of all complaints received; of a group, the customers who "
            f"complained. Groups under {LEAST_OF_A_GROUP} customers are left out.",
        ],
    )
    counts = (complaints.received, complaints.open, complaints.overdue, complaints.late)
    section.rows.append(("all", "all", *counts, NOTHING, NOTHING))
    for one in complaints.shares:
        counts = (one.received, one.open, one.overdue, one.late)
        interval = f"{one.low:.2%} to {one.high:.2%}"
        section.rows.append((one.by, one.name, *counts, f"{one.part:,} of {one.whole:,}", interval))
    apart = complaints.received - complaints.grouped
    if apart:
        section.notes.append(
            f"{apart:,} came from customers who refuse analytics or have left: they are in no "
            "group."
        )
    if complaints.overdue:
        section.breaches.append(f"{complaints.overdue:,} complaints are unanswered after {due}")
    if complaints.late:
        section.breaches.append(
            f"{complaints.late:,} complaints were answered after more than {due}"
        )
    return section


def _cards(evidence: Evidence) -> Section:
    section = Section("Cards and data sheets", head=("what", "how many", "current"))
    for kind, (wanted, wrong) in evidence.cards.items():
        section.rows.append((kind, wanted, wanted - len(wrong)))
        section.breaches.extend(f"{kind}: {name} {what}" for name, what in sorted(wrong.items()))
    return section


def _sign_off(evidence: Evidence) -> Section:
    return Section(
        "Earlier audits",
        breaches=[
            f"nobody signed off {one} as it stands: make sign-off QUARTER={one} BY=…"
            for one in evidence.unsigned
        ],
    )


SECTIONS: Sequence[Any] = (
    _serving,
    _overrides,
    _fairness,
    _drift,
    _contact,
    _reviews,
    _complaints,
    _cards,
    _sign_off,
)
