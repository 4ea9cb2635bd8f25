"""What `engagement erase` does, and `engagement run` before anything else.

Belongs here: from the settings to an erasure and what is said of it. Does not belong here: erasing
(`governance.privacy`).
"""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from engagement_assets.commands.records import at_work, records
from engagement_assets.decisions.specs import LEARNT
from engagement_assets.deployments.resources import resources_of
from engagement_assets.governance.privacy.erasure import (
    Findings,
    erase,
    identified,
    look,
    requested,
    returned,
)
from engagement_assets.governance.privacy.places import Place
from engagement_assets.governance.privacy.register import ELSEWHERE, places
from engagement_assets.models.specs import EVERY_MODEL
from engagement_assets.settings.deployment import Deployment, deployment
from engagement_assets.settings.installation import Settings
from resources.erasures import ErasureError
from resources.subjects import Subjects


def erase_customers(settings: Settings, customers: Sequence[str], *, confirmed: bool) -> None:
    """Erase customers, or say what would be erased.

    Without any named: those who asked for it, those who came back, as after a restore, and those of
    an erasure that was not ended.

    Raises:
        ErasureError: A run is at work, something could not be erased, or what is named is no id.
    """
    strange = [name for name in customers if not any(letter.isalnum() for letter in name)]
    if strange:
        # such as a star: it is in texts of every kind, and means nobody
        raise ErasureError(f"{', '.join(sorted(strange))} is no id of a customer: check it")
    resources = resources_of(settings)
    lake, erasures = resources["lake"].lake, resources["erasures"].erasures
    ids = set(customers) or requested(lake) | returned(lake, erasures)
    subjects = identified(lake, erasures, ids)
    if not subjects.ids:
        sys.stdout.write("nobody asked to be erased, and nobody who was erased is there\n")
        return
    listed = _places(settings, resources)
    if not confirmed:
        _show(look(listed, subjects), subjects)
        return
    if subjects.known_since is None and not look(listed, subjects).total:
        raise ErasureError(f"nothing is known of {', '.join(sorted(subjects.ids))}: check the id")
    with records() as instance:
        certificate = _erase(settings, resources, subjects, instance)
    sys.stdout.write(_summary(certificate))


def erase_returned(settings: Settings, instance: dg.DagsterInstance) -> None:
    """Erase again those erased customers who are there again, as after a restore, and say so.

    Raises:
        ErasureError: A run is at work, or something could not be erased.
    """
    resources = resources_of(settings)
    lake, erasures = resources["lake"].lake, resources["erasures"].erasures
    back = returned(lake, erasures)
    if not back:
        return
    sys.stderr.write(
        f"{len(back)} erased customer{' is' if len(back) == 1 else 's are'} in the lake again, as "
        "after a restore: they are erased again, before anything else\n"
    )
    subjects = identified(lake, erasures, back)
    sys.stderr.write(_summary(_erase(settings, resources, subjects, instance)))


def _places(settings: Settings, resources: Mapping[str, Any]) -> list[Place]:
    local = deployment() is Deployment.LOCAL
    return places(resources, home=settings.home if local else None)


def _erase(
    settings: Settings,
    resources: Mapping[str, Any],
    subjects: Subjects,
    instance: dg.DagsterInstance,
) -> dict[str, Any]:
    """Erase while no run is at work, and return the certificate."""
    running = at_work(instance)
    if running:
        raise ErasureError(f"{running} could write back what is erased: wait for it, and try again")
    return erase(
        _places(settings, resources),
        subjects,
        erasures=resources["erasures"].erasures,
        registry=resources["registry"].registry,
        models=[spec.name for spec in (*EVERY_MODEL, *LEARNT)],
        elsewhere=ELSEWHERE[deployment().value],
        serve_days=settings.erasure_days,
        progress=lambda text: sys.stderr.write(f"{text}\n"),
    )


def _show(findings: Findings, subjects: Subjects) -> None:
    lines = [f"{name}: {count:,}" for name, count in findings.counts.items() if count]
    lines += [f"{name}: not known ({why})" for name, why in findings.unknown.items()]
    people = f"{len(subjects.ids)} id{'s' if len(subjects.ids) > 1 else ''}"
    sys.stdout.write(
        "\n".join([f"{people} would be erased from {len(findings.counts)} places:", *lines])
        + "\nnothing was changed; CONFIRM=yes erases\n"
    )


def _summary(certificate: Mapping[str, Any]) -> str:
    serving = [model for model in certificate["models"] if "until" in model]
    lines = [
        f"{sum(certificate['removed'].values()):,} removed from "
        f"{sum(1 for count in certificate['removed'].values() if count)} places, 0 left",
        *(
            f"{model['model']} {model['version']} serves until {model['until']}: "
            "`make run` learns it again"
            for model in serving
        ),
        *(f"not within reach: {name}: {what}" for name, what in certificate["elsewhere"].items()),
        f"certificate {certificate['certificate_id']}",
    ]
    return "\n".join(lines) + "\n"
