"""Federated learning: noise for a budget, quality beside central training, time, attacks.

A planted world of clients (one or more customers' rows a device): personas differ in what they do
and in how the label comes about, labels are noisy, devices drop out. Models are judged on other
clients. Before that, what must be exact: a round of everybody, sums under masks, the ledger. With
`--data` also public telecom customers (5,000, each a client), on fifths that were not learnt from;
their stated limits of columns are rounded by hand.

    python -m benchmarks.federated --clients 100000 --data ../shared/data/churn/mlc_churn.csv
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from opacus.accountants import PRVAccountant, RDPAccountant

from engagement_assets.learning.evaluation.metrics import evaluate
from engagement_assets.learning.federated.attacks import audit, invert_update
from engagement_assets.learning.federated.clients import Clients
from engagement_assets.learning.federated.comparison import alone, fit_centrally
from engagement_assets.learning.federated.estimator import FederatedClassifier, Scale
from engagement_assets.learning.federated.net import LocalTraining, VectorNet, small_net
from engagement_assets.learning.federated.privacy import (
    PrivacyLedger,
    PrivacyPlan,
    Release,
    epsilon_by_divergence,
    epsilon_by_loss,
)
from engagement_assets.learning.federated.secure_sum import (
    MaskingClient,
    SecureSum,
    SecureSumError,
    least_threshold,
    to_words,
)
from engagement_assets.learning.federated.simulation import simulate
from engagement_assets.learning.federated.strategy import FedAvg
from engagement_assets.learning.trees.classifier import CalibratedBoostingClassifier

COLUMNS = 20
PERSONAS = 5
TELECOM = {
    "account_length": 250.0,
    "number_vmail_messages": 60.0,
    "total_day_minutes": 400.0,
    "total_day_calls": 200.0,
    "total_eve_minutes": 400.0,
    "total_eve_calls": 200.0,
    "total_night_minutes": 400.0,
    "total_night_calls": 200.0,
    "total_intl_minutes": 25.0,
    "total_intl_calls": 20.0,
    "number_customer_service_calls": 10.0,
}


def planted(clients: int, seed: int) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Return rows, labels and each row's client; one to four rows a client."""
    rng = np.random.default_rng(seed)
    persona = rng.integers(PERSONAS, size=clients)
    # what personas are like is the world's, not the sample's
    world = np.random.default_rng(1)
    centre = world.normal(0, 0.6, (PERSONAS, COLUMNS))
    weight = world.normal(0, 0.5, COLUMNS) + world.normal(0, 0.2, (PERSONAS, COLUMNS))
    who = np.repeat(np.arange(clients), rng.integers(1, 5, clients))
    own = rng.normal(0, 0.5, (clients, COLUMNS))
    latent = centre[persona[who]] + own[who] + rng.normal(0, 0.7, (len(who), COLUMNS))
    logit = (latent * weight[persona[who]]).sum(axis=1) + 0.7 * latent[:, 0] * latent[:, 1] - 0.5
    counts = np.floor(np.exp(1.5 + latent))
    table = pd.DataFrame(counts, columns=[f"count_{i}" for i in range(COLUMNS)])
    return table, (rng.logistic(size=len(who)) < logit).astype(int), who


def local_only(model: FederatedClassifier, rows: pd.DataFrame, labels: np.ndarray) -> np.ndarray:
    """Return log-odds of each client's last row by a net trained on its first row alone."""
    inputs, clients = model.inputs(rows), len(rows) // 2
    # names in the order of the rows
    names = [f"{place:09}" for place in range(clients)]
    first = Clients.from_rows(inputs[:clients], labels[:clients], names)
    return alone(first, inputs[clients:], np.arange(clients))


def auc_words(labels: np.ndarray, score: np.ndarray, groups: np.ndarray) -> tuple[float, str]:
    """Return the AUC, and with its interval over clients."""
    probability = 1 / (1 + np.exp(-score))
    figure = evaluate(labels, probability, threshold=0.5, n_bootstrap=100, groups=groups)["auc"]
    return figure.value, f"{figure.value:.4f} ({figure.low:.4f} to {figure.high:.4f})"


def quality(
    name: str,
    train: tuple[pd.DataFrame, np.ndarray, np.ndarray],
    test: tuple[pd.DataFrame, np.ndarray, np.ndarray],
    scales: dict[str, Scale],
    options: argparse.Namespace,
) -> dict[str, Any]:
    """Print and return AUC of federated models, the same ones centrally, XGBoost."""
    out: dict[str, Any] = {}
    n = len(np.unique(train[2]))
    print(f"\n### {name}: {n:,} clients, {len(train[0]):,} rows\n\n| model | AUC on others |")
    print("|---|---|")
    for hidden, words in ((0, "logistic"), (16, "net of 16")):
        fitted = {}
        for epsilon in (None, 1.0):
            model = FederatedClassifier(
                scales=scales,
                hidden=hidden,
                rounds=options.rounds,
                sample_rate=0.05 if n > 20_000 else 0.5,
                epsilon=epsilon,
                drop_out=0.1,
                n_jobs=1,
            )
            began = time.perf_counter()
            model.fit(train[0], train[1], groups=train[2])
            seconds = time.perf_counter() - began
            fitted[epsilon] = auc_words(test[1], model.decision_function(test[0]), test[2])
            spent = "" if model.ledger_ is None else f", epsilon spent {model.ledger_.spent():.3f}"
            clip = np.mean([e["clipped"] for e in model.history_]) if epsilon else 0.0
            note = f" ({seconds:.0f} s{spent}, {clip:.0%} of updates clipped)"
            label = f"federated {words}, {'no noise' if epsilon is None else 'epsilon 1'}"
            print(f"| {label}{note} | {fitted[epsilon][1]} |", flush=True)
            out[f"{words} epsilon {epsilon}"] = {"auc": fitted[epsilon][0], "seconds": seconds}
        net, weights = fit_centrally(
            model.inputs(train[0]), train[1].astype(np.float32), hidden=hidden
        )
        score = net.logits(weights, model.inputs(test[0]))
        value, text = auc_words(test[1], score, test[2])
        print(f"| the same {words} on all rows in one place | {text} |")
        out[f"{words} central"] = {"auc": value}
        out[f"{words} share"] = fitted[1.0][0] / value
        print(f"| share of it under epsilon 1 | {fitted[1.0][0] / value:.1%} |", flush=True)
    trees = CalibratedBoostingClassifier(n_estimators=100, folds=2, n_jobs=1)
    trees.fit(train[0], train[1], groups=train[2])
    value, text = auc_words(test[1], trees.decision_function(test[0]), test[2])
    print(f"| XGBoost on all rows in one place | {text} |", flush=True)
    out["XGBoost central"] = {"auc": value}
    names, first = np.unique(test[2], return_index=True)
    last = np.append(first[1:], len(test[2])) - 1
    several = last > first
    if several.any():
        places = np.concatenate([first[several], last[several]])
        score = local_only(model, test[0].iloc[places], test[1][places])
        value, text = auc_words(test[1][last[several]], score, names[several])
        print(f"| each client alone: its last row by its first | {text} |")
        out["local only"] = {"auc": value}
    return out


def one_round() -> float:
    """Return how far a round of everybody, one step and no noise, is from a central step."""
    table, labels, who = planted(2_000, 0)
    model = FederatedClassifier(scales={n: Scale(200.0, logarithmic=True) for n in table})
    inputs = model.inputs(table).astype(np.float64)
    net = VectorNet(lambda: small_net(COLUMNS, 16))
    everybody = Clients.from_rows(inputs, labels, who)
    local = LocalTraining(1, learning_rate=0.5)
    result = simulate(net, everybody, FedAvg(len(everybody)), rounds=1, local=local)
    whole = small_net(COLUMNS, 16).double()
    torch.nn.utils.vector_to_parameters(torch.from_numpy(net.first), whole.parameters())
    loss = torch.nn.functional.binary_cross_entropy_with_logits(
        whole(torch.from_numpy(inputs)).squeeze(1), torch.from_numpy(labels.astype(np.float64))
    )
    slopes = torch.autograd.grad(loss, list(whole.parameters()))
    step = net.first - 0.5 * torch.cat([slope.flatten() for slope in slopes]).numpy()
    return float(np.abs(result.weights - step).max())


def masked_sums(clients: int = 30, length: int = 1_000) -> tuple[int, int]:
    """Return words of masked sums that differ from the exact ones, and sums above the threshold.

    From nobody to a third drop out after their keys are known; one more, and nothing is summed.
    """
    values = np.random.default_rng(0).normal(size=(clients, length))
    threshold, wrong, opened = least_threshold(clients), 0, 0
    for gone in range(clients - threshold + 2):
        server = SecureSum(f"round {gone}", length, threshold)
        devices = {i: MaskingClient(i, round_id=server.round_id) for i in range(1, clients + 1)}
        server.keys = {i: device.public_keys() for i, device in devices.items()}
        for i, device in devices.items():
            server.sealed[i] = device.shares(server.keys, threshold=threshold)
        for i in range(1 + gone, clients + 1):
            words = devices[i].masked(to_words(values[i - 1]), server.for_client(i))
            server.take_vector(i, words)
        try:
            for i in server.survivors:
                server.openings[i] = devices[i].opened(server.survivors)
            exact = to_words(values[gone:]).sum(axis=0, dtype=np.uint64)
            wrong += int((server.total() != exact).sum())
            opened += gone > clients - threshold
        except SecureSumError:
            wrong += length if gone <= clients - threshold else 0
    return wrong, opened


def ledger_error(plan: PrivacyPlan) -> float:
    """Return how far the ledger of a plan's rounds is from opacus's accountants, as a share."""
    ledger = PrivacyLedger(plan.epsilon, plan.delta)
    for _ in range(plan.rounds):
        ledger.charge(plan.release())
    history = [(plan.noise_multiplier, plan.sample_rate, plan.rounds)]
    by_loss, by_divergence = PRVAccountant(), RDPAccountant()
    by_loss.history, by_divergence.history = history, list(history)
    accounted = min(by_loss.get_epsilon(plan.delta), by_divergence.get_epsilon(plan.delta))
    return float(abs(ledger.spent() / accounted - 1))


def privacy(trials: int) -> dict[str, Any]:
    """Print and return accounting and attacks."""
    vector = epsilon_by_divergence([Release(1.5, 0.04, 2250)], 1e-5)
    plan = PrivacyPlan.for_budget(epsilon=1.0, clients=100_000, cohort=5_000, rounds=100, clip=0.5)
    release = [Release(plan.noise_multiplier, plan.sample_rate, plan.rounds)]
    print("| what | figure |\n|---|---:|")
    print(f"| sigma 1.5, q 0.04, 2,250 steps, delta 1e-5: epsilon (RDP) | {vector:.3f} |")
    print(f"| noise multiplier for epsilon 1, 100,000 clients | {plan.noise_multiplier:.3f} |")
    by_loss, by_divergence = (
        account(release, plan.delta) for account in (epsilon_by_loss, epsilon_by_divergence)
    )
    print(f"| its epsilon by PRV, by RDP | {by_loss:.3f}, {by_divergence:.3f} |")
    off, (wrong, opened) = ledger_error(plan), masked_sums()
    print(f"| the ledger of its 100 rounds, away from the accountants | {off:.2%} |")
    print(f"| masked sums of 30, 0 to 10 dropping out: words that are wrong | {wrong} |")
    print(f"| sums opened with 11 of 30 gone | {opened} |")
    away = one_round()
    print(f"| one round of everybody, away from a central step: largest | {away:.1e} |", flush=True)
    rng, d = np.random.default_rng(0), 20
    rows, net = rng.uniform(-1, 1, (200, d)), VectorNet(lambda: small_net(d, 0))
    clients = Clients.from_rows(rows, rng.integers(0, 2, 200), np.arange(200))
    updates = net.updates(net.first, clients.batch(np.arange(200)), LocalTraining())
    alone = [np.abs(invert_update(net, u) - x).max() for u, x in zip(updates, clients.inputs)]  # noqa: B905
    cohort = invert_update(net, updates.sum(axis=0))
    summed = np.abs(cohort - clients.inputs).max(axis=1)
    print(f"| a row rebuilt from its update: largest error, median | {np.median(alone):.1e} |")
    print(f"| from the sum of 200: the same | {np.median(summed):.2f} |")
    out: dict[str, Any] = {"vector": vector, "noise": plan.noise_multiplier, "prv": by_loss}
    out |= {"ledger": off, "masked": wrong, "opened": opened, "one round": away}
    small = PrivacyPlan.for_budget(epsilon=1.0, clients=40, cohort=40, rounds=4, clip=0.5)
    others = np.random.default_rng(5).normal(size=(39, 12))
    for noise, words in ((small.noise_multiplier, "epsilon 1"), (0.0, "no noise")):
        settings = PrivacyPlan.from_dict(small.to_dict() | {"noise_multiplier": noise})

        def score(present: bool, seed: int, settings: PrivacyPlan = settings) -> float:
            strategy, weights = FedAvg(40, settings, seed=seed), np.zeros(12)
            everybody = np.vstack([others, np.eye(12)[:1] * 9]) if present else others
            for _ in range(4):
                weights, _ = strategy.aggregate_fit(weights, everybody, np.ones(len(everybody)))
            return float(weights[0])

        result = audit(score, trials=trials, delta=small.delta)
        print(f"| canary, {words}: epsilon at least (95 %) | {result.epsilon:.2f} |")
        print(f"| the attack's AUC | {result.auc:.3f} |", flush=True)
        out[f"canary {words}"] = result.to_dict()
    return out


def main() -> None:
    """Run the parts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--trials", type=int, default=4000)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/churn/mlc_churn.csv"))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    out = {"privacy": privacy(options.trials)}
    scales = {f"count_{i}": Scale(200.0, logarithmic=True) for i in range(COLUMNS)}
    train, test = planted(options.clients, 0), planted(max(2_000, options.clients // 10), 1)
    out["planted"] = quality("Planted", train, test, scales, options)
    if options.data.exists():
        table = pd.read_csv(options.data)
        yes = {name: (table[name] == "yes").astype(float) for name in ("international_plan",)}
        rows = table[list(TELECOM)].assign(**yes)
        label, who = (table["churn"] == "yes").to_numpy(dtype=int), np.arange(len(table))
        held_out = np.random.default_rng(0).permutation(len(table)) % 5 == 0
        parts = [(rows[part], label[part], who[part]) for part in (~held_out, held_out)]
        limits = {name: Scale(largest) for name, largest in TELECOM.items()}
        limits["international_plan"] = Scale(1.0)
        out["telecom"] = quality("Public telecom", parts[0], parts[1], limits, options)
    else:
        print(f"\nNo telecom data at {options.data}: that part was not run.")
    if options.json:
        options.json.write_text(json.dumps(out))


if __name__ == "__main__":
    main()
