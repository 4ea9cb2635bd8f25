"""One `make run` on a small world: everything is made, and nothing twice."""

from pathlib import Path

import dagster as dg
import duckdb
import pytest

from engagement_assets.features.labels import LABELS
from engagement_assets_tests.platform.homes import END, WORLD, Home, command, story
from engagement_assets_tests.platform.listing import listed
from resources.registry import ModelRegistry

PREDICTIONS = "churn/predictions"
# its window of 180 days is longer than the history of the small world
NOT_YET = "labels/lifetime_value_usd"
# what the schedule of a quarter asks for, and not `make run`
QUARTERLY = (
    "governance/cards",
    "governance/ethics_audit",
    "federated_churn/model",
    "federated_churn/evaluation",
)


@pytest.fixture(scope="module")
def predictions(made_home: Home):
    return made_home.lake.read(PREDICTIONS, days=[END]).to_pandas()


def test_every_asset_is_made_and_the_label_whose_window_is_open_is_not(made_home):
    with made_home.instance() as instance:
        made = {key.to_user_string() for key in instance.all_asset_keys()}
        recorded = {
            key.to_user_string()
            for key in instance.all_asset_keys()
            if instance.get_latest_materialization_event(key)
        }
    assert recorded == set(listed()["assets"]) - {NOT_YET, *QUARTERLY}
    assert made <= set(listed()["assets"])


def test_every_day_of_the_source_is_recorded_as_a_partition(made_home):
    days = {day.isoformat() for day in made_home.lake.days("source/sessions")}
    assert len(days) == 95
    with made_home.instance() as instance:
        assert instance.get_materialized_partitions(dg.AssetKey(["source", "sessions"])) == days


def test_every_run_succeeded_and_every_check_passed_or_has_nothing_to_judge(made_home):
    with made_home.instance() as instance:
        assert {run.status.value for run in instance.get_runs()} == {"SUCCESS"}
    assert "0 did not" in made_home.out


def test_every_active_customer_is_predicted_once(made_home, predictions):
    snapshot = made_home.lake.read("features/customer_features", days=[END]).to_pandas()
    active = snapshot.loc[snapshot["logins_month"] > 0, "customer_id"]
    assert len(active) > 100
    assert sorted(predictions["customer_id"]) == sorted(active)


def test_probabilities_bands_and_actions_agree(made_home, predictions):
    offers = made_home.lake.read("retention/choices", days=[END]).to_pandas()
    offers = offers.set_index("customer_id").loc[predictions["customer_id"]].reset_index()
    p = predictions["churn_probability"]
    assert p.between(0, 1).all()
    assert p.nunique() > 10
    band = p.map(lambda value: "high" if value > 0.7 else "medium" if value > 0.5 else "low")
    assert (offers["band"] == band).all()
    assert set(offers.loc[offers["band"] == "low", "action"]) == {"none"}


def test_every_prediction_has_three_different_reasons(predictions):
    names = predictions[[f"reason_{n}_feature" for n in (1, 2, 3)]]
    assert names.notna().all(axis=None)
    assert (names.nunique(axis=1) == 3).all()
    sizes = predictions[[f"reason_{n}_contribution" for n in (1, 2, 3)]].abs()
    assert (sizes.diff(axis=1).iloc[:, 1:] <= 0).all(axis=None)


def test_predictions_carry_the_champion(made_home, predictions):
    champion = ModelRegistry(made_home.path / "registry").champion("churn")
    assert set(predictions["model_version"]) == {champion}


def test_the_summary_names_rows_metrics_and_where_to_look(made_home, predictions):
    lake = made_home.lake
    sessions = sum(lake.row_count("source/sessions", day) for day in lake.days("source/sessions"))
    champion = ModelRegistry(made_home.path / "registry").champion("churn")
    for words in (
        f"{sessions:,} rows",
        "quarantine",
        f"Features  49 of {lake.row_count('features/customer_features', END):,} customers",
        champion,
        "AUC",
        "calibration error",
        "95 % intervals",
        f"{len(predictions):,} rows at {END}",
        "make dev",
        f"{made_home.path}/lake.duckdb",
        f"{made_home.path}/alerts.jsonl",
    ):
        assert words in made_home.out


def test_experiments_are_reported_for_people_and_in_the_summary(made_home):
    results = made_home.lake.read("experiments/results", days=[END]).to_pandas()
    assert "premium_upgrade" in set(results["experiment"])
    report = made_home.path / "reports" / "experiments" / "report" / f"day={END}" / "report.md"
    assert "What cannot be said" in report.read_text()
    shown = results.set_index("experiment")["experiment_verdict"].to_dict()
    for name, verdict in shown.items():
        assert f"{name:<24} {verdict}" in made_home.out


def test_the_catalogue_opens_read_only_and_its_views_answer(made_home, predictions):
    with duckdb.connect(str(made_home.path / "lake.duckdb"), read_only=True) as connection:
        views = connection.execute(
            "SELECT schema_name || '.' || view_name FROM duckdb_views() WHERE NOT internal"
        ).fetchall()
        assert {"source.sessions", "features.customer_features", "churn.predictions"} <= {
            name for (name,) in views
        }
        for (name,) in views:
            connection.sql(f"FROM {name} LIMIT 1").fetchall()
        actual = connection.execute(
            "SELECT count(*) FROM churn.predictions WHERE day = ?", [END]
        ).fetchone()
        assert actual == (len(predictions),)
        with pytest.raises(duckdb.InvalidInputException, match="read-only"):
            connection.execute("CREATE TABLE mine (a INTEGER)")


def test_a_second_run_makes_nothing_again(home):
    before = files(home.path / "lake")
    done = command(home.path, "run", *WORLD)
    assert done.returncode == 0, done.stderr
    assert "Models" in done.stdout
    with home.instance() as instance:
        runs = instance.get_runs()
    # ingest, text scores, three times signals and features, engagement three times and churn twice,
    # training, fairness across models, predictions, two of the network, and value
    assert len(runs) == 19
    assert files(home.path / "lake") == before


def test_predictions_made_again_are_the_same_bytes(home):
    path = Path(str(home.lake.path(PREDICTIONS, END)))
    before = path.read_bytes()
    path.unlink()
    assert story(home, "again", job="predictions", day=END.isoformat())["success"]
    assert path.read_bytes() == before


def test_labels_are_made_only_where_their_window_has_closed(made_home):
    for label in LABELS.values():
        for day in made_home.lake.days(label.key):
            assert label.closes_on(day) <= END


def files(folder: Path) -> dict[str, tuple[int, int]]:
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.stat().st_size)
        for path in folder.rglob("*")
        if path.is_file()
    }
