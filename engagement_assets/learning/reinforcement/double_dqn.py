"""A deep Q-network, by acting in an environment or from logs alone.

Belongs here: the learner. Does not belong here: the environment and other policies.

Double DQN (van Hasselt, Guez and Silver, AAAI 2016) with replay and a target network (Mnih et al.,
Nature 2015). Actions that are not allowed are masked in what it does and in the maximum that it
learns from: a target of what may never be done would make every value wrong. From logs the penalty
of conservative Q-learning (Kumar et al., NeurIPS 2020, equation 4) keeps it from preferring what
the logs do not have.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from engagement_assets.learning.json_data import naming
from engagement_assets.learning.reinforcement.environment import TimingEnvironment
from engagement_assets.learning.reinforcement.policies import uniform_over
from engagement_assets.learning.reinforcement.timing import Bools, Floats, Ints, Situation
from engagement_assets.learning.reinforcement.transitions import Replay, Transitions
from engagement_assets.learning.torch_threads import torch_threads

if TYPE_CHECKING:
    from upath import UPath

logger = logging.getLogger(__name__)

FORMAT = "double-dqn/1"
WEIGHTS_FILE, STATE_FILE = "q_network.safetensors", "q_network.json"
_REPORT_UPDATES = 5_000
# Steps of every unit before the first update, from which the scale of what is seen is taken, too.
_WARM_UP_STEPS = 20
_LAST_RATE = 0.05


@dataclass(kw_only=True, eq=False, repr=False)
class DoubleDQN(BaseEstimator):
    """Double deep Q-learning with masks, a policy of `timing.Situation`.

    Args:
        hidden: Width of each of the two hidden layers.
        updates: Steps of the optimiser; when acting, every unit acts once before each.
        batch: Transitions an update.
        learning_rate: Of Adam at the first update; it falls linearly to a twentieth.
        epsilon: Chance with which it does anything that is allowed, while it learns.
        replay: Most transitions that are remembered.
        target_every: Updates after which the target network is renewed.
        conservative: Weight of the penalty for what the logs do not have; 0 when acting.
        myopic: Whether what comes later counts nothing, as for a contextual bandit.
        ignore: Columns of an observation that it does not look at.
        random_state: Seed.
        n_jobs: Torch's threads while it works; those of the process when None.

    Attributes:
        n_features_in_: Width of an observation.
        n_actions_: Number of actions.
        loss_: Mean loss of the last thousand updates.
    """

    hidden: int = 64
    updates: int = 30_000
    batch: int = 256
    learning_rate: float = 1e-3
    epsilon: float = 0.1
    replay: int = 1_000_000
    target_every: int = 1_000
    conservative: float = 0.0
    myopic: bool = False
    ignore: tuple[int, ...] = ()
    random_state: int = 0
    n_jobs: int | None = 1

    def fit(self, environment: TimingEnvironment) -> Self:
        """Learn by acting.

        Args:
            environment: Where it acts; it begins anew after its `episode_steps`.
        """
        n = len(environment.index)
        rng = np.random.default_rng(self.random_state)
        features = environment.now.observation.shape[1]
        actions = environment.problem.actions
        size = min(self.replay, (self.updates + _WARM_UP_STEPS) * n)
        replay = Replay(size, features, actions)
        steps = 0

        def act(*, at_random: bool) -> None:
            nonlocal steps
            before = environment.now
            chosen = uniform_over(before.mask, rng)
            if not at_random:
                explore = rng.random(n) < self.epsilon
                chosen = np.where(explore, chosen, self._best(before.observation, before.mask))
            step = environment.step(chosen)
            after = environment.now
            replay.add(
                before.observation, chosen, step.reward, step.discount,
                after.observation, after.mask,
            )  # fmt: skip
            steps += 1
            if steps % environment.episode_steps == 0:
                environment.reset()

        def draw() -> tuple[NDArray, ...]:
            act(at_random=False)
            return replay.draw(rng, self.batch)

        with torch_threads(self.n_jobs):
            for _ in range(_WARM_UP_STEPS):
                act(at_random=True)
            seen, *_ = replay.draw(rng, len(replay))
            self._begin(seen, actions)
            self._learn(draw)
        return self

    def fit_logged(self, transitions: Transitions) -> Self:
        """Learn from logs alone, whoever acted."""
        rng = np.random.default_rng(self.random_state)
        columns = (
            transitions.observation, transitions.action, transitions.reward, transitions.discount,
            transitions.next_observation, transitions.next_mask, transitions.mask,
        )  # fmt: skip

        def draw() -> tuple[NDArray, ...]:
            rows = rng.integers(len(transitions), size=self.batch)
            return tuple(column[rows] for column in columns)

        with torch_threads(self.n_jobs):
            self._begin(transitions.observation, transitions.mask.shape[1])
            self._learn(draw)
        return self

    def values(self, observation: NDArray[np.float32]) -> Floats:
        """Return n x a: what each action is worth with everything that comes after it."""
        check_is_fitted(self, "n_actions_")
        with torch_threads(self.n_jobs), torch.inference_mode():
            values: Floats = self._network(self._scaled(observation)).double().numpy()
        return values

    def __call__(self, now: Situation) -> Ints:
        """Return the best allowed action of each of n units."""
        check_is_fitted(self, "n_actions_")
        with torch_threads(self.n_jobs):
            return self._best(now.observation, now.mask)

    def probabilities(
        self, observation: NDArray[np.float32], mask: Bools, *, epsilon: float = 0.0
    ) -> Floats:
        """Return n x a: the chances of a policy that does anything allowed now and then."""
        with torch_threads(self.n_jobs):
            best = self._best(observation, mask)
        chances: Floats = epsilon * mask / mask.sum(axis=1, keepdims=True)
        chances[np.arange(len(best)), best] += 1.0 - epsilon
        return chances

    def save(self, folder: Path | UPath) -> None:
        """Write the fitted network as data: safetensors and JSON."""
        check_is_fitted(self, "n_actions_")
        folder.mkdir(parents=True, exist_ok=True)
        state = {
            "format": FORMAT,
            "parameters": self.get_params(),
            "features": self.n_features_in_,
            "actions": self.n_actions_,
            "loss": self.loss_,
        }
        tensors = {"mean": self._mean, "deviation": self._deviation}
        tensors |= {name: tensor.detach() for name, tensor in self._network.state_dict().items()}
        (folder / WEIGHTS_FILE).write_bytes(save_tensors(tensors))
        (folder / STATE_FILE).write_text(json.dumps(state, indent=1, allow_nan=False))

    @classmethod
    def load(cls, folder: Path | UPath) -> Self:
        """Read what `save` wrote.

        Raises:
            FileNotFoundError: A file is missing.
            BrokenFileError: A file is not what was saved.
        """
        with naming(folder / STATE_FILE):
            state = json.loads((folder / STATE_FILE).read_text())
            if state.get("format") != FORMAT:
                raise ValueError(
                    f"{folder} holds format {state.get('format')!r}, expected {FORMAT!r}"
                )
            parameters = state["parameters"]
            model = cls(**{**parameters, "ignore": tuple(parameters["ignore"])})
            tensors = load_tensors((folder / WEIGHTS_FILE).read_bytes())
            model._mean, model._deviation = tensors.pop("mean"), tensors.pop("deviation")
            model.n_features_in_, model.n_actions_ = state["features"], state["actions"]
            if not len(model._mean) == len(model._deviation) == model.n_features_in_:
                raise ValueError(f"{WEIGHTS_FILE} scales other features than {STATE_FILE} counts")
            model.loss_ = state["loss"]
            model._network = model._make()
            model._network.load_state_dict(tensors)
            return model

    def _begin(self, observation: NDArray[np.float32], actions: int) -> None:
        torch.manual_seed(self.random_state)
        self.n_features_in_, self.n_actions_ = observation.shape[1], actions
        self._mean = torch.from_numpy(observation.mean(axis=0, dtype=np.float64).astype(np.float32))
        deviation = observation.std(axis=0, dtype=np.float64)
        # what never differs, and what is not to be looked at, comes to 0
        used = deviation > 1e-6
        used[list(self.ignore)] = False
        scale = np.divide(1.0, deviation, where=used, out=np.zeros_like(deviation))
        self._deviation = torch.from_numpy(scale.astype(np.float32))
        self._network = self._make()

    def _make(self) -> torch.nn.Sequential:
        return torch.nn.Sequential(
            torch.nn.Linear(self.n_features_in_, self.hidden),
            torch.nn.ReLU(),
            torch.nn.Linear(self.hidden, self.hidden),
            torch.nn.ReLU(),
            torch.nn.Linear(self.hidden, self.n_actions_),
        )

    def _scaled(self, observation: NDArray[np.float32]) -> torch.Tensor:
        return (torch.from_numpy(observation) - self._mean) * self._deviation

    def _best(self, observation: NDArray[np.float32], mask: Bools) -> Ints:
        with torch.inference_mode():
            values = self._network(self._scaled(observation))
            best: Ints = _among(values, torch.from_numpy(mask)).argmax(dim=1).numpy()
        return best

    def _learn(self, draw: Callable[[], tuple[NDArray, ...]]) -> None:
        network, target = self._network, self._make()
        target.load_state_dict(network.state_dict())
        optimiser = torch.optim.Adam(network.parameters(), lr=self.learning_rate, fused=True)
        schedule = torch.optim.lr_scheduler.LinearLR(
            optimiser, start_factor=1.0, end_factor=_LAST_RATE, total_iters=self.updates
        )
        recent: list[float] = []
        for update in range(1, self.updates + 1):
            loss = self._loss(draw(), network, target)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call] # torch's own
            optimiser.step()
            schedule.step()
            if update % self.target_every == 0:
                target.load_state_dict(network.state_dict())
            recent = [*recent[-999:], float(loss.detach())]
            if update % _REPORT_UPDATES == 0:
                logger.info("DQN: update %d, mean loss %.5f", update, np.mean(recent))
        self.loss_ = float(np.mean(recent))

    def _loss(
        self, drawn: tuple[NDArray, ...], network: torch.nn.Module, target: torch.nn.Module
    ) -> torch.Tensor:
        seen, action, reward, discount, then, then_mask, *mask = drawn
        values = network(self._scaled(seen))
        chosen = torch.from_numpy(action)[:, None]
        goal = torch.from_numpy(reward)
        if not self.myopic:
            later = self._scaled(then)
            with torch.no_grad():
                best = _among(network(later), torch.from_numpy(then_mask)).argmax(dim=1)
                worth = target(later).gather(1, best[:, None])[:, 0]
            goal = goal + torch.from_numpy(discount) * worth
        of_chosen = values.gather(1, chosen)[:, 0]
        loss = torch.nn.functional.smooth_l1_loss(of_chosen, goal)
        if self.conservative and mask:
            allowed = _among(values, torch.from_numpy(mask[0]))
            loss = loss + self.conservative * (allowed.logsumexp(dim=1) - of_chosen).mean()
        return loss


def _among(values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Return the values of allowed actions, minus infinity for the others."""
    return values.masked_fill(~mask, -torch.inf)
