"""Forecast many series by one sequence network.

Belongs here: the LSTM. Does not belong here: the other methods (`methods.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from engagement_assets.learning.errors import TooLittleDataError
from engagement_assets.learning.forecasting.methods import History
from engagement_assets.learning.forecasting.panel import Floats, Folder
from engagement_assets.learning.torch_threads import torch_threads

WEIGHTS_FILE = "forecast_lstm.safetensors"
QUANTILES = (0.1, 0.5, 0.9)
_SEASONS = 8
_HIDDEN = 24
_BATCH = 256
_MOST_WINDOWS = 4_000
_MOST_PASSES = 10
_PATIENCE = 4
_LEARNING_RATE = 4e-3


class _Network(torch.nn.Module):
    def __init__(self, season: int, horizon: int) -> None:
        super().__init__()
        self.horizon = horizon
        self.lstm = torch.nn.LSTM(season, _HIDDEN, batch_first=True)
        self.leave = torch.nn.Linear(_HIDDEN, horizon * len(QUANTILES))

    def forward(self, seasons: torch.Tensor) -> torch.Tensor:
        _, (last, _) = self.lstm(seasons)
        # what is learnt is the change against the mean of the same places in the last two seasons
        change = self.leave(last[0]).reshape(-1, self.horizon, len(QUANTILES))
        repeats = -(-self.horizon // seasons.shape[2])
        anchor = seasons[:, -2:].mean(dim=1).repeat(1, repeats)[:, : self.horizon]
        made: torch.Tensor = anchor[:, :, None] + change
        return made


@dataclass(eq=False)
class Lstm:
    """A long short-term memory network over the last eight seasons, one for all series.

    A step of it is a season, so that the same place of a step is the same weekday. Each window is
    measured by its own mean and spread; what is learnt are quantiles (pinball loss), of which the
    median is the forecast. The latest tenth of the windows says when to stop.

    Attributes:
        random_state: Seed.
        n_jobs: Torch's threads.
    """

    name: str = "LSTM"
    must_earn: bool = True
    everywhere: bool = True
    random_state: int = 0
    n_jobs: int = 1
    _networks: dict[int, _Network] = field(default_factory=dict, repr=False)

    def forecast(
        self, history: History, rows: Sequence[int], origins: Sequence[int], *, fit_until: int
    ) -> Floats:
        """Return its forecasts; see `Method`.

        Raises:
            TooLittleDataError: There are fewer than ten seasons to learn from.
        """
        network = self._networks.get(fit_until) or self.fit(history, fit_until=fit_until)
        width = _SEASONS * history.season
        ends = np.asarray(origins)[:, None] - width + 1 + np.arange(width)
        windows = history.usual[np.asarray(rows)][:, ends].reshape(-1, width)
        scaled, mean, spread = _scaled(windows, history.season)
        with torch_threads(self.n_jobs), torch.inference_mode():
            made = network(torch.from_numpy(scaled))[:, :, 1].double().numpy()
        ahead: Floats = made * spread + mean
        return ahead.reshape(len(rows), len(origins), history.horizon)

    def fit(self, history: History, *, fit_until: int) -> _Network:
        """Learn from the first times of all series."""
        width = _SEASONS * history.season
        starts = np.arange(0, fit_until - width - history.horizon + 1)
        if len(starts) < 2 * history.season:
            raise TooLittleDataError(
                f"the LSTM looks at {_SEASONS} seasons and learns from windows of at least two; "
                f"{fit_until} times are too few"
            )
        with torch_threads(self.n_jobs):
            torch.manual_seed(self.random_state)
            network = _Network(history.season, history.horizon)
            self._learn(network, history, starts)
        self._networks = {fit_until: network}
        return network

    def use(self, network_of: Lstm, *, fit_until: int) -> None:
        """Take what another one has learnt, whatever it was learnt from."""
        self._networks = {fit_until: next(iter(network_of._networks.values()))}

    def _learn(self, network: _Network, history: History, starts: NDArray[np.int64]) -> None:
        rng = np.random.default_rng(self.random_state)
        width, horizon = _SEASONS * history.season, history.horizon
        cut = starts[-max(len(starts) // 10, 1)]
        lived = np.flatnonzero(np.ptp(history.usual, axis=1) > 0)
        if not len(lived):
            return

        def windows(which: NDArray[np.int64]) -> tuple[torch.Tensor, torch.Tensor]:
            pairs = np.stack(np.meshgrid(lived, which, indexing="ij"), axis=-1).reshape(-1, 2)
            if len(pairs) > _MOST_WINDOWS:
                pairs = pairs[np.sort(rng.choice(len(pairs), _MOST_WINDOWS, replace=False))]
            places = pairs[:, 1, None] + np.arange(width + horizon)
            whole = history.usual[pairs[:, 0, None], places]
            inputs, mean, spread = _scaled(whole[:, :width], history.season)
            target = ((whole[:, width:] - mean) / spread).astype(np.float32)
            return torch.from_numpy(inputs), torch.from_numpy(target)

        # no target of a window that is learnt from lies among those that say when to stop
        learn, aside = (
            windows(starts[starts < max(cut - horizon, 1)]),
            windows(starts[starts >= cut]),
        )
        levels = torch.tensor(QUANTILES)

        def loss(batch: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
            error = truth[:, :, None] - network(batch)
            return torch.maximum(levels * error, (levels - 1.0) * error).mean()

        optimiser = torch.optim.Adam(network.parameters(), lr=_LEARNING_RATE)
        best, best_weights, waited = float("inf"), _weights(network), 0
        for _ in range(_MOST_PASSES):
            order = torch.from_numpy(rng.permutation(len(learn[0])))
            for start in range(0, len(order), _BATCH):
                batch = order[start : start + _BATCH]
                optimiser.zero_grad()
                loss(learn[0][batch], learn[1][batch]).backward()  # type: ignore[no-untyped-call] # torch's own
                optimiser.step()
            with torch.inference_mode():
                error = float(loss(*aside))
            waited += 1
            if error < best:
                best, best_weights, waited = error, _weights(network), 0
            if waited >= _PATIENCE:
                break
        network.load_state_dict(best_weights)
        network.eval()

    def save(self, folder: Folder) -> None:
        """Write what was learnt last as safetensors."""
        network = next(iter(self._networks.values()))
        (folder / WEIGHTS_FILE).write_bytes(save_tensors(_weights(network)))

    @classmethod
    def load(cls, folder: Folder, *, season: int, horizon: int) -> Lstm:
        """Read what `save` wrote."""
        model, network = cls(), _Network(season, horizon)
        network.load_state_dict(load_tensors((folder / WEIGHTS_FILE).read_bytes()))
        network.eval()
        model._networks = {0: network}
        return model


def _weights(network: _Network) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in network.state_dict().items()}


def _scaled(windows: Floats, season: int) -> tuple[NDArray[np.float32], Floats, Floats]:
    """Return windows by season, measured by mean and spread of the last four."""
    last = windows[:, -4 * season :]
    mean = last.mean(axis=1, keepdims=True)
    spread = np.maximum(last.std(axis=1, keepdims=True), 1e-6 * np.maximum(np.abs(mean), 1.0))
    scaled = ((windows - mean) / spread).reshape(len(windows), -1, season)
    return scaled.astype(np.float32), mean, spread
