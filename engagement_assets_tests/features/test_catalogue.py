"""The catalogue is complete, and schema, SQL and dictionary say the same."""

import dataclasses
import re

import pytest
from sqlglot import exp

from engagement_assets.features.catalogue import (
    CATEGORY_FEATURES,
    CUSTOMER_FEATURES,
    CUSTOMER_FEATURES_TABLE,
    FEATURE_NAMES,
    FEATURE_TABLES,
    FEATURES,
    GROUP_FEATURES,
    GROUP_SOURCES,
    MODEL_INPUTS,
    dictionary_markdown,
)
from engagement_assets.features.feature import Feature
from engagement_assets.features.labels import LABELS, Label
from engagement_assets.features.snapshot import wide_query
from engagement_assets.signals.tables import SIGNAL_TABLES
from engagement_assets.source.contract import REQUIRED_TABLES, TABLES

from .worlds import SQL

GROUPS = {
    "demographics": "age gender location account_type tenure_days",
    "engagement": "logins_month active_days_month days_since_last_login "
    "session_duration_avg_minutes session_minutes_month messages_sent_month "
    "messages_received_month posts_month content_views_month events_joined_month "
    "notification_open_rate_month premium_features_used_count",
    "social": "connection_count new_connections_month reactions_given_month "
    "reactions_received_month comments_written_month comments_received_month influence_score "
    "betweenness_centrality",
    "transactions": "transaction_revenue_month transaction_count_month revenue_to_date_usd "
    "gig_listings_month gig_applications_month job_rating_avg",
    "behaviour": "primary_device primary_time_of_day scroll_depth_avg click_rate bounce_rate "
    "weekend_session_share night_session_share device_count pages_per_session",
    "derived": "avg_sentiment_score network_centrality content_diversity_score "
    "session_consistency_score last_7_day_engagement_trend trust_score response_time_avg_hours "
    "peak_activity_hour referral_count",
}
KEY = ("customer_id", "snapshot_date")


def test_the_catalogue_holds_the_49_features_in_six_groups() -> None:
    declared = {group: " ".join(f.name for f in actual) for group, actual in GROUP_FEATURES.items()}
    assert declared == GROUPS
    assert len(FEATURE_NAMES) == len(set(FEATURE_NAMES)) == 49


@pytest.mark.parametrize("feature", FEATURES.values(), ids=FEATURES)
def test_a_declaration_says_what_it_must(feature: Feature) -> None:
    assert re.fullmatch(r"[A-Z].{15,}\.", feature.meaning)
    known = {f"source/{name}" for name in TABLES} | {table.key for table in SIGNAL_TABLES}
    assert feature.sources
    assert set(feature.sources) <= known
    assert set(feature.needs) <= set(feature.sources)
    assert not set(feature.needs) & {f"source/{name}" for name in REQUIRED_TABLES}
    if feature.numeric:
        assert feature.unit
        assert not feature.allowed
    else:
        assert feature.minimum is None
        assert feature.maximum is None
    assert feature.without_rows != "null" or feature.null_note, "says when a customer has null"
    assert feature.nullable == (feature.null_rule.startswith("Null when"))


@pytest.mark.parametrize("table", FEATURE_TABLES)
def test_the_sql_gives_the_columns_of_the_schema_in_order(table: str) -> None:
    query = wide_query() if table == CUSTOMER_FEATURES else SQL.query(table)
    assert tuple(query.tree.named_selects) == FEATURE_TABLES[table].names


@pytest.mark.parametrize("label", LABELS.values(), ids=LABELS)
def test_the_sql_of_a_label_gives_the_columns_of_its_schema(label: Label) -> None:
    assert tuple(SQL.query(label.key).tree.named_selects) == label.names


def test_schemas_follow_from_the_catalogue() -> None:
    assert CUSTOMER_FEATURES_TABLE.names == (*KEY, *FEATURE_NAMES)
    assert list(FEATURE_TABLES) == [*(f"features/{group}" for group in GROUPS), CUSTOMER_FEATURES]
    for group, names in GROUPS.items():
        assert FEATURE_TABLES[f"features/{group}"].names == (*KEY, *names.split())
    for column in CUSTOMER_FEATURES_TABLE.columns[len(KEY) :]:
        feature = FEATURES[column.name]
        assert (column.type, column.nullable) == (feature.type, feature.nullable)


@pytest.mark.parametrize("group", GROUPS)
def test_the_sql_of_a_group_reads_the_sources_of_its_features(group: str) -> None:
    read = {table.replace(".", "/") for table in SQL.query(f"features/{group}").tables}
    assert read == set(GROUP_SOURCES[group])


@pytest.mark.parametrize("label", LABELS.values(), ids=LABELS)
def test_the_sql_of_a_label_reads_its_sources(label: Label) -> None:
    read = {table.replace(".", "/") for table in SQL.query(label.key).tables}
    assert read == set(label.sources)
    assert set(label.required_tables) <= read


def test_sensitive_features_are_not_learnt_from_by_default() -> None:
    sensitive = tuple(name for name, feature in FEATURES.items() if feature.sensitive)
    assert sensitive == ("age", "gender", "location")
    assert set(MODEL_INPUTS) == set(FEATURE_NAMES) - set(sensitive)
    numeric = {name for name, feature in FEATURES.items() if feature.numeric}
    assert numeric | set(CATEGORY_FEATURES) == set(FEATURE_NAMES)


def test_null_rules_read_as_sentences() -> None:
    rules = {feature.null_rule for feature in FEATURES.values()}
    assert "Never null." in rules
    assert "Never null: 0 for a customer without rows." in rules
    assert FEATURES["posts_month"].null_rule == (
        "Null when source/posts has no rows by then; 0 for a customer without rows."
    )
    assert FEATURES["trust_score"].null_rule == (
        "Null when source/job_ratings and source/reviews have no rows by then."
    )


def test_the_dictionary_has_one_line_a_feature_with_its_meaning() -> None:
    lines = dictionary_markdown().splitlines()
    for feature in FEATURES.values():
        (line,) = [line for line in lines if line.startswith(f"| `{feature.name}` |")]
        assert feature.meaning in line
        assert feature.null_rule in line
        assert line.count("|") == 9


def test_a_declaration_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        FEATURES["age"].sensitive = False  # type: ignore[misc] - that is what is tested


def test_the_wide_table_takes_each_feature_from_its_group() -> None:
    tree = wide_query().tree
    taken = {column.alias_or_name: column.table for column in tree.selects}
    assert all(isinstance(column, exp.Column) for column in tree.selects)
    assert {name: taken[name] for name in FEATURE_NAMES} == {
        feature.name: feature.group for feature in FEATURES.values()
    }
