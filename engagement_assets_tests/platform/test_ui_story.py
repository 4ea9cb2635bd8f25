"""What a person reads in the UI alone: who owns what, what it holds, and how it went."""

import dagster as dg
import pytest

from engagement_assets.definitions import defs
from engagement_assets.features.catalogue import FEATURES
from engagement_assets.models.specs import MODELS
from engagement_assets_tests.platform.homes import END
from engagement_assets_tests.platform.listing import listed

GRAPH = defs.resolve_asset_graph()
TABLE_GROUPS = (
    "source/",
    "features/",
    "labels/",
    "predictions/",
    "governance/review_queue",
    *(spec.predictions for spec in MODELS),
)
TABLES = [key for key in listed()["assets"] if key.startswith(TABLE_GROUPS)]
NOUNS = ("model", "evaluation", "fairness", "champion")
# the history of this home is too short for the value of 180 days
TOO_SHORT = "lifetime_value"
# and has too few customers in its experiment
TOO_FEW = "treatment_effects"
MODELS_AND_REPORTS = [
    f"{spec.name}/{noun}"
    for spec in MODELS
    if spec.name not in (TOO_SHORT, TOO_FEW)
    for noun in spec.training_parts
]
NOT_YET = "labels/lifetime_value_usd"


def node(key: str):
    return GRAPH.get(dg.AssetKey(key.split("/")))


@pytest.mark.parametrize("key", listed()["assets"])
def test_every_asset_says_what_it_is_and_whose(key):
    asset = node(key)
    assert len(asset.description) > 30
    assert asset.description.rstrip().endswith((".", "`."))
    assert asset.owners
    assert asset.group_name == key.split("/")[0]
    assert asset.kinds
    assert asset.code_version


@pytest.mark.parametrize("key", TABLES)
def test_every_table_shows_its_columns_with_types_and_meanings(key):
    shown = node(key).metadata["dagster/column_schema"]
    columns = getattr(shown, "schema", shown).columns
    assert columns
    types = {"string", "int64", "float64", "bool", "date", "timestamp"}
    for column in columns:
        assert column.type in types, column.name
        assert len(column.description or "") > 3, f"{key}: {column.name} has no description"


def test_the_feature_table_shows_all_49_features():
    shown = node("features/customer_features").metadata["dagster/column_schema"]
    names = {column.name for column in getattr(shown, "schema", shown).columns}
    assert len(FEATURES) == 49
    assert set(FEATURES) <= names


def test_every_check_job_schedule_and_sensor_says_what_it_is_for():
    repository = defs.get_repository_def()
    for key in GRAPH.asset_check_keys:
        assert len(GRAPH.get(key).description or "") > 20, key
    for name in listed()["jobs"]:
        assert repository.get_job(name).description, name
    for automatic in (*repository.schedule_defs, *repository.sensor_defs):
        assert automatic.description, automatic.name


def last_metadata(home, key):
    with home.instance() as instance:
        event = instance.get_latest_materialization_event(dg.AssetKey(key.split("/")))
    return event.asset_materialization


@pytest.mark.parametrize("key", [key for key in TABLES if key != NOT_YET])
def test_each_partition_shows_its_rows(made_home, key):
    made = last_metadata(made_home, key)
    day = dg.AssetKey(key.split("/"))
    assert made.partition is not None, day
    count = made.metadata["dagster/row_count"].value
    days = {day.isoformat(): day for day in made_home.lake.days(key)}
    assert count == made_home.lake.row_count(key, days[made.partition])


@pytest.mark.parametrize("key", MODELS_AND_REPORTS)
def test_a_model_or_report_shows_figures(made_home, key):
    metadata = last_metadata(made_home, key).metadata
    figures = [
        name
        for name, value in metadata.items()
        if isinstance(value, dg.FloatMetadataValue | dg.IntMetadataValue)
    ]
    assert figures
    assert metadata["model_version"].value


@pytest.mark.parametrize("noun", NOUNS)
def test_what_could_not_be_trained_carries_the_reason_in_each_asset(made_home, noun):
    metadata = last_metadata(made_home, f"{TOO_SHORT}/{noun}").metadata
    assert metadata["not_trained"].value.startswith("the data begin on")


def test_predictions_without_a_champion_are_empty_and_say_why(made_home):
    made = last_metadata(made_home, f"{TOO_SHORT}/predictions").metadata
    assert made["dagster/row_count"].value == 0
    assert "no lifetime_value champion yet" in made["not_made"].value


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("churn/evaluation", "AUC"),
        ("churn/fairness", "80 %"),
        ("churn/champion", "churn"),
        ("churn/explanations", "feature"),
        ("engagement/evaluation", "R²"),
        ("engagement/explanations", "not what causes it"),
        ("lifetime_value/evaluation", "Not trained: the data begin on"),
        ("recommendation/evaluation", "NDCG"),
        ("recommendation/explanations", "lists"),
        ("anomaly/explanations", "review"),
        ("ensemble/evaluation", "served"),
        ("ensemble/explanations", "stays"),
        ("governance/fairness", "80 % rule"),
        ("churn/predictions", "reason"),
        ("source/quarantine", "contract"),
        ("lake/catalogue", "features.customer_features"),
    ],
)
def test_reports_read_as_text(made_home, key, words):
    texts = [
        value.value
        for value in last_metadata(made_home, key).metadata.values()
        if isinstance(value, dg.MarkdownMetadataValue)
    ]
    assert any(words in text for text in texts)


def test_reports_lie_as_text_beside_their_figures(made_home):
    folder = made_home.path / "reports" / "churn"
    for report in ("evaluation", "fairness", f"explanations/day={END}"):
        assert (folder / report / "report.json").stat().st_size > 100
        assert len((folder / report / "report.md").read_text().splitlines()) > 3
