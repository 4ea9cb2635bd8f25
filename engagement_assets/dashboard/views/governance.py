"""Fairness, the ethics audit, consent, erasures, and who waits for a review."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import pandas as pd

from engagement_assets.dashboard.pictures import (
    Document,
    Picture,
    bars,
    document_of,
    picture_of,
)
from engagement_assets.dashboard.reading import Reader
from engagement_assets.governance.tables import CONSENT_LEDGER, FAIRNESS_MEASURES, REVIEW_QUEUE


def pictures(reader: Reader, certificates: Sequence[Mapping[str, Any]]) -> list[Picture | Document]:
    """Return the page.

    Args:
        reader: The home.
        certificates: Of the erasures, the oldest first.
    """
    return [
        verdicts(reader),
        failures(reader),
        document_of(reader, "governance/ethics_audit", "The ethics audit"),
        consent(reader),
        erasures(certificates),
        waiting(reader),
        queue(reader),
    ]


def consent(reader: Reader) -> Picture:
    """Return what share of customers could be used for each purpose on the newest day."""
    reading = reader.newest(CONSENT_LEDGER, ["purpose", "usable"])
    by = reading.rows.groupby("purpose")["usable"]
    rows = by.agg(customers="size", usable="sum").reset_index()
    rows["share"] = rows["usable"] / rows["customers"]
    return picture_of(
        "Who can be used for what",
        rows,
        reading,
        chart=bars(rows, of="purpose", value="share", label="Share of customers"),
        note="By the latest statement of each customer. Where nothing is stated, analytics is "
        "usable and the rest is not.",
        empty="The ledger has no day yet.",
    )


def erasures(certificates: Sequence[Mapping[str, Any]]) -> Picture:
    """Return the erasures that were certified, the latest first; nobody is named."""
    made = [
        {
            "ended_at": one["ended_at"],
            "customers": len(one["people"]),
            "places": sum(1 for count in one["removed"].values() if count),
            "certificate": one["certificate_id"],
        }
        for one in reversed(certificates)
    ]
    rows = pd.DataFrame(made, columns=["ended_at", "customers", "places", "certificate"])
    day = date.fromisoformat(rows["ended_at"].iloc[0][:10]) if made else None
    return Picture(
        "Erasures",
        rows,
        "source/erasure_requests",
        day,
        note="`places`: tables, stores and files in which something was removed.",
        empty="No erasure was certified: `make erase` says who asked for it.",
    )


def verdicts(reader: Reader) -> Picture:
    """Return the verdict on each model's fairness, and of how many tests."""
    reading = reader.newest(FAIRNESS_MEASURES)
    by = reading.rows.groupby(["model", "verdict"])
    rows = by.agg(
        measures=("measure", "size"), judged=("judged", "sum"), fails=("fails", "sum")
    ).reset_index()
    return picture_of(
        "Is each model fair",
        rows,
        reading,
        note="`not judged`: the groups are too small to tell, which is not the same as fair.",
        empty="No fairness report yet.",
    )


def failures(reader: Reader) -> Picture:
    """Return what counts against a model, with its interval."""
    reading = reader.newest(FAIRNESS_MEASURES)
    names = ["model", "attribute", "group_name", "measure", "value", "low", "high", "people"]
    rows = reading.rows[reading.rows["fails"].astype(bool)]
    return picture_of(
        "What counts against a model",
        rows[[*names, "reason"]],
        reading,
        empty="Nothing that was judged counts against a model.",
    )


def waiting(reader: Reader) -> Picture:
    """Return how many customers wait for a review, by kind."""
    reading = reader.newest(REVIEW_QUEUE, ["kind"])
    rows = reading.rows["kind"].value_counts().rename_axis("kind").reset_index(name="customers")
    return picture_of(
        "Waiting for a review",
        rows,
        reading,
        chart=bars(rows, of="kind", value="customers", label="Customers"),
        empty="Nobody waits for a review.",
    )


def queue(reader: Reader) -> Picture:
    """Return the review queue; without ids for who may not see customers."""
    reading = reader.newest(REVIEW_QUEUE)
    names = ["customer_id", "anomaly_score", "kind", "flagged_since", "last_reviewed_on"]
    rows = reading.rows[[name for name in names if name in reading.rows]]
    return picture_of("The review queue", rows, reading, empty="Nobody waits for a review.")
