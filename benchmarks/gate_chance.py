"""How often a gate refuses a small model that is right by construction, and one that is wrong.

    python -m benchmarks.gate_chance --models 25

Twenty worlds of 300 to 1,000 customers are drawn with replacement from one population with the
simulated world's shares of gender, age band and location. Nothing is learnt: each model's
predictions are the very probabilities, means and quantiles that its labels are drawn from, so that
it is calibrated, and no group matters. The models' own adapters measure them, their own gates judge
them. The wrong ones say half or twice what is. Exits with 1 where a gate refuses more than 5 % of
the right models.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit
from scipy.stats import lognorm

from benchmarks.fairness_chance import people
from engagement_assets.learning.trees.revenue import LEVELS
from engagement_assets.lifecycle.champion import judge
from engagement_assets.lifecycle.gates import FAILED, LEAST_TEST_CUSTOMERS, NOT_JUDGED
from engagement_assets.lifecycle.training import split_rows, without_nan
from engagement_assets.models.churn.adapter import ChurnAdapter
from engagement_assets.models.engagement.adapter import EngagementAdapter
from engagement_assets.models.lifetime_value.adapter import FUTURE, LifetimeValueAdapter
from engagement_assets.settings.installation import Settings

WORLDS, SIZES, POPULATION = 20, (300, 1_000), 10_000
MOST_REFUSED = 0.05
BOOTSTRAP = 100
FAIRNESS = "eighty_percent_rule"
LEAST = Settings.model_fields["least_test_customers"].default
EMPTY = SimpleNamespace(to_dict=dict)
AGES = {"under 18": 16, "18-24": 21, "25-34": 30, "35-44": 40, "45-54": 50, "55-64": 60, "65+": 70}

Draw = Callable[[pd.DataFrame, np.random.Generator, float], tuple[Any, pd.DataFrame]]


def population(rng: np.random.Generator) -> pd.DataFrame:
    """People with a risk, a use and a value of their own, none of which depends on a group."""
    table = people(POPULATION, rng)
    table["age"] = table.pop("age_band").map(AGES).astype(float)
    used = rng.random(POPULATION) < 0.5
    table["days_since_last_login"] = np.where(used, rng.integers(0, 30, POPULATION), 60)
    table["risk"] = expit(rng.normal(-1.9, 1.4, POPULATION))
    table["use"] = np.where(used, rng.beta(1.2, 4.0, POPULATION), 0.003)
    table["chance"] = expit(rng.normal(-1.6, 1.5, POPULATION))
    table["size"] = rng.normal(1.5, 0.8, POPULATION)
    return table


def worlds(base: pd.DataFrame, rng: np.random.Generator) -> Iterator[pd.DataFrame]:
    """Bootstrap samples of the population, each customer a person of their own."""
    for size in np.linspace(*SIZES, WORLDS).astype(int):
        rows = base.iloc[rng.integers(0, len(base), size)].reset_index(drop=True)
        rows.insert(0, "customer_id", [f"{size}-{rng.integers(1 << 40)}-{i}" for i in range(size)])
        yield rows


def churn(rows: pd.DataFrame, rng: np.random.Generator, wrong: float) -> tuple[Any, pd.DataFrame]:
    """Labels of active customers drawn from their risks, and a model that says `wrong` times it."""
    rows = rows[rows["days_since_last_login"] < 30].reset_index(drop=True)
    rows["churn_30_day"] = (rng.random(len(rows)) < rows["risk"]).astype(int)
    predicted = np.clip(wrong * rows["risk"].to_numpy(), 0.0, 0.999)
    by_customer = dict(zip(rows["customer_id"], predicted, strict=True))

    def predict_proba(some: pd.DataFrame) -> np.ndarray:
        p = some["customer_id"].map(by_customer).to_numpy()
        return np.column_stack([1.0 - p, p])

    model = SimpleNamespace(
        predict_proba=predict_proba,
        random_state=0,
        threshold_=1.0 / 6.0,
        threshold_at_recall_=0.1,
        threshold_choice_=EMPTY,
        cost_miss=100.0,
        cost_action=5.0,
        success_rate=0.3,
        kind_="",
        log_losses_={},
    )
    return model, rows


def engagement(
    rows: pd.DataFrame, rng: np.random.Generator, wrong: float
) -> tuple[Any, pd.DataFrame]:
    """Engagement drawn around its mean, and a model that says `wrong` times that mean."""
    mean = rows["use"].to_numpy()
    rows["engagement_score"] = rng.beta(3.0 * mean, 3.0 * (1.0 - mean))
    predicted = dict(zip(rows["customer_id"], wrong * mean, strict=True))
    model = SimpleNamespace(
        predict=lambda some: some["customer_id"].map(predicted).to_numpy(),
        random_state=0,
        objective_="",
        n_trees_=0,
        tree_r2_={},
    )
    return model, rows


def value(rows: pd.DataFrame, rng: np.random.Generator, wrong: float) -> tuple[Any, pd.DataFrame]:
    """Revenue of those who pay by chance, and a model that says `wrong` times its quantiles."""
    chance, size = rows["chance"].to_numpy(), rows["size"].to_numpy()
    paid = rng.random(len(rows)) < chance
    rows[FUTURE] = np.where(paid, rng.lognormal(size, 0.8), 0.0)
    levels = np.clip((np.array(LEVELS) - 1.0 + chance[:, None]) / chance[:, None], 0.0, 1.0)
    quantiles = wrong * lognorm.ppf(levels, 0.8, scale=np.exp(size)[:, None])
    mean = wrong * chance * np.exp(size + 0.32)
    place = pd.Series(np.arange(len(rows)), index=rows["customer_id"])

    def predict_all(some: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        at = place[some["customer_id"]].to_numpy()
        return mean[at], chance[at], quantiles[at]

    model = SimpleNamespace(
        predict_all=predict_all,
        predict=lambda some: predict_all(some)[0],
        random_state=0,
        margin_unit="",
        regressor=SimpleNamespace(mean_="", mean_losses_={}, trees_={}, shift_=EMPTY),
        inputs=SimpleNamespace(first_day=date(2025, 1, 1), prior_days=1.0),
    )
    return model, rows


KINDS: dict[str, tuple[Any, Draw]] = {
    "churn": (ChurnAdapter(), churn),
    "engagement": (EngagementAdapter(), engagement),
    "lifetime_value": (LifetimeValueAdapter(), value),
}
WRONG = (0.5, 2.0)


def states(adapter: Any, model: Any, rows: pd.DataFrame) -> tuple[dict[str, str], bool]:
    """What each gate says of a model by its test people, and whether it would serve."""
    test = split_rows(rows, test=True)
    card = without_nan(adapter.measures(model, test, n_bootstrap=BOOTSTRAP))
    card |= {"test_customers": len(test), LEAST_TEST_CUSTOMERS: LEAST}
    report = adapter.judged(model, rows, n_bootstrap=1, seed=0, reference="truth").report
    gates = adapter.spec.gates
    verdict = judge(
        card,
        gates=gates,
        champion_advantage=None,
        comparison_metric="",
        fairness=report.to_dict(),
    )
    by_gate = {gate.check: gate.judge(card).state for gate in gates}
    fair = {"fails": FAILED, "not judged": NOT_JUDGED}.get(report.verdict, "passed")
    return by_gate | {FAIRNESS: fair}, verdict.promote


def measured(kind: str, wrong: float, models: int, *, seed: int) -> list[dict[str, Any]]:
    """How often each gate of a kind refuses, and judges nothing, over all worlds."""
    adapter, draw = KINDS[kind]
    rng = np.random.default_rng([seed, int(10 * wrong)])
    counts: dict[str, Counter[str]] = {}
    total = 0
    for world in worlds(population(rng), rng):
        for _ in range(models):
            # a further draw of who is tested: the split goes by the id
            named = world.assign(customer_id=world["customer_id"] + f"-{total}")
            model, rows = draw(named, rng, wrong)
            by_gate, served = states(adapter, model, rows)
            for check, state in {**by_gate, "any": "passed" if served else FAILED}.items():
                counts.setdefault(check, Counter())[state] += 1
            total += 1
    return [
        {
            "model": kind,
            "says": wrong,
            "gate": check,
            "models": total,
            "refused": count[FAILED] / total,
            "not judged": count[NOT_JUDGED] / total,
        }
        for check, count in counts.items()
    ]


def main() -> None:
    """Measure right and wrong models."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--models", type=int, default=25, help="models of each kind and world")
    parser.add_argument("--seed", type=int, default=20_000)
    options = parser.parse_args()
    print("| model | says | gate | models | refused | not judged |\n|---|--:|---|--:|--:|--:|")
    results = []
    for kind in KINDS:
        for wrong in (1.0, *WRONG):
            models = options.models if wrong == 1.0 else max(1, options.models // 5)
            for row in measured(kind, wrong, models, seed=options.seed):
                results.append(row)
                print(
                    f"| {kind} | {wrong:g} times what is | {row['gate']} | {row['models']} | "
                    f"{row['refused']:.1%} | {row['not judged']:.1%} |",
                    flush=True,
                )
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")
    over = [
        row
        for row in results
        if row["says"] == 1.0 and row["gate"] != "any" and row["refused"] > MOST_REFUSED
    ]
    if over:
        raise SystemExit(f"over {MOST_REFUSED:.0%}: {over}")


if __name__ == "__main__":
    main()
