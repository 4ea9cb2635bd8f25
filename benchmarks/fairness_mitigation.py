"""What mitigations do to groups on people whom they were not fitted on, and what they cost.

    python -m benchmarks.fairness_mitigation

Planted: scores that are too low for one gender and one region for the same label, in 50 worlds of
6,000 people, half of whom thresholds are fitted on; 200 worlds of a harm whose groups are alike,
for false alarms; lists that hide a third of the authors. Public: credit_g (1,000 rows, `label` 1 is
a bad credit; its CSV is an argument and no part of the project), out-of-fold scores of logistic
regression, being refused a harm, by sex and age up to 25 or over, 5 times over 10 halvings;
fairlearn's ThresholdOptimizer beside it, whose parity is met by coins.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
import scipy.sparse as sp
from fairlearn.metrics import equalized_odds_difference
from fairlearn.postprocessing import ThresholdOptimizer
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from engagement_assets.learning.evaluation.ranking import user_metrics
from engagement_assets.learning.fairness.exposure import fit_exposure
from engagement_assets.learning.fairness.measures import (
    ATTENTION,
    EXPOSURE,
    HARM,
    exposure_side,
    selection_fairness,
)
from engagement_assets.learning.fairness.mitigation import ODDS, PARITY, fit_group_thresholds
from engagement_assets.learning.fairness.report import FAILS
from engagement_assets.learning.fairness.reweighing import reweighing_weights

DEFAULT_DATA = Path("../shared/data/automl/credit_g.csv")
WORLDS, ALIKE, FITS, HALVINGS, PEOPLE, CUT = 50, 200, 5, 10, 6_000, 0.3
LIST_WORLDS = 10
# Of credit_g: personal status and sex, age; the codes of women.
STATUS, AGE, WOMEN = "x9", "x13", ("A92", "A95")
SMALLEST = 50

# Figures by name.
Figures = dict[str, float]


class Scores(ClassifierMixin, BaseEstimator):  # type: ignore[misc] # scikit-learn has no types
    """A fitted classifier whose one column is its score, for ThresholdOptimizer."""

    classes_ = np.array([0, 1])

    def fit(self, table: Any, y: Any) -> Self:  # noqa: ARG002 - there is nothing to fit
        """Return itself."""
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def predict_proba(self, table: Any) -> np.ndarray:
        """Return the scores as chances of both classes."""
        scores = np.asarray(table, dtype=np.float64)[:, 0]
        return np.column_stack([1.0 - scores, scores])


def biased(rng: np.random.Generator, gap: float) -> tuple[np.ndarray, np.ndarray, pd.DataFrame]:
    """Labels, scores and groups; of one gender and one region the scores are too low."""
    groups = pd.DataFrame(
        {
            "gender": rng.choice(["a", "b"], PEOPLE),
            "region": rng.choice(["north", "south", "west"], PEOPLE),
        }
    )
    y = (rng.random(PEOPLE) < CUT).astype(int)
    z = rng.normal(size=PEOPLE) + 1.5 * y - 1.5 - gap * (groups["gender"] == "b").to_numpy()
    z -= 0.5 * gap * (groups["region"] == "west").to_numpy()
    return y, 1.0 / (1.0 + np.exp(-z)), groups


def figures(y: np.ndarray, selected: np.ndarray, groups: pd.DataFrame) -> Figures:
    """The worst ratio of selection and the worst gap of odds over attributes, and the quality."""
    shares = [pd.Series(selected).groupby(groups[c].to_numpy()).mean() for c in groups]
    return {
        "ratio": min(float(one.min() / one.max()) for one in shares),
        "odds": max(
            equalized_odds_difference(y_true=y, y_pred=selected, sensitive_features=groups[c])
            for c in groups
        ),
        "selected": float(selected.mean()),
        "balanced_accuracy": float(balanced_accuracy_score(y, selected)),
    }


def halved(
    y: np.ndarray,
    scores: np.ndarray,
    groups: pd.DataFrame,
    *,
    threshold: float,
    rng: np.random.Generator,
) -> dict[str, Figures]:
    """Fit on half of the people, and return figures of the other half, by what is done."""
    fit = rng.permutation(len(y)) < len(y) // 2
    judged = groups[~fit].reset_index(drop=True)
    out = {"nothing": figures(y[~fit], scores[~fit] >= threshold, judged)}
    for goal in (PARITY, ODDS):
        thresholds = fit_group_thresholds(
            scores[fit],
            groups[fit],
            attributes=groups.columns.tolist(),
            threshold=threshold,
            y=y[fit],
            goal=goal,
            min_group_size=SMALLEST,
        )
        out[goal] = figures(y[~fit], thresholds.select(scores[~fit], judged), judged)
    return out


def coins(
    y: np.ndarray, scores: np.ndarray, groups: pd.DataFrame, *, rng: np.random.Generator
) -> Figures:
    """Figures of fairlearn's ThresholdOptimizer by demographic parity, on the other half."""
    fit = rng.permutation(len(y)) < len(y) // 2
    optimizer = ThresholdOptimizer(
        estimator=Scores(),
        constraints="demographic_parity",
        objective="balanced_accuracy_score",
        prefit=True,
        predict_method="predict_proba",
    ).fit(scores[fit, None], y[fit], sensitive_features=groups[fit])
    judged = groups[~fit].reset_index(drop=True)
    drawn = optimizer.predict(scores[~fit, None], sensitive_features=judged, random_state=0)
    return figures(y[~fit], drawn == 1, judged)


def _means(runs: list[Figures]) -> Figures:
    return {name: float(np.mean([run[name] for run in runs])) for name in runs[0]}


def gathered(runs: list[dict[str, Figures]]) -> dict[str, Figures]:
    """Mean of each figure by what is done, with the least ratio and the widest gap of odds."""
    out = {}
    for name in runs[0]:
        table = pd.DataFrame([run[name] for run in runs])
        out[name] = _means([run[name] for run in runs]) | {
            "least_ratio": float(table["ratio"].min()),
            "widest_odds": float(table["odds"].max()),
            "rule_holds": float((table["ratio"] >= 0.8).mean()),
        }
    return out


def planted() -> dict[str, Figures]:
    """Worlds whose scores are biased."""
    runs = []
    for seed in range(WORLDS):
        rng = np.random.default_rng([1, seed])
        runs.append(halved(*biased(rng, 1.0), threshold=CUT, rng=rng))
    return gathered(runs)


def alike() -> Figures:
    """How often groups that are alike are refused, and how often any is moved."""
    refused = moved = 0
    for seed in range(ALIKE):
        y, scores, groups = biased(np.random.default_rng([2, seed]), 0.0)
        report = selection_fairness(
            y,
            scores >= CUT,
            groups,
            attributes=groups.columns.tolist(),
            selection=HARM,
            n_bootstrap=1,
        )
        thresholds = fit_group_thresholds(
            scores,
            groups,
            attributes=groups.columns.tolist(),
            threshold=CUT,
            beyond_chance=True,
        )
        refused += report.verdict == FAILS
        moved += bool(thresholds.added)
    return {"worlds": ALIKE, "refused": refused / ALIKE, "moved": moved / ALIKE}


def out_of_fold(
    table: pd.DataFrame, y: np.ndarray, weights: np.ndarray | None, *, seed: int
) -> np.ndarray:
    """Scores of rows by logistic regressions that did not see them."""
    model = make_pipeline(
        make_column_transformer(
            (OneHotEncoder(handle_unknown="ignore"), make_column_selector(dtype_exclude="number")),
            (StandardScaler(), make_column_selector(dtype_include="number")),
        ),
        LogisticRegression(max_iter=2_000),
    )
    scores = np.empty(len(y))
    for learn, rest in StratifiedKFold(10, shuffle=True, random_state=seed).split(table, y):
        more = {} if weights is None else {"logisticregression__sample_weight": weights[learn]}
        scores[rest] = model.fit(table.iloc[learn], y[learn], **more).predict_proba(
            table.iloc[rest]
        )[:, 1]
    return scores


def credit(path: Path) -> dict[str, Any]:
    """Thresholds and reweighing on credit_g."""
    table = pd.read_csv(path)
    y = table.pop("label").to_numpy(dtype=int)
    groups = pd.DataFrame(
        {
            "sex": np.where(table[STATUS].isin(WOMEN), "women", "men"),
            "age": np.where(table[AGE] <= 25, "up to 25", "over 25"),
        }
    )
    # within folds the weights are those of all rows: they hold labels, and no row's score
    weights = reweighing_weights(
        y, groups, attributes=groups.columns.tolist(), min_group_size=SMALLEST
    )
    runs, weighed = [], []
    for seed in range(FITS):
        plain = out_of_fold(table, y, None, seed=seed)
        own = out_of_fold(table, y, weights, seed=seed)
        # as many are refused as are bad
        cut = float(np.quantile(plain, 1.0 - y.mean()))
        for number in range(HALVINGS):
            rng = np.random.default_rng([3, seed, number])
            run = halved(y, plain, groups, threshold=cut, rng=rng)
            runs.append(run | {"coins of fairlearn": coins(y, plain, groups, rng=rng)})
        two = ((plain, cut), (own, float(np.quantile(own, 1.0 - y.mean()))))
        weighed.append(
            {
                name: figures(y, scores >= at, groups) | {"auc": roc_auc_score(y, scores)}
                for name, (scores, at) in zip(("nothing", "reweighing"), two, strict=True)
            }
        )
    return {"rows": len(y), "thresholds": gathered(runs), "weights": gathered(weighed)}


def lists(rng: np.random.Generator) -> dict[str, Figures]:
    """Lists that hide the items of a third of the authors, on readers set aside."""
    authors, items, readers = 600, 2_000, 2_000
    hidden = rng.random(authors) < 1 / 3
    author = rng.integers(0, authors, items)
    merit = np.log(rng.gamma(2.0, 1.0, items))
    wanted = np.argpartition(-(merit + rng.gumbel(size=(readers, items))), 3, axis=1)[:, :3]
    rows = np.repeat(np.arange(readers), 3)
    relevant = sp.csr_matrix((np.ones(len(rows)), (rows, wanted.ravel())), shape=(readers, items))
    scores = merit + 0.5 * rng.gumbel(size=(readers, items)) - 0.8 * hidden[author]
    scores[rows, wanted.ravel()] += 1.5
    shown = np.argsort(-scores, axis=1)[:, :50]
    people = pd.DataFrame({"kind": np.where(hidden, "hidden", "shown")})
    positions, fit = rng.random(readers), np.arange(readers) < readers // 2
    about = (np.arange(items), author)
    shares = fit_exposure(
        shown[fit],
        relevant[fit],
        positions[fit],
        candidates=about[0],
        author=author,
        author_sensitive=people,
        attributes=["kind"],
    )
    order = shares.rerank(shown, author, people, positions)
    out = {}
    for name, one in (("nothing", shown), ("exposure", order)):
        side = exposure_side(one[~fit][:, :10], relevant[~fit], *about, people)
        values = {measure.name: measure.values for measure in side.measures}
        own = (side.people["kind"] == "hidden").to_numpy()
        ratio = {n: float(v[own].mean() / v[~own].mean()) for n, v in values.items()}
        quality = user_metrics(one[~fit][:, :10], relevant[~fit], k=10).values["ndcg"]
        out[name] = {
            "exposure": ratio[EXPOSURE],
            "attention": ratio[ATTENTION],
            "ndcg": float(quality.mean()),
        }
    return out


def exposure() -> dict[str, Figures]:
    """Mean figures of lists over worlds, and the least exposure."""
    runs = [lists(np.random.default_rng([4, seed])) for seed in range(LIST_WORLDS)]
    return {
        name: _means([run[name] for run in runs])
        | {"least_exposure": min(run[name]["exposure"] for run in runs)}
        for name in runs[0]
    }


def printed(title: str, by_method: dict[str, Figures], columns: list[str]) -> None:
    """Print a table: a line for each of what is done."""
    print(f"\n| {title} | {' | '.join(c.replace('_', ' ') for c in columns)} |")
    print(f"|---|{'---:|' * len(columns)}")
    for name, values in by_method.items():
        print(f"| {name} | {' | '.join(f'{values[c]:.3f}' for c in columns)} |", flush=True)


def main() -> None:
    """Measure all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DEFAULT_DATA)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if not options.data.exists():
        sys.exit(f"{options.data} is not there; give the CSV of credit_g by --data")
    result: dict[str, Any] = {"planted": planted(), "alike": alike()}
    shown = ["ratio", "least_ratio", "odds", "selected", "balanced_accuracy"]
    printed(f"planted, {WORLDS} worlds", result["planted"], shown)
    print(
        f"\nGroups alike, {ALIKE} worlds: {result['alike']['refused']:.1%} refused, in "
        f"{result['alike']['moved']:.1%} a group is moved."
    )
    result["credit"] = credit(options.data)
    printed(f"credit_g, {FITS * HALVINGS} halvings", result["credit"]["thresholds"], shown)
    printed("credit_g, all rows", result["credit"]["weights"], [*shown, "auc"])
    result["exposure"] = exposure()
    printed(
        f"lists, {LIST_WORLDS} worlds",
        result["exposure"],
        ["exposure", "least_exposure", "attention", "ndcg"],
    )
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
