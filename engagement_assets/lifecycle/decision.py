"""Policies: what is chosen for whom, by a rule with propensity 1 or by a draw with its chance.

Belongs here: the door of every policy, in batch and online. Does not belong here: any one rule,
learning (`learnt.py`) and Dagster (`choices.py`).
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import orjson
import pandas as pd
from numpy.typing import NDArray

from engagement_assets.lifecycle.predictor import Context, Predictions
from engagement_assets.lifecycle.spec import DecisionSpec


class UnknownActionError(ValueError):
    """A policy chose what its decision does not declare."""


class Policy(ABC):
    """Decides for customers; a predictor whose table holds choices."""

    @property
    @abstractmethod
    def version(self) -> str:
        """Names the policy; another one chooses otherwise."""

    @abstractmethod
    def __call__(self, rows: pd.DataFrame, context: Context) -> Predictions:
        """Choose for customers; `rows` are their features."""


def rule_version(spec: DecisionSpec, parameters: Mapping[str, Any]) -> str:
    """Return what names a rule with the parameters that its spec names."""
    content = [spec.name, spec.code_version, {name: parameters[name] for name in spec.parameters}]
    digest = hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS))
    return f"rule-{digest.hexdigest()[:12]}"


class RulePolicy(Policy):
    """A rule over what the models predict.

    Attributes:
        spec: The decision.

    Args:
        parameters: What the spec's `parameters` name, and others, which are passed over.
    """

    spec: ClassVar[DecisionSpec]

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        self.parameters = {name: parameters[name] for name in self.spec.parameters}

    @property
    def version(self) -> str:
        """Names the rule with its parameters."""
        return rule_version(self.spec, self.parameters)

    @abstractmethod
    def choose(self, context: Context) -> pd.DataFrame:
        """Return `customer_id`, `action`, `reason` and the spec's own columns of who is judged.

        Args:
            context: The models' predictions; its reference where customers come alone.
        """

    @classmethod
    def reference(cls, context: Context) -> bytes | None:  # noqa: ARG003 - for rules that rank
        """Return what stands for a day's customers where one of them is judged alone, or None."""
        return None

    @classmethod
    def read_reference(cls, content: bytes) -> Any:
        """Read what `reference` wrote."""
        raise NotImplementedError(f"{cls.spec.name} keeps no reference of a day")

    def __call__(self, rows: pd.DataFrame, context: Context) -> Predictions:  # noqa: ARG002 - a predictor's
        """Choose for every customer of whom the models predict what the rule looks at.

        Raises:
            UnknownActionError: The rule chose what the spec does not declare.
        """
        absent = [name for name in self.spec.listens_to if name not in context.predictions]
        if absent:
            return Predictions(self.spec.nobody())
        table = self.choose(context)
        unknown = set(table["action"]) - {action.name for action in self.spec.actions}
        if unknown:
            raise UnknownActionError(
                f"{self.spec.name} chose {', '.join(sorted(unknown))}; declare it among the "
                "actions of its spec"
            )
        return Predictions(table.assign(propensity=1.0, policy_version=self.version))


Floats = NDArray[np.float64]
Positions = NDArray[np.int64]


class ContextPolicy(ABC):
    """The chance of each action in contexts: the columns that a learnt decision's log has.

    Attributes:
        spec: The decision, whose actions have the order of `DecisionSpec.action_names`.
    """

    spec: ClassVar[DecisionSpec]

    @abstractmethod
    def chances(self, contexts: pd.DataFrame) -> Floats:
        """Return n x k chances that sum to 1 in each of n contexts."""

    @abstractmethod
    def describe(self, contexts: pd.DataFrame, chosen: Positions) -> pd.DataFrame:
        """Return `reason` and the spec's own columns for n chosen positions of actions."""


class ContextRule(ContextPolicy):
    """A rule over contexts, which a learnt policy must beat.

    Args:
        parameters: As of `RulePolicy`.
    """

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        self.parameters = {name: parameters[name] for name in self.spec.parameters}

    @abstractmethod
    def choose(self, contexts: pd.DataFrame) -> Sequence[str]:
        """Return the action of each of n contexts."""

    def chances(self, contexts: pd.DataFrame) -> Floats:
        """Return 1 for what the rule chooses.

        Raises:
            UnknownActionError: The rule chose what the spec does not declare.
        """
        names = list(self.spec.action_names)
        chosen = pd.Index(names).get_indexer(pd.Index(list(self.choose(contexts)), dtype=object))
        if (chosen < 0).any():
            raise UnknownActionError(
                f"the rule of {self.spec.name} chose what is not among its actions {names}"
            )
        chances: Floats = np.eye(len(names))[chosen]
        return chances


def drawn(chances: Floats, positions: Floats) -> Positions:
    """Return the action that each of n positions in [0, 1) draws from n x k chances.

    An action without a chance is never drawn, whatever the rounding of the sums.
    """
    below = np.cumsum(chances, axis=1)
    scaled = positions * below[:, -1]
    chosen = (below <= scaled[:, None]).sum(axis=1)
    last = chances.shape[1] - 1 - (chances[:, ::-1] > 0.0).argmax(axis=1)
    actions: Positions = np.minimum(chosen, last).astype(np.int64)
    return actions
