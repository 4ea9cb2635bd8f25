"""Kinds of interaction have weights, and an unknown kind is named."""

import pandas as pd
import pytest

from engagement_assets.learning.recommendation.data import RecommendationDataError
from engagement_assets.models.recommendation.sources import weigh


def test_kinds_of_interaction_become_weights():
    rows = pd.DataFrame(
        {
            "customer_id": ["a", "a", "b"],
            "post_id": ["x", "y", "x"],
            "kind": ["view", "like", "comment"],
            "occurred_at": pd.Timestamp("2025-01-01", tz="UTC"),
        }
    )
    assert weigh(rows)["weight"].tolist() == [1.0, 3.0, 4.0]
    with pytest.raises(RecommendationDataError, match="poke"):
        weigh(rows.assign(kind="poke"))
