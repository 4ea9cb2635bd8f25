"""The cards and the ethics audit as assets.

Belongs here: wrapping the pure modules for Dagster. Does not belong here: what is examined.
"""

from collections.abc import Iterator
from datetime import date
from typing import Any

import dagster as dg

from engagement_assets.decisions.contact.resource import ContactSettings
from engagement_assets.governance.audit.resource import AuditSettings
from engagement_assets.governance.review import Desk
from engagement_assets.governance.tables import FAIRNESS_MEASURES, KNOWN_TABLES, REVIEW_QUEUE
from engagement_assets.settings.partitions import DAILY
from engagement_assets.source.contract import COMPLAINTS, TABLES
from engagement_assets.source.resource import SourceResource
from resources.io_managers import RegistryResource, Report
from resources.platform import EngineResource
from resources.reviews import ReviewsResource
from resources.tables import asset_keys

GROUP = "governance"
OWNERS = ["team:governance"]
CODE_VERSION = "1"


@dg.asset(
    key=[GROUP, "cards"],
    description="A card of every model and policy and a data sheet of every table, from their "
    "declarations and the registry.",
    group_name=GROUP,
    owners=OWNERS,
    kinds={"report"},
    code_version=CODE_VERSION,
    io_manager_key="reports",
)
def cards(registry: RegistryResource) -> dg.Output[Report]:
    """Make every card and data sheet."""
    from engagement_assets.decisions.specs import DECISIONS  # noqa: PLC0415 - beside its users
    from engagement_assets.governance.audit.cards import (  # noqa: PLC0415 - loads what cards need
        documents,
        fingerprints,
        page,
    )
    from engagement_assets.models.specs import EVERY_MODEL  # noqa: PLC0415 - beside its users

    made = documents(EVERY_MODEL, DECISIONS, KNOWN_TABLES, registry.registry)
    figures = fingerprints(made)
    return dg.Output(
        Report(figures, page(made)),
        metadata={kind.replace(" ", "_"): len(own) for kind, own in figures.items()},
    )


@dg.asset(
    key=[GROUP, "ethics_audit"],
    description="The ethics audit of the quarter up to the partition's day: fairness, drift, "
    "overrides, consent and limits, reviews, complaints, cards, and what was not measured.",
    group_name=GROUP,
    owners=OWNERS,
    kinds={"report"},
    code_version=CODE_VERSION,
    partitions_def=DAILY,
    deps=[
        [GROUP, "cards"],
        *asset_keys((FAIRNESS_MEASURES, REVIEW_QUEUE, "contact/outbox", TABLES[COMPLAINTS].key)),
    ],
    check_specs=[
        dg.AssetCheckSpec(
            "no_breach",
            asset=[GROUP, "ethics_audit"],
            description="No promise was broken in the quarter.",
        )
    ],
)
def ethics_audit(
    context: dg.AssetExecutionContext,
    engine: EngineResource,
    registry: RegistryResource,
    audit: AuditSettings,
    contact: ContactSettings,
    source: SourceResource,
    reviews: ReviewsResource,
    reports: dg.ResourceParam[Any],
) -> Iterator[dg.MaterializeResult]:
    """Audit the quarter that the partition's day lies in."""
    from engagement_assets.governance.audit import gathering, judging  # noqa: PLC0415 - load pandas

    run = engine.engine(KNOWN_TABLES)
    sources = gathering.Sources(
        engine=run,
        sql=engine.sql,
        registry=registry.registry,
        reports=reports,
        desk=Desk(run.lake, reviews.log),
        reader=source.reader,
        limits=contact.limits,
        holdout=contact.holdout_experiment,
        complaint_days=audit.complaint_days,
    )
    evidence = sources.evidence(date.fromisoformat(context.partition_key))
    figures, text = judging.ethics_audit(evidence)
    reports.save((*gathering.AUDITS, str(evidence.quarter)), Report(figures, text))
    breaches = figures["breaches"]
    yield dg.MaterializeResult(
        metadata={"breaches": len(breaches), "report": dg.MetadataValue.md(text)},
        check_results=[
            dg.AssetCheckResult(
                passed=not breaches,
                check_name="no_breach",
                description="; ".join(breaches[:20]) or None,
            )
        ],
    )


ASSETS = [cards, ethics_audit]
