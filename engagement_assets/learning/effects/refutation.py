"""What speaks against an effect: arms that do not overlap, and tests it must pass.

Belongs here: overlap, placebo, random cause, subset, and how strong an unseen cause would have to
be. Does not belong here: estimating (`nuisances.py`).

The bounds: E-value of a difference of means (VanderWeele and Ding, Annals of Internal Medicine 167,
2017) and robustness value (Cinelli and Hazlett, JRSS B 82, 2020).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from engagement_assets.learning.effects.nuisances import (
    Nuisances,
    cross_fitted,
    mean_interval,
)
from engagement_assets.learning.effects.trial import Trial
from engagement_assets.learning.evaluation.binary import Floats
from engagement_assets.learning.evaluation.bootstrap import Interval
from engagement_assets.learning.trees.encoder import TableEncoder

# Chances beyond these are called extreme.
_EXTREME = 0.05
# Beyond such a share of extreme chances, the effect of all cannot be told from the data.
_MOST_EXTREME = 0.1
_SUBSET_SHARE = 0.8
NOT_AN_EXPERIMENT = "not from an experiment"


@dataclass(frozen=True)
class Overlap:
    """How alike the arms are.

    Attributes:
        lowest: Least chance of being treated.
        highest: Greatest.
        extreme_share: Share of the rows whose chance is below .05 or above .95.
        effective_treated: Rows that the weighted treated are worth (Kish).
        effective_control: Rows that the weighted controls are worth.
        furthest_feature: Feature whose means differ the most between the arms.
        furthest_difference: That difference in standard deviations, before any adjustment.
        enough: Whether the effect of all can be told.
    """

    lowest: float
    highest: float
    extreme_share: float
    effective_treated: float
    effective_control: float
    furthest_feature: str
    furthest_difference: float
    enough: bool


def overlap(rows: Nuisances, features: Sequence[str], matrix: Floats) -> Overlap:
    """Return how alike the arms are in their chances and features.

    Args:
        rows: What is expected of n rows.
        features: f names.
        matrix: n x f numbers, NaN for null.
    """
    treated = rows.treatment == 1
    weights = (1.0 / rows.chance[treated], 1.0 / (1.0 - rows.chance[~treated]))
    effective = [float(w.sum() ** 2 / (w**2).sum()) for w in weights]
    differences = np.zeros(len(features))
    for column in range(len(features)):
        values = matrix[:, column]
        known = np.isfinite(values)
        parts = [values[known & arm] for arm in (treated, ~treated)]
        spread = float(np.sqrt(np.mean([part.var() for part in parts if len(part)] or [0.0])))
        if spread > 0.0 and all(len(part) for part in parts):
            differences[column] = (parts[0].mean() - parts[1].mean()) / spread
    furthest = int(np.abs(differences).argmax())
    extreme = (rows.chance < _EXTREME) | (rows.chance > 1.0 - _EXTREME)
    return Overlap(
        float(rows.chance.min()),
        float(rows.chance.max()),
        float(extreme.mean()),
        effective[0],
        effective[1],
        features[furthest],
        float(differences[furthest]),
        bool(extreme.mean() <= _MOST_EXTREME),
    )


@dataclass(frozen=True)
class Refutation:
    """One test that an effect must pass.

    Attributes:
        name: Of the test.
        estimate: What came out, with its interval.
        expected: What should, in words.
        passed: Whether it did.
    """

    name: str
    estimate: Interval
    expected: str
    passed: bool


@dataclass(frozen=True)
class ObservationalEffect:
    """The effect of all rows of a trial without known chances, and what speaks against it.

    Attributes:
        effect: Doubly robust, cross-fitted.
        naive: Difference of the arms' means.
        rows: Rows.
        overlap: How alike the arms are.
        refutations: Tests.
        e_value: How strongly, as a risk ratio, an unseen cause would have to go with treatment and
            outcome to explain the effect away; 1 where it may be nothing already.
        e_value_of_limit: The same for the nearer end of the interval.
        robustness_value: Share of the variance left over that an unseen cause would have to
            explain, of treatment and of outcome, to bring the effect to 0.
        robustness_value_of_limit: The same to bring the interval to 0.
        origin: `NOT_AN_EXPERIMENT`.
    """

    effect: Interval
    naive: Interval
    rows: int
    overlap: Overlap
    refutations: tuple[Refutation, ...]
    e_value: float
    e_value_of_limit: float
    robustness_value: float
    robustness_value_of_limit: float
    origin: str = NOT_AN_EXPERIMENT

    @property
    def stands(self) -> bool:
        """Whether the arms overlap and no test speaks against the effect."""
        return self.overlap.enough and all(test.passed for test in self.refutations)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON data."""
        return asdict(self) | {"stands": self.stands}


def naive_interval(trial: Trial) -> Interval:
    """Return the difference of the arms' means with its 95 % interval by Welch's t."""
    treated = trial.outcome[trial.treatment == 1]
    control = trial.outcome[trial.treatment == 0]
    difference = stats.ttest_ind(treated, control, equal_var=False)
    low, high = difference.confidence_interval(0.95)
    return Interval(float(treated.mean() - control.mean()), float(low), float(high))


def observational_effect(
    trial: Trial, *, folds: int = 3, seed: int = 0, threads: int = 1
) -> ObservationalEffect:
    """Estimate the effect of a trial whose chances are learnt, and try to refute it.

    Args:
        trial: Without known chances.
        folds: Folds of cross-fitting.
        seed: Seed.
        threads: Threads.

    Raises:
        ValueError: The chances are known: then it is an experiment.
    """
    if trial.is_experiment:
        raise ValueError("the chances are known: estimate it as the experiment that it is")
    encoder = TableEncoder.fit(trial.features)
    matrix = np.asarray(encoder.transform(trial.features), dtype=np.float64)
    rng = np.random.default_rng(seed)

    def estimate(columns: Floats, some: Trial) -> Nuisances:
        return cross_fitted(
            columns, some.treatment, some.outcome, None, folds=folds, seed=seed, threads=threads
        )

    rows = estimate(matrix, trial)
    effect, n = mean_interval(rows.scores), len(trial.outcome)
    reach = (effect.high - effect.low) / 2.0
    placebo = Trial(trial.features, rng.permutation(trial.treatment), trial.outcome, None)
    noise = np.column_stack([matrix, rng.normal(size=n)])
    some = rng.random(n) < _SUBSET_SHARE
    of_placebo = mean_interval(estimate(matrix, placebo).scores, level=0.99)
    with_noise = mean_interval(estimate(noise, trial).scores)
    of_some = mean_interval(estimate(matrix[some], trial.rows(some)).scores)
    tests = (
        Refutation(
            "placebo treatment",
            of_placebo,
            "a treatment by lot has no effect: 0 lies in the 99 % interval",
            of_placebo.low <= 0.0 <= of_placebo.high,
        ),
        Refutation(
            "random common cause",
            with_noise,
            "a column of noise changes nothing: within half of the interval's reach",
            abs(with_noise.value - effect.value) <= reach / 2.0,
        ),
        Refutation(
            "subset",
            of_some,
            f"{_SUBSET_SHARE:.0%} of the rows have the same effect: within the interval's reach",
            abs(of_some.value - effect.value) <= reach,
        ),
    )
    limit = 0.0 if effect.low <= 0.0 <= effect.high else min(effect.low, effect.high, key=abs)
    spread = float(trial.outcome.std(ddof=1))
    # of the regression of what is left of the outcome on what is left of the treatment
    left = rows.treatment - rows.chance
    correlation = float(np.corrcoef(left, rows.outcome - rows.mean)[0, 1])
    t_value = correlation * np.sqrt((n - 2) / max(1e-12, 1.0 - correlation**2))
    beyond = max(0.0, abs(t_value) - float(stats.t.ppf(0.975, n - 3)))
    return ObservationalEffect(
        effect=effect,
        naive=naive_interval(trial),
        rows=n,
        overlap=overlap(rows, encoder.features, matrix),
        refutations=tests,
        e_value=e_value(effect.value / spread),
        e_value_of_limit=e_value(limit / spread),
        robustness_value=robustness_value(t_value / np.sqrt(n - 2)),
        robustness_value_of_limit=robustness_value(beyond / np.sqrt(n - 2)),
    )


def e_value(standardised: float) -> float:
    """Return the E-value of a difference in standard deviations of the outcome."""
    ratio = float(np.exp(0.91 * abs(standardised)))
    return ratio + float(np.sqrt(ratio * (ratio - 1.0)))


def robustness_value(f: float) -> float:
    """Return the robustness value of a partial Cohen's f."""
    return float((np.sqrt(f**4 + 4.0 * f**2) - f**2) / 2.0)


def refutation_table(tests: Sequence[Refutation]) -> pd.DataFrame:
    """Return tests as a table: test, estimate, low, high, expected, passed."""
    return pd.DataFrame(
        [
            {
                "test": test.name,
                "estimate": test.estimate.value,
                "low": test.estimate.low,
                "high": test.estimate.high,
                "expected": test.expected,
                "passed": test.passed,
            }
            for test in tests
        ]
    )
