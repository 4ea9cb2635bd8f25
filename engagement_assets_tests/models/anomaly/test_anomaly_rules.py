"""The platform's rules of the kinds fit its features."""

import pandas as pd

from engagement_assets.features.catalogue import FEATURES
from engagement_assets.models.anomaly.rules import (
    ANOMALY_INPUTS,
    PLATFORM_RULES,
    shows_life,
)


def test_the_platforms_rules_name_its_inputs_alone():
    assert PLATFORM_RULES.unusable(ANOMALY_INPUTS) == []
    assert set(ANOMALY_INPUTS) < set(FEATURES)


def test_a_feature_made_from_verdicts_is_no_input():
    made_from_reviews = {f.name for f in FEATURES.values() if "source/reviews" in f.sources}
    assert made_from_reviews
    assert not made_from_reviews & set(ANOMALY_INPUTS)


def test_who_used_the_app_is_scored_and_so_is_a_count_that_cannot_be():
    rows = pd.DataFrame(
        {"logins_month": [3, 0, -2, 0], "session_minutes_month": [9.0, 0.0, 0.0, 4.0]}
    )
    assert shows_life(rows).tolist() == [True, False, True, True]
