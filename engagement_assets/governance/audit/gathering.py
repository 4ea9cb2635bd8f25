"""Reading what an audit examines: lake, registry, reports and the log of reviews.

Belongs here: from an installation's resources to `Evidence`. Does not belong here: judging it
(`judging.py`).
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import Any

import pandas as pd

from engagement_assets.decisions.contact.gate import DUE
from engagement_assets.decisions.contact.limits import ContactLimits
from engagement_assets.decisions.contact.tables import OUTBOX
from engagement_assets.decisions.specs import DECISIONS, LEARNT
from engagement_assets.governance.audit.cards import Documents, compared, documents, fingerprints
from engagement_assets.governance.audit.complaints import count_complaints
from engagement_assets.governance.audit.contacts import ContactCount
from engagement_assets.governance.audit.evidence import (
    Complaints,
    Contacts,
    Evidence,
    Reviews,
    Serving,
)
from engagement_assets.governance.review import Desk, agreement
from engagement_assets.governance.tables import FAIRNESS_MEASURES, KNOWN_TABLES
from engagement_assets.lifecycle.checks import score_drift
from engagement_assets.lifecycle.spec import ModelSpec, UseCaseSpec
from engagement_assets.models.specs import EVERY_MODEL
from engagement_assets.source.contract import COMPLAINTS
from engagement_assets.source.readers import SourceReader
from resources.engine import Engine
from resources.quarter import Quarter
from resources.registry import ModelRegistry, RegistryError
from resources.reviews import AGREEING
from resources.sql import SqlFolder
from resources.standing import Acceptance

GROUP = "governance"
CARDS = (GROUP, "cards")
AUDITS = (GROUP, "audits")
SIGN_OFFS = (GROUP, "sign_offs")
UNIFIED = "predictions/customers"
MODELS = tuple(spec for spec in (*EVERY_MODEL, *LEARNT) if "champion" in spec.training_parts)


@dataclass(frozen=True, kw_only=True)
class Sources:
    """Where the evidence lies.

    Attributes:
        engine: Over the lake.
        sql: The product's queries.
        registry: The models.
        reports: Reads and writes reports.
        desk: Human reviews.
        reader: The source, for what customers agreed to and whose clock counts.
        limits: Of contact.
        holdout: The experiment whose variant `holdout` is contacted by nobody.
        complaint_days: Days within which a complaint is to be answered.
    """

    engine: Engine
    sql: SqlFolder
    registry: ModelRegistry
    reports: Any
    desk: Desk
    reader: SourceReader
    limits: ContactLimits
    holdout: str
    complaint_days: int

    def cards(self) -> Documents:
        """Return what every card and data sheet should say now."""
        return documents(EVERY_MODEL, DECISIONS, KNOWN_TABLES, self.registry)

    def evidence(self, last_day: date) -> Evidence:
        """Read the evidence of the quarter that a day lies in, up to that day."""
        return _Quarterly(self, Quarter.of(last_day), last_day).evidence()


@dataclass(frozen=True)
class _Quarterly:
    of: Sources
    quarter: Quarter
    last_day: date

    @cached_property
    def days(self) -> list[date]:
        span = (self.last_day - self.quarter.first).days + 1
        return [self.quarter.first + timedelta(days=n) for n in range(span)]

    def evidence(self) -> Evidence:
        serving = [self._serving(spec) for spec in MODELS]
        stored = self.of.reports.latest(CARDS)
        return Evidence(
            quarter=self.quarter,
            last_day=self.last_day,
            serving=serving,
            fairness=self._fairness({(one.name, one.version) for one in serving}),
            contacts=self._contacts(),
            scored_refusers=self._scored_refusers(),
            reviews=self._reviews(),
            complaints=self._complaints(),
            cards=compared(fingerprints(self.of.cards()), stored and stored.figures),
            unsigned=self._unsigned(),
        )

    def _in_quarter(self, at: str) -> bool:
        return self.quarter.first.isoformat() <= at[:10] <= self.quarter.last.isoformat()

    def _serving(self, spec: UseCaseSpec) -> Serving:
        registry, end = self.of.registry, self.quarter.last.isoformat()
        history = [one for one in registry.history(spec.name) if one["at"][:10] <= end]
        version = history[-1]["version"] if history else None
        refusals = registry.refusals(spec.name)
        accepted = registry.acceptance(spec.name, version) if version else None
        fault, registered = "", None
        if version is not None:
            try:
                registry.open(spec.name, version)
                registered = registry.card(spec.name, version)["registered_at"]
            except RegistryError as error:
                fault = str(error)
        judged = [*(one["at"] for one in history), *(one.at for one in refusals)]
        taken = [
            Acceptance(**{key: value for key, value in one.items() if key != "action"})
            for one in registry.audit(spec.name)
            if one["action"] == "accept" and self._in_quarter(one["at"])
        ]
        return Serving(
            name=spec.name,
            version=version,
            registered=registered,
            fault=fault,
            about_people="fairness" in spec.training_parts,
            accepted=accepted,
            changes=[one for one in history if self._in_quarter(one["at"])],
            refusals=sum(self._in_quarter(one.at) for one in refusals),
            overrides=taken,
            judged=sorted(at for at in judged if at[:10] <= end),
            drifted=self._drifted(spec),
        )

    def _drifted(self, spec: UseCaseSpec) -> dict[date, bool] | None:
        if not isinstance(spec, ModelSpec) or "predictions" not in spec.daily_parts:
            return None
        lake = self.of.engine.lake
        there = set(lake.filled_days(spec.output))
        outcomes = {
            day: score_drift(spec, lake, self.of.registry, day) for day in self.days if day in there
        }
        return {day: bool(one.problem) for day, one in outcomes.items()}

    def _fairness(self, serving: set[tuple[str, str | None]]) -> list[dict[str, Any]]:
        """Return the latest measures of the quarter's versions, and of what serves from before."""
        lake = self.of.engine.lake
        days = [day for day in lake.filled_days(FAIRNESS_MEASURES) if day <= self.last_day]
        latest: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for day in days:
            by_version: dict[tuple[str, str], list[dict[str, Any]]] = {}
            for row in lake.read(FAIRNESS_MEASURES, days=[day]).to_pylist():
                by_version.setdefault((row["model"], row["model_version"]), []).append(row)
            for version, rows in by_version.items():
                if day >= self.quarter.first or version in serving:
                    latest[version] = rows
        keys = ("side", "attribute", "group_name", "measure")
        return [
            row
            for version in sorted(latest)
            for row in sorted(latest[version], key=lambda r: tuple(r[key] for key in keys))
        ]

    def _contacts(self) -> Contacts:
        of, count = self.of, ContactCount(self.of.limits)
        there = set(of.engine.lake.days(OUTBOX.key))
        columns = ["customer_id", "snapshot_date", "purpose", "not_before", "not_after", "status"]
        for day in self.days:
            if day not in there:
                continue
            rows = of.engine.lake.read(OUTBOX.key, days=[day], columns=columns).to_pandas()
            due = rows[rows["status"] == DUE].drop(columns="status")
            known: Mapping[str, Any] = {"snapshot_date": day, "holdout": of.holdout}
            people = of.engine.select(of.sql.query("contact/customers"), known).to_pandas()
            people["time_zone"] = people["time_zone"].fillna(of.reader.timezone)
            if "consents" in of.reader.provides():
                query = of.sql.query("contact/consents")
                consents = of.engine.select(query, {"latest_day": day}).to_pandas()
            else:
                purposes = pd.DataFrame({"purpose": list(of.reader.granted_consents)}, dtype=object)
                consents = people[["customer_id"]].merge(purposes, how="cross")
            count.add(due, people, consents)
        return count.counted()

    def _scored_refusers(self) -> int | None:
        if not self.of.engine.lake.exists(UNIFIED, self.last_day):
            return None
        query = self.of.sql.query("governance/scored_refusers")
        return int(self.of.engine.select(query, {"snapshot_date": self.last_day}).num_rows)

    def _reviews(self) -> Reviews:
        cases = self.of.desk.log.cases()
        decided = [one for one in cases if one.decided_at and self._in_quarter(one.decided_at)]
        fraud = [one for one in decided if one.fraud]
        waiting = [
            item for item in self.of.desk.queue(day=self.last_day) if item.case.fraud is None
        ]
        return Reviews(
            decided=len(decided),
            fraud=len(fraud),
            alone=sum(sum(bool(v.fraud) for v in one.verdicts) < AGREEING for one in fraud),
            waiting=len(waiting),
            overdue=sum(item.overdue for item in waiting),
            agreement=agreement(decided),
        )

    def _complaints(self) -> Complaints | None:
        if COMPLAINTS not in self.of.reader.provides():
            return None
        known: Mapping[str, Any] = {"snapshot_date": self.last_day}
        rows, people = (
            self.of.engine.select(self.of.sql.query(f"governance/{name}"), known).to_pandas()
            for name in ("complaints", "complainants")
        )
        return count_complaints(
            rows,
            people,
            first=self.quarter.first,
            last_day=self.last_day,
            due_days=self.of.complaint_days,
        )

    def _unsigned(self) -> list[str]:
        """Return the quarter before this one, where its audit was made and nobody signed it."""
        before = str(Quarter.of(self.quarter.first - timedelta(days=1)))
        made = self.of.reports.latest((*AUDITS, before))
        if made is None:
            return []
        signed = self.of.reports.latest((*SIGN_OFFS, before))
        return [] if signed and signed.figures["audit"] == digest(made.figures) else [before]


def digest(figures: Mapping[str, Any]) -> str:
    """Return what names the content of an audit."""
    text = json.dumps(figures, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
