# ruff: noqa: ARG001, ARG002, ARG005 - a lake, a registry and an adapter give more than is read
"""A mitigation that a setting asks for is in the card, in the predictions, and holds later."""

import json
from dataclasses import replace
from datetime import date, timedelta
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from engagement_assets.decisions.retention.policy import RetentionRule
from engagement_assets.lifecycle.card import model_card
from engagement_assets.lifecycle.checks import later_outcome
from engagement_assets.lifecycle.dates import Snapshots
from engagement_assets.lifecycle.errors import NotTrainableError
from engagement_assets.lifecycle.fairness import APPLIED, later_flags
from engagement_assets.lifecycle.predictor import Context
from engagement_assets.models.churn.adapter import ChurnAdapter
from engagement_assets.models.churn.spec import SPEC
from engagement_assets.models.specs import EVERY_MODEL
from engagement_assets.settings.pairs import MITIGATED
from engagement_assets_tests.models.value_world import FEATURES, FIRST_DAY, TEST, TRAIN, rows
from resources.registry import ModelRegistry, registered

FAIRNESS = {"min_group_size": 100, "n_bootstrap": 20, "seed": 0, "reference": "truth"}
LATER = TEST + timedelta(days=40)


def labelled(day, *, gap=3, n=5_000):
    """Customers of whom the women use the app less, and leave more often for it."""
    table = rows(day, n=n)
    female = table["gender"] == "female"
    table["logins_month"] = np.maximum(0, table["logins_month"] - gap * female)
    drawn = np.random.default_rng(day.toordinal()).random(n)
    table["churn_30_day"] = (drawn < 1 / (1 + np.exp(table["logins_month"] - 2.0))).astype(int)
    return table


def trained(mitigation, **about):
    return ChurnAdapter().learn(
        labelled(TRAIN, **about),
        labelled(TEST, **about),
        snapshots=Snapshots((TRAIN,), TEST),
        features=FEATURES,
        parameters={"random_state": 1, "n_jobs": 1, "n_estimators": 60, "folds": 2},
        n_bootstrap=20,
        first_day=FIRST_DAY,
        mitigation=mitigation,
        fairness=FAIRNESS,
    )


@pytest.fixture(scope="module")
def versions(tmp_path_factory):
    """A version without a mitigation, and one with each."""
    folder = tmp_path_factory.mktemp("versions")
    registry = ModelRegistry(folder / "registry")
    made = {}
    for mitigation in (None, *SPEC.fairness.mitigations):
        files = folder / str(mitigation)
        one = trained(mitigation)
        one.model.save(files)
        version = registry.register("churn", files, json.loads(json.dumps(one.card)))
        made[mitigation] = registered(registry, "churn", version)
    return made


def predicted(version, snapshot):
    table = ChurnAdapter().load(version, parameters={}, threads=1)(snapshot, Context()).table
    return table.merge(snapshot[["customer_id", "gender", "churn_30_day"]], on="customer_id")


def parity(table, column="above_cost_threshold"):
    shares = table.groupby("gender")[column].mean()
    return shares.min() / shares.max()


def test_the_settings_are_those_that_the_models_name():
    assert {
        spec.name: spec.fairness.mitigations
        for spec in EVERY_MODEL
        if spec.fairness is not None and spec.fairness.mitigations
    } == MITIGATED


def test_nothing_is_moved_where_no_setting_asks_for_it(versions):
    table = predicted(versions[None], labelled(LATER))
    assert APPLIED not in versions[None].card
    assert (table["evened_churn_probability"] == table["churn_probability"]).all()
    assert parity(table) < 0.7


def test_thresholds_hold_for_a_later_day_and_probabilities_stay(versions):
    plain, table = (predicted(versions[which], labelled(LATER)) for which in (None, "parity"))
    assert (table["churn_probability"] == plain["churn_probability"]).all()
    assert parity(table) > 0.8 > parity(plain)
    flagged = table["above_cost_threshold"].mean()
    assert flagged == pytest.approx(plain["above_cost_threshold"].mean(), abs=0.03)
    moved = versions["parity"].card[APPLIED]["fitted"]["added"]["gender"]
    assert moved["female"] < 0.0 < moved["male"]


def test_the_card_says_what_is_applied_and_what_it_costs(versions):
    for which in SPEC.fairness.mitigations:
        card = versions[which].card
        assert card[APPLIED]["method"] == which
        change = card[APPLIED]["price"]["balanced_accuracy"]["change"]
        assert change["low"] <= change["value"] <= change["high"]
        text = model_card(card, purpose="Tests.", limits=[], rollback="None.")
        assert f"Applied, {which}:" in text
        assert "- balanced accuracy: " in text
    assert versions["parity"].card[APPLIED]["rule"] == {"before": "fails", "after": "holds"}
    assert "auc" in versions["reweighing"].card[APPLIED]["price"]
    assert "Applied" not in model_card(
        versions[None].card, purpose="Tests.", limits=[], rollback="None."
    )


def test_weighed_rows_teach_a_model_that_selects_more_alike(versions):
    plain, table = (predicted(versions[which], labelled(LATER)) for which in (None, "reweighing"))
    assert parity(table) > parity(plain) + 0.02
    assert (table["churn_probability"] != plain["churn_probability"]).any()


def test_the_report_is_on_what_is_applied(versions):
    about = {"threads": 1, **FAIRNESS}
    plain, evened = (
        ChurnAdapter().fairness(versions[which], labelled(TEST), **about)
        for which in (None, "parity")
    )
    assert plain.report.verdicts["customers by gender"] == "holds"
    assert "gender" in plain.report.gap_attributes("selected")
    assert plain.mitigation.method == "parity"
    assert "gender" not in evened.report.gap_attributes("selected")
    assert evened.mitigation is None
    assert "### Applied: parity" in evened.to_markdown()
    assert json.loads(json.dumps(evened.to_dict()))["applied"]["method"] == "parity"


def test_a_customer_whose_gender_and_age_nobody_knows_is_scored(versions):
    one = labelled(LATER).head(40).assign(gender=None, age=np.nan)
    table = ChurnAdapter().load(versions["parity"], parameters={}, threads=1)(one, Context()).table
    # groups that nobody was fitted on have what is added to everybody alone
    moved = np.sign(table["evened_churn_probability"] - table["churn_probability"])
    assert moved.nunique() == 1


def test_offers_follow_the_evened_probability():
    churn = pd.DataFrame(
        {
            "customer_id": ["a", "b"],
            "churn_probability": [0.45, 0.75],
            "evened_churn_probability": [0.55, 0.65],
        }
    )
    rule = RetentionRule({})
    assert rule.choose(Context({"churn": churn}))["band"].tolist() == ["medium", "medium"]
    without = churn.drop(columns="evened_churn_probability")
    assert rule.choose(Context({"churn": without}))["band"].tolist() == ["low", "high"]


def test_later_labels_tell_a_mitigation_that_holds_from_one_that_does_not(versions):
    snapshot = labelled(LATER)
    features = snapshot.drop(columns="churn_30_day")
    verdicts = {
        which: later_flags(
            predicted(versions[which], snapshot).drop(columns=["gender", "churn_30_day"]),
            features,
            snapshot[["customer_id", "churn_30_day"]],
            flag="above_cost_threshold",
            label="churn_30_day",
            **FAIRNESS,
        ).verdicts["customers by gender"]
        for which in (None, "parity")
    }
    assert verdicts == {None: "fails", "parity": "holds"}


class Lake:
    """A lake of days of predictions, each made by a version."""

    def __init__(self, made, *, last):
        self.made, self.last = made, last

    def filled_days(self, table):
        return sorted(self.made)

    def days(self, table):
        return [self.last]

    def read(self, table, *, days):
        return pa.table({"model_version": [self.made[days[0]].version]})


def outcome(versions, made, *, last, report=None, error=None):
    """What the check says where the days' truth gives a report."""

    def later(inputs, model, table, day):
        if error is not None:
            raise error
        return report

    spec = replace(SPEC)
    object.__setattr__(spec, "adapter", lambda: SimpleNamespace(later_fairness=later))
    cards = {one.version: one for one in versions.values()}
    registry = SimpleNamespace(
        card=lambda name, version: cards[version].card,
        open=lambda name, version: cards[version].folder,
        versions=lambda name: list(cards),
    )
    inputs = SimpleNamespace(engine=SimpleNamespace(lake=Lake(made, last=last)), registry=registry)
    return later_outcome(spec, inputs)


def reported(verdict, **more):
    return SimpleNamespace(
        verdict=verdict, passes=verdict != "fails", failures=["gender=a"], ratios={"r": 0.7}, **more
    )


def test_the_check_judges_the_newest_day_whose_truth_is_known(versions):
    days = {LATER + timedelta(days=n): versions["parity"] for n in range(40)}
    last = max(days)
    newest = last - timedelta(days=SPEC.window_days)
    failed = outcome(versions, days, last=last, report=reported("fails"))
    assert failed.problem == "gender=a"
    assert list(failed.failed_days) == [newest]
    assert failed.metadata["parity_r"] == 0.7
    held = outcome(versions, days, last=last, report=reported("holds"))
    assert not held.problem
    assert held.metadata["day"] == newest.isoformat()


def test_the_check_says_why_it_judges_nothing(versions):
    none = {LATER: versions[None]}
    last = LATER + timedelta(days=SPEC.window_days)
    assert "no mitigation was applied" in outcome(versions, none, last=last).note
    early = outcome(versions, none, last=last - timedelta(days=1))
    assert early.note == "no predictions are there whose truth is known"
    fitted = {date.fromisoformat(versions["parity"].card["test_snapshot"]): versions["parity"]}
    assert "no later than" in outcome(versions, fitted, last=last).note
    gone = {LATER: SimpleNamespace(version="v0")}
    assert outcome(versions, gone, last=last).note == early.note
    missing = NotTrainableError("nobody turned to anything")
    judged = outcome(versions, {LATER: versions["parity"]}, last=last, error=missing)
    assert judged.note == "not judged: nobody turned to anything"
