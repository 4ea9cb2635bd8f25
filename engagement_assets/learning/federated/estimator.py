"""Classify rows by a net that was learnt by federated averaging.

Belongs here: fitting by a simulated federation, predicting, saving and loading. Does not belong
here: real messages.
"""

# ruff: noqa: N803 - X is scikit-learn's name for a table of features

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
import safetensors.numpy
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin

from engagement_assets.learning.errors import TooLittleDataError
from engagement_assets.learning.federated.clients import Behaviour, Clients
from engagement_assets.learning.federated.net import LocalTraining, VectorNet, small_net
from engagement_assets.learning.federated.privacy import PrivacyLedger, PrivacyPlan
from engagement_assets.learning.federated.simulation import simulate
from engagement_assets.learning.federated.strategy import FedAvg
from engagement_assets.learning.json_data import naming, plain
from engagement_assets.learning.torch_threads import torch_threads

FORMAT = "federated-classifier/1"
_CARD, _WEIGHTS = "federated.json", "federated.safetensors"


@dataclass(frozen=True)
class Scale:
    """What every device makes of a column, fixed before any row is seen.

    Args:
        largest: Values beyond it count as it, either side of 0.
        logarithmic: Whether log(1 + |x|) is taken first, as of counts and money.
        nullable: Whether a null has an input of its own; else it counts as 0.
    """

    largest: float
    logarithmic: bool = False
    nullable: bool = False

    def inputs(self, values: pd.Series) -> list[NDArray[np.float32]]:
        """Return one input in [-1, 1], and a flag of nulls where they may be."""
        number = values.astype("float64").to_numpy(dtype=np.float64, na_value=np.nan)
        null = np.isnan(number)
        if null.any() and not self.nullable:
            raise ValueError(f"column {values.name} has nulls, which its scale does not allow")
        known = np.clip(np.where(null, 0.0, number), -self.largest, self.largest)
        if self.logarithmic:
            known = np.sign(known) * np.log1p(np.abs(known)) / np.log1p(self.largest)
        else:
            known = known / self.largest
        parts = [known.astype(np.float32)]
        return [*parts, null.astype(np.float32)] if self.nullable else parts


@dataclass(kw_only=True, eq=False, repr=False)
class FederatedClassifier(ClassifierMixin, BaseEstimator):
    """A small net or logistic regression of clients' rows, with client-level privacy.

    Inputs are scaled by limits that are stated beforehand: to learn them from the rows would be a
    release of its own. The simulation is one process; messages and masks are not.

    Args:
        scales: By column.
        hidden: Units of the hidden layer; 0 for logistic regression.
        rounds: Rounds of training.
        sample_rate: Chance that a client is asked in a round.
        epochs: Local steps a round.
        learning_rate: Of local steps.
        proximal: FedProx's pull to the global weights.
        server_learning_rate: Of the step along the averaged update.
        momentum: Of that step.
        clip: Longest update.
        epsilon: Budget of privacy over all rounds; None for neither clip nor noise.
        delta: None for N ** -1.1.
        drop_out: Chance that a client that was asked does not answer.
        personal: Parameters of the net that stay on the device.
        most_noise: Longest noise of a round's average, as a share of the longest update; longer,
            and nothing is learnt. None for any.
        random_state: Seed of everything that is drawn; None takes cohorts and noise of the system's
            entropy, as real clients need: who knows the seed can take the noise off.
        n_jobs: Threads; None for torch's own number.

    Attributes:
        weights_: p weights.
        plan_: Clip, noise and cohort; None without privacy.
        ledger_: What was spent; None without privacy.
        history_: What happened in each round; its clipped shares never leave a simulation.
    """

    scales: Mapping[str, Scale]
    hidden: int = 16
    rounds: int = 100
    sample_rate: float = 0.05
    epochs: int = 10
    learning_rate: float = 0.1
    proximal: float = 0.0
    server_learning_rate: float = 1.0
    momentum: float = 0.9
    clip: float = 0.5
    epsilon: float | None = 1.0
    delta: float | None = None
    drop_out: float = 0.0
    personal: tuple[str, ...] = ()
    most_noise: float | None = None
    random_state: int | None = 0
    n_jobs: int | None = None

    def fit(
        self,
        X: pd.DataFrame,
        y: ArrayLike,
        *,
        groups: ArrayLike,
        ledger: PrivacyLedger | None = None,
        purpose: str = "round",
    ) -> Self:
        """Learn from n rows of the clients that are named in `groups`.

        Args:
            X: n rows.
            y: n labels of 0 and 1.
            groups: n names of clients.
            ledger: Of a budget that earlier trainings may have spent from; what is left is planned
                with. None for a budget of this training alone.
            purpose: What the ledger is to say that the rounds are for.

        Raises:
            TooLittleDataError: When there are fewer than two clients, only one label, or so few
                clients that a round is mostly noise.
            ValueError: When a column lacks, or has nulls that its scale does not allow.
            BudgetSpentError: When the ledger's budget has too little left.
        """
        labels = np.asarray(y, dtype=np.float32)
        if set(np.unique(labels)) - {0.0, 1.0}:
            raise ValueError("labels are 0 and 1")
        if len(np.unique(labels)) < 2:
            raise TooLittleDataError("all rows have one label")
        inputs = self.inputs(X)
        clients = Clients.from_rows(inputs, labels, groups)
        self.feature_names_in_ = np.array(list(self.scales), dtype=object)
        self.n_features_in_ = len(self.scales)
        self.classes_ = np.array([0, 1])
        self.net_ = self._net(inputs.shape[1])
        cohort = self.sample_rate * len(clients)
        self.plan_, self.ledger_ = self._private(len(clients), cohort, ledger)
        with torch_threads(self.n_jobs):
            result = simulate(
                self.net_,
                clients,
                FedAvg(
                    cohort,
                    self.plan_,
                    self.server_learning_rate,
                    self.momentum,
                    self.random_state,
                ),
                rounds=self.rounds,
                local=LocalTraining(self.epochs, self.learning_rate, self.proximal),
                ledger=self.ledger_,
                behaviour=Behaviour(self.drop_out),
                personal=frozenset(self.personal),
                seed=self.random_state,
                purpose=purpose,
            )
        self.weights_, self.history_ = result.weights, result.history
        return self

    def decision_function(self, X: pd.DataFrame) -> NDArray[np.float64]:
        """Return n log-odds by the shared weights."""
        with torch_threads(self.n_jobs):
            return self.net_.logits(self.weights_, self.inputs(X))

    def predict_proba(self, X: pd.DataFrame) -> NDArray[np.float64]:
        """Return n x 2 probabilities."""
        positive = 1.0 / (1.0 + np.exp(-self.decision_function(X)))
        return np.column_stack([1.0 - positive, positive])

    def predict(self, X: pd.DataFrame) -> NDArray[np.int64]:
        """Return 1 where it is the likelier."""
        return (self.decision_function(X) >= 0.0).astype(np.int64)

    def _net(self, inputs: int) -> VectorNet:
        return VectorNet(lambda: small_net(inputs, self.hidden), seed=self.random_state or 0)

    def _private(
        self, clients: int, cohort: float, ledger: PrivacyLedger | None
    ) -> tuple[PrivacyPlan | None, PrivacyLedger | None]:
        if self.epsilon is None:
            return None, None
        delta = self.delta if ledger is None else ledger.delta
        plan = PrivacyPlan.for_budget(
            epsilon=self.epsilon if ledger is None else ledger.epsilon,
            delta=delta,
            clients=clients,
            cohort=cohort,
            rounds=self.rounds,
            clip=self.clip,
            spent=() if ledger is None else ledger.releases,
        )
        noise = plan.noise_share(len(self.net_.first))
        if self.most_noise is not None and noise > self.most_noise:
            raise TooLittleDataError(
                f"with {clients:,} clients a round's noise is {noise:.2f} times as long as the "
                f"longest update, at most {self.most_noise} wanted: it takes more clients, or more "
                "of the budget of privacy"
            )
        return plan, ledger or PrivacyLedger(plan.epsilon, plan.delta)

    def inputs(self, X: pd.DataFrame) -> NDArray[np.float32]:
        """Return n x d inputs of the net, as each device makes them.

        Raises:
            ValueError: When a column lacks or has nulls that its scale does not allow.
        """
        lacking = [name for name in self.scales if name not in X]
        if lacking:
            raise ValueError(f"columns {lacking} lack")
        parts = [part for name, scale in self.scales.items() for part in scale.inputs(X[name])]
        return np.column_stack(parts)

    def save(self, folder: Path) -> None:
        """Write weights as safetensors, all else as JSON."""
        parameters = plain(self.get_params(deep=False))
        parameters["scales"] = {name: vars(scale) for name, scale in self.scales.items()}
        card = {
            "format": FORMAT,
            "parameters": parameters,
            "plan": self.plan_.to_dict() if self.plan_ else None,
            "ledger": self.ledger_.to_dict() if self.ledger_ else None,
        }
        folder.mkdir(parents=True, exist_ok=True)
        (folder / _CARD).write_text(json.dumps(card, indent=1))
        safetensors.numpy.save_file({"weights": self.weights_}, folder / _WEIGHTS)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote.

        Raises:
            ValueError: When it is of another format.
        """
        with naming(folder / _CARD):
            return cls._loaded(folder)

    @classmethod
    def _loaded(cls, folder: Path) -> Self:
        card: dict[str, Any] = json.loads((folder / _CARD).read_text())
        if card["format"] != FORMAT:
            raise ValueError(f"{folder} holds {card['format']}, not {FORMAT}")
        parameters = card["parameters"]
        parameters["personal"] = tuple(parameters["personal"])
        parameters["scales"] = {name: Scale(**v) for name, v in parameters["scales"].items()}
        model = cls(**parameters)
        model.plan_ = PrivacyPlan.from_dict(card["plan"]) if card["plan"] else None
        model.ledger_ = PrivacyLedger.from_dict(card["ledger"]) if card["ledger"] else None
        model.weights_ = safetensors.numpy.load_file(folder / _WEIGHTS)["weights"]
        model.feature_names_in_ = np.array(list(model.scales), dtype=object)
        model.n_features_in_ = len(model.scales)
        model.classes_ = np.array([0, 1])
        model.net_ = model._net(sum(1 + scale.nullable for scale in model.scales.values()))
        return model
