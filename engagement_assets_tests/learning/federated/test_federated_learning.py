"""Federated averaging equals central training where it should, and keeps its budget of privacy."""

import numpy as np
import pandas as pd
import pytest
import torch
from opacus.accountants import PRVAccountant, RDPAccountant
from sklearn.metrics import roc_auc_score

from engagement_assets.learning.federated.attacks import audit, invert_update
from engagement_assets.learning.federated.clients import Behaviour, Clients
from engagement_assets.learning.federated.estimator import FederatedClassifier, Scale
from engagement_assets.learning.federated.net import LocalTraining, VectorNet, small_net
from engagement_assets.learning.federated.privacy import (
    BudgetSpentError,
    PrivacyLedger,
    PrivacyPlan,
    Release,
    epsilon_by_divergence,
    epsilon_by_loss,
)
from engagement_assets.learning.federated.simulation import simulate
from engagement_assets.learning.federated.strategy import FedAvg, RefusedUpdateError

RNG = np.random.default_rng(0)
N, D = 300, 6
INPUTS = RNG.uniform(-1, 1, (N, D))
LABELS = (INPUTS @ np.linspace(2, -2, D) + RNG.logistic(size=N) > 0).astype(float)
# clients differ: in rows, and the later ones in what they see
WHO = np.sort(RNG.choice(40, N, p=np.linspace(1, 3, 40) / 80)).astype(str)


@pytest.mark.parametrize("hidden", [0, 5])
def test_one_step_of_everybody_is_a_step_of_central_training(hidden) -> None:
    clients = Clients.from_rows(INPUTS, LABELS, WHO)
    net = VectorNet(lambda: small_net(D, hidden), seed=3)
    result = simulate(
        net, clients, FedAvg(len(clients)), rounds=1, local=LocalTraining(1, learning_rate=0.7)
    )

    central = small_net(D, hidden).double()
    torch.nn.utils.vector_to_parameters(torch.from_numpy(net.first), central.parameters())
    loss = torch.nn.functional.binary_cross_entropy_with_logits(
        central(torch.from_numpy(INPUTS)).squeeze(1), torch.from_numpy(LABELS)
    )
    gradient = torch.cat([g.flatten() for g in torch.autograd.grad(loss, central.parameters())])
    np.testing.assert_allclose(result.weights, net.first - 0.7 * gradient.numpy(), atol=1e-9)
    assert result.history[0]["answered"] == len(clients) == 40


def test_the_proximal_term_holds_clients_near_the_weights_they_were_sent() -> None:
    clients = Clients.from_rows(INPUTS, LABELS, WHO)
    net = VectorNet(lambda: small_net(D, 0))
    batch = clients.batch(np.arange(len(clients)))
    far, near = (
        np.linalg.norm(net.updates(net.first, batch, LocalTraining(20, 0.5, pull)), axis=1)
        for pull in (0.0, 1.0)
    )
    assert (near < far).all()


def test_a_personal_layer_is_never_sent() -> None:
    clients = Clients.from_rows(INPUTS, LABELS, WHO)
    net = VectorNet(lambda: small_net(D, 0))
    how = {"rounds": 3, "local": LocalTraining(2, 0.5), "personal": frozenset({"bias"})}
    result = simulate(net, clients, FedAvg(len(clients)), **how)
    assert result.weights[-1] == net.first[-1], "the shared bias"
    assert result.personal is not None
    assert len(np.unique(result.personal[:, -1])) > 20
    assert (result.personal[:, :-1] == 0).all()
    with pytest.raises(ValueError, match="no parameters"):
        simulate(net, clients, FedAvg(9), **how | {"personal": frozenset({"head"})})


def test_batch_normalisation_is_refused() -> None:
    with pytest.raises(ValueError, match="BatchNorm1d"):
        VectorNet(lambda: torch.nn.Sequential(torch.nn.BatchNorm1d(2), torch.nn.Linear(2, 1)))


def test_the_known_vector_of_the_accountant() -> None:
    spent = epsilon_by_divergence([Release(1.5, 0.04, 2250)], 1e-5)
    assert spent == pytest.approx(7.329, abs=0.001)


def test_the_ledger_agrees_with_the_accountants_and_stops_when_spent() -> None:
    plan = PrivacyPlan.for_budget(epsilon=1.0, clients=100_000, cohort=5_000, rounds=100, clip=0.5)
    assert plan.delta == pytest.approx(100_000**-1.1)
    ledger = PrivacyLedger(1.0, plan.delta, [Release(plan.noise_multiplier, 0.05, 99)])
    ledger.charge(plan.release())
    accountant = PRVAccountant()
    accountant.history = [(plan.noise_multiplier, 0.05, 100)]
    assert ledger.spent() == pytest.approx(accountant.get_epsilon(plan.delta), rel=0.01)
    assert 0.98 < ledger.spent() <= 1.0
    with pytest.raises(BudgetSpentError):
        ledger.charge(plan.release("retry"))
    assert len(ledger.releases) == 2, "what was refused is not counted"
    assert PrivacyLedger.from_dict(ledger.to_dict()).releases == ledger.releases

    mixed = [Release(2.0, 0.05, 40), Release(3.0, 0.02, 10, "tuning")]
    both = RDPAccountant()
    both.history = [(2.0, 0.05, 40), (3.0, 0.02, 10)]
    by_divergence = epsilon_by_divergence(mixed, 1e-5)
    assert by_divergence == pytest.approx(both.get_epsilon(1e-5), rel=0.01)
    assert epsilon_by_loss(mixed, 1e-5) < by_divergence


def test_a_plan_refuses_a_delta_that_says_little() -> None:
    with pytest.raises(ValueError, match="at most"):
        PrivacyPlan.for_budget(
            epsilon=1, clients=1000, cohort=50, rounds=5, clip=1, delta=1.0 / 1000
        )


def test_noise_is_tied_to_clip_and_cohort() -> None:
    plan = PrivacyPlan(1.0, 1e-5, 1000, 50.0, 1, 0.25, 3.0)
    strategy = FedAvg(50, plan, seed=1)
    updates = RNG.normal(size=(30, 20_000))
    weights, saturated = strategy.aggregate_fit(np.zeros(20_000), updates, np.ones(30, int))
    quiet = updates / np.linalg.norm(updates, axis=1, keepdims=True) * 0.25
    noise = weights - quiet.sum(axis=0) / 50
    assert saturated == 1.0
    assert noise.std() == pytest.approx(3.0 * 0.25 / 50, rel=0.03)


def test_failed_rounds_are_counted_and_change_nothing() -> None:
    clients = Clients.from_rows(INPUTS, LABELS, WHO)
    net = VectorNet(lambda: small_net(D, 0))
    plan = PrivacyPlan(8.0, 0.01, 40, 20.0, 3, 0.5, 5.0)
    ledger = PrivacyLedger(plan.epsilon, plan.delta)
    slow = Behaviour(drop_out=0.2, median_seconds=np.full(40, 60.0), deadline_seconds=20.0)
    result = simulate(
        net,
        clients,
        FedAvg(20, plan, seed=0),
        rounds=3,
        local=LocalTraining(),
        ledger=ledger,
        behaviour=slow,
    )
    assert {release.outcome for release in ledger.releases} == {"failed"}
    assert len(ledger.releases) == 3
    np.testing.assert_array_equal(result.weights, net.first)
    assert all(entry["late"] > entry["dropped"] for entry in result.history)


def test_without_a_seed_noise_is_never_the_same() -> None:
    plan = PrivacyPlan(1.0, 1e-5, 100, 10.0, 1, 0.5, 3.0)
    first, again, seeded, same = (
        FedAvg(10, plan, seed=seed).aggregate_sum(np.zeros(5), np.zeros(5))
        for seed in (None, None, 3, 3)
    )
    assert (first != again).all()
    np.testing.assert_array_equal(seeded, same)


@pytest.mark.parametrize("bad", [np.full((2, 3), np.nan), np.zeros((2, 4))])
def test_an_update_that_cannot_be_counted_is_refused(bad) -> None:
    with pytest.raises(RefusedUpdateError):
        FedAvg(2).aggregate_fit(np.zeros(3), bad, np.ones(2, int))


def test_an_update_shows_its_only_row() -> None:
    row = RNG.uniform(-1, 1, (1, D))
    clients = Clients.from_rows(np.vstack([row, row]), [1.0, 0.0], ["a", "b"])
    net = VectorNet(lambda: small_net(D, 0))
    update = net.updates(net.first, clients.batch(np.array([0])), LocalTraining(10, 0.3))[0]
    np.testing.assert_allclose(invert_update(net, 0.1 * update), row[0], atol=1e-6)


@pytest.mark.parametrize(("epsilon", "private"), [(1.0, True), (0.0, False)])
def test_a_canary_shows_only_where_there_is_no_noise(epsilon, private) -> None:
    rounds, clients, p = 4, 40, 12
    plan = PrivacyPlan.for_budget(epsilon=1.0, clients=clients, cohort=40, rounds=rounds, clip=0.5)
    quiet = PrivacyPlan.from_dict(plan.to_dict() | {"noise_multiplier": 0.0})
    others = np.random.default_rng(5).normal(size=(clients - 1, p))
    canary = np.eye(p)[:1] * 9

    def score(present: bool, seed: int) -> float:
        strategy, weights = FedAvg(40, plan if private else quiet, seed=seed), np.zeros(p)
        updates = np.vstack([others, canary]) if present else others
        for _ in range(rounds):
            weights, _ = strategy.aggregate_fit(weights, updates, np.ones(len(updates), int))
        return float(weights[0])

    result = audit(score, trials=3000, delta=plan.delta)
    if private:
        assert result.epsilon <= epsilon
        assert result.auc > 0.52, "the attack is no idle one"
    else:
        assert result.epsilon > 5


def test_a_classifier_under_privacy_ranks_nearly_as_one_without() -> None:
    n = 4000
    rng = np.random.default_rng(1)
    table = pd.DataFrame(
        {"days": rng.gamma(2, 5, n), "money": np.where(rng.random(n) < 0.3, np.nan, 20.0)}
    )
    label = (rng.logistic(size=n) < 1.5 - table["days"] / 6 - table["money"].isna()).astype(int)
    scales = {"days": Scale(30.0), "money": Scale(1000.0, logarithmic=True, nullable=True)}
    who = np.arange(n) // 2
    auc = {}
    for epsilon in (None, 1.0):
        model = FederatedClassifier(
            scales=scales, hidden=4, rounds=25, sample_rate=0.1, epsilon=epsilon, n_jobs=1
        ).fit(table, label, groups=who)
        auc[epsilon] = roc_auc_score(label, model.decision_function(table))
    assert auc[None] > 0.75
    assert auc[1.0] > 0.95 * auc[None]
    assert 0.9 < model.ledger_.spent() <= 1.0
    with pytest.raises(ValueError, match="days has nulls"):
        model.predict(table.assign(days=np.nan))
