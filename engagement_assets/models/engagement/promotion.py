"""Candidate against champion on the same test rows.

Belongs here: scoring both. Does not belong here: the rule (`models.champion`).
"""

import pandas as pd

from engagement_assets.learning.evaluation.bootstrap import Interval
from engagement_assets.learning.evaluation.regression import paired_loss_difference
from engagement_assets.learning.trees.regressor import BoundedBoostingRegressor
from engagement_assets.lifecycle.training import split_rows
from engagement_assets.models.engagement.training import LABEL
from resources.registry import RegisteredModel


def champion_advantage(
    candidate: RegisteredModel,
    champion: RegisteredModel,
    rows: pd.DataFrame,
    *,
    n_bootstrap: int,
    seed: int,
) -> Interval:
    """Mean squared error of the candidate less the champion's; above 0 the champion is better.

    Args:
        candidate: The candidate.
        champion: The present champion.
        rows: Labelled rows of the candidate's test snapshot, all people.
        n_bootstrap: Resamples of the paired comparison.
        seed: Seed of the resamples.
    """
    test = split_rows(rows, test=True)
    one, two = (
        (BoundedBoostingRegressor.load(model.folder).predict(test) - test[LABEL]) ** 2
        for model in (champion, candidate)
    )
    return paired_loss_difference(one, two, n_bootstrap=n_bootstrap, seed=seed)
