"""A learnt decision: judged by the log, promoted by its gates, drawn with real chances."""

import warnings
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import dagster as dg
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from engagement_assets.deployments.resources import resources_of
from engagement_assets.learning.fairness.report import ALL
from engagement_assets.lifecycle.access import inputs_of
from engagement_assets.lifecycle.assets import training_assets
from engagement_assets.lifecycle.checks import model_checks
from engagement_assets.lifecycle.choices import choices_asset
from engagement_assets.lifecycle.decision import drawn
from engagement_assets.lifecycle.errors import NotTrainableError
from engagement_assets.lifecycle.gates import PASSED, QualityGate
from engagement_assets.lifecycle.learnt import ContextChooser, LearntDecision, serving_policy
from engagement_assets.lifecycle.predictor import Context
from engagement_assets.settings.installation import Settings
from engagement_assets.source.contract import TABLES
from engagement_assets_tests.lifecycle.coupon import DAYS, FIRST, PEOPLE, SPEC, Coupon
from engagement_assets_tests.serving.worlds import write_features
from resources.registry import RegisteredModel

LAST = FIRST + timedelta(days=DAYS - 1)
USELESS = replace(SPEC, implementation="engagement_assets_tests.lifecycle.coupon:Useless")
USED = ("lake", "engine", "registry", "source", "settings", "tables", "reports", "models")
INPUTS = SimpleNamespace(parameters={}, seed=0)
SNAPSHOTS = SPEC.dates(LAST, first_day=FIRST)


def write_world(lake):
    """Customers, a day of sessions that says how far the data go, and a day of features."""
    names = [f"c{n:03d}" for n in range(PEOPLE)]
    sessions, customers = TABLES["sessions"], TABLES["customers"]
    lake.write(sessions, sessions.empty(), day=LAST)
    noon = datetime(FIRST.year, FIRST.month, FIRST.day)
    people = [
        {"customer_id": name, "signed_up_at": noon, "occurred_at": noon, "recorded_at": noon}
        | {"gender": ("female", "male")[n % 2], "birth_date": date(1980, 1, 1)}
        for n, name in enumerate(names)
    ]
    lake.write(customers, pa.Table.from_pylist(people, schema=customers.arrow), day=FIRST)
    write_features(
        lake, LAST, [{"customer_id": c, "logins_month": n % 20} for n, c in enumerate(names)]
    )


@pytest.fixture(scope="module")
def lived(tmp_path_factory):
    """A training that is promoted, then one of another log that is refused."""
    home = tmp_path_factory.mktemp("coupon")
    settings = Settings(home=home, last_day=LAST, days=DAYS + 20, bootstrap=20, least_group=20)
    every = resources_of(settings)
    resources = {name: every[name] for name in USED}
    write_world(resources["lake"].lake)
    made = {}
    for name, spec in (("useless", USELESS), ("coupon", SPEC)):
        assets = [*training_assets(spec), choices_asset(spec), *model_checks(spec)]
        with dg.DagsterInstance.ephemeral() as instance, warnings.catch_warnings():
            # Dagster's own, of a resource within another
            warnings.simplefilter("ignore", DeprecationWarning)
            training = dg.materialize(
                assets,
                selection=dg.AssetSelection.assets(*([spec.name, n] for n in spec.training_parts)),
                resources=resources,
                instance=instance,
            )
            chosen = dg.materialize(
                assets,
                selection=dg.AssetSelection.assets([spec.name, "choices"]),
                resources=resources,
                instance=instance,
                partition_key=LAST.isoformat(),
            )
        table = resources["lake"].lake.read(spec.choices, days=[LAST]).to_pandas()
        made[name] = SimpleNamespace(training=training, run=chosen, choices=table)
    return SimpleNamespace(**made, resources=resources)


@pytest.fixture
def inputs(lived):
    names = ("engine", "registry", "source", "settings")
    return inputs_of(SPEC, **{name: lived.resources[name] for name in names})


def champion_of(run):
    (made,) = run.asset_materializations_for_node("coupon__champion")
    return made.metadata


def test_a_policy_that_is_not_better_is_refused_and_the_rule_decides_on(lived):
    told = champion_of(lived.useless.training)
    assert not told["promoted"].value
    assert "above the rule's" in told["reasons"].value
    choices = lived.useless.choices
    assert len(choices) == PEOPLE
    assert (choices["action"] == "give").all()
    assert (choices["propensity"] == 1.0).all()
    assert choices["policy_version"].str.startswith("rule-").all()


def test_a_policy_that_is_better_is_promoted_and_chooses_with_its_chances(lived):
    told = champion_of(lived.coupon.training)
    assert told["promoted"].value
    version = told["model_version"].value
    choices = lived.coupon.choices
    assert set(choices["policy_version"]) == {version}
    likely = choices["propensity"] > 0.5
    assert choices["propensity"].round(6).isin([0.05, 0.95]).all()
    assert 0.9 < likely.mean() < 1.0
    helped = choices[likely].assign(busy=choices["reason"] == "busy")
    assert ((helped["action"] == "give") == helped["busy"]).all()


def test_its_checks_say_the_same_and_its_report_has_interval_and_people(lived):
    checks = {
        check.check_name: check.passed
        for check in lived.coupon.training.get_asset_check_evaluations()
    }
    assert checks["better_than_the_rule"]
    assert checks["covered_by_the_log"]
    assert checks["goes_on_exploring"]
    report = lived.resources["reports"].create_io_manager(dg.build_init_resource_context())
    evaluation = report.latest(["coupon", "evaluation"])
    gain = evaluation.figures["metrics"]["gain"]
    # the half that coupons annoy is spared half a unit each, nine times of ten
    assert gain["low"] < 0.25 * 0.9 < gain["high"]
    assert f"{evaluation.figures['test_customers']:,} other customers" in evaluation.markdown


def test_a_customer_alone_gets_the_choice_made_with_all(lived):
    resources = lived.resources
    policy = serving_policy(SPEC, resources["registry"].registry, {})
    features = resources["lake"].lake.read("features/customer_features", days=[LAST]).to_pandas()
    alone = policy(features.iloc[[7]].reset_index(drop=True), Context()).table.iloc[0]
    stored = lived.coupon.choices.set_index("customer_id").loc[alone["customer_id"]]
    assert (alone["action"], alone["propensity"]) == (stored["action"], stored["propensity"])


def test_what_is_learnt_and_judged_share_neither_people_nor_days(inputs):
    decision = Coupon()
    rows = decision._known(INPUTS, SNAPSHOTS)
    learn, score = decision._split(rows, SNAPSHOTS)
    assert not set(learn["customer_id"]) & set(score["customer_id"])
    assert learn["acted_at"].max().date() + timedelta(days=2) <= SNAPSHOTS.test
    assert score["acted_at"].min().date() > SNAPSHOTS.test
    trained = decision.train(inputs, SNAPSHOTS)
    assert trained.card["test_rows"] == len(score)


@pytest.mark.parametrize("lost", ["propensities", "rows"])
def test_a_log_that_says_nothing_is_no_training(lost):
    class Silent(Coupon):
        def log(self, inputs, last_day):
            rows = super().log(inputs, last_day)
            return rows.assign(propensity=np.nan) if lost == "propensities" else rows.head(0)

    with pytest.raises(NotTrainableError, match="propensity" if lost == "propensities" else "no"):
        Silent().train(INPUTS, SNAPSHOTS)


def test_an_action_that_the_spec_does_not_know_is_refused_and_a_withdrawn_one_is_not():
    class Odd(Coupon):
        def log(self, inputs, last_day):
            rows = super().log(inputs, last_day)
            return rows.assign(action=rows["action"].replace("shout", "whisper"))

    with pytest.raises(NotTrainableError, match="whisper"):
        Odd().train(INPUTS, SNAPSHOTS)


def test_fairness_is_of_the_latest_decision_of_each_test_customer(inputs):
    decision = Coupon()
    _, score = decision._split(decision._known(INPUTS, SNAPSHOTS), SNAPSHOTS)
    trained = decision.train(inputs, SNAPSHOTS)
    report = decision.assess(inputs, RegisteredModel("coupon", "v", Path(), trained.card)).report
    assert report.people == score["customer_id"].nunique()
    latest = score.drop_duplicates("customer_id", keep="last")
    offered = trained.model.chances(latest)[:, SPEC.action_names.index("give")]
    groups = [
        row
        for row in report.rows
        if row.attribute == "gender" and row.measure == "offered_give" and row.group != ALL
    ]
    everybody = sum(row.value * row.people for row in groups) / report.people
    assert everybody == pytest.approx(offered.mean())


def test_a_candidate_of_an_older_release_says_that_it_must_be_trained_again(inputs):
    older = RegisteredModel("coupon", "v", Path(), {})
    with pytest.raises(NotTrainableError, match="train it again"):
        Coupon().assess(inputs, older)


def test_a_better_champion_keeps_its_place(inputs, tmp_path):
    decision: LearntDecision = Coupon()
    trained = decision.train(inputs, SNAPSHOTS)
    models = {}
    for name, best in (("right", {"False": 1, "True": 0}), ("wrong", {"False": 0, "True": 1})):
        folder = tmp_path / name
        folder.mkdir()
        type(trained.model)(best).save(folder)
        models[name] = RegisteredModel("coupon", name, folder, trained.card)
    advantage = decision.champion_advantage(INPUTS, models["right"], models["wrong"])
    assert 0.0 < advantage.low < 0.45 < advantage.high


def test_a_gate_that_wants_certainty_fails_whatever_the_interval_touches():
    gate = QualityGate(
        check="c", metric="m", words="w", description="d.", at_least=0.0, certain=True
    )

    def state(low, high):
        metric = {"value": 0.1, "low": low, "high": high}
        card = {"metrics": {"m": metric}, "test_customers": 3, "least_test_customers": 300}
        return gate.judge(card).state

    assert state(0.01, 0.2) == PASSED
    assert state(0.0, 0.2) != PASSED
    assert state(-0.1, 0.2) != PASSED
    assert state(None, None) != PASSED


def test_draws_follow_the_chances_and_never_take_what_has_none():
    rng = np.random.default_rng(1)
    chances = np.array([0.0, 0.3, 0.0, 0.7, 0.0])
    positions = np.append(rng.random(20_000), [0.0, np.nextafter(1.0, 0.0)])
    counts = np.bincount(drawn(np.tile(chances, (len(positions), 1)), positions), minlength=5)
    assert counts[[0, 2, 4]].sum() == 0
    assert abs(counts[1] / len(positions) - 0.3) < 0.02


def test_the_same_day_is_chosen_the_same_and_another_day_otherwise():
    decision = Coupon()
    policy = ContextChooser(
        decision, decision.fit(decision.log(INPUTS, LAST), INPUTS), champion="v", parameters={}
    )
    people = pd.DataFrame(
        {"customer_id": [f"c{n}" for n in range(400)], "snapshot_date": LAST, "busy": True}
    )
    first = policy.choose(people)
    pd.testing.assert_frame_equal(first, policy.choose(people))
    other = policy.choose(people.assign(snapshot_date=FIRST))
    assert (first["action"] != other["action"]).any()
