"""Fairness of a churn model version on its test people, and the mitigation where a group fails.

Belongs here: which people and thresholds the report is about. Does not belong here: the measures
(`engagement_assets.learning.fairness.measures`).
"""

from functools import partial
from pathlib import Path

import pandas as pd
from upath import UPath

from engagement_assets.learning.evaluation.thresholds import CostModel
from engagement_assets.learning.fairness.mitigation import offer_price
from engagement_assets.learning.trees.classifier import CalibratedBoostingClassifier
from engagement_assets.lifecycle.fairness import Assessment, assess_flags
from engagement_assets.models.churn.training import LABEL


def assess(folder: Path | UPath, rows: pd.DataFrame, *, seed: int, n_bootstrap: int) -> Assessment:
    """Measure fairness on the test people; fit a mitigation on the training people if one fails.

    Args:
        folder: Files of the version.
        rows: Labelled rows of the test snapshot, all people.
        seed: Seed of the resamples.
        n_bootstrap: Resamples behind each interval.
    """
    model = CalibratedBoostingClassifier.load(folder)
    costs = CostModel(
        cost_miss=model.cost_miss,
        cost_action=model.cost_action,
        success_rate=model.success_rate,
    )
    return assess_flags(
        lambda rows: model.predict_proba(rows)[:, 1],
        rows,
        label=LABEL,
        threshold=model.threshold_,
        price=partial(offer_price, costs=costs),
        seed=seed,
        n_bootstrap=n_bootstrap,
    )
