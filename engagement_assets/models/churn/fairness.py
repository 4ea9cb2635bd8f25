"""Fairness of a churn model version on its test people, and the mitigation where a group fails.

Belongs here: which people and thresholds the report is about. Does not belong here: the measures
(`engagement_assets.learning.fairness.classification`).
"""

from pathlib import Path

import pandas as pd
from upath import UPath

from engagement_assets.learning.evaluation.thresholds import CostModel
from engagement_assets.learning.fairness.classification import fairness_report
from engagement_assets.learning.fairness.mitigation import (
    fit_group_thresholds,
    mitigation_report,
)
from engagement_assets.learning.trees.classifier import CalibratedBoostingClassifier
from engagement_assets.lifecycle.fairness import Assessment
from engagement_assets.lifecycle.training import SENSITIVE, sensitive_columns, split_rows
from engagement_assets.models.churn.training import LABEL


def assess(
    folder: Path | UPath,
    rows: pd.DataFrame,
    *,
    seed: int,
    n_bootstrap: int,
) -> Assessment:
    """Measure fairness on the test people; fit a mitigation on the training people if one fails.

    The mitigation's thresholds are fitted on the training people at the test snapshot, whom the
    model has seen only at the earlier one.

    Args:
        folder: Files of the version.
        rows: Labelled rows of the test snapshot, all people.
        seed: Seed of the resamples.
        n_bootstrap: Resamples behind each interval.
    """
    model = CalibratedBoostingClassifier.load(folder)
    test = split_rows(rows, test=True)
    probability = model.predict_proba(test)[:, 1]
    sensitive = sensitive_columns(test)
    report = fairness_report(
        test[LABEL],
        probability,
        sensitive,
        columns=SENSITIVE,
        threshold=model.threshold_,
        n_bootstrap=n_bootstrap,
        seed=seed,
    )
    if report.passes:
        return Assessment(report, None)
    learn = split_rows(rows, test=False)
    thresholds = fit_group_thresholds(
        model.predict_proba(learn)[:, 1],
        sensitive_columns(learn),
        columns=report.failing_columns,
        threshold=model.threshold_,
    )
    costs = CostModel(
        cost_lost_customer=model.cost_lost_customer,
        cost_intervention=model.cost_intervention,
        save_rate=model.save_rate,
    )
    mitigation = mitigation_report(
        test[LABEL],
        probability,
        sensitive,
        thresholds=thresholds,
        costs=costs,
        columns=[name for name in SENSITIVE if name in sensitive],
        seed=seed,
    )
    return Assessment(report, mitigation)
