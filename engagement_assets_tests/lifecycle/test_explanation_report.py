"""The report of explanations shows all rows in one picture and the highest score in another."""

import numpy as np
import pandas as pd

from engagement_assets.learning.explanations.explanation import Explanation
from engagement_assets.lifecycle.reports import explanation_markdown


def test_a_report_of_explanations_has_both_pictures():
    data = pd.DataFrame({"a": np.arange(20), "b": np.arange(20)[::-1]})
    explanation = Explanation(
        features=("a", "b"),
        contributions=data.to_numpy(np.float32) / 10,
        base_value=0.0,
        method="by hand",
        additivity_error=0.0,
        rows_checked=20,
        fallback_reason=None,
        rank_correlation=np.zeros(2),
        seconds=0.0,
        data=data,
    )
    report = explanation_markdown(explanation, title="Why", meanings={}, categories=[])
    assert report.count("data:image/png;base64,") == 2
