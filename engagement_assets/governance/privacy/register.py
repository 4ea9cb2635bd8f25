"""The one register of the places where a customer's data can be.

Tables of the lake come from their declarations; what else a deployment keeps, from its resources
and the entries of its home. What has no entry is a place that nobody can answer for, which fails an
erasure, and the tests.

Belongs here: which places there are. Does not belong here: how each is emptied (`places.py`).
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from upath import UPath

from engagement_assets.governance.privacy.places import (
    BESIDE,
    ClaimsOf,
    DagsterRecords,
    Documents,
    Helps,
    LakeTable,
    Place,
    Texts,
    Undeclared,
    any_text,
)
from engagement_assets.governance.tables import KNOWN_TABLES
from engagement_assets.settings.installation import (
    CATALOGUE_FILE,
    CLAIMS_FILE,
    ONLINE_FILE,
    SETTINGS_FILE,
)
from resources.catalogue import NOT_TABLES
from resources.erasures import ErasureError
from resources.lake import Lake
from resources.tables import privacy_register

# Resources that hold customers' data, and the places that each is.
HOLDERS: dict[str, Callable[[Any], list[Place]]] = {
    "lake": lambda resource: lake_places(resource.lake),
    "online_store": lambda resource: [Documents(resource.store)],
    "delivery": lambda resource: [ClaimsOf(resource.claims())],
    "reports": lambda resource: [Texts("reports", UPath(resource.root, **resource.options))],
    "reviews": lambda resource: [Texts("reviews", UPath(resource.root, **resource.options))],
    "questions": lambda resource: [Texts("questions", UPath(resource.root, **resource.options))],
    "alerts": lambda resource: [Texts("alerts", UPath(resource.log_path, **resource.options))],
}
# Resources that hold none, or are one of the places above by another name.
OTHERS: dict[str, str] = {
    "engine": "asks the lake",
    "catalogue": "masked views of the lake",
    "analysts": "masked views of the lake",
    "tables": "writes the lake",
    "models": "writes the registry",
    "registry": "versions that may have learnt from a customer are retired: erasure.py",
    "erasures": "hashes, and whom an erasure that was not ended is about",
    "gauges": "counts",
    "source": "the app's own data, which the app erases; its settings",
    "sentiment": "settings",
    "contact": "settings",
    "experiments": "settings",
    "network": "settings",
    "audit": "settings",
    "programme": "settings",
    "settings": "settings",
}
# Entries of a home that are a resource's place, and what else lies there.
OF_RESOURCES = {
    "lake": "lake",
    "registry": "registry",
    "reports": "reports",
    "alerts.jsonl": "alerts",
    "alerts.state.json": "alerts",
    "privacy": "erasures",
    "reviews": "reviews",
    "questions": "questions",
    ONLINE_FILE: "online_store",
    CLAIMS_FILE: "delivery",
    CATALOGUE_FILE: "catalogue",
}
HOME_PLACES: dict[str, Callable[[Path], Place]] = {
    "dagster_home": DagsterRecords,
    # what searches of learners predicted, by which one that was cut off goes on
    "studies": lambda path: Helps("studies", path),
    # draws of the API, a line each
    "next_actions.jsonl": lambda path: Texts("draws", UPath(path)),
    # the log of questions of an older release, which was one file
    "questions.jsonl": lambda path: Texts("older questions", UPath(path)),
    # the alerts that some channel has yet to take
    "alerts.state.json": lambda path: Texts("alerts to be sent", UPath(path)),
}
WITHOUT_CUSTOMERS = {
    SETTINGS_FILE,
    "api_keys.json",
    ".api_keys.json.lock",
    ".questions.jsonl.lock",
    "contact_webhook_secret",
}
# What no process of the platform can empty, and what to do there.
ELSEWHERE: dict[str, dict[str, str]] = {
    "local": {
        "source": "the app's own tables and files: the app erases there",
        "webhooks": "alerts and messages that were delivered: their receivers erase there",
        "backups": "copies of the home: let them expire, and run `make erase` after a restore",
    },
    "aws": {
        "source": "the app's own tables and files: the app erases there",
        "queues": "messages and alerts that were delivered: their receivers erase there",
        "dagster": "events in Postgres: they expire by Dagster's retention",
        "logs": "draws and logs in CloudWatch: they expire by the log group's retention",
        "versions": "former versions of objects in the bucket: they expire after NoncurrentDays",
        "backups": "copies of buckets and tables: let them expire, and run `make erase` after a "
        "restore",
    },
}


def places(resources: Mapping[str, Any], *, home: Path | None) -> list[Place]:
    """Return every place of an installation.

    Args:
        resources: Its resources by name.
        home: Its home; None where it lies in services.

    Raises:
        ErasureError: Two of them have the same name.
    """
    listed: list[Place] = [
        place
        for name, resource in resources.items()
        if name in HOLDERS
        for place in HOLDERS[name](resource)
    ]
    listed += [Undeclared(f"resource {name}") for name in resources if name not in HOLDERS | OTHERS]
    if home is not None and home.exists():
        listed += home_places(home)
    names = [place.name for place in listed]
    if len(set(names)) < len(names):
        # one's count would stand for the other's
        raise ErasureError(f"two places have one name: {', '.join(sorted(names))}")
    return listed


def lake_places(lake: Lake) -> list[Place]:
    """Return the tables of a lake that are about customers, and what lies there besides."""
    about = privacy_register(KNOWN_TABLES)
    known = {table.key: table for table in KNOWN_TABLES}
    listed: list[Place] = [LakeTable(lake, known[key]) for key in about]
    root = UPath(lake.root, **lake.options)
    groups = [path for path in sorted(root.iterdir()) if path.is_dir()] if root.exists() else []
    for group in groups:
        for folder in sorted(group.iterdir()):
            key = f"{group.name}/{folder.name}"
            if group.name in NOT_TABLES:
                listed.append(LakeTable(lake, any_text(lake, key)))
            elif key not in known:
                listed.append(Undeclared(f"lake/{key}"))
    return listed


def home_places(home: Path) -> list[Place]:
    """Return the places of a home that no resource is, and what lies there besides."""
    listed: list[Place] = []
    for path in sorted(home.iterdir()):
        name = path.name
        for suffix in BESIDE:
            name = name.removesuffix(suffix)
        if path.name in HOME_PLACES:
            listed.append(HOME_PLACES[path.name](path))
        elif name not in OF_RESOURCES and name not in WITHOUT_CUSTOMERS:
            listed.append(Undeclared(f"home/{path.name}"))
    return listed
