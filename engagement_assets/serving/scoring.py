"""Scoring customers while an application waits, with the champions loaded once.

Belongs here: from features to what every model says of a customer, as the daily predictions have
it: the same functions, the same numbers. Does not belong here: where features come from and who
may ask (`engagement_assets.serving.api`).

Some of what is said of a customer depends on all others of the day: who is a VIP, which rank makes
health. That is read from the day that is served (`Reference`), so a customer of that day gets the
day's own numbers, and anybody else stands among its customers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from engagement_assets.lifecycle.spec import REASONS, ModelSpec
from engagement_assets.models.anomaly.prediction import anomaly_of, load_anomaly
from engagement_assets.models.churn.bands import with_bands
from engagement_assets.models.churn.prediction import churn_of, load_churn
from engagement_assets.models.engagement.prediction import engagement_of, load_engagement
from engagement_assets.models.ensemble.prediction import load_ensemble, refined_of
from engagement_assets.models.ensemble.spec import BASE_COLUMNS
from engagement_assets.models.lifetime_value.applications import ValueLimits, application_columns
from engagement_assets.models.lifetime_value.prediction import load_value, value_of
from engagement_assets.models.specs import MODELS
from engagement_assets.serving.health import HealthReference
from engagement_assets.serving.records import EXPLAINED, REASON_PARTS
from resources.registry import ModelRegistry, RegisteredModel, registered

REASONS_COLUMN = "reasons"
# Columns and reasons of one model for one customer.
Said = tuple[dict[str, Any] | None, list[dict[str, Any]]]
_LOADERS: Mapping[str, Callable[[RegisteredModel, int], Any]] = {
    "engagement": lambda model, threads: load_engagement(model, n_jobs=threads),
    "churn": lambda model, threads: load_churn(model, n_jobs=threads),
    "lifetime_value": lambda model, threads: load_value(model, n_jobs=threads),
    "anomaly": lambda model, threads: load_anomaly(model.folder, n_jobs=threads),
    "ensemble": lambda model, _: load_ensemble(model),
}


@dataclass(frozen=True)
class Reference:
    """What depends on all customers of the day that is served.

    Attributes:
        health: Ranks behind the health, or None where no model predicted yet.
        limits: What counts as much and as little value, or None where value is not predicted.
    """

    health: HealthReference | None = None
    limits: ValueLimits | None = None


@dataclass(frozen=True)
class Scored:
    """What the models say of one customer.

    Attributes:
        predictions: Columns by model; None where a model does not score the customer or is not
            there.
        explanations: Reasons by model, the strongest first.
    """

    predictions: dict[str, dict[str, Any] | None]
    explanations: dict[str, list[dict[str, Any]]]


class Scorer:
    """The champions, loaded.

    Args:
        models: Loaded estimators by model name.
        cards: What is known of their versions, by model name, the recommender's too.
        channel_cac: What winning a customer costs by channel, in USD.
    """

    def __init__(
        self,
        models: Mapping[str, Any],
        cards: Mapping[str, Mapping[str, Any]],
        *,
        channel_cac: Mapping[str, float],
    ) -> None:
        self._models = dict(models)
        self.cards = dict(cards)
        self._channel_cac = dict(channel_cac)

    @classmethod
    def load(
        cls, registry: ModelRegistry, *, channel_cac: Mapping[str, float], threads: int = 1
    ) -> Scorer:
        """Load the champions; a model without one is left out.

        Args:
            registry: Where they are.
            channel_cac: What winning a customer costs by channel, in USD.
            threads: Threads of one scoring. One customer is scored fastest by one.

        Raises:
            TamperedModelError: A file is not what was registered.
        """
        opened = {
            spec.name: registered(registry, spec.name, version)
            for spec in MODELS
            if (version := registry.champion(spec.name)) is not None
        }
        models = {
            name: _LOADERS[name](model, threads)
            for name, model in opened.items()
            if name in _LOADERS
        }
        cards = {name: model.card for name, model in opened.items()}
        return cls(models, cards, channel_cac=channel_cac)

    @property
    def versions(self) -> dict[str, str | None]:
        """The version of every model, None where there is no champion."""
        return {
            spec.name: str(self.cards[spec.name]["version"]) if spec.name in self.cards else None
            for spec in MODELS
        }

    def score(self, rows: pd.DataFrame, reference: Reference) -> list[Scored]:
        """Score and explain customers.

        Args:
            rows: n rows with the columns and types of `features/customer_features`, each customer
                once.
            reference: Of the day that is served.

        Returns:
            What is said of each, in their order.
        """
        rows = rows.reset_index(drop=True)
        tables: dict[str, pd.DataFrame] = {
            name: self._table(name, rows)
            for name in ("engagement", "churn", "anomaly", "lifetime_value")
            if name in self._models
        }
        if "lifetime_value" in tables:
            tables["lifetime_value"] = self._applied(tables, rows, reference)
        if "ensemble" in self._models and reference.health is not None:
            tables["ensemble"] = self._refined(tables, rows, reference.health)
        said: dict[str, dict[str, Said]] = {
            spec.name: _by_customer(spec, tables[spec.name])
            for spec in EXPLAINED
            if spec.name in tables
        }
        nothing: Said = (None, [])
        return [
            Scored(
                {spec.name: said.get(spec.name, {}).get(who, nothing)[0] for spec in EXPLAINED},
                {spec.name: said.get(spec.name, {}).get(who, nothing)[1] for spec in EXPLAINED},
            )
            for who in rows["customer_id"]
        ]

    def _table(self, name: str, rows: pd.DataFrame) -> pd.DataFrame:
        model = self._models[name]
        if name == "engagement":
            return engagement_of(model, rows, k=REASONS).table
        if name == "lifetime_value":
            return value_of(model, rows, k=REASONS).table
        if name == "anomaly":
            return anomaly_of(model, rows, k=REASONS)
        if not (rows["logins_month"] > 0).any():
            # nobody here used the app in the month, so there is nobody to score for churn
            return pd.DataFrame({"customer_id": pd.Series(dtype=object)})
        return with_bands(churn_of(model, rows, k=REASONS).table)

    def _applied(
        self, tables: Mapping[str, pd.DataFrame], rows: pd.DataFrame, reference: Reference
    ) -> pd.DataFrame:
        table = tables["lifetime_value"]
        use = (
            tables["engagement"]["engagement_score"].to_numpy()
            if "engagement" in tables
            else np.full(len(rows), np.nan)
        )
        limits = reference.limits or ValueLimits.of(table, use)
        return table.join(
            application_columns(
                table, engagement_score=use, cac_usd=self._channel_cac, limits=limits
            )
        )

    def _refined(
        self, tables: Mapping[str, pd.DataFrame], rows: pd.DataFrame, health: HealthReference
    ) -> pd.DataFrame:
        said = pd.DataFrame(
            {
                column: _in_order(tables.get(name), column, rows["customer_id"])
                for name, columns in BASE_COLUMNS.items()
                for column in columns
            }
        )
        refined = refined_of(self._models["ensemble"], said, rows)
        columns = {str(name): said[name].tolist() for name in said.columns}
        parts = [
            health.parts(dict(zip(columns, one, strict=True)))
            for one in zip(*columns.values(), strict=True)
        ]
        table = rows[["customer_id"]].join(refined)
        table["customer_health"] = [health.health(one) for one in parts]
        table[REASONS_COLUMN] = pd.Series([health.reasons(one) for one in parts], dtype=object)
        return table


def _in_order(table: pd.DataFrame | None, column: str, customers: pd.Series) -> np.ndarray:
    """A column for customers in their order; NaN for those who are not scored."""
    if table is None or column not in table:
        return np.full(len(customers), np.nan)
    found = dict(zip(table["customer_id"].tolist(), table[column].tolist(), strict=True))
    return np.array([found.get(who, np.nan) for who in customers], dtype=np.float64)


def _by_customer(spec: ModelSpec, table: pd.DataFrame) -> dict[str, Said]:
    """Predictions and reasons by customer."""
    own = [column.name for column in spec.columns if not column.name.startswith("reason_")]
    # column by column: several times as fast as `to_dict` for one row
    names = [str(name) for name in table.columns]
    columns = [table[name].tolist() for name in names]
    rows = (dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True))
    return {
        str(row["customer_id"]): ({name: plain(row[name]) for name in own}, _reasons(row))
        for row in rows
    }


def _reasons(row: Mapping[Any, Any]) -> list[dict[str, Any]]:
    if REASONS_COLUMN in row:
        told: list[dict[str, Any]] = row[REASONS_COLUMN]
        return told
    return [
        {part: plain(row.get(f"reason_{n}_{part}")) for part in REASON_PARTS}
        for n in range(1, REASONS + 1)
        if isinstance(row.get(f"reason_{n}_feature"), str)
    ]


def plain(value: Any) -> Any:
    """A value as JSON has it: no numpy, and null for a number that is none."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or value is pd.NA or (isinstance(value, float) and not math.isfinite(value)):
        return None
    return value
