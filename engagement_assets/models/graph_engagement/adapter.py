"""What the graph's engagement model does in its life: from the lake to candidate and report.

Belongs here: reading snapshots and graphs for `training.py`. Does not belong here: learning.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from engagement_assets.features.catalogue import MODEL_INPUTS
from engagement_assets.lifecycle.adapter import Inputs, Trained
from engagement_assets.lifecycle.dates import Snapshots
from engagement_assets.lifecycle.rows import data_versions
from engagement_assets.models.graph_engagement.spec import LABEL
from engagement_assets.models.graph_engagement.training import (
    Snapshot,
    gain_markdown,
    train_graph_engagement,
)
from engagement_assets.signals.network.snapshot import graph_of


class GraphEngagementAdapter:
    """The graph's engagement model's methods; see `ModelAdapter`."""

    def train(self, inputs: Inputs, snapshots: Snapshots) -> Trained:
        """Fit on one snapshot and judge on a later one."""
        days = (snapshots.train[0], snapshots.test)
        train, test = (
            Snapshot(
                rows[list(MODEL_INPUTS)],
                rows[LABEL.name],
                graph_of(inputs.engine, inputs.sql, day),
            )
            for day in days
            for rows in [inputs.labelled(day, LABEL).set_index("customer_id")]
        )
        trained = train_graph_engagement(
            train, test, seed=inputs.seed, threads=inputs.threads, n_bootstrap=inputs.bootstrap
        )
        card = trained.card | {
            "training_snapshot": days[0].isoformat(),
            "training_snapshots": [days[0].isoformat()],
            "test_snapshot": days[1].isoformat(),
            "features": list(MODEL_INPUTS),
        }
        return replace(trained, card=card)

    def data_versions(self, inputs: Inputs, snapshots: Snapshots) -> dict[str, str]:
        """Return a digest of the features and labels of both snapshots."""
        return data_versions(inputs.engine.lake, snapshots.all, LABEL)

    def evaluation_markdown(self, card: Mapping[str, Any]) -> str:
        """Return the evaluation of a version."""
        return gain_markdown(card)
