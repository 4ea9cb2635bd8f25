"""The overview says of every model whether the rule holds, or why nothing can be said."""

import numpy as np
import pandas as pd

from engagement_assets.governance.fairness import fairness_overview
from engagement_assets.learning.fairness.measures import selection_fairness


def report(*rates, attribute="gender"):
    """The figures of a report on two groups with these shares of selected."""
    n = 400
    selected = np.concatenate([np.arange(n) < rate * n for rate in rates])
    people = pd.DataFrame({attribute: np.repeat(["a", "b"], n)})
    actual = selection_fairness(None, selected, people, attributes=["gender"], n_bootstrap=1)
    return {"report": actual.to_dict(), "model_version": "abc", "mitigation": None}


def test_each_model_has_its_verdict_and_what_fails():
    figures, text = fairness_overview(
        {
            "churn": report(0.5, 0.5),
            "engagement": report(0.5, 0.25),
            "anomaly": report(0.5, 0.5, attribute="age"),
            "lifetime_value": {"not_trained": "the data begin too late", "model_version": None},
            "ensemble": None,
        }
    )
    verdicts = {name: model["verdict"] for name, model in figures["models"].items()}
    assert verdicts == {
        "churn": "holds",
        "engagement": "fails",
        "anomaly": "not judged",
        "lifetime_value": "not trained",
        "ensemble": "no report",
    }
    for part in ("gender=b: selected 0.25", "anomaly: customers by gender", "begin too late"):
        assert part in text
