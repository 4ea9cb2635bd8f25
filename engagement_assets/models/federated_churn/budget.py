"""The quarter's budget of privacy of the federated churn model, kept over runs.

Belongs here: opening its ledger, and what each training counts as. Does not belong here: accounting
(`engagement_assets.learning.federated.privacy`) and files (`resources.ledgers`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from engagement_assets.learning.federated.privacy import PrivacyLedger, Release, largest_delta
from engagement_assets.models.federated_churn.spec import NAME
from resources.ledgers import LedgerError, Ledgers
from resources.quarter import Quarter

TRAINING, RETRY, TUNING = "training", "retry", "tuning"


def open_budget(
    ledgers: Ledgers, day: date, *, epsilon: float, clients: int, settings: str
) -> tuple[PrivacyLedger, str]:
    """Return the ledger of a day's quarter, and what a training of these settings counts as.

    The first is a training, another of the same settings a retry, of others tuning: each spends.
    Every round is written before it is made. The budget is the least that any training of the
    quarter asked for, and delta the least that its clients allow.

    Args:
        ledgers: Where it is kept.
        day: In the quarter.
        epsilon: The budget.
        clients: How many there are.
        settings: What the training is, in words.

    Raises:
        LedgerError: It is damaged.
    """
    period = str(Quarter.of(day))
    entry = ledgers.read(NAME, period) or {}
    releases = [Release.from_dict(one) for one in entry.get("releases", [])]
    tried: list[str] = entry.get("settings", [])
    purpose = TRAINING if not tried else RETRY if settings in tried else TUNING
    limits = {
        "epsilon": min(epsilon, entry.get("epsilon", epsilon)),
        "delta": min(largest_delta(clients), entry.get("delta", 1.0)),
    }
    written = len(releases)

    def journal(spent: Sequence[Release]) -> None:
        nonlocal written

        def changed(before: dict[str, Any] | None) -> dict[str, Any]:
            there = len((before or {}).get("releases", []))
            if there != written:
                raise LedgerError(
                    f"another training spent from {NAME} of {period} meanwhile: train one at a time"
                )
            entries = [one.to_dict() for one in spent]
            return {**limits, "settings": sorted({*tried, settings}), "releases": entries}

        ledgers.change(NAME, period, changed)
        written = len(spent)

    return PrivacyLedger(releases=releases, journal=journal, **limits), purpose
