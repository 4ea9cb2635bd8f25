"""Policies by rule: what is chosen for whom, with propensity 1.

Belongs here: the door of every rule, in batch and online. Does not belong here: any one rule, and
Dagster (`choices.py`).
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import orjson
import pandas as pd

from engagement_assets.lifecycle.predictor import Context, Predictions
from engagement_assets.lifecycle.spec import DecisionSpec


class UnknownActionError(ValueError):
    """A policy chose what its decision does not declare."""


class RulePolicy(ABC):
    """A rule over what the models predict; a predictor whose table holds choices.

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
        """Names the rule with its parameters; another one chooses otherwise."""
        content = [self.spec.name, self.spec.code_version, self.parameters]
        digest = hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS))
        return f"rule-{digest.hexdigest()[:12]}"

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
