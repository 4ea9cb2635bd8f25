"""What customers at risk could do differently, on a lake where posting keeps people."""

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from engagement_assets.decisions.counterfactuals.advice import (
    AdviceDesk,
    Advisor,
    Advisors,
    NotAdvisableError,
    row_of,
)
from engagement_assets.decisions.counterfactuals.day import advise_days
from engagement_assets.decisions.counterfactuals.levers import levers_of
from engagement_assets.decisions.counterfactuals.tables import ADVICE
from engagement_assets.decisions.experiments.tables import RESULTS
from engagement_assets.features.catalogue import CUSTOMER_FEATURES_TABLE, FEATURES, MODEL_INPUTS
from engagement_assets.lifecycle.adapter import Inputs
from engagement_assets.lifecycle.errors import NotTrainableError
from engagement_assets.models.churn.adapter import ChurnAdapter
from engagement_assets.models.churn.spec import LABEL, SPEC
from engagement_assets.source.contract import TABLES
from engagement_assets_tests.decisions.tables import SQL, engine_of, filled
from engagement_assets_tests.lifecycle.made_inputs import made_inputs
from resources.lake import Lake
from resources.registry import ModelRegistry

DAY = date(2026, 3, 31)
BEFORE = DAY - timedelta(days=60)
PEOPLE = 900
REFUSES = "c0000003"


def _features(seed: int) -> list[dict]:
    """Who posts stays; trust goes with it by chance, and nobody can change trust."""
    rng = np.random.default_rng(seed)
    posts, logins = rng.poisson(2.0, PEOPLE), 1 + rng.poisson(6.0, PEOPLE)
    return [
        {
            "customer_id": f"c{n:07d}",
            "logins_month": int(logins[n]),
            "active_days_month": int(min(logins[n], 30)),
            "days_since_last_login": int(rng.integers(0, 20)),
            "session_minutes_month": float(logins[n] * 5),
            "posts_month": int(posts[n]),
            "reactions_received_month": int(posts[n] * 2),
            "comments_received_month": int(posts[n]),
            "new_connections_month": int(rng.integers(0, 4)),
            "connection_count": int(rng.integers(4, 40)),
            "trust_score": float(np.clip(posts[n] / 8 + rng.normal(0, 0.2), 0, 1)),
        }
        for n in range(PEOPLE)
    ]


def _leaves(rows: list[dict], seed: int) -> list[bool]:
    rng = np.random.default_rng(seed)
    return [bool(rng.random() < 1 / (1 + np.exp(1.6 * row["posts_month"] - 1.5))) for row in rows]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    root = tmp_path_factory.mktemp("counterfactuals")
    lake, registry = Lake(str(root / "lake")), ModelRegistry(root / "registry")
    for day, seed in ((BEFORE, 1), (DAY, 2)):
        rows = [{**row, "snapshot_date": day} for row in _features(seed)]
        lake.write(CUSTOMER_FEATURES_TABLE, filled(CUSTOMER_FEATURES_TABLE, rows), day=day)
        labels = [
            {
                "customer_id": row["customer_id"],
                "snapshot_date": day,
                "window_days": LABEL.window_days,
                LABEL.name: int(leaves),
            }
            for row, leaves in zip(rows, _leaves(rows, seed), strict=True)
        ]
        lake.write(LABEL, filled(LABEL, labels), day=day)
    consents = TABLES["consents"]
    refusal = {
        "customer_id": REFUSES,
        "purpose": "analytics",
        "granted": False,
        "occurred_at": pd.Timestamp(DAY),
        "recorded_at": pd.Timestamp(DAY),
    }
    lake.write(consents, filled(consents, [refusal]), day=DAY)
    own = made_inputs(
        engine=engine_of(lake), sql=SQL, registry=registry, threads=1, seed=3, parameters={}
    )
    adapter = ChurnAdapter()
    fitted = adapter.fit(
        own.labelled(BEFORE, LABEL),
        features=[name for name in MODEL_INPUTS if name != "churn_30_day"],
        parameters={"random_state": 3, "n_jobs": 1, "n_estimators": 60, "folds": 3},
        first_day=BEFORE,
    )
    folder = root / "model"
    folder.mkdir()
    fitted.save(folder)
    version = registry.register("churn", folder, {"training_snapshots": [BEFORE.isoformat()]})
    registry.promote("churn", version, reason="a test")
    rows = own.engine.lake.read("features/customer_features", days=[DAY]).to_pandas()
    scored = [
        {"customer_id": who, "snapshot_date": DAY, "churn_probability": p, "model_version": version}
        for who, p in zip(rows["customer_id"], adapter.score(fitted, rows), strict=True)
    ]
    lake.write(SPEC.table, filled(SPEC.table, scored), day=DAY)
    result = {
        "experiment": "reminder",
        "metric": "sessions",
        "variant": "treatment",
        "snapshot_date": DAY,
        "verdict": "better",
        "blocked": "",
        "from_experiment": True,
        "window_days": 14,
        "difference": 1.25,
        "anytime_low": 0.5,
        "anytime_high": 2.0,
    }
    lake.write(
        RESULTS,
        filled(RESULTS, [result, {**result, "experiment": "broken", "blocked": "unequal shares"}]),
        day=DAY,
    )
    return own


@pytest.fixture(scope="module")
def advised(inputs: Inputs):
    return advise_days({"churn": inputs}, [DAY], most=40)[DAY]


def test_those_at_risk_are_advised_up_to_the_limit_which_is_noted(advised, inputs: Inputs) -> None:
    scores = inputs.engine.lake.read(SPEC.predictions, days=[DAY]).to_pandas()
    risky = scores[scores["churn_probability"] > 0.5].nlargest(41, "churn_probability")
    assert len(risky) == 41
    assert set(advised.table["customer_id"]) <= set(risky["customer_id"])
    assert len(advised.table) >= 39
    assert advised.at_risk > 40
    assert "40 with the worst scores" in advised.notes[0]
    ADVICE.conform(filled(ADVICE, advised.table.to_dict("records")))


def test_posting_is_advised_and_what_nobody_can_change_is_not(advised) -> None:
    given = advised.table[advised.table["changes"] > 0]
    assert len(given) > 30
    features = given[[f"change_{n}_feature" for n in (1, 2, 3)]].stack()
    assert set(features) <= {name for name, one in FEATURES.items() if one.change is not None}
    assert (given["change_1_feature"] == "posts_month").mean() > 0.9
    assert (given["change_1_after"] > given["change_1_before"]).all()
    assert (given["predicted_after"] <= given["goal"]).all()
    assert (given["change_high"] < 0).all()
    assert given["words"].str.contains("the model would predict").all()
    assert (given["change_1_after"] % 1 == 0).all()


@pytest.fixture(scope="module")
def advisor(inputs: Inputs) -> Advisor:
    return Advisors(SPEC, inputs).of(DAY)


def test_who_refuses_analytics_is_neither_advised_nor_an_example(advisor: Advisor) -> None:
    assert len(advisor.search._space.rows) == PEOPLE - 1


def test_an_effect_that_an_experiment_measured_stands_beside(advisor: Advisor) -> None:
    assert [text.split(":")[0] for text in advisor.measured["sessions"]] == [
        "Measured in the experiment reminder"
    ]
    assert "+1.250 a customer in 14 days (95 % interval" in advisor.measured["sessions"][0]


def test_a_total_over_the_history_does_not_fall() -> None:
    lever, _ = levers_of(FEATURES.values())["new_connections_month"]
    assert lever.lasting == ("connection_count",)


def test_a_family_without_a_leader_is_an_error() -> None:
    lost = replace(FEATURES["active_days_month"], moves_with="trust_score")
    with pytest.raises(ValueError, match="active_days_month"):
        levers_of([*FEATURES.values(), lost])


def test_a_single_customer_is_advised_as_the_day_advises_them(
    inputs: Inputs, advised, tmp_path: Path
) -> None:
    one = advised.table[advised.table["changes"] > 0].iloc[0]
    who = one["customer_id"]
    desk = AdviceDesk(lambda _: inputs, Lake(str(tmp_path)), inputs.registry)
    rows = inputs.engine.lake.read("features/customer_features", days=[DAY]).to_pandas()
    assert desk.advisor("churn", DAY, wait=False) is None
    advisor = desk.advisor("churn", DAY)
    assert advisor is not None
    assert desk.advisor("churn", DAY, wait=False) is advisor
    advice = advisor.advise(row_of(rows[rows["customer_id"] == who]))
    assert advice is not None
    assert advice.words == one["words"]
    assert desk.stored("churn", who, DAY) is None
    desk.lake.write(ADVICE, filled(ADVICE, [advice.row(who, DAY)]), day=DAY)
    assert desk.stored("churn", who, DAY) == advice
    with pytest.raises(NotAdvisableError, match="no session"):
        row_of(rows.head(1).assign(days_since_last_login=45))
    with pytest.raises(NotTrainableError):
        desk.advisor("churn", BEFORE - timedelta(days=1))


def test_nothing_is_advised_without_a_champion(inputs: Inputs, tmp_path: Path) -> None:
    none = replace(inputs, registry=ModelRegistry(tmp_path))
    made = advise_days({"churn": none}, [DAY], most=3)[DAY]
    assert made.table.empty
    assert "no churn champion" in made.notes[-1]
