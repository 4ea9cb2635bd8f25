"""What the API knows of customers: from the store, or scored on demand.

Belongs here: reading the release that is served, the lake where a customer is not in it, and the
models where something was not predicted. Does not belong here: HTTP (`routes.py`).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import pandas as pd
import pyarrow as pa
from anyio import CapacityLimiter, to_thread

from engagement_assets.decisions.specs import DECISIONS, actions_due
from engagement_assets.features.catalogue import CUSTOMER_FEATURES_TABLE
from engagement_assets.serving.api.lake_reader import LakeReader
from engagement_assets.serving.next_action import DrawLog, log_line
from engagement_assets.serving.records import EXPLAINED, decode
from engagement_assets.serving.scoring import Scored, Scorer
from resources.online_store.releases import Release, age_days
from resources.online_store.store import OnlineStore

logger = logging.getLogger("engagement.api")

# The pointer to the release that is served is read again after so long.
LOOK_AGAIN_SECONDS = 1.0
CACHED, COMPUTED = "cached", "computed"


class NothingServedError(RuntimeError):
    """No day has been published yet."""


@dataclass(frozen=True)
class View:
    """A release and what belongs to all of it.

    Attributes:
        references: What one customer's numbers need of all others, by model.
        cold_start: Lists for somebody of whom nothing is known: `items`, and `by_location`.
        held_out: Customers of the global holdout; None where the lake is not read.
    """

    release: Release
    references: Mapping[str, Any]
    cold_start: Mapping[str, Any]
    held_out: frozenset[str] | None = None


@dataclass(frozen=True)
class Refusals:
    """Who refuses what by the latest statement that is known.

    Attributes:
        analytics: To be analysed: nothing is known of them, whatever is stored.
        personalisation: That anything is chosen for them.
    """

    analytics: frozenset[str] = frozenset()
    personalisation: frozenset[str] = frozenset()

    def applied(self, records: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        """Return records by customer as far as they may be used now."""
        return {
            who: {
                **record,
                "consents": {**record["consents"], "personalisation": False},
                "recommendations": None,
            }
            if who in self.personalisation
            else record
            for who, record in records.items()
            if who not in self.analytics
        }


@dataclass(frozen=True)
class Known:
    """What is known of one customer.

    Attributes:
        record: A document, as `engagement_assets.serving.records` has it.
        served_from: `CACHED` or `COMPUTED`.
    """

    record: Mapping[str, Any]
    served_from: str


@dataclass
class CustomerService:
    """Answers for customers.

    Attributes:
        reader: Looks customers up in the lake; None where the store alone is asked.
        read_references: Reads what depends on all customers of a release.
        limiter: How many scorings run at once.
        read_held_out: Reads the global holdout; None where the lake is not read.
        log_draw: Where draws of next actions are logged.
        read_refusals: Reads who refuses what now; None where the lake is not read, so that what was
            published holds.
    """

    store: OnlineStore
    scorer: Scorer
    reader: LakeReader | None
    read_references: Callable[[OnlineStore, Release], tuple[Mapping[str, Any], Mapping[str, Any]]]
    limiter: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(1))
    read_held_out: Callable[[], frozenset[str]] | None = None
    log_draw: DrawLog = log_line
    read_refusals: Callable[[], Refusals] | None = None
    _refusals: Refusals = Refusals()
    _view: View | None = None
    _looked: float = float("-inf")
    _turning: bool = False

    @property
    def seen(self) -> View | None:
        """The release that was served when it was last looked at."""
        return self._view

    async def _ask(self, call: Callable[..., Any], *arguments: Any) -> Any:
        """Call the store: here where it answers in microseconds, or else in a thread."""
        if self.store.is_local:
            return call(*arguments)
        return await to_thread.run_sync(call, *arguments)

    async def view(self) -> View:
        """The release that is served, and with it who refuses what, at most a second late.

        While one request reads what belongs to a new release, others are answered from the one
        before, which the store keeps.

        Raises:
            NothingServedError: None is.
        """
        fresh = time.monotonic() - self._looked < LOOK_AGAIN_SECONDS
        if self._view is not None and (fresh or self._turning):
            return self._view
        self._turning = True
        try:
            self._view = await self._newest()
            if self.read_refusals is not None:
                self._refusals = await to_thread.run_sync(self.read_refusals)
        finally:
            self._turning = False
        self._looked = time.monotonic()
        return self._view

    async def _newest(self) -> View:
        release = await self._ask(self.store.served)
        if release is None:
            raise NothingServedError
        if self._view is not None and self._view.release.name == release.name:
            return self._view
        references, cold_start = await to_thread.run_sync(self.read_references, self.store, release)
        held_out = None
        if self.read_held_out is not None:
            held_out = await to_thread.run_sync(self.read_held_out)
        return View(release, references, cold_start, held_out)

    async def customers(
        self, ids: Sequence[str], *, view: View, compute: bool = False
    ) -> dict[str, Known]:
        """What is known of customers (at most 100); unknown ones are left out.

        All from one release; with `compute` they are scored now although they were.
        """
        documents = await self._ask(self.store.get, view.release.name, ids)
        stored = _own_documents(documents, view.release.name)
        records = dict(stored)
        absent = [who for who in dict.fromkeys(ids) if who not in records]
        if absent and self.reader is not None:
            records |= await to_thread.run_sync(self.reader.records, absent)
        records = self._refusals.applied(records)
        due = [
            who
            for who, record in records.items()
            if compute or who not in stored or self._lacks(record)
        ]
        known = {who: Known(record, CACHED) for who, record in records.items()}
        if due:
            scored = await self.score([records[who] for who in due], view)
            known |= {who: Known(record, COMPUTED) for who, record in zip(due, scored, strict=True)}
        return known

    def _lacks(self, record: Mapping[str, Any]) -> bool:
        """Whether a model serves by now that had no champion when the day was published."""
        published, versions = record["model_versions"], self.scorer.versions
        return any(
            versions[spec.name] is not None and published.get(spec.name) is None
            for spec in EXPLAINED
        )

    async def score(self, records: Sequence[Mapping[str, Any]], view: View) -> list[dict[str, Any]]:
        """Records of customers with what the champions say of their features now."""
        scored = await to_thread.run_sync(
            self._score, records, view.references, limiter=self.limiter
        )
        versions = self.scorer.versions
        return [
            {
                **record,
                "predictions": scores.predictions,
                "explanations": scores.explanations,
                # what is not chosen online was chosen then
                "decisions": (
                    decisions := {
                        **dict.fromkeys(spec.name for spec in DECISIONS),
                        **record.get("decisions", {}),
                        **scores.decisions,
                    }
                ),
                "actions_due": actions_due(decisions),
                "model_versions": {
                    # what is not scored online was made then and is still that version's
                    **dict.fromkeys(versions),
                    **record["model_versions"],
                    **{
                        spec.name: versions[spec.name]
                        for spec in (*EXPLAINED, *(spec for spec in DECISIONS if spec.online))
                    },
                },
            }
            for record, scores in zip(records, scored, strict=True)
        ]

    def _score(
        self, records: Sequence[Mapping[str, Any]], references: Mapping[str, Any]
    ) -> list[Scored]:
        return self.scorer.score(rows_of(records), references)


def _own_documents(documents: Mapping[str, bytes], release: str) -> dict[str, dict[str, Any]]:
    """Decode documents; one that is damaged, or about somebody else, is not served."""
    own = {}
    for who, document in documents.items():
        try:
            record = decode(document)
        except ValueError:
            continue
        if record.get("customer_id") == who:
            own[who] = record
    if len(own) < len(documents):
        logger.error(
            "the online store is damaged: %d documents of %s cannot be read, or are about another "
            "customer than their key; publish the day again",
            len(documents) - len(own),
            release,
        )
    return own


def rows_of(records: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Rows with the columns and types that features have in the lake; one left out is null."""
    rows = [
        {
            **record["features"],
            "customer_id": record["customer_id"],
            "snapshot_date": date.fromisoformat(record["snapshot_date"]),
        }
        for record in records
    ]
    table: pd.DataFrame = pa.Table.from_pylist(
        rows, schema=CUSTOMER_FEATURES_TABLE.arrow
    ).to_pandas()
    return table


def recommended(
    known: Known | None, view: View, *, limit: int, exclude: frozenset[str]
) -> dict[str, Any]:
    """A list for a customer, or for somebody unknown where `known` is None.

    Returns:
        `items`, `list_source`, `withheld`: why there are none, or None.
    """
    if known is not None and not known.record["consents"].get("personalisation", False):
        return {"items": [], "list_source": "none", "withheld": "no consent to personalisation"}
    own = None if known is None else known.record["recommendations"]
    if own is not None:
        items, source = own["items"], own["source"]
    else:
        place = None if known is None else known.record["features"].get("location")
        items = view.cold_start.get("by_location", {}).get(place) or view.cold_start.get(
            "items", []
        )
        source = "cold start"
    chosen = [item for item in items if item not in exclude][:limit]
    return {"items": chosen, "list_source": source, "withheld": None}


def heading(known: Known, view: View) -> dict[str, Any]:
    """What every answer about a customer says first."""
    record = known.record
    return {
        "customer_id": record["customer_id"],
        "snapshot_date": record["snapshot_date"],
        "snapshot_age_days": age_days(date.fromisoformat(record["snapshot_date"])),
        "release": view.release.name,
        "served_from": known.served_from,
        "model_versions": record["model_versions"],
    }
