"""How often the fairness check refuses a fair model, and how often it lets an unfair one pass.

    python -m benchmarks.fairness_chance --runs 150

Scores are drawn, not learnt, with the simulated world's shares of gender, age band and location and
the figures that its models show: churn 13 % of whom 95 % are flagged beside 22 % of the others;
engagement that half of the people have none of; NDCG of lists that hold the one wanted post three
times in four. Fair: nothing depends on a group, or a group truly has less and the model says so.
Unfair: one group's quality is halved. Exits with 1 where a bar of the issue is missed.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from engagement_assets.learning.fairness.groups import age_bands
from engagement_assets.learning.fairness.measures import (
    ranking_fairness,
    regression_fairness,
    selection_fairness,
)
from engagement_assets.learning.fairness.report import FAILS, FairnessReport
from engagement_assets.source.contract import GENDERS
from engagement_assets.source.simulator import parameters as world

# Seeds from this one on were never looked at while the rule was made.
FIRST_SEED = 10_000
UNFAIR_RUNS = 100
ATTRIBUTES = ("gender", "age_band", "location")
HALVED = (("gender", "female"), ("age_band", "25-34"), ("location", "north_america_east"))
# Of all customers: tested, of these used the app in the month, turned to a new post in the window.
TESTED, ACTIVE, TURNED = 0.2, 0.5, 0.099
ITEMS_A_CUSTOMER, AUTHORS_A_CUSTOMER = 0.087, 0.061
CHURN, FLAGGED_CHURNERS, FLAGGED_OTHERS = 0.13, 0.95, 0.22
HIT, K = 0.74, 10
RANKS = 1.0 / np.arange(1, K + 1) ** 1.2

Unfair = tuple[str, str] | None
Make = Callable[[int, np.random.Generator, Unfair], FairnessReport]


def people(n: int, rng: np.random.Generator) -> pd.DataFrame:
    """People with the simulated world's attributes, each drawn by itself."""
    ages = np.interp(rng.random(n), [0, 0.2, 0.48, 0.7, 0.85, 1], [18, 25, 35, 45, 55, 78])
    return pd.DataFrame(
        {
            "gender": rng.choice(np.array(GENDERS), n, p=world.GENDER_SHARES),
            "age_band": age_bands(ages).astype(str),
            "location": rng.choice(np.array(world.LOCATIONS), n, p=world.LOCATION_SHARES),
        }
    )


def halved(sensitive: pd.DataFrame, unfair: Unfair, rng: np.random.Generator) -> np.ndarray:
    """Whose result is spoilt: half of the unfairly treated group."""
    if unfair is None:
        return np.zeros(len(sensitive), dtype=bool)
    attribute, group = unfair
    return (sensitive[attribute] == group).to_numpy() & (rng.random(len(sensitive)) < 0.5)


def classifier(customers: int, rng: np.random.Generator, unfair: Unfair) -> FairnessReport:
    """Flags of a churn model; an unfair one does not flag half of those whom it should."""
    sensitive = people(int(customers * TESTED * ACTIVE), rng)
    y = rng.random(len(sensitive)) < CHURN
    flagged = rng.random(len(y)) < np.where(y, FLAGGED_CHURNERS, FLAGGED_OTHERS)
    return judged_flags(y, flagged & ~halved(sensitive, unfair, rng), sensitive)


def guessing(customers: int, rng: np.random.Generator, unfair: Unfair) -> FairnessReport:
    """Flags of a churn model that guesses for half of one group, at the rate of all."""
    sensitive = people(int(customers * TESTED * ACTIVE), rng)
    y = rng.random(len(sensitive)) < CHURN
    flagged = rng.random(len(y)) < np.where(y, FLAGGED_CHURNERS, FLAGGED_OTHERS)
    guessed = halved(sensitive, unfair, rng) | halved(sensitive, unfair, rng)
    flagged[guessed] = rng.permutation(flagged[guessed])
    return judged_flags(y, flagged, sensitive)


def truthful_classifier(customers: int, rng: np.random.Generator, _: Unfair) -> FairnessReport:
    """Flags of a calibrated churn model in a world where one gender churns at two thirds."""
    sensitive = people(int(customers * TESTED * ACTIVE), rng)
    less = np.where(sensitive["gender"] == "female", np.log(2 / 3), 0.0)
    risk = 1.0 / (1.0 + np.exp(-(rng.normal(-2.4, 1.2, len(sensitive)) + less)))
    return judged_flags(rng.random(len(risk)) < risk, risk >= CHURN, sensitive)


def judged_flags(y: np.ndarray, flagged: np.ndarray, sensitive: pd.DataFrame) -> FairnessReport:
    """The report of flags, as the churn model's is made."""
    return selection_fairness(
        y, flagged, sensitive, attributes=ATTRIBUTES, equal_opportunity=True, n_bootstrap=1
    )


def regressor(customers: int, rng: np.random.Generator, unfair: Unfair) -> FairnessReport:
    """Predicted engagement; an unfair one predicts half."""
    sensitive = people(int(customers * TESTED), rng)
    n = len(sensitive)
    y = np.where(rng.random(n) < 0.5, rng.beta(1.2, 4.0, n), 0.0)
    noisy = 0.02 + y * rng.lognormal(0.0, 0.4, n)
    low = np.zeros(n, dtype=bool) if unfair is None else (sensitive[unfair[0]] == unfair[1])
    return regression_fairness(
        y, noisy * np.where(low, 0.5, 1.0), sensitive, attributes=ATTRIBUTES, n_bootstrap=1
    )


def truthful_regressor(customers: int, rng: np.random.Generator, _: Unfair) -> FairnessReport:
    """Predicted engagement in a world where one gender is engaged at two thirds."""
    sensitive = people(int(customers * TESTED), rng)
    n = len(sensitive)
    y = np.where(rng.random(n) < 0.5, rng.beta(1.2, 4.0, n), 0.0)
    y *= np.where(sensitive["gender"] == "female", 2 / 3, 1.0)
    noisy = 0.02 + y * rng.lognormal(0.0, 0.4, n)
    return regression_fairness(y, noisy, sensitive, attributes=ATTRIBUTES, n_bootstrap=1)


def recommender(customers: int, rng: np.random.Generator, unfair: Unfair) -> FairnessReport:
    """Lists of ten, with authors; an unfair one misses the wanted post for half of a group."""
    sensitive = people(int(customers * TURNED), rng)
    n, items = len(sensitive), int(customers * ITEMS_A_CUSTOMER)
    merit = rng.pareto(1.5, items) + 0.1
    wanted = rng.choice(items, n, p=merit / merit.sum())
    # the others in a list are drawn by merit without repeating: Gumbel's trick
    keys = np.log(merit) + rng.gumbel(size=(n, items))
    keys[np.arange(n), wanted] = -np.inf
    lists = np.argpartition(-keys, K, axis=1)[:, :K].astype(np.int64)
    hit = (rng.random(n) < HIT) & ~halved(sensitive, unfair, rng)
    rank = rng.choice(K, n, p=RANKS / RANKS.sum())
    lists[np.flatnonzero(hit), rank[hit]] = wanted[hit]
    authors = people(max(2, int(customers * AUTHORS_A_CUSTOMER)), rng)
    relevant = sp.csr_matrix((np.ones(n), (np.arange(n), wanted)), shape=(n, items))
    return ranking_fairness(
        lists,
        relevant,
        sensitive,
        attributes=ATTRIBUTES,
        category=rng.integers(0, 8, items),
        popularity=merit,
        candidates=np.arange(items),
        author=rng.integers(0, len(authors), items),
        author_sensitive=authors,
        k=K,
        n_bootstrap=1,
    )


FAIR: dict[str, Make] = {
    "classifier": classifier,
    "classifier, one gender truly churns less": truthful_classifier,
    "regressor": regressor,
    "regressor, one gender truly has less": truthful_regressor,
    "recommender": recommender,
}
UNFAIR: dict[str, Make] = {
    "classifier": classifier,
    "classifier that guesses": guessing,
    "regressor": regressor,
    "recommender": recommender,
}


def refused(make: Make, customers: int, runs: int, unfair: Unfair = None) -> dict[str, Any]:
    """How many of so many reports fail, and how many tests they make."""
    reports = [
        make(customers, np.random.default_rng([FIRST_SEED + run, customers]), unfair)
        for run in range(runs)
    ]
    return {
        "customers": customers,
        "runs": runs,
        "refused": sum(report.verdict == FAILS for report in reports),
        "tests": float(np.mean([report.tests for report in reports])),
        "power": reports[0].power,
    }


def main() -> None:
    """Measure both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--runs", type=int, default=500, help="fair reports of each kind and size")
    options = parser.parse_args()
    fair = [
        {"model": name, **refused(make, customers, options.runs)}
        for name, make in FAIR.items()
        for customers in (1_500, 10_000)
    ]
    print("| fair model | customers | tests | refused |\n|---|--:|--:|--:|")
    for row in fair:
        print(
            f"| {row['model']} | {row['customers']:,} | {row['tests']:.0f} | {row['refused']} of "
            f"{row['runs']} ({row['refused'] / row['runs']:.1%}) |",
            flush=True,
        )
    unfair = [
        {"model": name, "group": "=".join(group), **refused(make, 10_000, UNFAIR_RUNS, group)}
        for name, make in UNFAIR.items()
        for group in HALVED
    ]
    print("\n| unfair model | group of half the quality | refused |\n|---|---|--:|")
    for row in unfair:
        print(f"| {row['model']} | {row['group']} | {row['refused']} of {row['runs']} |")
    if options.json:
        options.json.write_text(json.dumps({"fair": fair, "unfair": unfair}, indent=1) + "\n")


if __name__ == "__main__":
    main()
