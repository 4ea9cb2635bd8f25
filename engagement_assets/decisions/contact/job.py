"""The job that hands over what is due, and what it needs of an installation.

Belongs here: wrapping `present.py` and `delivery.py` for Dagster, the command line and the API.
Does not belong here: what they do.
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import dagster as dg

from engagement_assets.decisions.contact.assets import LONGEST_COOLDOWN
from engagement_assets.decisions.contact.resource import ContactSettings
from engagement_assets.decisions.contact.tables import KNOWN_TABLES
from engagement_assets.source.resource import SourceResource
from resources.delivery import DeliveryResource
from resources.platform import EngineResource

if TYPE_CHECKING:
    from engagement_assets.decisions.contact.delivery import Delivered
    from engagement_assets.decisions.contact.present import Present

NOWHERE = "nothing is delivered: CONTACT_DELIVERY says where to, on AWS ENGAGEMENT_CONTACT_QUEUE"


def present_of(resources: Mapping[str, Any]) -> "Present":
    """Read what an installation may send about now."""
    from engagement_assets.decisions.contact.present import read_present, utc_now  # noqa: PLC0415 - loads pandas

    contact, engine = resources["contact"], resources["engine"]
    return read_present(
        engine.engine(KNOWN_TABLES),
        engine.sql,
        resources["source"].reader,
        contact.limits,
        now=utc_now(),
        holdout=contact.holdout_experiment,
        longest_cooldown=LONGEST_COOLDOWN,
    )


def deliver_due(resources: Mapping[str, Any]) -> "Delivered | None":
    """Send what an installation may send now; None where it says no place to send to."""
    from engagement_assets.decisions.contact.delivery import deliver  # noqa: PLC0415 - loads pandas

    channel = resources["delivery"].channel
    if channel is None:
        return None
    return deliver(present_of(resources), channel, resources["delivery"].claims())


@dg.op(description="Sends what is due, each message at least once and under one id.")
def deliver_contacts(
    context: dg.OpExecutionContext,
    source: SourceResource,
    engine: EngineResource,
    contact: ContactSettings,
    delivery: DeliveryResource,
) -> None:
    """Send what is due."""
    done = deliver_due(
        {"source": source, "engine": engine, "contact": contact, "delivery": delivery}
    )
    if done is None:
        context.log.info(NOWHERE)
        return
    context.log.info("delivered: %s", asdict(done))
    if done.refused:
        raise dg.Failure(
            f"{done.refused} messages were not taken; they are tried again by the next run"
        )


@dg.job(
    description="Sends the messages of the outbox whose time it is to the app's webhook or queue."
)
def delivery() -> None:
    """Send what is due."""
    deliver_contacts()
