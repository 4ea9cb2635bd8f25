"""The highest effects that a budget pays for.

Belongs here: the rule. Does not belong here: the effects (`models.treatment_effects`).
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from typing import ClassVar

import numpy as np
import orjson
import pandas as pd
from numpy.typing import NDArray

from engagement_assets.decisions.targeting.spec import BUDGET_USD, SPEC, TREAT
from engagement_assets.lifecycle.decision import RulePolicy
from engagement_assets.lifecycle.predictor import Context
from engagement_assets.lifecycle.spec import NO_ACTION, DecisionSpec


@dataclass(frozen=True)
class LastTreated:
    """The customer with whom a day's budget ends.

    Attributes:
        effect: Their effect; infinite where the budget pays for nobody.
        lot: What decides among those of one effect.
    """

    effect: float
    lot: str

    @classmethod
    def of(cls, effects: pd.DataFrame, *, budget_usd: float, cost_usd: float) -> LastTreated:
        """Look at a day's effects."""
        table = pd.DataFrame({"effect": effects["effect"], "lot": _lots(effects["customer_id"])})
        ranked = table[_may_be_treated(effects)].sort_values(["effect", "lot"], ascending=False)
        # a budget is a whole number of contacts, whatever the rounding of USD
        treated = ranked.head(int(budget_usd / cost_usd + 1e-9))
        if treated.empty:
            return cls(float(np.finfo(np.float64).max), "")
        return cls(float(treated["effect"].iloc[-1]), str(treated["lot"].iloc[-1]))

    def __call__(self, effects: pd.DataFrame) -> NDArray[np.bool_]:
        """Return which of m customers are treated."""
        effect, lots = effects["effect"].to_numpy(np.float64), _lots(effects["customer_id"])
        among = (effect > self.effect) | ((effect == self.effect) & (lots >= self.lot))
        treated: NDArray[np.bool_] = among & _may_be_treated(effects)
        return treated


def _may_be_treated(effects: pd.DataFrame) -> NDArray[np.bool_]:
    may: NDArray[np.bool_] = ((effects["effect"] > 0.0) & effects["harmed_group"].isna()).to_numpy(
        np.bool_
    )
    return may


def _lots(customers: pd.Series) -> NDArray[np.object_]:
    """Return a text of each customer in whose order nothing else is: a hash."""
    return np.array(
        [hashlib.sha256(f"{SPEC.name} {who}".encode()).hexdigest() for who in customers],
        dtype=object,
    )


class TargetingRule(RulePolicy):
    """Treats those whom it helps the most."""

    spec: ClassVar[DecisionSpec] = SPEC

    def choose(self, context: Context) -> pd.DataFrame:
        """Return the choice of every customer whose effect is predicted."""
        effects = context.predictions["treatment_effects"]
        last = context.reference or _last(effects)
        treated = last(effects)
        return pd.DataFrame(
            {
                "customer_id": effects["customer_id"].to_numpy(),
                "action": np.where(treated, TREAT.name, NO_ACTION.name),
                "reason": pd.Series(_reasons(effects, treated), dtype=object),
                "effect": effects["effect"].to_numpy(np.float64),
                "cost_usd": np.where(treated, TREAT.cost_usd, 0.0),
            }
        )

    @classmethod
    def reference(cls, context: Context) -> bytes | None:
        """Return with whom the day's budget ends."""
        effects = context.predictions.get("treatment_effects")
        return None if effects is None else orjson.dumps(asdict(_last(effects)))

    @classmethod
    def read_reference(cls, content: bytes) -> LastTreated:
        """Read what `reference` wrote."""
        return LastTreated(**orjson.loads(content))


def _last(effects: pd.DataFrame) -> LastTreated:
    return LastTreated.of(effects, budget_usd=BUDGET_USD, cost_usd=TREAT.cost_usd)


def _reasons(effects: pd.DataFrame, treated: NDArray[np.bool_]) -> list[str]:
    """Return why each customer is treated or not, with where the effect is from."""
    texts = []
    rows = effects[["effect", "harmed_group", "origin"]].itertuples(index=False, name=None)
    for (effect, group, origin), chosen in zip(rows, treated, strict=True):
        reason = f"effect {effect:+.3f}, {origin}"
        if group is not None and not pd.isna(group):
            reason += f"; {group} is harmed"
        elif effect > 0.0 and not chosen:
            reason += "; beyond the day's budget"
        texts.append(reason)
    return texts
