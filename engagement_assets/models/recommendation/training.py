"""Train every selectable recommender on a time split and choose the best on a later window.

Belongs here: windows, fitting the candidates, measuring, choosing, the card. Does not belong here:
the estimators, the metrics (`engagement_assets.learning.evaluation.ranking`) and Dagster.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import scipy.sparse as sp

from engagement_assets.learning.evaluation.bootstrap import Interval
from engagement_assets.learning.evaluation.ranking import (
    UserMetrics,
    list_metrics,
    paired_difference,
    sampled_metrics,
    user_metrics,
)
from engagement_assets.learning.recommendation.data import Dataset, Ints, RecommendationDataError
from engagement_assets.learning.recommendation.fallback import (
    ESTIMATORS,
    SOURCES,
    FallbackRecommender,
)
from engagement_assets.learning.recommendation.notices import each_warning_once
from engagement_assets.learning.recommendation.recommender import Recommender
from engagement_assets.models.recommendation.spec import LEAST_CATEGORIES

logger = logging.getLogger(__name__)

CHOSEN_BY = "ndcg"
# What every winner is held to in the test window.
BASELINE = "popularity"
# The latest so many are learnt from, for memory.
MOST_INTERACTIONS = 1_000_000
# What starts from another method and refines it. The neural one costs as much as all the others.
REFINES = {"neural": "als"}
_SAMPLED_NEGATIVES = 99
_ROWS_AT_ONCE = 2_000


@dataclass(frozen=True)
class TrainingSettings:
    """Settings of training and judging.

    Attributes:
        candidates: Names of the estimators that compete (`fallback.ESTIMATORS`).
        serve: Name of the one that serves, whichever ranks best; the best when None.
        parameters: Parameters of each, by name.
        cold_start: Parameters of `FallbackRecommender`, which every one is wrapped in.
        test_days: Length of the last window, on which the winner is measured.
        validation_days: Length of the window before, on which the winner is chosen.
        least_share: A method that refines another (`REFINES`) is tried where that one reaches this
            share of the best NDCG before it, or where it is to serve.
        window_days: Learn from so many days before a window; all when None.
        max_interactions: Learn from the latest so many interactions.
        max_test_users: Judge on a random sample of so many users of a window.
        k: Length of the lists that are judged.
        served: Length of the lists that are served, where they are to be re-ranked; 0 where not.
        min_categories: Categories that every list must have.
        sampled_protocol: Also measure one relevant item among 99 sampled others.
        n_bootstrap: Resamples behind each interval, over users.
        seed: Seed of samples and resamples.
    """

    candidates: Sequence[str] = ("popularity", "ease", "als", "hybrid", "neural")
    serve: str | None = None
    parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    cold_start: Mapping[str, Any] = field(default_factory=dict)
    test_days: float = 1.0
    validation_days: float = 1.0
    least_share: float = 0.5
    window_days: float | None = 28.0
    max_interactions: int | None = MOST_INTERACTIONS
    max_test_users: int = 10_000
    k: int = 10
    served: int = 0
    min_categories: int = LEAST_CATEGORIES
    sampled_protocol: bool = False
    n_bootstrap: int = 200
    seed: int = 0

    def make(self, name: str) -> FallbackRecommender:
        """A new recommender of a name.

        Raises:
            ValueError: There is no such estimator.
        """
        if name not in ESTIMATORS:
            raise ValueError(f"no recommender {name!r}; there are {sorted(ESTIMATORS)}")
        return FallbackRecommender(
            ESTIMATORS[name](**self.parameters.get(name, {})), **self.cold_start
        )


@dataclass(frozen=True)
class Window:
    """What is known at the start of a window, and what users turned to within it.

    Attributes:
        data: What is known.
        users: The u users who are judged.
        items: The candidates.
        relevant: u x m, 1 for a candidate that the user turned to for the first time.
        interactions: First interactions of users and items within the window.
        reachable: Share of them whose item could be recommended at the start.
    """

    data: Dataset
    users: Ints
    items: Ints
    relevant: sp.csr_matrix
    interactions: int
    reachable: float


@dataclass(frozen=True)
class Judged:
    """A recommender's lists in a window.

    Attributes:
        lists: u x k items.
        metrics: By user.
    """

    lists: Ints
    metrics: UserMetrics


@dataclass(frozen=True)
class Trained:
    """The winner and what is known of it.

    Attributes:
        model: The winner, fitted on everything up to the end of the test window.
        card: JSON data for the registry.
        test: The test window, for fairness.
        judged: The winner's lists in it, made by the winner as fitted before the window.
        served: Its lists in it as they are served, where asked for; n x 0 else.
    """

    model: FallbackRecommender
    card: dict[str, Any]
    test: Window
    judged: Judged
    served: Ints


def train_recommendation(data: Dataset, settings: TrainingSettings | None = None) -> Trained:
    """Train the candidates and keep the one that ranks best.

    Every candidate is fitted once, before the validation window, and measured in it, but one that
    refines another which is far behind (`REFINES`). The one of the best NDCG is fitted again before
    the test window and measured there, beside the baseline, and then on everything. The users of
    the windows are people whose past was learnt from, as it must be; what is measured is their
    future.

    Args:
        data: All that is known at the end of the test window (`tables.prepare`).
        settings: Settings.

    Raises:
        RecommendationDataError: A window has no user with a relevant item, or nothing lies before.
    """
    with each_warning_once():
        return _train(data, settings or TrainingSettings())


def _train(data: Dataset, how: TrainingSettings) -> Trained:
    test_start = data.as_of - how.test_days
    validation = window(
        data.before(test_start),
        start=test_start - how.validation_days,
        settings=how,
        name="validation",
    )
    test = window(data, start=test_start, settings=how, name="test")
    validated: dict[str, Judged] = {}
    methods: dict[str, dict[str, Any]] = {}
    chosen: dict[str, Mapping[str, Any]] = {}
    ndcg: dict[str, float] = {}
    not_tried: dict[str, float] = {}
    for number, name in enumerate(how.candidates, 1):
        refined, best = ndcg.get(REFINES.get(name, "")), max(ndcg.values(), default=0.0)
        if refined is not None and refined < how.least_share * best and name != how.serve:
            logger.info("%s is not tried: %s is far behind", name, REFINES[name])
            not_tried[name] = refined / best
            continue
        logger.info(
            "Method %d of %d, %s: learning from %d interactions",
            number, len(how.candidates), name, len(validation.data.user),
        )  # fmt: skip
        model = how.make(name).fit_dataset(validation.data)
        chosen[name] = model.base.chosen_params()
        validated[name] = judge(model, validation, how)
        methods[name] = _figures(model, validated[name], validation, how)
        ndcg[name] = float(validated[name].metrics.values[CHOSEN_BY].mean())
    logger.info("NDCG@%d in validation: %s", how.k, ndcg)
    winner = how.serve or max(ndcg, key=lambda name: ndcg[name])
    # what was chosen before the validation window is not chosen again with the test window in sight
    how = replace(how, parameters={**how.parameters, **chosen})
    logger.info("%s is measured on the test window, then learns from everything", winner)
    model = how.make(winner).fit_dataset(test.data)
    judged = judge(model, test, how)
    served = np.empty((len(test.users), 0), dtype=np.int64)
    if how.served:
        served = model.lists(
            test.users, test.items, k=how.served, min_categories=how.min_categories
        ).items
    figures = _figures(model, judged, test, how)
    baseline = judged
    if winner != BASELINE:
        baseline = judge(how.make(BASELINE).fit_dataset(test.data), test, how)
    learnt = data.limited(days=how.window_days, interactions=how.max_interactions)
    final = how.make(winner).fit_dataset(learnt)
    card = {
        "estimator": winner,
        "parameters": final.base.get_params(),
        "chosen_by": "the setting"
        if how.serve
        else f"NDCG@{how.k} in the validation window, the days before the test window",
        **figures,
        "over_baseline": _gap(judged, baseline, how),
        "validation_ndcg": ndcg,
        "methods": methods,
        "not_tried": not_tried,
        "winner_minus": {
            name: _gap(validated[winner], other, how)
            for name, other in validated.items()
            if name != winner
        },
        "test_days": how.test_days,
        "validation_days": how.validation_days,
        "validation_customers": len(validation.users),
        "validation_candidates": len(validation.items),
        "test_customers": len(test.users),
        "test_candidates": len(test.items),
        "test_interactions": test.interactions,
        "test_reachable_share": test.reachable,
        "held_out_ndcg": dict(final.base.held_out_),
        "learnt_share": final.base.learnt_share_,
        "training_interactions": len(learnt.user),
        "training_customers": len(np.unique(learnt.user)),
        "training_items": len(np.unique(learnt.item)),
        "k": how.k,
        "protocol": "full ranking of all candidates; customers' past is learnt from, their later "
        "interactions with items that were there at the start of the window are judged; the model "
        "that is kept was fitted again with the test window after it was measured",
        "seeds": {"training": how.seed},
    }
    return Trained(final, card, test, judged, served)


def window(data: Dataset, *, start: float, settings: TrainingSettings, name: str) -> Window:
    """Split what is known before a moment from what users turned to since.

    Raises:
        RecommendationDataError: Nothing lies before, or no user can be judged.
    """
    before = data.before(start)
    if not len(before.user):
        raise RecommendationDataError(f"no interactions lie before the {name} window")
    items = before.candidates()
    known = before.matrix()
    turned = data.rows(data.day >= start).matrix()
    turned.data[:] = 1.0
    fresh = (turned - turned.multiply(known > 0)).tocsr()
    fresh.eliminate_zeros()
    among = np.zeros(data.shape[1], dtype=np.float32)
    among[items] = 1.0
    relevant = (fresh @ sp.diags(among)).tocsr()
    relevant.eliminate_zeros()
    users = np.flatnonzero(np.diff(relevant.indptr))
    if not len(users):
        raise RecommendationDataError(
            f"nobody turned to an item in the {name} window that was there at its start: "
            "lengthen the window or `candidate_days`"
        )
    if len(users) > settings.max_test_users:
        logger.info("%d of %d users of the %s window are judged",
                    settings.max_test_users, len(users), name)  # fmt: skip
        rng = np.random.default_rng(settings.seed)
        users = np.sort(rng.choice(users, settings.max_test_users, replace=False))
    limited = before.limited(days=settings.window_days, interactions=settings.max_interactions)
    return Window(
        data=limited,
        users=users,
        items=items,
        relevant=relevant[users],
        interactions=int(fresh.nnz),
        reachable=float(relevant.nnz / fresh.nnz),
    )


def judge(model: Recommender, on: Window, settings: TrainingSettings) -> Judged:
    """Make the lists of a window's users and measure them."""
    lists = model.lists(
        on.users, on.items, k=settings.k, min_categories=settings.min_categories
    ).items
    return Judged(lists, user_metrics(lists, on.relevant, k=settings.k))


def _figures(
    model: FallbackRecommender, judged: Judged, on: Window, settings: TrainingSettings
) -> dict[str, Any]:
    metrics: dict[str, Interval] = judged.metrics.intervals(
        n_bootstrap=settings.n_bootstrap, seed=settings.seed
    )
    if settings.sampled_protocol:
        metrics |= sampled(model, on, settings)
    stage = model.stage_[on.users]
    by_source = {
        SOURCES[s]: {
            "customers": int((stage == s).sum()),
            "ndcg": float(judged.metrics.values["ndcg"][stage == s].mean()),
        }
        for s in np.unique(stage)
    }
    return {
        "metrics": {name: value.to_dict() for name, value in metrics.items()},
        "lists": list_metrics(
            judged.lists,
            n_candidates=len(on.items),
            category=on.data.category,
            popularity=on.data.people(),
        ),
        "by_source": by_source,
    }


def sampled(model: Recommender, on: Window, settings: TrainingSettings) -> dict[str, Interval]:
    """Rank one relevant item of each user among 99 candidates the user never turned to."""
    rng = np.random.default_rng([settings.seed, 1])
    known = on.data.matrix()[on.users] + on.relevant
    at = {int(item): place for place, item in enumerate(on.items)}
    count = min(_SAMPLED_NEGATIVES, len(on.items) - 1)
    positive, negative = np.zeros(len(on.users)), np.zeros((len(on.users), count))
    for start in range(0, len(on.users), _ROWS_AT_ONCE):
        span = slice(start, start + _ROWS_AT_ONCE)
        scores = model.score_block(on.users[span], on.items)
        touched, relevant = known[span], on.relevant[span]
        for row in range(len(scores)):
            mine = touched[row].indices
            places = [at[int(item)] for item in mine if int(item) in at]
            scores_of_others = np.delete(scores[row], places)
            one = at[int(rng.choice(relevant[row].indices))]
            positive[start + row] = scores[row, one]
            size = min(count, len(scores_of_others))
            negative[start + row] = -np.inf
            negative[start + row, :size] = rng.choice(scores_of_others, size, replace=False)
    return dict(
        sampled_metrics(
            positive, negative, k=settings.k, n_bootstrap=settings.n_bootstrap, seed=settings.seed
        )
    )


def _gap(one: Judged, other: Judged, settings: TrainingSettings) -> dict[str, float]:
    """NDCG of one method minus that of another on the same users."""
    return paired_difference(
        one.metrics.values[CHOSEN_BY],
        other.metrics.values[CHOSEN_BY],
        n_bootstrap=settings.n_bootstrap,
        seed=settings.seed,
    ).to_dict()


def methods_markdown(card: Mapping[str, Any]) -> str:
    """The winner in the test window, and all methods beside each other in the validation window."""
    k = card["k"]
    lead, metrics = card["over_baseline"], card["metrics"]
    lines = [
        f"**{card['estimator']}**, chosen by {card['chosen_by']}. On {card['test_customers']:,} "
        f"customers and {card['test_candidates']:,} candidates of the test window: NDCG@{k} "
        f"{_with_interval(metrics['ndcg'])}, precision {metrics['precision']['value']:.4f}, recall "
        f"{metrics['recall']['value']:.4f}; above {BASELINE} by {_with_interval(lead)}. "
        f"{card['test_reachable_share']:.0%} of the later interactions were with items that could "
        "be recommended.",
        "",
        f"All methods on {card['validation_customers']:,} customers and "
        f"{card['validation_candidates']:,} candidates of the validation window:",
        "",
        f"| method | NDCG@{k} (95 %) | Precision@{k} | Recall@{k} | coverage "
        "| categories in a list, mean, least | novelty, bits | winner's NDCG minus its (95 %) |",
        "|---|---|---:|---:|---:|---|---:|---|",
    ]
    for name, measured in card["methods"].items():
        metrics, lists = measured["metrics"], measured["lists"]
        gap = card["winner_minus"].get(name)
        lines.append(
            f"| {name} | {_with_interval(metrics['ndcg'])} | {metrics['precision']['value']:.4f} | "
            f"{metrics['recall']['value']:.4f} | {lists['coverage']:.3f} | "
            f"{lists['categories']:.1f}, {lists['least_categories']:.0f} | {lists['novelty']:.1f} "
            f"| {_with_interval(gap) if gap else '–'} |"
        )
    for name, share in card.get("not_tried", {}).items():
        lines += [
            "",
            f"Not tried: {name}, since {REFINES[name]}, which it refines, reaches {share:.0%} of "
            "the best.",
        ]
    return "\n".join(lines)


def _with_interval(figure: Mapping[str, float]) -> str:
    return f"{figure['value']:.4f} ({figure['low']:.4f} to {figure['high']:.4f})"
