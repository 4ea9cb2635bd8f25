"""Whether training would give again what was refused: the same data and settings.

Belongs here: what a candidate was asked for, and comparing it with what would be asked for now.
Does not belong here: whether a model is due (`commands.due`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import date
from typing import Any

import orjson

from engagement_assets.lifecycle.adapter import Inputs
from engagement_assets.lifecycle.dates import Snapshots
from engagement_assets.lifecycle.spec import UseCaseSpec, label_windows
from resources.lake import MissingPartitionError
from resources.standing import Refusal

# Key of a card.
ASKED = "asked"


def asked(spec: UseCaseSpec, inputs: Inputs, snapshots: Snapshots) -> dict[str, Any]:
    """Return what a training is asked for, as JSON data: snapshots, settings, and what it reads."""
    settings = {
        "code_version": spec.code_version,
        "parameters": {k: v for k, v in inputs.parameters.items() if k != "n_jobs"},
        "judging": inputs.judging,
        "seed": inputs.seed,
        "search": {k: v for k, v in (inputs.search or {}).items() if k != "study"},
        "bootstrap": inputs.bootstrap,
        "gates": [repr(gate) for gate in spec.gates],
        "windows": label_windows(spec),
        "champions": {name: inputs.registry.champion(name) for name in spec.listens_to},
    }
    text = orjson.dumps(settings, option=orjson.OPT_SORT_KEYS)
    return {
        "snapshots": [day.isoformat() for day in snapshots.train],
        "test_snapshot": snapshots.test.isoformat(),
        "settings": hashlib.sha256(text).hexdigest()[:16],
    }


def refused_alike(spec: UseCaseSpec, inputs: Inputs, wanted: Snapshots) -> Refusal | None:
    """Return the refusal of a candidate that training as of now would only make again."""
    refusal = inputs.registry.refused(spec.name)
    if refusal is None:
        return None
    card = inputs.registry.card(spec.name, refusal.version)
    before: Mapping[str, Any] = card[ASKED]
    days = tuple(date.fromisoformat(day) for day in before["snapshots"])
    # an earlier training snapshot may have been missing then; the latest two decide
    if (days[0], before["test_snapshot"]) != (wanted.train[0], wanted.test.isoformat()):
        return None
    snapshots = Snapshots(days, wanted.test)
    return refusal if repeats(spec, inputs, snapshots, card) else None


def repeats(
    spec: UseCaseSpec, inputs: Inputs, snapshots: Snapshots, card: Mapping[str, Any]
) -> bool:
    """Return whether training now would only make again what a card is of."""
    if asked(spec, inputs, snapshots) != card.get(ASKED):
        return False
    try:
        now = spec.adapter().data_versions(inputs, snapshots)
    except MissingPartitionError:
        return False
    return bool(now == card["data_versions"])
