"""Effects as learnt from an experiment's customers: fitting, figures of the test customers, groups.

Belongs here: what a card says. Does not belong here: reading the lake (`trials.py`), the estimator
(`learning.effects`) and wording (`reports.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from engagement_assets.learning.effects.estimator import CONSTANT, TreatmentEffectEstimator
from engagement_assets.learning.effects.heterogeneity import LEAST_OF_ARM, group_effects
from engagement_assets.learning.effects.nuisances import Nuisances
from engagement_assets.learning.effects.policy import (
    policy_advantage,
    policy_gain,
    within_budget,
)
from engagement_assets.learning.effects.refutation import NOT_AN_EXPERIMENT, overlap
from engagement_assets.learning.evaluation.binary import Floats
from engagement_assets.learning.evaluation.scores import quantile_edges, score_shares
from engagement_assets.learning.evaluation.splits import hash_split
from engagement_assets.lifecycle.training import (
    SENSITIVE,
    explanation_card,
    records,
    sensitive_columns,
)
from engagement_assets.models.treatment_effects.spec import EXPERIMENT
from engagement_assets.models.treatment_effects.trials import ExperimentRows

# Groups whose effects are reported, besides age band, gender and location.
SEGMENTS = ("account_type", "primary_device")
# Share of customers that the policies of the evaluation may treat.
POLICY_SHARE = 0.2
DECIMALS = 6
# How often a model that is right is refused for its groups.
MISJUDGED_BY_CHANCE = 0.01


def segments_of(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the group of n customers by each segment that the source knows."""
    groups = sensitive_columns(rows)
    for name in SEGMENTS:
        if name in rows and rows[name].notna().any():
            groups[name] = rows[name]
    return groups.astype(object).where(groups.notna(), None)


def harmed_group(rows: pd.DataFrame, harmed: Sequence[Mapping[str, str]]) -> pd.Series:
    """Return the first group of n customers that a treatment harms, null where it harms none."""
    groups = segments_of(rows)
    named = pd.Series(None, index=rows.index, dtype=object)
    for one in reversed(harmed):
        if one["segment"] in groups:
            named[groups[one["segment"]] == one["group"]] = f"{one['segment']} {one['group']}"
    return named


def fit_effects(
    experiment: ExperimentRows, *, parameters: Mapping[str, Any]
) -> TreatmentEffectEstimator:
    """Fit effects on the training customers.

    Raises:
        UnusableTrialError: No effect can be told.
        TooLittleDataError: There are too few customers.
    """
    estimator = TreatmentEffectEstimator(
        refit=False, random_state=parameters["random_state"], n_jobs=parameters["n_jobs"]
    )
    return estimator.fit(**experiment.given(), test=hash_split(experiment.table["customer_id"]))


def rounded_effects(estimator: TreatmentEffectEstimator, rows: pd.DataFrame) -> Floats:
    """Return n effects, rounded: a customer alone has the very number they have among all."""
    return np.round(estimator.effect(rows), DECIMALS)


def effects_card(
    estimator: TreatmentEffectEstimator,
    experiment: ExperimentRows,
    *,
    cost_usd: float,
) -> dict[str, Any]:
    """Return what a card says of effects and of the customers who were not learnt from."""
    table, rows, test = experiment.table, estimator.rows_, estimator.test_rows_
    groups = segments_of(table)
    effects = {
        name: group_effects(rows.scores, groups[name], rows.treatment) for name in groups.columns
    }
    constant = estimator.served_ == CONSTANT
    held_out, served = rows.rows(test), rounded_effects(estimator, table[test])
    harmed = _harmed(rows.rows(~test), groups[~test].reset_index(drop=True))
    misjudged = _misjudged(held_out, served, groups[test])
    gain = {"value": 0.0, "low": 0.0, "high": 0.0} if constant else estimator.test_gain_.to_dict()
    edges = quantile_edges(served)
    calibration = estimator.calibration_
    return {
        "metrics": {
            "effect": estimator.effect_.to_dict(),
            "gain_over_constant": gain,
            "groups_misjudged": float(len(misjudged)),
            "calibration_slope": {
                "value": calibration.slope,
                "low": calibration.slope_low,
                "high": calibration.slope_high,
            },
            "autoc": estimator.rate_.to_dict(),
        },
        "origin": EXPERIMENT if estimator.is_experiment_ else NOT_AN_EXPERIMENT,
        "treatment": experiment.treatment,
        "customers": len(table),
        "treated": int(rows.treatment.sum()),
        "without_features": experiment.without_features,
        "still_open": experiment.still_open,
        "estimator": estimator.summary(),
        "overlap": vars(
            overlap(
                rows,
                [str(name) for name in estimator.feature_names_in_],
                estimator.encoder_.transform(table).astype(np.float64),
            )
        ),
        "groups": {str(name): records(effect) for name, effect in effects.items()},
        "harmed": harmed,
        "misjudged": misjudged,
        "policies": _policies(
            held_out, served, harmed_group(table[test], harmed).isna().to_numpy(), cost_usd
        ),
        "explanation": explanation_card(estimator, table[test]),
        "score_edges": edges,
        "score_shares": score_shares(served, edges=edges),
        "training_customers": int((~test).sum()),
        "test_customers": int(test.sum()),
        "features": [str(name) for name in estimator.feature_names_in_],
        "seeds": {"model": estimator.random_state},
    }


def _harmed(rows: Nuisances, groups: pd.DataFrame) -> list[dict[str, str]]:
    """Return the groups that the treatment harms, and harms more than it does the others.

    Where it harms everybody alike no group is to be left out: the effect itself says so. Rows are
    those of training customers, since policies are judged on the others.
    """
    harmed = []
    for name in groups.columns:
        table = group_effects(rows.scores, groups[name], rows.treatment)
        for group in table.loc[table["verdict"] == "is harmed", "group"]:
            inside = (groups[name] == group).to_numpy()
            own, others = rows.scores[inside], rows.scores[~inside]
            if len(others) < LEAST_OF_ARM:
                continue
            test = stats.ttest_ind(own, others, equal_var=False, alternative="less")
            if float(test.pvalue) * len(table) < 0.05:
                harmed.append({"segment": str(name), "group": str(group)})
    return harmed


def _misjudged(rows: Nuisances, predicted: Floats, groups: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the sensitive groups whose mean effect differs from the predicted beyond chance.

    One test of chance over all groups (Bonferroni).
    """
    differences = rows.scores - predicted
    parts = [
        (str(name), str(group), differences[places])
        for name in SENSITIVE
        if name in groups
        for group, places in _places(groups[name]).items()
        if min(np.bincount(rows.treatment[places], minlength=2)) >= LEAST_OF_ARM
    ]
    misjudged = []
    for segment, group, values in parts:
        chance = float(stats.ttest_1samp(values, 0.0).pvalue)
        if chance * len(parts) < MISJUDGED_BY_CHANCE:
            misjudged.append(
                {
                    "segment": segment,
                    "group": group,
                    "customers": len(values),
                    "seen_less_predicted": float(values.mean()),
                    "p_value": chance,
                }
            )
    return misjudged


def _places(groups: pd.Series) -> dict[Any, NDArray[np.intp]]:
    codes, names = pd.factorize(groups)
    return {name: np.flatnonzero(codes == code) for code, name in enumerate(names)}


def _policies(
    rows: Nuisances, effects: Floats, allowed: NDArray[np.bool_], cost_usd: float
) -> list[dict[str, Any]]:
    """Return what policies bring on customers who were not learnt from, a customer of all.

    A budget pays for a fifth of them: by effect without those whom it harms, at random, and by
    risk: those of whom the least engagement is expected.
    """
    n = len(effects)
    budget = POLICY_SHARE * n * cost_usd
    may = allowed & (effects > 0.0)
    by_effect = within_budget(effects / cost_usd, cost_usd, budget=budget, allowed=may)
    share = np.full(n, by_effect.mean())
    by_risk = within_budget(-rows.control, cost_usd, budget=budget)
    chosen = {"by effect": by_effect, "random": share, "by risk": by_risk}
    return [
        {
            "policy": name,
            "customers": n,
            "treated": float(np.mean(who)),
            "cost_usd": float(np.sum(who)) * cost_usd,
            "gain": policy_gain(rows.scores, who).to_dict(),
            "by_effect_brings_more_by": policy_advantage(rows.scores, by_effect, who).to_dict(),
        }
        for name, who in chosen.items()
    ]
