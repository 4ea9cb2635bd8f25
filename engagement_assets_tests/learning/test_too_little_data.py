"""Too little data is an error of its own kind, so that it stops one model and nothing else."""

import numpy as np
import pandas as pd
import pytest

from engagement_assets.learning.anomaly.detector import AnomalyDetector
from engagement_assets.learning.errors import TooLittleDataError
from engagement_assets.learning.trees.classifier import CalibratedBoostingClassifier
from engagement_assets.learning.trees.regressor import BoundedBoostingRegressor


def table(n: int) -> pd.DataFrame:
    """Rows of one number."""
    return pd.DataFrame({"use": np.linspace(0.0, 1.0, n)})


@pytest.mark.parametrize(
    ("estimator", "labels"),
    [
        (CalibratedBoostingClassifier(), [0, 0, 0, 0]),
        (CalibratedBoostingClassifier(), [0, 0, 0, 1]),
        (BoundedBoostingRegressor(), [0.5, 0.5, 0.5, 0.5]),
        (BoundedBoostingRegressor(), [0.5]),
        (AnomalyDetector(), None),
    ],
)
def test_few_rows_or_one_label_are_too_little_to_learn_from(estimator, labels) -> None:
    rows = table(4 if labels is None else len(labels))
    with pytest.raises(TooLittleDataError):
        estimator.fit(rows) if labels is None else estimator.fit(rows, np.array(labels))


def test_a_wrong_call_is_not_taken_for_too_little_data() -> None:
    with pytest.raises(ValueError, match="3 labels") as error:
        CalibratedBoostingClassifier().fit(table(4), np.array([0, 1, 0]))
    assert not isinstance(error.value, TooLittleDataError)
