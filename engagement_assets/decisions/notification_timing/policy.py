"""The hour at which a customer is notified, learnt in a model of how customers answer.

Belongs here: the rule that must be beaten, the policy, and how it is learnt from a log. Does not
belong here: reading tables (`contexts.py`) and the learners (`learning.reinforcement`).
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from engagement_assets.decisions.notification_timing.contexts import (
    CONTEXT,
    PROBLEM,
    limits_of,
    memory_of,
    most_of_a_week,
    read_day,
    read_log,
    situation_of,
    units_of,
)
from engagement_assets.decisions.notification_timing.spec import (
    DELAYS,
    EXPLORED,
    OVER_TIME,
    SPEC,
    send_name,
)
from engagement_assets.learning.evaluation.bootstrap import Interval
from engagement_assets.learning.evaluation.splits import hash_split
from engagement_assets.learning.json_data import naming
from engagement_assets.learning.markdown import LEFT, RIGHT, table
from engagement_assets.learning.reinforcement.comparison import Comparison, compare
from engagement_assets.learning.reinforcement.double_dqn import DoubleDQN
from engagement_assets.learning.reinforcement.environment import TimingEnvironment
from engagement_assets.learning.reinforcement.fitted_q import PolicyValue, fitted_q_evaluation
from engagement_assets.learning.reinforcement.policies import always_now, at_random, best_hour
from engagement_assets.learning.reinforcement.response import LogisticResponse
from engagement_assets.learning.reinforcement.timing import Policy as Timing
from engagement_assets.learning.reinforcement.timing import TimingProblem, Units
from engagement_assets.learning.reinforcement.transitions import Transitions
from engagement_assets.lifecycle.adapter import Inputs
from engagement_assets.lifecycle.decision import ContextPolicy, ContextRule, Floats, Positions
from engagement_assets.lifecycle.learnt import LearntDecision
from engagement_assets.lifecycle.spec import NO_ACTION, DecisionSpec
from resources.registry import RegisteredModel

if TYPE_CHECKING:
    from upath import UPath

logger = logging.getLogger(__name__)

RANDOM, NOW, BEST_HOUR, BANDIT, NETWORK = (
    "at random", "at once", "best hour", "contextual bandit", "deep Q-network",
)  # fmt: skip
FOLLOWED_DAYS = 60
# A policy gives way to a more complicated one whose gain surely exceeds this share of its value.
MARGIN = 0.02
# Customers with several logged notifications below which their course says nothing.
LEAST_COURSES = 200
HOUR = np.timedelta64(1, "h")
# Where more is remembered of earlier sends than at so many of the log's, nothing is sent.
COVERED = 0.99
STATE_FILE = "timing.json"
_FEW_UPDATES = 3


def _described(contexts: pd.DataFrame, chosen: Positions) -> pd.DataFrame:
    """Return reasons and the hour of the clock of n choices."""
    now = situation_of(contexts)
    sends = chosen < DELAYS
    hour = (contexts["hour"].to_numpy(np.int64) + chosen) % 24
    place = PROBLEM.habit_columns.start + np.minimum(chosen, DELAYS - 1)
    share = np.exp(now.observation[np.arange(len(chosen)), place])
    allowed = np.atleast_1d(now.mask[:, :-1].any(axis=1))
    reasons = [
        f"at {at}:00, an hour with {times:.1f} times the customer's mean use"
        if sent
        else (f"rest, {count:.1f} notifications are remembered" if may else "no hour is allowed")
        for at, times, sent, may, count in zip(
            hour, share, sends, allowed, now.memory.traces[:, -1], strict=True
        )
    ]
    return pd.DataFrame(
        {
            "reason": pd.Series(reasons, dtype=object),
            "send_hour": pd.Series(hour, dtype="Int64").where(pd.Series(sends)),
        }
    )


class SendNow(ContextRule):
    """Sends at once, or as soon as is allowed."""

    spec: ClassVar[DecisionSpec] = SPEC

    def choose(self, contexts: pd.DataFrame) -> Sequence[str]:
        """Return the first allowed hour of each of n contexts."""
        first = situation_of(contexts).mask.argmax(axis=1)
        return [NO_ACTION.name if hours == DELAYS else send_name(int(hours)) for hours in first]

    def describe(self, contexts: pd.DataFrame, chosen: Positions) -> pd.DataFrame:
        """Return reasons and hours."""
        return _described(contexts, chosen)


@dataclass(frozen=True)
class TimingPolicy(ContextPolicy):
    """The hour that one of the policies chooses, and now and then any that is allowed.

    Attributes:
        kind: Which of them.
        network: The bandit or the deep Q-network, where it is one.
        most_remembered: The most that may be remembered of earlier sends where one is sent.
        about: What is known of it from learning, for its card.
    """

    spec: ClassVar[DecisionSpec] = SPEC
    kind: str
    network: DoubleDQN | None = None
    most_remembered: float = math.inf
    about: Mapping[str, Any] = field(default_factory=dict, compare=False)

    def chances(self, contexts: pd.DataFrame) -> Floats:
        """Return the chances of each hour and of none."""
        now = situation_of(contexts, most_remembered=self.most_remembered)
        rules: dict[str, Timing] = {NOW: always_now, BEST_HOUR: best_hour(PROBLEM)}
        # a network sees the mask, and where resting is no choice takes the best send
        best = (self.network or rules[self.kind])(now)
        chances: Floats = EXPLORED * now.mask / now.mask.sum(axis=1, keepdims=True)
        chances[np.arange(len(best)), best] += 1.0 - EXPLORED
        return chances

    def describe(self, contexts: pd.DataFrame, chosen: Positions) -> pd.DataFrame:
        """Return reasons and hours."""
        return _described(contexts, chosen)

    def save(self, folder: Path | UPath) -> None:
        """Write it as data."""
        (folder / STATE_FILE).write_text(
            json.dumps({"kind": self.kind, "most_remembered": self.most_remembered})
        )
        if self.network is not None:
            self.network.save(folder)


class NotificationTiming(LearntDecision):
    """Learns when to notify."""

    spec: ClassVar[DecisionSpec] = SPEC
    context: ClassVar[tuple[str, ...]] = CONTEXT
    outcomes: ClassVar[tuple[str, ...]] = ("lost",)

    def log(self, inputs: Inputs, last_day: date) -> pd.DataFrame:
        """Return notifications whose delay was drawn by lot, and how they were answered."""
        return read_log(inputs, last_day)

    def contexts(self, features: pd.DataFrame) -> pd.DataFrame:  # noqa: ARG002 - the protocol's
        """Refuse: a customer's features do not say what was sent to them, and when.

        Raises:
            TypeError: Always; `online=False` says so in the spec.
        """
        raise TypeError(f"{self.spec.name} answers for whole days alone, by `day_contexts`")

    def day_contexts(self, inputs: Inputs, day: date) -> pd.DataFrame:
        """Return what is known of customers when tomorrow's notification is due."""
        return read_day(inputs, day)

    def allowed(self, contexts: pd.DataFrame) -> np.ndarray:
        """Return the hours that limits leave, and whether none may be chosen."""
        return situation_of(contexts).mask

    def as_offered(self, log: pd.DataFrame) -> pd.DataFrame:
        """Return the contexts with rest as a choice, which no log has."""
        return log.assign(may_rest=True)

    def fit(self, log: pd.DataFrame, inputs: Inputs) -> TimingPolicy:
        """Learn in a model of some customers' answers, choose in the model of others'.

        Raises:
            TooLittleDataError: Too few notifications were answered.
        """
        other = hash_split(log["customer_id"], test_share=0.5, salt=self.spec.name)
        remembered = float(np.quantile(memory_of(log).traces[:, -1], COVERED))
        problem = problem_of(inputs.parameters, remembered)
        worlds = [_World.of(log[rows].reset_index(drop=True), problem) for rows in (~other, other)]
        seed, updates = inputs.seed, int(inputs.parameters["timing_updates"])
        networks = {
            BANDIT: DoubleDQN(
                updates=max(1, updates // _FEW_UPDATES),
                myopic=True,
                ignore=problem.memory_columns,
                random_state=seed,
            ),
            NETWORK: DoubleDQN(
                updates=updates,
                # thirty renewals pass on what later days are worth, however few updates there are
                target_every=min(1_000, max(1, updates // 30)),
                random_state=seed,
            ),
        }
        for network in networks.values():
            network.fit(worlds[0].environment(seed, size=256))
        policies: dict[str, Timing] = {
            RANDOM: at_random(seed), NOW: always_now, BEST_HOUR: best_hour(problem), **networks,
        }  # fmt: skip
        followed = compare(lambda: worlds[1].environment(seed + 1), policies, days=FOLLOWED_DAYS)
        order = [NOW, BEST_HOUR, *networks]
        kind = Comparison({name: followed.courses[name] for name in order}, order).simplest(
            margin=MARGIN
        )
        logger.info("notification timing: %s is the simplest that is as good", kind)
        quality = worlds[0].response.quality(
            worlds[1].sent_to,
            worlds[1].sends,
            worlds[1].engaged,
            n_bootstrap=inputs.bootstrap,
            seed=seed,
        )
        about = {
            "kind": kind,
            "followed_customers": len(worlds[1].units),
            "over_time": [_line(followed, name) for name in policies],
            "metrics": {
                OVER_TIME: followed.gain(kind, NOW).to_dict(),
                "memory_worth": followed.gain(NETWORK, BANDIT).to_dict(),
                **{
                    f"answers_{name}": quality[name].to_dict()
                    for name in ("auc", "calibration_error", "base_rate")
                },
            },
        }
        return TimingPolicy(kind, networks.get(kind), problem.most_remembered, about)

    def open(self, model: RegisteredModel, *, parameters: Mapping[str, Any]) -> TimingPolicy:  # noqa: ARG002 - limits are of the contexts
        """Load what was learnt."""
        with naming(model.folder / STATE_FILE):
            state = json.loads((model.folder / STATE_FILE).read_text())
            network = DoubleDQN.load(model.folder) if state["kind"] in {BANDIT, NETWORK} else None
            return TimingPolicy(state["kind"], network, state["most_remembered"])

    def further(self, policy: Any, learn: pd.DataFrame, score: pd.DataFrame) -> dict[str, Any]:  # noqa: ARG002 - the protocol's
        """Return what is known of the policy over time, in the model and by the log."""
        about = dict(policy.about)
        metrics = dict(about["metrics"])
        course = _Course.of(score)
        if course is not None:
            rule = self.rule(dict.fromkeys(self.spec.parameters))
            metrics |= {
                f"course_{name}": course.value(decides.chances(score)).to_dict()
                for name, decides in (("policy", policy), ("rule", rule))
            }
        return {**about, "metrics": metrics}

    def evaluation_markdown(self, card: Mapping[str, Any]) -> str:
        """Return the evaluation by the log, and every policy over time in the model."""
        rows = [
            (
                line["policy"],
                *(str(Interval(**line[name])) for name in ("value", "gain")),
                f"{line['sends']:.1f}",
                f"{line['lost']:.2%}",
            )
            for line in card["over_time"]
        ]
        verdict = (
            f"It is surely better than every simpler one, by more than {MARGIN:.0%}."
            if card["kind"] == NETWORK
            else f"No more complicated one is surely better by more than {MARGIN:.0%}, so the "
            "simple one is chosen."
        )
        return "\n\n".join(
            [
                super().evaluation_markdown(card),
                "A course is what comes from a customer's first logged notification on, by fitted "
                "Q evaluation; `memory worth` is what the deep Q-network brings above the bandit, "
                "and the answers are those of the model, on customers it did not learn from.",
                f"### Over {FOLLOWED_DAYS} days in the model of the answers",
                f"The policy is **{card['kind']}**. {verdict} Followed with "
                f"{card['followed_customers']:,} customers in a model of their own answers, from "
                "whom neither network learnt; 95 % intervals are over customers and leave out "
                "what the model does not know.",
                table(
                    [
                        "policy",
                        "discounted reward",
                        "above sending at once",
                        "notifications",
                        "lost",
                    ],
                    rows,
                    align=[LEFT, RIGHT, RIGHT, RIGHT, RIGHT],
                ),
            ]
        )


def problem_of(parameters: Mapping[str, Any], remembered: float) -> TimingProblem:
    """Return the problem with the limits of the settings, and of what logs know of."""
    most = min(remembered, most_of_a_week(parameters))
    limits: dict[str, Any] = {**limits_of(parameters)}
    return replace(PROBLEM, most_remembered=most, **limits)


@dataclass(frozen=True)
class _World:
    """Some customers, what was sent to them, and the model of how they answer.

    Attributes:
        problem: Actions and limits.
        units: Customers, as last seen.
        sent_to: Who each of n logged notifications went to.
        sends: What had been sent before, at the hour of each.
        engaged: Whether each was answered.
        response: The model of the answers.
        a_day: Notifications a customer and day, as logged.
    """

    problem: TimingProblem
    units: Units
    sent_to: Units
    sends: Any
    engaged: np.ndarray
    response: LogisticResponse
    a_day: float

    @classmethod
    def of(cls, log: pd.DataFrame, problem: TimingProblem) -> _World:
        names = [send_name(hours) for hours in range(DELAYS)]
        delay = pd.Index(names).get_indexer(pd.Index(log["action"]))
        sent_to, sends = units_of(log), memory_of(log).later(delay)
        engaged = log["engaged"].to_numpy(bool)
        response = LogisticResponse(problem=problem)
        response.fit(sent_to, sends, engaged, log["lost"].to_numpy(bool))
        latest = log.sort_values("acted_at").drop_duplicates("customer_id", keep="last")
        longest = problem.trace_days[-1]
        a_day = float(memory_of(log).traces[:, -1].mean() / longest)
        return cls(problem, units_of(latest), sent_to, sends, engaged, response, min(a_day, 2.0))

    def environment(self, seed: int, *, size: int | None = None) -> TimingEnvironment:
        """Return a world to learn in, of so many at once, or to follow everybody in."""
        past = (0.0, 2.0) if size else (self.a_day, self.a_day)
        return TimingEnvironment(
            self.problem,
            self.units,
            self.response.of(self.units),
            size=size,
            past_sends_a_day=past,
            seed=seed,
        )


@dataclass(frozen=True)
class _Course:
    """Logged notifications, each with the next to the same customer.

    Attributes:
        steps: n steps.
        rows: Positions of the n in the log.
        later: Positions of what comes next.
    """

    steps: Transitions
    rows: np.ndarray
    later: np.ndarray

    @classmethod
    def of(cls, log: pd.DataFrame) -> _Course | None:
        """Return the course of a log; None where there is too little of one."""
        order = log.sort_values(["customer_id", "acted_at"], kind="stable").index.to_numpy()
        customer = log["customer_id"].to_numpy()[order]
        same = np.flatnonzero(customer[1:] == customer[:-1])
        rows, later = order[same], order[same + 1]
        if pd.Series(customer[same]).nunique() < LEAST_COURSES:
            return None
        now = situation_of(log)
        names = [send_name(hours) for hours in range(DELAYS)]
        gap = (log["acted_at"].to_numpy()[later] - log["acted_at"].to_numpy()[rows]) / HOUR
        reward = log["reward"].to_numpy(np.float64)[rows]
        action = pd.Index(names).get_indexer(pd.Index(log["action"]))[rows]
        # a draw at an hour that limits forbid was the log's own
        mask = now.mask[rows]
        mask[np.arange(len(rows)), action] = True
        steps = Transitions(
            observation=now.observation[rows],
            mask=mask,
            action=action,
            reward=(reward * PROBLEM.discount(action)).astype(np.float32),
            discount=(PROBLEM.discount(gap) * ~log["lost"].to_numpy(bool)[rows]).astype(np.float32),
            next_observation=now.observation[later],
            next_mask=now.mask[later],
            unit=pd.factorize(customer[same])[0],
            first=np.append(True, customer[same][1:] != customer[same][:-1]),
        )
        return cls(steps, rows, later)

    def value(self, chances: Floats) -> PolicyValue:
        """Return what a policy brings from each customer's first logged notification on.

        Its value is linear in engagement, the habit at the hour, and what is remembered.
        """
        return fitted_q_evaluation(
            self.steps, chances[self.rows], chances[self.later], features=_of_customer
        )


def _of_customer(observation: np.ndarray) -> Floats:
    columns = (0, PROBLEM.memory_columns[-1], PROBLEM.habit_columns.start)
    return np.column_stack([np.ones(len(observation)), observation[:, columns].astype(np.float64)])


def _line(followed: Comparison, name: str) -> dict[str, Any]:
    course = followed.courses[name]
    return {
        "policy": name,
        "value": followed.value(name).to_dict(),
        "gain": followed.gain(name, NOW).to_dict(),
        "sends": float(course.sends.mean()),
        "lost": float(course.lost.mean()),
    }
