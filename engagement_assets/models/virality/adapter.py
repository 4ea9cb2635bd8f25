"""What virality does in its life: from the lake to candidate and predictions.

Belongs here: putting the pure modules of this folder behind the interface that every model has.
Does not belong here: learning and wording themselves.
"""

from __future__ import annotations

from datetime import date, timedelta

from engagement_assets.learning.cascades.reach import load_estimator
from engagement_assets.learning.evaluation.bootstrap import Interval
from engagement_assets.lifecycle.adapter import Inputs, Predicted, Trained
from engagement_assets.lifecycle.dates import Snapshots
from engagement_assets.models.virality.spec import SPEC
from engagement_assets.models.virality.training import (
    CASCADES,
    VIRALITY_DAYS,
    fit_virality,
    post_cascades,
    virality_markdown,
)
from resources.registry import RegisteredModel


class ViralityAdapter:
    """Virality's methods; see `ModelAdapter`."""

    evaluation_markdown = staticmethod(virality_markdown)

    def train(self, inputs: Inputs, snapshots: Snapshots) -> Trained:
        """Compare the methods on later posts and fit one on all."""
        day = snapshots.test
        posts, metrics_day = post_cascades(inputs.engine, inputs.sql, day)
        virality = fit_virality(
            posts,
            estimator=inputs.parameters["virality_estimator"],
            seed=inputs.seed,
            threads=inputs.threads,
            n_bootstrap=inputs.bootstrap,
        )
        card = virality.card | {
            "training_snapshot": day.isoformat(),
            "training_snapshots": [day.isoformat()],
            "test_snapshot": day.isoformat(),
            "authors_as_of": metrics_day.isoformat(),
        }
        return Trained(virality.model, card)

    def data_versions(self, inputs: Inputs, snapshots: Snapshots) -> dict[str, str]:
        """Return a digest of each partition of posts and interactions that was learnt from."""
        lake, day = inputs.engine.lake, snapshots.test
        return {
            f"{table}/{there}": lake.digest(table, there)
            for table in ("source/posts", "source/interactions")
            for there in lake.days(table)
            if day - timedelta(days=VIRALITY_DAYS) < there <= day
        }

    def champion_advantage(
        self,
        inputs: Inputs,  # noqa: ARG002 - the candidate's card has both methods on the same posts
        champion: RegisteredModel,
        candidate: RegisteredModel,
    ) -> Interval:
        """Return how much less the champion's method errs on the candidate's later posts.

        Both methods were fitted on the same earlier posts: either version may have seen the later
        ones. Differences are to the best method, which a candidate is unless another is set.
        """
        name = champion.card["estimator"]
        if name == candidate.card["estimator"]:
            return Interval(0.0, 0.0, 0.0)
        worse = Interval.from_dict(candidate.card["differences"][name])
        return Interval(-worse.value, -worse.high, -worse.low)

    def predict(self, inputs: Inputs, model: RegisteredModel, day: date) -> Predicted:
        """Predict the reach of recent posts."""
        days = int(CASCADES.horizon_hours // 24)
        posts, _ = post_cascades(inputs.engine, inputs.sql, day, days=days)
        estimator = load_estimator(model.folder)
        table = posts.posts.assign(
            early_reach=posts.early_reach,
            predicted_reach=estimator.predict(posts),
            estimator=estimator.name,
        )
        return Predicted(table[["customer_id", *(column.name for column in SPEC.columns)]], {}, "")
