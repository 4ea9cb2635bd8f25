"""Adapt the recommender to the lifecycle: candidate, fairness and daily lists.

Belongs here: putting the pure modules of this folder behind the interface that every model has.
Does not belong here: learning, measuring and wording themselves.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd

from engagement_assets.learning.evaluation.bootstrap import Interval, mean
from engagement_assets.learning.evaluation.ranking import paired_difference, user_metrics
from engagement_assets.learning.evaluation.scores import quantile_edges, score_shares
from engagement_assets.learning.evaluation.splits import hash_positions
from engagement_assets.learning.fairness.exposure import ExposureShares, fit_exposure
from engagement_assets.learning.fairness.measures import AUTHORS, EXPOSURE, ranking_fairness
from engagement_assets.learning.fairness.mitigation import Mitigation, priced
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
from engagement_assets.lifecycle.fairness import APPLIED, Assessment
from engagement_assets.lifecycle.training import EVENED, SENSITIVE, sensitive_columns
from engagement_assets.models.recommendation.feed import settings_of
from engagement_assets.models.recommendation.reports import evaluation_markdown, lists_report
from engagement_assets.models.recommendation.sources import dataset_as_of, windows_as_of
from engagement_assets.models.recommendation.spec import ITEMS_SHOWN, LEAST_CATEGORIES
from engagement_assets.models.recommendation.training import (
    MOST_INTERACTIONS,
    TrainingSettings,
    Window,
    judge,
    train_recommendation,
    window,
)
from engagement_assets.models.recommendation.windows import Windows
from resources.registry import RegisteredModel

CUSTOMERS_OF_DRIFT = 5_000
# Length of the lists whose quality is judged.
K = 10
TABLES = ("source/interactions", "source/posts", "source/connections")


class RecommendationAdapter:
    """The recommender's methods; see `ModelAdapter`."""

    def train(self, inputs: Inputs, snapshots: Snapshots) -> Trained:
        """Fit every candidate before the last window, measure there, keep the best."""
        day = _last_day(snapshots)
        try:
            windows = windows_as_of(inputs, day)
            data = _rehearsed(inputs, day, windows)
            settings = _settings(inputs, data, windows)
            if inputs.mitigation is not None:
                settings = replace(settings, served=ITEMS_SHOWN)
            trained = train_recommendation(data, settings)
        except RecommendationDataError as error:
            raise NotTrainableError(f"no recommender as of {day}: {error}") from error
        how = inputs.fairness_settings(referenced=False)
        people = _people(inputs, trained.test.data, trained.test.users, day)
        authors = _authors(inputs, trained.test.data, day)
        if inputs.mitigation is None:
            report = judged_lists(trained.judged.lists, trained.test, people, authors, **how)
            fairness: dict[str, Any] = {"fairness": report.to_dict()}
        else:
            applied = exposed(trained.served, trained.test, people, authors, **how)
            fairness = {"fairness": applied.after.to_dict(), APPLIED: applied.summary()}
        everybody = inputs.features(day)["customer_id"]
        scores = _top_scores(trained.model, everybody, inputs.seed)
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
            **fairness,
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
        report = FairnessReport.from_dict(model.card["fairness"])
        return Assessment(report, applied=model.card.get(APPLIED))

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
        applied = model.card.get(APPLIED)
        shares = ExposureShares.from_dict(applied["fitted"]) if applied else ExposureShares({})
        authors = _authors(inputs, recommender.data_, day) if shares.shares else pd.DataFrame()
        table, figures = lists_of(recommender, people, shares=shares, authors=authors)
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

    def later_fairness(
        self, inputs: Inputs, model: RegisteredModel, predictions: pd.DataFrame, day: date
    ) -> FairnessReport:
        """Return the exposure of authors in a day's lists, by what customers turned to since.

        Raises:
            NotTrainableError: Nobody turned to anything.
        """
        windows = Windows(**model.card["windows"])
        later = day + timedelta(days=math.ceil(model.card["test_days"]))
        try:
            data = dataset_as_of(inputs, later, windows)
            start = data.as_of - model.card["test_days"]
            settings = _settings(inputs, data, windows)
            since = window(data, start=start, settings=settings, name="later")
        except RecommendationDataError as error:
            raise NotTrainableError(str(error)) from error
        shown = predictions.set_index("customer_id")["items"]
        users = pd.Index(data.users)[since.users]
        there = users.isin(shown.index)
        lists = np.full((int(there.sum()), ITEMS_SHOWN), -1, dtype=np.int64)
        places = pd.Index(data.items)
        for row, items in enumerate(shown.loc[users[there]]):
            known = places.get_indexer(json.loads(items))
            lists[row, : len(known)] = known
        since = replace(since, users=since.users[there], relevant=since.relevant[there])
        report = judged_lists(
            lists,
            since,
            _people(inputs, data, since.users, day),
            _authors(inputs, data, day),
            attributes=EVENED,
            **inputs.fairness_settings(referenced=False),
        )
        return replace(report, rows=tuple(row for row in report.rows if row.side == AUTHORS))


def judged_lists(
    lists: np.ndarray,
    on: Window,
    people: pd.DataFrame,
    authors: pd.DataFrame,
    *,
    attributes: Sequence[str] = SENSITIVE,
    **settings: Any,
) -> FairnessReport:
    """Report on the lists of a window's users: their quality, and the exposure of authors."""
    return ranking_fairness(
        lists,
        on.relevant,
        people,
        attributes=attributes,
        category=on.data.category,
        popularity=on.data.people(),
        candidates=on.items,
        author=on.data.author,
        author_sensitive=authors,
        **settings,
    )


def exposed(
    lists: np.ndarray, on: Window, people: pd.DataFrame, authors: pd.DataFrame, **settings: Any
) -> Mitigation:
    """Fit the least shares of authors' groups on half of a window's users, judge on the others.

    Args:
        lists: Lists of the users as they are served, made by a model that has not seen the window.
        on: The window.
        people: Sensitive columns of the users.
        authors: Those of the authors.
        settings: Settings of a fairness report.
    """
    ids = np.asarray(on.data.users, dtype=object)[on.users]
    positions = hash_positions(ids, salt=EXPOSURE)
    fitted_on = hash_positions(ids, salt=f"{EXPOSURE} fit") < 0.5
    judged = ~fitted_on
    shares = fit_exposure(
        lists[fitted_on],
        on.relevant[fitted_on],
        positions[fitted_on],
        candidates=on.items,
        author=on.data.author,
        author_sensitive=authors,
        attributes=[name for name in EVENED if name in authors],
        min_group_size=settings["min_group_size"],
    )
    part = replace(on, users=on.users[judged], relevant=on.relevant[judged])
    those = people[judged].reset_index(drop=True)
    before = lists[judged]
    after = shares.rerank(before, on.data.author, authors, positions[judged])
    reports = [judged_lists(one, part, those, authors, **settings) for one in (before, after)]
    ndcg = [user_metrics(one[:, :K], part.relevant, k=K).values["ndcg"] for one in (before, after)]
    price = priced(
        *({"ndcg": mean(values)} for values in ndcg),
        rows=len(those),
        n_bootstrap=settings["n_bootstrap"],
        seed=settings["seed"],
    )
    return Mitigation(EXPOSURE, shares.words, shares.to_dict(), reports[0], reports[1], price)


def lists_of(
    recommender: FallbackRecommender,
    people: pd.Series,
    *,
    shares: ExposureShares = ExposureShares({}),  # noqa: B008 - it cannot be changed
    authors: pd.DataFrame | None = None,
) -> tuple[pd.DataFrame, dict[str, float]]:
    """The lists of customers as rows, and how much of what could be shown they show.

    Args:
        recommender: Knows what is known by now.
        people: n ids.
        shares: The least shares of places of authors' groups.
        authors: Sensitive columns of the authors, where there are shares.
    """
    data = recommender.data_
    place = pd.Index(data.users).get_indexer(people)
    candidates = data.candidates()
    lists = recommender.lists(place, candidates, k=ITEMS_SHOWN, min_categories=LEAST_CATEGORIES)
    if shares.shares and authors is not None:
        positions = hash_positions(people, salt=EXPOSURE)
        order = shares.rerank(lists.items, data.author, authors, positions)
        lists = replace(lists, items=order)
    shown = lists.items >= 0
    # each id is put in quotes once, and not once a list
    quoted = np.array([json.dumps(str(item)) for item in data.items], dtype=object)
    sources = np.array(SOURCES, dtype=object)[recommender.stage_[place]]
    table = pd.DataFrame(
        {
            "customer_id": people.to_numpy(),
            "items": [
                f"[{', '.join(quoted[row[there]])}]"
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
    """What is known at the end of a day, with all that was a candidate in the windows."""
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
