"""From a model's champion and a day of the lake to what a customer could do differently.

The rows that show what is plausible are customers of the same day; the models that say how certain
a change is are the champion's own, refitted to resamples of the customers that it learnt from.

Belongs here: reading, refitting, wording. Does not belong here: the search itself
(`learning.counterfactuals`), Dagster, and who may see it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property, partial
from typing import Any

import numpy as np
import pandas as pd

from engagement_assets.decisions.counterfactuals.levers import levers_of
from engagement_assets.decisions.counterfactuals.tables import ADVICE
from engagement_assets.decisions.experiments.tables import RESULTS
from engagement_assets.features.catalogue import FEATURES
from engagement_assets.learning.counterfactuals import MOST_CHANGES
from engagement_assets.learning.counterfactuals.search import (
    Counterfactual,
    CounterfactualSearch,
    Predict,
)
from engagement_assets.learning.json_data import JsonData
from engagement_assets.lifecycle.adapter import Inputs
from engagement_assets.lifecycle.dates import CHURN_WINDOW_DAYS
from engagement_assets.lifecycle.errors import NotTrainableError
from engagement_assets.lifecycle.rows import used_within
from engagement_assets.lifecycle.spec import ModelSpec
from engagement_assets.lifecycle.tabular import LabelledSnapshots
from engagement_assets.lifecycle.training import split_rows
from engagement_assets.models.specs import MODELS
from resources.lake import Lake, MissingPartitionError
from resources.registry import ModelRegistry, registered

SPECS: dict[str, ModelSpec] = {spec.name: spec for spec in MODELS if spec.goal is not None}
# Customers who are at risk by these models are advised before anybody asks.
AT_RISK = tuple(spec for spec in SPECS.values() if spec.goal is not None and spec.goal.at_risk)
REFITS = 5
# More rows make refits and the search slower, and neither better: chance is the larger part.
REFIT_ROWS = 20_000
SIMILAR_ROWS = 5_000
_LEVERS = levers_of(FEATURES.values())
NOTHING = "No plausible change of at most three things reaches it."


@dataclass(frozen=True)
class AdvisedChange(JsonData):
    """One thing that would be otherwise."""

    feature: str
    before: float | None
    after: float


@dataclass(frozen=True)
class Advice(JsonData):
    """What a customer could do differently so that a model would predict otherwise.

    Attributes:
        model: The model.
        model_version: Its champion.
        goal: The score to be reached.
        predicted: What the model predicts.
        changes: What would be otherwise; () where nothing plausible reaches the goal.
        predicted_after: What the model would predict then.
        change_low: Least change of the prediction over the refits.
        change_high: The greatest.
        refits: Models learnt from resamples.
        words: All of it in words.
        measured: What experiments measured of the same behaviour, a sentence each.
    """

    model: str
    model_version: str
    goal: float
    predicted: float
    changes: tuple[AdvisedChange, ...]
    predicted_after: float | None
    change_low: float | None
    change_high: float | None
    refits: int
    words: str
    measured: tuple[str, ...]

    def row(self, customer_id: str, day: date) -> dict[str, Any]:
        """Return it as a row of the table."""
        data = self.to_dict()
        changes = data.pop("changes")
        parts = {
            f"change_{n}_{part}": changes[n - 1][part] if n <= len(changes) else None
            for n in range(1, MOST_CHANGES + 1)
            for part in ("feature", "before", "after")
        }
        return {
            **data,
            **parts,
            "changes": len(changes),
            "measured": " ".join(self.measured) or None,
            "customer_id": customer_id,
            "snapshot_date": day,
        }

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> Advice:
        """Read a row of the table."""
        changes = tuple(
            AdvisedChange(*(row[f"change_{n}_{part}"] for part in ("feature", "before", "after")))
            for n in range(1, row["changes"] + 1)
        )
        own = {name: row[name] for name in cls.__dataclass_fields__ if name in row}
        measured = (row["measured"],) if row["measured"] else ()
        return cls(**{**own, "changes": changes, "measured": measured})


@dataclass(frozen=True)
class Advisor:
    """Advises customers of one day by one model.

    Attributes:
        spec: The model.
        version: Its champion.
        goal: The score to be reached.
        search: The search among the customers of the day.
        predict: The champion.
        refits: The champion learnt from resamples.
        measured: What experiments measured, by metric.
    """

    spec: ModelSpec
    version: str
    goal: float
    search: CounterfactualSearch
    predict: Predict
    refits: Sequence[Predict]
    measured: Mapping[str, Sequence[str]]

    def advise(self, row: pd.Series) -> Advice | None:
        """Return advice of a customer; None where the goal is reached already.

        Args:
            row: Their features, who had a session in the month.
        """
        return self.advise_all(pd.DataFrame([row]).infer_objects())[0]

    def advise_all(self, rows: pd.DataFrame) -> list[Advice | None]:
        """Return of each customer what `advise` returns, far sooner than one by one."""
        if rows.empty:
            return []
        searched = self.search.search_many(rows, self.predict, refits=self.refits)
        predicted = self.predict(rows).tolist()
        return [self._advice(*of_one) for of_one in zip(searched, predicted, strict=True)]

    def _advice(self, one: Counterfactual | None, predicted: float) -> Advice | None:
        nothing = Advice(
            model=self.spec.name,
            model_version=self.version,
            goal=self.goal,
            predicted=predicted,
            changes=(),
            predicted_after=None,
            change_low=None,
            change_high=None,
            refits=len(self.refits),
            words=f"The model predicts {predicted:.3f}; the goal is {self.goal:.3f}. {NOTHING}",
            measured=(),
        )
        if one is not None:
            return self._worded(nothing, one)
        reached = predicted <= self.goal if self.search.side == "below" else predicted >= self.goal
        return None if reached else nothing

    def _worded(self, empty: Advice, one: Counterfactual) -> Advice:
        metrics = (_LEVERS[lever.feature][1].measured_as for lever in one.levers)
        return replace(
            empty,
            changes=tuple(
                AdvisedChange(
                    lever.feature,
                    None if pd.isna(before := one.before[lever.feature]) else float(before),
                    float(one.row[lever.feature]),
                )
                for lever in one.levers
            ),
            predicted_after=one.predicted_after,
            change_low=one.change_low,
            change_high=one.change_high,
            words=one.words(),
            measured=tuple(text for name in metrics for text in self.measured.get(name, ())),
        )


@dataclass
class Advisors:
    """Makes advisors of a model's champion; its refits serve all days.

    Attributes:
        spec: The model.
        inputs: What it reads from.
    """

    spec: ModelSpec
    inputs: Inputs

    @cached_property
    def version(self) -> str:
        """The champion.

        Raises:
            NotTrainableError: There is none.
        """
        version = self.inputs.registry.champion(self.spec.name)
        if version is None:
            raise NotTrainableError(f"there is no {self.spec.name} champion yet")
        return version

    @cached_property
    def _adapter(self) -> LabelledSnapshots:
        adapter = self.spec.adapter()
        if not isinstance(adapter, LabelledSnapshots):
            raise TypeError(f"{self.spec.name} has a goal and learns no label of a snapshot")
        return adapter

    @cached_property
    def _fitted(self) -> list[Any]:
        """The champion, then it learnt from resamples of the customers that it learnt from.

        Raises:
            NotTrainableError: What it learnt from is in the lake no more.
        """
        model = registered(self.inputs.registry, self.spec.name, self.version)
        champion = self._adapter.open(model, threads=self.inputs.threads)
        days = [date.fromisoformat(day) for day in model.card["training_snapshots"]]
        try:
            rows = [self.inputs.labelled(day, self._adapter.label) for day in days]
        except MissingPartitionError as error:
            raise NotTrainableError(
                f"how certain a change is cannot be said: {error}; train {self.spec.name} again"
            ) from error
        learn = split_rows(self._adapter.known(pd.concat(rows, ignore_index=True)), test=False)
        rng = np.random.default_rng(self.inputs.seed)
        places = learn.groupby("customer_id").indices
        names = list(places)
        count = min(len(names), max(1, int(REFIT_ROWS * len(names) / len(learn))))
        draws = [rng.choice(len(names), count) for _ in range(REFITS)]
        return [
            champion,
            *(
                self._adapter.refit(
                    champion,
                    learn.iloc[np.concatenate([places[names[one]] for one in draw])].reset_index(
                        drop=True
                    ),
                )
                for draw in draws
            ),
        ]

    def of(self, day: date) -> Advisor:
        """Return what advises customers of a day.

        Raises:
            MissingPartitionError: The day has no features.
            NotTrainableError: There is no champion, or nobody to compare with.
        """
        goal = self.spec.goal
        assert goal is not None  # noqa: S101 - for the type checker: `SPECS` have one
        champion, *refits = self._fitted
        rows = active(self.inputs.features(day))
        if len(rows) < 2:
            raise NotTrainableError(f"fewer than two customers used the app before {day}")
        similar = rows.sample(min(len(rows), SIMILAR_ROWS), random_state=self.inputs.seed)
        similar = similar.reset_index(drop=True)
        predict = partial(self._adapter.score, champion)
        at = float(np.median(predict(similar))) if goal.at is None else goal.at
        names = [name for name in champion.feature_names_in_ if name in similar]
        levers = [lever for lever, _ in _LEVERS.values() if set(lever.features) <= set(names)]
        search = CounterfactualSearch(levers=levers, goal=at, side=goal.side).fit(similar[names])
        return Advisor(
            self.spec,
            self.version,
            at,
            search,
            predict,
            [partial(self._adapter.score, one) for one in refits],
            measured(self.inputs.engine.lake, day),
        )


def active(rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows of customers with a session in the month: of others too little is known."""
    used: pd.DataFrame = rows[used_within(rows, CHURN_WINDOW_DAYS)].reset_index(drop=True)
    return used


def measured(lake: Lake, day: date) -> dict[str, list[str]]:
    """Return what experiments measured by the day, sentences by metric."""
    if not lake.exists(RESULTS.key, day):
        return {}
    texts: dict[str, list[str]] = {}
    for row in lake.read(RESULTS.key, days=[day]).to_pylist():
        if row["from_experiment"] and not row["blocked"] and row["verdict"] in {"better", "worse"}:
            texts.setdefault(row["metric"], []).append(
                f"Measured in the experiment {row['experiment']}: {row['variant']} changed "
                f"{row['metric'].replace('_', ' ')} by {row['difference']:+.3f} a customer in "
                f"{row['window_days']} days (95 % interval at any look {row['anytime_low']:+.3f} "
                f"to {row['anytime_high']:+.3f})."
            )
    return texts


class NotAdvisableError(RuntimeError):
    """Nothing can be advised of a customer; the message says why."""


@dataclass
class AdviceDesk:
    """Advice of single customers: as stored where it is, else searched now.

    Attributes:
        inputs_of: What a model reads from, as of now.
        lake: The tables.
        registry: The champions.
    """

    inputs_of: Callable[[ModelSpec], Inputs]
    lake: Lake
    registry: ModelRegistry
    _made: dict[str, tuple[tuple[date, str | None], Advisor | NotTrainableError]] = field(
        default_factory=dict, repr=False
    )
    _making: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def stored(self, model: str, customer_id: str, day: date) -> Advice | None:
        """Return advice that was made with a day."""
        if not self.lake.exists(ADVICE.key, day):
            return None
        rows = self.lake.read_where(
            ADVICE.key, days=[day], column="customer_id", values=[customer_id]
        ).to_pylist()
        own = [row for row in rows if row["model"] == model]
        return Advice.of_row(own[0]) if own else None

    def advisor(self, model: str, day: date, *, wait: bool = True) -> Advisor | None:
        """Return what advises customers of a day.

        Args:
            model: One of `SPECS`.
            day: Their snapshot.
            wait: Whether to wait while refits are made; or else they are made beside, and it is
                None until they are there.

        Raises:
            NotTrainableError: There is no champion, or the lake lacks what it learnt from.
        """
        key = (day, self.registry.champion(model))
        made = self._made.get(model)
        if made is None or made[0] != key:
            if not wait:
                if self._making.acquire(blocking=False):
                    threading.Thread(target=self._make_beside, args=(model, key)).start()
                return None
            with self._making:
                self._make(model, key)
            made = self._made[model]
        if isinstance(made[1], NotTrainableError):
            raise made[1]
        return made[1]

    def _make(self, model: str, key: tuple[date, str | None]) -> None:
        spec = SPECS[model]
        result: Advisor | NotTrainableError
        try:
            result = Advisors(spec, self.inputs_of(spec)).of(key[0])
        except NotTrainableError as error:
            result = error
        except MissingPartitionError as error:
            result = NotTrainableError(str(error))
        self._made[model] = (key, result)

    def _make_beside(self, model: str, key: tuple[date, str | None]) -> None:
        try:
            self._make(model, key)
        finally:
            self._making.release()


def row_of(rows: pd.DataFrame) -> pd.Series:
    """Return the one customer of some rows of features, whom an advisor can advise.

    Raises:
        NotAdvisableError: They had no session in the month.
    """
    own = active(rows)
    if own.empty:
        raise NotAdvisableError("the customer had no session in the month: too little is known")
    one: pd.Series = own.iloc[0]
    return one
