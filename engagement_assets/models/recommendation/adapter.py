"""Adapt the recommender to the lifecycle: candidate, fairness and daily lists.

Belongs here: putting the pure modules of this folder behind the interface that every model has.
Does not belong here: learning, measuring and wording themselves.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd

from engagement_assets.learning.evaluation.bootstrap import Interval
from engagement_assets.learning.evaluation.ranking import paired_difference
from engagement_assets.learning.evaluation.scores import quantile_edges, score_shares
from engagement_assets.learning.fairness.measures import ranking_fairness
from engagement_assets.learning.fairness.report import FairnessReport
from engagement_assets.learning.recommendation.data import Dataset, RecommendationDataError
from engagement_assets.learning.recommendation.diversity import count_categories
from engagement_assets.learning.recommendation.fallback import SOURCES, FallbackRecommender
from engagement_assets.lifecycle.adapter import (
    Inputs,
    Predicted,
    Trained,
)
from engagement_assets.lifecycle.dates import Snapshots
from engagement_assets.lifecycle.errors import NotTrainableError
from engagement_assets.lifecycle.fairness import Assessment
from engagement_assets.lifecycle.training import SENSITIVE, sensitive_columns
from engagement_assets.models.recommendation.feed import settings_of
from engagement_assets.models.recommendation.reports import evaluation_markdown, lists_report
from engagement_assets.models.recommendation.sources import dataset_as_of, windows_as_of
from engagement_assets.models.recommendation.spec import ITEMS_SHOWN, LEAST_CATEGORIES
from engagement_assets.models.recommendation.training import (
    MOST_INTERACTIONS,
    TrainingSettings,
    judge,
    train_recommendation,
    window,
)
from engagement_assets.models.recommendation.windows import Windows
from resources.registry import RegisteredModel

CUSTOMERS_OF_DRIFT = 5_000
TABLES = ("source/interactions", "source/posts", "source/connections")


class RecommendationAdapter:
    """The recommender's methods; see `ModelAdapter`."""

    def train(self, inputs: Inputs, snapshots: Snapshots) -> Trained:
        """Fit every candidate before the last window, measure there, keep the best."""
        day = _last_day(snapshots)
        try:
            windows = windows_as_of(inputs, day)
            data = _rehearsed(inputs, day, windows)
            trained = train_recommendation(data, _settings(inputs, data, windows))
        except RecommendationDataError as error:
            raise NotTrainableError(f"no recommender as of {day}: {error}") from error
        fairness = ranking_fairness(
            trained.judged.lists,
            trained.test.relevant,
            _people(inputs, trained.test.data, trained.test.users, day),
            attributes=SENSITIVE,
            category=trained.test.data.category,
            popularity=trained.test.data.people(),
            candidates=trained.test.items,
            author=trained.test.data.author,
            author_sensitive=_authors(inputs, trained.test.data, day),
            **inputs.fairness_settings(referenced=False),
        )
        people = inputs.features(day)["customer_id"]
        scores = _top_scores(trained.model, people, inputs.seed)
        edges = quantile_edges(scores)
        card = trained.card | {
            "training_snapshot": snapshots.test.isoformat(),
            "training_snapshots": [snapshots.test.isoformat()],
            "test_snapshot": snapshots.test.isoformat(),
            "windows": asdict(windows),
            "features": ["user", "item", "time", "weight", "text", "category", "author", "links"],
            "metrics": trained.card["metrics"] | _floors(trained.card, trained),
            "score_edges": edges,
            "score_shares": score_shares(scores, edges=edges),
            "fairness": fairness.to_dict(),
        }
        return Trained(trained.model, card)

    def data_versions(self, inputs: Inputs, snapshots: Snapshots) -> dict[str, str]:
        """A digest of each partition of the last days that was learnt from or scored on."""
        lake, last = inputs.engine.lake, _last_day(snapshots)
        return {
            f"{table}/{day}": lake.digest(table, day)
            for table in TABLES
            for day in lake.days(table)
            if last - timedelta(days=1) <= day <= last
        }

    def evaluation_markdown(self, card: Mapping[str, Any]) -> str:
        """The evaluation of a version."""
        return evaluation_markdown(card)

    def assess(self, inputs: Inputs, model: RegisteredModel) -> Assessment:  # noqa: ARG002 - measured at training
        """The fairness of a version in its test window, measured when it was trained.

        The version was fitted again with the test window, so it can no longer be judged there.
        """
        return Assessment(FairnessReport.from_dict(model.card["fairness"]))

    def champion_advantage(
        self, inputs: Inputs, champion: RegisteredModel, candidate: RegisteredModel
    ) -> Interval:
        """NDCG of the champion's method less the candidate's in the candidate's test window.

        Both are fitted again on what was known before the window, since either version may have
        seen it.
        """
        day = date.fromisoformat(candidate.card["test_snapshot"]) + timedelta(days=1)
        windows = Windows(**candidate.card["windows"])
        data = _rehearsed(inputs, day, windows)
        settings = _settings(inputs, data, windows)
        test = window(data, start=data.as_of - settings.test_days, settings=settings, name="test")
        ndcg = [
            judge(_again(model, settings).fit_dataset(test.data), test, settings).metrics.values[
                "ndcg"
            ]
            for model in (champion, candidate)
        ]
        return paired_difference(*ndcg, n_bootstrap=inputs.bootstrap, seed=inputs.seed)

    def predict(self, inputs: Inputs, model: RegisteredModel, day: date) -> Predicted:
        """Make the list of every customer of a snapshot."""
        recommender = FallbackRecommender.load(model.folder)
        windows = Windows(**model.card["windows"])
        data = dataset_as_of(inputs, day, windows)
        recommender.refresh(data.limited(days=windows.history_days, interactions=MOST_INTERACTIONS))
        people = inputs.features(day)["customer_id"]
        table, figures = lists_of(recommender, people)
        report, text = lists_report(table, figures)
        return Predicted(
            table,
            report,
            text,
            figures={
                "mean_categories": float(table["categories_shown"].mean()) if len(table) else 0.0,
                "shortest_list": int(table["items_shown"].min()) if len(table) else 0,
            },
            explanation_figures={"coverage": figures["coverage"]},
        )


def lists_of(
    recommender: FallbackRecommender, people: pd.Series
) -> tuple[pd.DataFrame, dict[str, float]]:
    """The lists of customers as rows, and how much of what could be shown they show.

    Args:
        recommender: Knows what is known by now.
        people: n ids.
    """
    data = recommender.data_
    place = pd.Index(data.users).get_indexer(people)
    candidates = data.candidates()
    lists = recommender.lists(place, candidates, k=ITEMS_SHOWN, min_categories=LEAST_CATEGORIES)
    shown = lists.items >= 0
    ids = np.asarray(data.items, dtype=object)
    sources = np.array(SOURCES, dtype=object)[recommender.stage_[place]]
    table = pd.DataFrame(
        {
            "customer_id": people.to_numpy(),
            "items": [
                json.dumps([str(ids[item]) for item in row[there]])
                for row, there in zip(lists.items, shown, strict=True)
            ],
            "items_shown": shown.sum(axis=1).astype(np.int64),
            "categories_shown": count_categories(lists.items, data.category),
            "top_score": np.where(shown[:, 0], lists.scores[:, 0], 0.0).astype(np.float64),
            "source": sources,
        }
    )
    used = np.unique(lists.items[shown])
    return table, {"coverage": len(used) / max(len(candidates), 1), "candidates": len(candidates)}


def _last_day(snapshots: Snapshots) -> date:
    return snapshots.test + timedelta(days=1)


def _rehearsed(inputs: Inputs, day: date, windows: Windows) -> Dataset:
    """What is known at the end of a day, with the texts of what was a candidate in the windows."""
    # the validation and the test window, and the days before on which a hybrid learns its weights
    return dataset_as_of(inputs, day, windows, rehearsal_days=3 * windows.test_days)


def _settings(inputs: Inputs, data: Dataset, windows: Windows) -> TrainingSettings:
    chosen = inputs.parameters.get("recommender", "auto")
    return settings_of(
        windows,
        interactions=len(data.user),
        # popularity stands beside whichever was chosen, to be held against
        candidates=None if chosen == "auto" else tuple(dict.fromkeys(("popularity", chosen))),
        serve=None if chosen == "auto" else chosen,
        n_bootstrap=inputs.bootstrap,
        seed=inputs.seed,
    )


def _again(model: RegisteredModel, settings: TrainingSettings) -> FallbackRecommender:
    """A version's method with its parameters, not fitted."""
    name = model.card["estimator"]
    return replace(settings, parameters={name: model.card["parameters"]}).make(name)


def _people(inputs: Inputs, data: Dataset, users: np.ndarray, day: date) -> pd.DataFrame:
    """Sensitive columns of users, in their order."""
    rows = inputs.features(day).set_index("customer_id")
    return sensitive_columns(rows.reindex(np.asarray(data.users)[users]).reset_index())


def _authors(inputs: Inputs, data: Dataset, day: date) -> pd.DataFrame:
    return _people(inputs, data, np.arange(data.n_authors), day)


def _top_scores(model: FallbackRecommender, people: pd.Series, seed: int) -> np.ndarray:
    """The first score of some customers' lists."""
    some = people.sample(min(CUSTOMERS_OF_DRIFT, len(people)), random_state=seed)
    table, _ = lists_of(model, some.sort_index())
    scores: np.ndarray = table["top_score"].to_numpy(np.float64)
    return scores


def _floors(card: Mapping[str, Any], trained: Any) -> dict[str, Any]:
    """The two figures that a candidate is held to."""
    category = trained.test.data.category
    among = len(np.unique(category[trained.test.items][category[trained.test.items] >= 0]))
    lists = trained.judged.lists
    held = count_categories(lists, category)
    wanted = np.minimum(LEAST_CATEGORIES, np.minimum(among, (lists >= 0).sum(axis=1)))
    return {
        "lead_over_popularity": card["over_baseline"],
        "lists_short_of_categories": float((held < wanted).mean()),
    }
