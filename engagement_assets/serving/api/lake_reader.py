"""Customers who are in the lake and not in the store.

Belongs here: one customer's features and consent from the lake. Does not belong here: whole days
(`engagement_assets.serving.records`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from engagement_assets.decisions.specs import DECISIONS
from engagement_assets.features.catalogue import CUSTOMER_FEATURES, FEATURE_NAMES
from engagement_assets.models.specs import MODELS
from engagement_assets.serving.publishing import PURPOSE
from engagement_assets.source.consent import Consent
from resources.engine import Engine
from resources.sql import SqlFolder

# The days of the lake are listed again after so long.
LOOK_AGAIN_SECONDS = 30.0


@dataclass
class LakeReader:
    """Reads customers of the last snapshot.

    Attributes:
        engine: Queries over the lake, and the lake itself.
        sql: The SQL files.
        consent: By what consent to personalisation is judged; called with the first customer, since
            opening the source takes a while.
    """

    engine: Engine
    sql: SqlFolder
    consent: Callable[[], Consent]
    _day: date | None = None
    _looked: float = float("-inf")

    def records(self, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Records without predictions of those who have features at the last snapshot."""
        day = self._last_day()
        if day is None:
            return {}
        rows = self.engine.lake.read_where(
            CUSTOMER_FEATURES, days=[day], column="customer_id", values=ids
        ).to_pylist()
        return {
            row["customer_id"]: _record(row, day, agreed=self._agreed(row["customer_id"]))
            for row in rows
        }

    def _agreed(self, customer_id: str) -> bool:
        consent = self.consent()
        statements = self.engine.select(
            self.sql.query("serving/consent_of"),
            {
                "customer_id": customer_id,
                "purpose": PURPOSE,
                "latest_day": consent.latest_day,
            },
        ).column("granted")
        return bool(statements[0].as_py()) if len(statements) else consent.granted_by_source

    def _last_day(self) -> date | None:
        if time.monotonic() - self._looked >= LOOK_AGAIN_SECONDS:
            days = self.engine.lake.days(CUSTOMER_FEATURES)
            self._day = days[-1] if days else None
            self._looked = time.monotonic()
        return self._day


def _record(row: Mapping[str, Any], day: date, *, agreed: bool) -> dict[str, Any]:
    return {
        "customer_id": row["customer_id"],
        "snapshot_date": day.isoformat(),
        "features": {name: row[name] for name in FEATURE_NAMES},
        "predictions": {},
        "explanations": {},
        "recommendations": None,
        "decisions": {},
        "actions_due": [],
        "model_versions": {spec.name: None for spec in (*MODELS, *DECISIONS)},
        "consents": {PURPOSE: agreed},
    }
