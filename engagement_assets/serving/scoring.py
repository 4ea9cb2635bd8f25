"""Scoring customers while an application waits, with the champions loaded once.

Belongs here: from features to what every model predicts of a customer, through the same door as the
daily predictions: the same numbers. Does not belong here: where features come from and who may ask
(`engagement_assets.serving.api`).

Some predictions depend on all other customers of the day: who is a VIP, which rank makes health.
That is read from the day that is served (`references`), so a customer of that day gets the day's
own numbers, and anybody else stands among its customers.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from engagement_assets.decisions.specs import DECISIONS
from engagement_assets.lifecycle.decision import Policy
from engagement_assets.lifecycle.learnt import ContextChooser, serving_policy
from engagement_assets.lifecycle.predictor import Context, Predictor
from engagement_assets.lifecycle.resource import ModelSettings
from engagement_assets.lifecycle.scored import scored_model
from engagement_assets.lifecycle.spec import REASONS, ModelSpec, UseCaseSpec
from engagement_assets.models.specs import MODELS
from engagement_assets.serving.plain import plain
from engagement_assets.serving.records import EXPLAINED, REASON_PARTS
from resources.registry import ModelRegistry, registered

logger = logging.getLogger("engagement.api")

# Columns and reasons of one model for one customer.
Scores = tuple[dict[str, Any] | None, list[dict[str, Any]]]


@dataclass(frozen=True)
class Scored:
    """What the models predict of one customer.

    Attributes:
        predictions: Columns by model; None where a model does not score the customer or is not
            there.
        explanations: Reasons by model, the strongest first.
        decisions: Choices by decision; None where it does not judge the customer.
    """

    predictions: dict[str, dict[str, Any] | None]
    explanations: dict[str, list[dict[str, Any]]]
    decisions: dict[str, dict[str, Any] | None]


class Scorer:
    """The champions, loaded.

    Args:
        predictors: Loaded versions of the models that answer online, by name.
        policies: What decides online, by decision.
        cards: Cards of all champions, by model.
        unavailable: Models and decisions whose champion could not be opened.
    """

    def __init__(
        self,
        predictors: Mapping[str, Predictor],
        policies: Mapping[str, Policy],
        cards: Mapping[str, Mapping[str, Any]],
        unavailable: Collection[str] = (),
    ) -> None:
        self._predictors = dict(predictors)
        self._policies = dict(policies)
        self.cards = dict(cards)
        self.unavailable = tuple(sorted(unavailable))

    @classmethod
    def load(
        cls, registry: ModelRegistry, settings: ModelSettings, before: Scorer | None = None
    ) -> Scorer:
        """Load the champions; a model without one is left out.

        One that cannot be opened fails alone: the log says why, what was loaded of it before goes
        on, and so long as its version is not the champion's a later load tries it again.
        """
        loaded_before = before or cls({}, {}, {})
        predictors: dict[str, Predictor] = {}
        policies: dict[str, Policy] = {}
        cards: dict[str, Mapping[str, Any]] = {}
        unavailable = set()
        for spec in MODELS:
            try:
                card, predictor = _opened(spec, registry, settings)
            # whatever is wrong with one model, the others answer
            except Exception as error:  # noqa: BLE001 - logged, and shown by readiness
                _log_unopened(spec.name, error)
                unavailable.add(spec.name)
                card, predictor = (
                    loaded_before.cards.get(spec.name),
                    loaded_before._predictors.get(spec.name),
                )
            if card is not None:
                cards[spec.name] = card
            if predictor is not None:
                predictors[spec.name] = predictor
        online = {spec.name for spec in EXPLAINED}
        for spec in EXPLAINED:
            if spec.name in predictors and (online & set(spec.builds_on)) - predictors.keys():
                unavailable.add(spec.name)
                del predictors[spec.name]
        for decision in (spec for spec in DECISIONS if spec.online):
            try:
                policies[decision.name] = serving_policy(
                    decision, registry, settings.parameters(decision.parameters)
                )
            except Exception as error:  # noqa: BLE001 - logged, and shown by readiness
                _log_unopened(decision.name, error)
                unavailable.add(decision.name)
                if decision.name in loaded_before._policies:
                    policies[decision.name] = loaded_before._policies[decision.name]
        return cls(predictors, policies, cards, unavailable)

    @property
    def champions(self) -> dict[str, str | None]:
        """The version of every model and learnt policy, None where there is no champion."""
        return {
            spec.name: str(self.cards[spec.name]["version"]) if spec.name in self.cards else None
            for spec in MODELS
        } | {
            name: policy.champion
            for name, policy in self._policies.items()
            if isinstance(policy, ContextChooser)
        }

    @property
    def versions(self) -> dict[str, str | None]:
        """The version of every model and policy.

        None where nothing is there to predict from, and of decisions that do not answer online.
        """
        return self.champions | {
            spec.name: self._policies[spec.name].version
            if spec.name in self._policies and self._predictors.keys() >= set(spec.listens_to)
            else None
            for spec in DECISIONS
        }

    def chooser(self, name: str) -> ContextChooser:
        """Return what draws for a learnt decision.

        Raises:
            KeyError: The decision is not learnt, or does not answer online.
        """
        policy = self._policies[name]
        if not isinstance(policy, ContextChooser):
            raise KeyError(f"{name} is decided by a rule over predictions, not drawn in a context")
        return policy

    def score(self, rows: pd.DataFrame, references: Mapping[str, Any]) -> list[Scored]:
        """Score and explain customers.

        Args:
            rows: n rows with the columns and types of `features/customer_features`, each customer
                once.
            references: What stands for the customers of the day that is served, by model.

        Returns:
            What is predicted of each, in their order.
        """
        rows = rows.reset_index(drop=True)
        tables: dict[str, pd.DataFrame] = {}
        for spec in EXPLAINED:
            reference = references.get(spec.name)
            if spec.name in self._predictors and not (spec.placed_by_day and reference is None):
                predictor = self._predictors[spec.name]
                tables[spec.name] = predictor(rows, Context(tables, reference)).table
        for name, policy in self._policies.items():
            tables[name] = policy(rows, Context(tables, references.get(name))).table
        scores = {
            spec.name: _by_customer(spec, tables[spec.name])
            for spec in (*EXPLAINED, *DECISIONS)
            if spec.name in tables
        }
        nothing: Scores = (None, [])
        return [
            Scored(
                {spec.name: scores.get(spec.name, {}).get(who, nothing)[0] for spec in EXPLAINED},
                {spec.name: scores.get(spec.name, {}).get(who, nothing)[1] for spec in EXPLAINED},
                {name: scores.get(name, {}).get(who, nothing)[0] for name in self._policies},
            )
            for who in rows["customer_id"]
        ]


def _opened(
    spec: ModelSpec, registry: ModelRegistry, settings: ModelSettings
) -> tuple[Mapping[str, Any] | None, Predictor | None]:
    """Open the champion of a model: its card, and what predicts where it answers online."""
    version = registry.champion(spec.name)
    if version is None:
        return None, None
    model = registered(registry, spec.name, version)
    if not spec.online:
        return model.card, None
    predictor = scored_model(spec).load(
        model,
        parameters=settings.parameters(spec.parameters),
        # one customer is scored fastest by one
        threads=1,
    )
    return model.card, predictor


def _log_unopened(name: str, error: Exception) -> None:
    # said with its words: it is about a file, and nobody's data are in it
    logger.error("the champion of %s cannot be opened: %s: %s", name, type(error).__name__, error)


def _by_customer(spec: UseCaseSpec, table: pd.DataFrame) -> dict[str, Scores]:
    """Predictions and reasons by customer."""
    own = [column.name for column in spec.output_columns if not column.name.startswith("reason_")]
    # column by column: several times as fast as `to_dict` for one row
    names = [str(name) for name in table.columns]
    columns = [table[name].tolist() for name in names]
    rows = (dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True))
    return {
        str(row["customer_id"]): ({name: plain(row[name]) for name in own}, _reasons(row))
        for row in rows
    }


def _reasons(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {part: plain(row.get(f"reason_{n}_{part}")) for part in REASON_PARTS}
        for n in range(1, REASONS + 1)
        if isinstance(row.get(f"reason_{n}_feature"), str)
    ]
