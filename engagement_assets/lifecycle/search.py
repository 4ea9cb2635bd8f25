"""What a search of learner and hyperparameters is asked for within a training.

Belongs here: when there may be one, and the folder in which it goes on after a kill. Does not
belong here: the search (`learning.tuning`) and which models have one (their specs).
"""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

from engagement_assets.lifecycle.adapter import Inputs
from engagement_assets.lifecycle.dates import Snapshots
from engagement_assets.lifecycle.errors import NotTrainableError
from engagement_assets.lifecycle.reuse import asked
from engagement_assets.lifecycle.spec import UseCaseSpec


def searching(
    spec: UseCaseSpec,
    inputs: Inputs,
    snapshots: Snapshots,
    *,
    studies: str,
    trials: int,
    minutes: float,
    memory_mib: int | None,
) -> Inputs:
    """Return the inputs of a search; the same data and settings go on in the same folder.

    Raises:
        NotTrainableError: No champion serves that it could be measured against.
        ValueError: The model has no search.
    """
    if not spec.tuned:
        raise ValueError(f"{spec.name} has no search of learner and hyperparameters: set trials=0")
    if inputs.registry.champion(spec.name) is None:
        raise NotTrainableError(
            "a tuned candidate must beat a champion, and there is none: run the job `training`"
        )
    data = spec.adapter().data_versions(inputs, snapshots)
    text = json.dumps([data, asked(spec, inputs, snapshots)], sort_keys=True)
    name = hashlib.sha256(text.encode()).hexdigest()[:16]
    search = {
        "trials": trials,
        "minutes": minutes,
        "memory_mib": memory_mib,
        "least_group": inputs.judging["least_group"],
        "study": str(Path(studies) / spec.name / name),
    }
    return replace(inputs, search=search)
