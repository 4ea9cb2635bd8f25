"""Fairness of a value model version on its test people, and the repair where a group fails.

Belongs here: which people and which use of the value the report is about. Does not belong here: the
measures (`engagement_assets.learning.fairness.measures`).
"""

from pathlib import Path

import pandas as pd
from upath import UPath

from engagement_assets.lifecycle.fairness import Assessment, assess_regression
from engagement_assets.models.lifetime_value.model import ValueModel
from engagement_assets.models.lifetime_value.training import LABEL, known


def assess(folder: Path | UPath, rows: pd.DataFrame, *, seed: int, n_bootstrap: int) -> Assessment:
    """Measure fairness on the test people; fit a mitigation on the training people if one fails.

    Args:
        folder: Files of the version.
        rows: Labelled rows of the test snapshot, all people.
        seed: Seed of the resamples.
        n_bootstrap: Resamples behind each interval.
    """
    model = ValueModel.load(folder)
    return assess_regression(
        model.predict,
        known(rows),
        label=LABEL,
        seed=seed,
        n_bootstrap=n_bootstrap,
    )
