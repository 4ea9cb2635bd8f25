"""Treatment effects from a hand-made lake: an experiment, a campaign, and what spoils them."""

from datetime import date, datetime, timedelta
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

from engagement_assets.features.tables import KNOWN_TABLES
from engagement_assets.learning.effects.estimator import TreatmentEffectEstimator
from engagement_assets.lifecycle.adapter import Inputs
from engagement_assets.lifecycle.assets import _at_hand
from engagement_assets.lifecycle.dates import Snapshots
from engagement_assets.lifecycle.errors import NotTrainableError
from engagement_assets.lifecycle.predictor import Context
from engagement_assets.models.treatment_effects.adapter import TreatmentEffectsAdapter, effects_of
from engagement_assets.models.treatment_effects.spec import SPEC, WINDOW_DAYS
from engagement_assets.models.treatment_effects.trials import assignments_of, experiment_rows
from engagement_assets.settings.installation import PROJECT
from engagement_assets.source.contract import TABLES
from engagement_assets.source.known import product_sql
from engagement_assets_tests.lifecycle.made_inputs import made_inputs
from engagement_assets_tests.serving.worlds import write_features
from resources.engine import DuckDBEngine
from resources.lake import Lake
from resources.registry import RegisteredModel
from resources.tables import by_sql_name

FIRST = date(2026, 1, 1)
BEFORE, ASSIGNED, AFTER = (FIRST + timedelta(days=n) for n in (5, 6, 10))
LAST = ASSIGNED + timedelta(days=WINDOW_DAYS)
PEOPLE = 700
SNAPSHOTS = Snapshots((AFTER, BEFORE), AFTER)


def noon(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 12)


def add(lake: Lake, table: str, day: date, rows: list[dict[str, object]]) -> None:
    stamped = [{"occurred_at": noon(day), "recorded_at": noon(day), **row} for row in rows]
    lake.write(TABLES[table], pa.Table.from_pylist(stamped, schema=TABLES[table].arrow), day=day)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """The young gain an hour a day of the treatment, the old lose most of what they have."""
    rng = np.random.default_rng(0)
    lake = Lake(str(tmp_path_factory.mktemp("effects")))
    names = [f"c{n:04d}" for n in range(PEOPLE)]
    age = rng.integers(18, 80, PEOPLE)
    treated = rng.random(PEOPLE) < 0.5
    logins = rng.integers(0, 30, PEOPLE)
    sent = rng.random(PEOPLE) < (0.2 + 0.6 * (logins > 14))
    for day, seen in ((BEFORE, logins), (AFTER, np.full(PEOPLE, 99))):
        rows = [
            {"customer_id": who, "age": int(a), "logins_month": int(n), "gender": "female"}
            for who, a, n in zip(names, age, seen, strict=True)
        ]
        write_features(lake, day, rows)
    assigned = [
        {"experiment": "premium_upgrade", "customer_id": who, "propensity": 0.5}
        | {"variant": "treatment" if took else "control"}
        for who, took in zip(names, treated, strict=True)
    ]
    assigned += [
        {"experiment": "spring_campaign", "customer_id": who, "propensity": None}
        | {"variant": "sent" if took else "control"}
        for who, took in zip(names, sent, strict=True)
    ]
    assigned += [
        {"experiment": "broken", "customer_id": who, "propensity": 0.5}
        | {"variant": "treatment" if place % 4 else "control"}
        for place, who in enumerate(names)
    ]
    add(lake, "experiment_assignments", ASSIGNED, assigned)
    for number in range(1, WINDOW_DAYS + 1):
        day = ASSIGNED + timedelta(days=number)
        minutes = 4.0 + 0.6 * logins + np.where(treated, np.where(age < 35, 30.0, -8.0), 0.0)
        minutes = np.maximum(minutes + rng.normal(0.0, 2.0, PEOPLE), 0.5)
        add(
            lake,
            "sessions",
            day,
            [
                {"session_id": f"{who}{number}", "customer_id": who}
                | {"duration_seconds": float(60 * length)}
                for who, length in zip(names, minutes, strict=True)
            ],
        )
    return SimpleNamespace(
        lake=lake, age=age, treated=treated, logins=logins, names=names, inputs=_inputs(lake)
    )


def _inputs(lake: Lake, experiment: str = "premium_upgrade") -> Inputs:
    return made_inputs(
        engine=DuckDBEngine(lake=lake, declared=by_sql_name(KNOWN_TABLES)),
        sql=product_sql(PROJECT / "sql"),
        parameters={"treatment_experiment": experiment, "targeting_cost": 2.0}
        | {"random_state": 0, "n_jobs": 1},
        threads=1,
        seed=0,
    )


@pytest.fixture(scope="module")
def version(world, tmp_path_factory):
    trained = TreatmentEffectsAdapter().train(world.inputs, SNAPSHOTS)
    folder = tmp_path_factory.mktemp("version")
    trained.model.save(folder)
    return RegisteredModel(SPEC.name, "1", folder, trained.card)


def test_features_are_of_the_snapshot_before_the_assignment_and_outcomes_after_it(world):
    rows = experiment_rows(
        world.inputs,
        assignments_of(world.inputs, LAST),
        "premium_upgrade",
        snapshots=[BEFORE, AFTER],
        last_day=LAST,
    )
    assert set(rows.table["snapshot_date"]) == {BEFORE}
    assert rows.table["logins_month"].max() < 99
    assert (rows.without_features, rows.still_open) == (0, 0)
    minutes = -30.0 * np.log1p(-rows.table["engagement"].to_numpy())
    plain = 4.0 + 0.6 * rows.table["logins_month"].to_numpy(np.float64)
    untouched = rows.table["treated"].to_numpy() == 0
    assert np.abs(minutes - plain)[untouched].mean() < 1.0
    early = experiment_rows(
        world.inputs,
        assignments_of(world.inputs, LAST),
        "premium_upgrade",
        snapshots=[AFTER],
        last_day=LAST,
    )
    assert (len(early.table), early.without_features) == (0, PEOPLE)
    assert not len(assignments_of(world.inputs, BEFORE))


def test_the_card_says_who_gains_who_is_harmed_and_what_targeting_brings(version):
    card = version.card
    ages = {row["group"]: row["verdict"] for row in card["groups"]["age_band"]}
    assert ages["25-34"] == "gains"
    assert ages["55+"] == "is harmed"
    assert {"segment": "age_band", "group": "55+"} in card["harmed"]
    # harmed on the whole, and no more than the others: there are none
    assert card["groups"]["gender"][0]["verdict"] == "is harmed"
    assert "gender" not in {one["segment"] for one in card["harmed"]}
    assert card["estimator"]["served"] != "constant"
    assert all(
        gate.judge(card | {"least_test_customers": 300}).state == "passed" for gate in SPEC.gates
    )
    by_effect, at_random, by_risk = card["policies"]
    assert by_effect["gain"]["low"] > 0.0
    for other in (at_random, by_risk):
        assert other["by_effect_brings_more_by"]["low"] > 0.0


def test_a_campaign_is_shown_as_no_experiment(version):
    (campaign,) = version.card["campaigns"]
    assert campaign["experiment"] == "spring_campaign"
    assert campaign["effect"]["low"] < 0.0 < campaign["effect"]["high"]
    assert campaign["naive"]["low"] > 0.0
    text = TreatmentEffectsAdapter().evaluation_markdown(version.card)
    assert "spring_campaign: not from an experiment" in text
    assert "From an experiment" in text


def test_effects_are_predicted_with_intervals_reasons_and_the_group_that_is_harmed(world, version):
    rows = world.lake.read("features/customer_features", days=[BEFORE]).to_pandas()
    predict = TreatmentEffectsAdapter().load(version, parameters={}, threads=1)
    table = predict(rows, Context()).table
    assert set(table.columns) == {"customer_id", *(column.name for column in SPEC.columns)}
    young, old = world.age < 30, world.age > 60
    assert table.loc[young, "effect"].min() > 0.0 > table.loc[old, "effect"].mean()
    assert (table.loc[old, "harmed_group"] == "age_band 55+").all()
    assert table.loc[young, "harmed_group"].isna().all()
    assert (table["effect_low"] < table["effect"]).all()
    assert table["reason_1_feature"].mode()[0] == "age"
    assert set(table["origin"]) == {"from an experiment"}
    alone = predict(rows.tail(1), Context()).table
    assert alone["effect"].iloc[0] == table["effect"].iloc[-1]


def test_a_version_is_no_better_than_itself(world, version):
    advantage = TreatmentEffectsAdapter().champion_advantage(world.inputs, version, version)
    assert (advantage.low, advantage.value, advantage.high) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("experiment", "words"), [("unheard_of", "unheard_of"), ("broken", "broken randomisation")]
)
def test_an_experiment_that_tells_nothing_is_not_learnt_from(world, experiment, words):
    with pytest.raises(NotTrainableError, match=words):
        TreatmentEffectsAdapter().train(_inputs(world.lake, experiment), SNAPSHOTS)


def test_all_snapshots_at_hand_are_offered():
    days = {FIRST + timedelta(days=n) for n in (0, 3, 9)}
    actual = _at_hand(SPEC, days, Snapshots((FIRST,), FIRST + timedelta(days=5)))
    assert actual.train == (FIRST + timedelta(days=3), FIRST)
    assert actual.test == FIRST + timedelta(days=3)


def test_an_effect_that_is_the_same_for_everybody_has_no_reasons(world, version):
    rows = world.lake.read("features/customer_features", days=[BEFORE]).to_pandas().head(80)
    rng = np.random.default_rng(0)
    constant = TreatmentEffectEstimator(learners=("DR-learner",), folds=2).fit(
        rows[["age", "logins_month"]], np.tile([0, 1], 40), rng.normal(size=80)
    )
    assert constant.served_ == "constant"
    about = {"experiment": "none", "origin": "not from an experiment"}
    table = effects_of(constant, rows, version.card["harmed"], about).table
    assert table["effect"].nunique() == 1
    assert table.filter(like="reason_").isna().all().all()
