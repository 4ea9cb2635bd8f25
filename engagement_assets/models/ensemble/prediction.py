"""Refining base predictions with a registered ensemble.

Belongs here: from base predictions and features to refined ones. Does not belong here: health
(`health.py`) and reading the base predictions (`adapter.py`).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from engagement_assets.learning.stacking.estimator import Ensemble
from engagement_assets.models.ensemble import targets
from engagement_assets.models.ensemble.spec import FEATURES
from engagement_assets.models.ensemble.training import with_features
from resources.registry import RegisteredModel


def load_ensemble(model: RegisteredModel) -> Ensemble:
    """The corrections of a version, ready to refine many times."""
    return Ensemble.load(model.folder, targets=targets.TARGETS)


def refined_of(ensemble: Ensemble, said: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Refined predictions, a column a target; null where there is no correction of it.

    Args:
        ensemble: The corrections.
        said: n base predictions.
        rows: Rows of `features/customer_features` in the same order.
    """
    known = said.drop(columns="lifetime_value_usd")
    refined = ensemble.predict(with_features(known, rows, FEATURES))
    for target in targets.TARGETS:
        if target not in refined:
            refined[target] = np.nan
    return refined
