"""One federation's server without its transport: rounds in stages, and what is refused.

Belongs here: who takes part, what each stage waits for, the step after it. Does not belong here:
HTTP, TLS and the sum's cryptography (`learning.federated.secure_sum`).
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from upath import UPath

from engagement_assets.learning.federated.privacy import BudgetSpentError, PrivacyLedger
from engagement_assets.learning.federated.secure_sum import (
    SecureSum,
    SecureSumError,
    from_words,
    least_threshold,
)
from engagement_assets.learning.federated.strategy import FedAvg
from engagement_assets.serving.federated.messages import VERSION, read_tensors, to_tensors
from resources.lake import put_atomically

STAGES = ("keys", "shares", "vectors", "openings")
# With two, each would know the other's update from the sum and its own.
LEAST_CLIENTS = 3
STATE = "federation.safetensors"
KILLED = "the server stopped during the round"


class RefusedError(Exception):
    """A message is refused; nothing has changed.

    Args:
        status: HTTP's number.
        reason: Why.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


@dataclass
class Round:
    """A round in progress."""

    round_id: str
    numbers: dict[str, int]
    secure_sum: SecureSum
    stage: str = "keys"
    deadline: float = 0.0


@dataclass
class Coordinator:
    """Runs rounds of a federation.

    Args:
        weights: p global weights.
        strategy: Who is asked, and the step along the sum; its seed must be None in earnest.
        clip: Longest update that a client may send.
        local: What clients do, as JSON data.
        wanted: Clients that must be present before a round begins.
        rounds: How many are run.
        ledger: Where rounds are counted; None only without a plan of privacy.
        stage_seconds: How long a stage waits for clients.
        folder: Where weights, history and ledger are kept, as one file; None for nowhere. One that
            has them goes on from there: the round that was under way is given up and stays counted,
            and messages of it are refused, since its keys and its name are gone.
        clock: Seconds.
    """

    weights: np.ndarray
    strategy: FedAvg
    clip: float
    local: dict[str, Any]
    wanted: int
    rounds: int
    ledger: PrivacyLedger | None = None
    stage_seconds: float = 60.0
    folder: UPath | None = None
    clock: Callable[[], float] = time.monotonic
    history: list[dict[str, Any]] = field(default_factory=list)
    current: Round | None = None
    stopped: str = ""
    _present: dict[str, None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.strategy.privacy is not None and self.ledger is None:
            raise ValueError("a federation with privacy needs a ledger")
        if self.wanted < LEAST_CLIENTS:
            raise ValueError(f"a round has {LEAST_CLIENTS} clients or more, not {self.wanted}")
        if self.folder is not None and (self.folder / STATE).exists():
            self._resume(self.folder / STATE)

    @property
    def done(self) -> bool:
        """Whether all rounds were run, or the budget of privacy is spent."""
        return len(self.history) >= self.rounds or bool(self.stopped)

    def poll(self, client: str) -> dict[str, Any]:
        """Say what a client is to do now; it counts as present."""
        self._pass_deadline()
        if self.current is None and not self.done:
            self._present[client] = None
            if len(self._present) >= self.wanted:
                self._begin()
        if self.done:
            return {"version": VERSION, "stage": "done"}
        now = self.current
        if now is None or client not in now.numbers:
            return {"version": VERSION, "stage": "wait"}
        return {
            "version": VERSION,
            "stage": now.stage,
            "round": now.round_id,
            "number": now.numbers[client],
            "threshold": now.secure_sum.threshold,
            "length": len(self.weights),
            "clip": self.clip,
            "equal_weights": self.strategy.privacy is not None,
            "local": self.local,
        }

    def take(self, client: str, round_id: str, stage: str, message: Any) -> None:
        """Take a client's message of a stage.

        Raises:
            RefusedError: When the client is not in the round, the round or stage is another, or
                the message came before or is not what it should be.
        """
        now, number = self._seat(client, round_id, stage)
        total = now.secure_sum
        try:
            if stage == "vectors":
                total.take_vector(number, message)
            else:
                by_stage: dict[str, dict[int, Any]] = {
                    "keys": total.keys,
                    "shares": total.sealed,
                    "openings": total.openings,
                }
                taken = by_stage[stage]
                if number in taken:
                    raise RefusedError(409, f"{stage} of this client came before")
                taken[number] = message
        except SecureSumError as error:
            raise RefusedError(409, str(error)) from error
        if set(self._expected()) <= set(self._came()):
            self._next()

    def read(self, client: str, round_id: str, stage: str) -> Any:
        """Return what a client needs in a stage: all keys, its shares, or who stayed."""
        now, number = self._seat(client, round_id, stage)
        if stage == "shares":
            return now.secure_sum.keys
        if stage == "vectors":
            return now.secure_sum.for_client(number)
        if stage == "openings":
            return now.secure_sum.survivors
        raise RefusedError(404, "nothing is read in this stage")

    def _seat(self, client: str, round_id: str, stage: str) -> tuple[Round, int]:
        self._pass_deadline()
        now = self.current
        if now is None or now.round_id != round_id:
            raise RefusedError(409, "this round is over")
        if client not in now.numbers:
            raise RefusedError(403, "this client is not in the round")
        if now.stage != stage:
            raise RefusedError(409, f"the round is at {now.stage}, not {stage}")
        return now, now.numbers[client]

    def _begin(self) -> None:
        present = list(self._present)
        asked = [present[i] for i in self.strategy.configure_fit(len(present))]
        self._present.clear()
        if len(asked) < LEAST_CLIENTS:
            return
        if self.strategy.privacy is not None and self.ledger is not None:
            try:
                self.ledger.charge(self.strategy.privacy.release())
            except BudgetSpentError as error:
                self.stopped = str(error)
                return
        round_id = f"{len(self.history)}-{secrets.token_hex(16)}"
        numbers = {client: i for i, client in enumerate(asked, start=1)}
        # one word more: the sum of the clients' weights
        self.current = Round(round_id, numbers, SecureSum(round_id, len(self.weights) + 1, 0))
        self.current.deadline = self.clock() + self.stage_seconds
        self._keep()

    def _expected(self) -> list[int]:
        assert self.current is not None  # noqa: S101 - a message was taken of it
        total = self.current.secure_sum
        waits: dict[str, Any] = {
            "keys": self.current.numbers.values(),
            "shares": total.keys,
            "vectors": total.sealed,
            "openings": total.vectors,
        }
        return list(waits[self.current.stage])

    def _came(self) -> list[int]:
        assert self.current is not None  # noqa: S101 - a message was taken of it
        total = self.current.secure_sum
        came: dict[str, Any] = {
            "keys": total.keys,
            "shares": total.sealed,
            "vectors": total.vectors,
            "openings": total.openings,
        }
        return list(came[self.current.stage])

    def _pass_deadline(self) -> None:
        if self.current is not None and self.clock() > self.current.deadline:
            self._next()

    def _next(self) -> None:
        now, came = self.current, self._came()
        assert now is not None  # noqa: S101 - a stage of it ends
        if now.stage == "keys":
            now.secure_sum.threshold = least_threshold(len(came))
        if len(came) < max(LEAST_CLIENTS, now.secure_sum.threshold):
            self._end(f"{len(came)} clients were left at {now.stage}")
        elif now.stage == STAGES[-1]:
            self._finish(now)
        else:
            now.stage = STAGES[STAGES.index(now.stage) + 1]
            now.deadline = self.clock() + self.stage_seconds

    def _finish(self, now: Round) -> None:
        try:
            total = from_words(now.secure_sum.total())
        except SecureSumError as error:
            self._end(str(error))
            return
        weight, update = total[-1], total[:-1]
        private = self.strategy.privacy is not None
        clients = len(now.secure_sum.vectors)
        if private and weight != clients:
            self._end("clients did not all weigh the same")
        elif weight <= 0 or np.linalg.norm(update) > self.clip * weight * (1 + 1e-6):
            self._end("the sum is longer than clipped updates can make it")
        else:
            self.weights = (
                self.strategy.aggregate_sum(self.weights, update)
                if private
                else self.strategy.stepped(self.weights, update / weight)
            )
            self._end("")

    def _end(self, failure: str) -> None:
        now = self.current
        assert now is not None  # noqa: S101 - it ends
        answered = len(now.secure_sum.vectors)
        self.history.append({"asked": len(now.numbers), "answered": answered, "failure": failure})
        if failure and self.ledger is not None:
            self.ledger.mark_failed()
        self.current = None
        self._keep()

    def _keep(self) -> None:
        if self.folder is None:
            return
        about = {
            "history": self.history,
            "stopped": self.stopped,
            "ledger": self.ledger.to_dict() if self.ledger else None,
            "under_way": None if self.current is None else len(self.current.numbers),
        }
        step = self.strategy.step
        values = {"weights": self.weights, **({} if step is None else {"step": step})}
        put_atomically(self.folder / STATE, to_tensors(values, about))

    def _resume(self, path: UPath) -> None:
        """Go on from what a server before this one kept.

        Raises:
            ValueError: It is of another net or another budget, or damaged.
        """
        values, about = read_tensors(path.read_bytes())
        budget = self.ledger and (self.ledger.epsilon, self.ledger.delta)
        before = about["ledger"] and (about["ledger"]["epsilon"], about["ledger"]["delta"])
        if values["weights"].shape != self.weights.shape or budget != before:
            raise ValueError(
                f"{path} is of {values['weights'].shape} weights and the budget {before}, not of "
                f"{self.weights.shape} and {budget}: a federation goes on as it was begun"
            )
        self.weights, self.strategy.step = values["weights"], values.get("step")
        self.history, self.stopped = about["history"], about["stopped"]
        if self.ledger is not None:
            self.ledger = PrivacyLedger.from_dict(about["ledger"])
        if about["under_way"] is not None:
            self.history.append({"asked": about["under_way"], "answered": 0, "failure": KILLED})
            if self.ledger is not None:
                self.ledger.mark_failed()
            self._keep()
