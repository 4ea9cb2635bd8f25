# ruff: noqa: ARG002 - the protocol gives more than so small a decision reads
"""A learnt decision as its own folder would hold it: a coupon to those whom it helps.

Belongs here: the smallest decision that lives the whole life. Does not belong here: what is
expected of it (`test_learnt_decision.py`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from engagement_assets.features.catalogue import CUSTOMER_FEATURES
from engagement_assets.lifecycle.adapter import Inputs
from engagement_assets.lifecycle.decision import ContextPolicy, ContextRule, Floats, Positions
from engagement_assets.lifecycle.gates import policy_gates
from engagement_assets.lifecycle.learnt import LearntDecision
from engagement_assets.lifecycle.spec import NO_ACTION, Action, DecisionSpec, FairnessSpec, Reward
from resources.registry import RegisteredModel

FIRST, DAYS, PEOPLE = date(2026, 1, 1), 80, 300
SPEC = DecisionSpec(
    name="coupon",
    subject="coupons",
    code_version="1",
    implementation="engagement_assets_tests.lifecycle.coupon:Coupon",
    baseline="engagement_assets_tests.lifecycle.coupon:Everybody",
    actions=(Action(name="give", channel="in_app"), NO_ACTION),
    withdrawn=("shout",),
    reward=Reward(table="source/sessions", column="none", window_days=2),
    window_days=30,
    gates=policy_gates(least_chance=0.05),
    comparison_metric="reward a decision",
    fairness=FairnessSpec(
        rule="nobody is offered less",
        selection="benefit",
        selected_are="those who are offered one",
    ),
    learns_from=("source/sessions",),
    predicts_from=(CUSTOMER_FEATURES,),
    columns=(),
    texts=dict.fromkeys(("policy", "evaluation", "fairness", "champion", "choices"), "Coupons."),
    purpose="Gives coupons.",
    limits=("It knows one thing of a customer.",),
)


@dataclass(frozen=True)
class Learnt(ContextPolicy):
    """The better action of each half, and another one now and then."""

    spec: ClassVar[DecisionSpec] = SPEC
    best: Mapping[str, int]

    def chances(self, contexts: pd.DataFrame) -> Floats:
        best = np.array([self.best[str(one)] for one in contexts["busy"]])
        chances: Floats = 0.05 + 0.9 * np.eye(2)[best]
        return chances

    def describe(self, contexts: pd.DataFrame, chosen: Positions) -> pd.DataFrame:
        return pd.DataFrame({"reason": np.where(contexts["busy"], "busy", "idle")})

    def save(self, folder: Path) -> None:
        (folder / "best.json").write_text(json.dumps(dict(self.best)))


class Everybody(ContextRule):
    """A coupon to everybody."""

    spec: ClassVar[DecisionSpec] = SPEC

    def choose(self, contexts: pd.DataFrame) -> Sequence[str]:
        return ["give"] * len(contexts)

    def describe(self, contexts: pd.DataFrame, chosen: Positions) -> pd.DataFrame:
        return pd.DataFrame({"reason": ["a coupon to everybody"] * len(contexts)})


class Coupon(LearntDecision):
    """Coupons help the busy and annoy the idle by `gain`."""

    spec: ClassVar[DecisionSpec] = SPEC
    context: ClassVar[tuple[str, ...]] = ("busy",)
    gain: ClassVar[float] = 0.5

    def log(self, inputs: Inputs, last_day: date) -> pd.DataFrame:
        rng = np.random.default_rng(0)
        n = 4_000
        day = rng.integers(0, DAYS, n)
        busy = rng.random(n) < 0.5
        action = rng.choice(["give", "none", "shout"], n, p=[0.5, 0.4, 0.1])
        help_ = np.where(busy, self.gain, -self.gain) * (action == "give")
        rows = pd.DataFrame(
            {
                "customer_id": [f"c{one:03d}" for one in rng.integers(0, PEOPLE, n)],
                "acted_at": pd.Timestamp(FIRST) + pd.to_timedelta(day * 24 + 12, "h"),
                "busy": busy,
                "action": action,
                "propensity": pd.Series(action).map({"give": 0.5, "none": 0.4, "shout": 0.1}),
                "reward": help_ + rng.normal(size=n) * 0.3,
            }
        )
        until = pd.Timestamp(last_day - timedelta(days=1))
        return rows[rows["acted_at"] < until]

    def fit(self, log: pd.DataFrame, inputs: Inputs) -> Learnt:
        means = log.groupby(["busy", "action"])["reward"].mean()
        return Learnt(
            {str(busy): int(means[busy, "give"] < means[busy, "none"]) for busy in (False, True)}
        )

    def open(self, model: RegisteredModel, *, parameters: Mapping[str, Any]) -> Learnt:
        return Learnt(json.loads((model.folder / "best.json").read_text()))

    def contexts(self, features: pd.DataFrame) -> pd.DataFrame:
        return features[["customer_id", "snapshot_date"]].assign(busy=features["logins_month"] > 9)


class Useless(Coupon):
    """Coupons that do nothing."""

    gain: ClassVar[float] = 0.0
