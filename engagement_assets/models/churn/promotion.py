"""Candidate against champion on the same test rows.

Belongs here: scoring both and asking the rule. Does not belong here: the rule (`models.champion`).
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from engagement_assets.evaluation.bootstrap import Interval
from engagement_assets.evaluation.metrics import paired_auc_difference
from engagement_assets.models.champion import Verdict, calibration_ceiling, judge
from engagement_assets.models.churn.estimator import ChurnClassifier
from engagement_assets.models.churn.training import LABEL, split_rows
from resources.registry import RegisteredModel


def compare_and_judge(
    candidate: RegisteredModel,
    champion: RegisteredModel | None,
    rows: pd.DataFrame,
    *,
    fairness: Mapping[str, Any],
    n_bootstrap: int,
    seed: int,
) -> Verdict:
    """Judge a candidate on the test people of its test snapshot.

    Args:
        candidate: The candidate.
        champion: The present champion, or None.
        rows: Labelled rows of the candidate's test snapshot, all people.
        fairness: Figures of the candidate's fairness report.
        n_bootstrap: Resamples of the paired comparison.
        seed: Seed of the resamples.
    """
    difference: Interval | None = None
    if champion is not None:
        test = split_rows(rows, test=True)
        first, second = (
            ChurnClassifier.load(model.folder).predict_proba(test)[:, 1]
            for model in (champion, candidate)
        )
        difference = paired_auc_difference(
            test[LABEL], first, second, n_bootstrap=n_bootstrap, seed=seed
        )
    metrics = {name: Interval.from_dict(found) for name, found in candidate.card["metrics"].items()}
    report = fairness["report"]
    return judge(
        metrics,
        champion_minus_candidate_auc=difference,
        fairness_passes=report["passes"],
        fairness_failures=report["failures"],
        calibration_error_ceiling=calibration_ceiling(
            candidate.card["calibration_error_by_chance"]
        ),
    )
