"""One row a customer of all that the models say, and what moved since the day before."""

from datetime import date, timedelta

import pytest

from engagement_assets.decisions.customers.unified import (
    CHANGES,
    CHANGES_TABLE,
    CUSTOMERS,
    CUSTOMERS_TABLE,
    changes_parameters,
    changes_query,
    customers_query,
)
from engagement_assets_tests.decisions.tables import (
    engine_of,
    write_people,
    write_predictions,
)
from resources.lake import Lake

DAY = date(2026, 2, 10)
BEFORE = DAY - timedelta(days=1)


@pytest.fixture
def lake(tmp_path):
    return Lake(str(tmp_path))


def unified(lake, day=DAY):
    engine_of(lake).land(
        customers_query(), {"snapshot_date": day}, into=CUSTOMERS_TABLE,
        day=day,
    )  # fmt: skip
    return {row["customer_id"]: row for row in lake.read(CUSTOMERS, days=[day]).to_pylist()}


def moved(lake):
    engine_of(lake).land(
        changes_query(),
        changes_parameters(DAY),
        into=CHANGES_TABLE,
        day=DAY,
    )
    return {row["customer_id"]: row for row in lake.read(CHANGES, days=[DAY]).to_pylist()}


def churn(customer, probability, *, band="low", action="none", version="v1", reason="2"):
    return {
        "customer_id": customer,
        "churn_probability": probability,
        "band": band,
        "action": action,
        "model_version": version,
        "reason_1_feature": "logins_month",
        "reason_1_value": reason,
        "reason_1_typical": "9",
    }


def write_churn(lake, day, rows):
    """Predictions of churn and the offers that follow."""
    offers = ("customer_id", "band", "action")
    scores = [{k: v for k, v in row.items() if k not in offers[1:]} for row in rows]
    write_predictions(lake, "churn", day, scores)
    write_predictions(lake, "retention", day, [{k: row[k] for k in offers} for row in rows])


def test_every_customer_has_one_row_and_a_model_that_does_not_score_one_leaves_nulls(lake):
    write_people(lake, DAY, "a", "b")
    write_churn(lake, DAY, [churn("a", 0.8, band="high", action="e-mail")])
    write_predictions(
        lake, "engagement", DAY, [{"customer_id": c, "engagement_score": 0.4} for c in "ab"]
    )
    rows = unified(lake)
    assert set(rows) == {"a", "b"}
    assert (rows["a"]["churn_probability"], rows["a"]["churn_band"]) == (0.8, "high")
    assert rows["b"]["churn_probability"] is None
    assert rows["b"]["engagement_score"] == 0.4
    # no partition of these models is there at all
    assert rows["a"]["lifetime_value_usd"] is None
    assert rows["a"]["ensemble_version"] is None
    assert (rows["a"]["churn_version"], rows["b"]["churn_version"]) == ("v1", None)


def test_reasons_read_as_text_and_end_where_there_are_no_more(lake):
    write_people(lake, DAY, "a")
    write_churn(lake, DAY, [churn("a", 0.1)])
    assert unified(lake)["a"]["churn_reasons"] == "logins_month 2 (typical 9)"


def test_the_actions_of_all_models_are_due_together(lake):
    write_people(lake, DAY, "a", "b")
    write_churn(lake, DAY, [churn("a", 0.8, action="e-mail"), churn("b", 0.1)])
    write_predictions(lake, "review", DAY, [{"customer_id": "a", "action": "human review"}])
    call = {"customer_id": "a", "action": "retention call (high value, low engagement)"}
    write_predictions(lake, "retention_call", DAY, [call])
    rows = unified(lake)
    assert rows["a"]["actions_due"] == (
        "e-mail; retention call (high value, low engagement); human review"
    )
    assert rows["b"]["actions_due"] == ""


def test_predictions_of_another_day_are_not_mixed_in(lake):
    write_people(lake, DAY, "a")
    write_churn(lake, BEFORE, [churn("a", 0.9)])
    assert unified(lake)["a"]["churn_probability"] is None


def two_days(lake, before, now):
    for day, rows in ((BEFORE, before), (DAY, now)):
        write_people(lake, day, *(row["customer_id"] for row in rows), "idle")
        write_churn(lake, day, rows)
        unified(lake, day)
    return moved(lake)


def test_a_score_that_moves_enough_is_a_change_and_a_small_one_is_not(lake):
    actual = two_days(
        lake,
        [churn("a", 0.10), churn("b", 0.10)],
        [churn("a", 0.16, reason="1"), churn("b", 0.14)],
    )
    assert set(actual) == {"a"}
    assert actual["a"]["churn_change"] == pytest.approx(0.06)
    assert actual["a"]["why"] == "churn reasons changed"
    assert actual["a"]["churn_reasons_before"] == "logins_month 2 (typical 9)"
    assert actual["a"]["churn_reasons_now"] == "logins_month 1 (typical 9)"


def test_another_band_is_a_change_however_small_the_move(lake):
    actual = two_days(lake, [churn("a", 0.50)], [churn("a", 0.51, band="medium")])
    assert (actual["a"]["churn_band_before"], actual["a"]["churn_band_now"]) == ("low", "medium")
    assert actual["a"]["why"] == "features that are no top reason changed"


def test_a_new_model_is_told_from_a_customer_who_changed(lake):
    actual = two_days(lake, [churn("a", 0.1)], [churn("a", 0.5, version="v2", reason="1")])
    assert actual["a"]["why"] == "another model version predicts"


@pytest.mark.parametrize("model", ["anomaly", "recommendation", "ensemble"])
def test_a_new_version_of_any_model_is_named_as_the_cause(lake, model):
    for day, version, health in ((BEFORE, "v1", 20.0), (DAY, "v2", 60.0)):
        write_people(lake, day, "a")
        write_predictions(lake, "ensemble", day, [{"customer_id": "a", "customer_health": health}])
        write_predictions(
            lake,
            model,
            day,
            [{"customer_id": "a", "customer_health": health, "model_version": version}],
        )
        unified(lake, day)
    assert moved(lake)["a"]["why"] == "another model version predicts"


def test_the_first_version_of_a_model_is_another_version(lake):
    write_people(lake, BEFORE, "a")
    write_people(lake, DAY, "a")
    write_churn(lake, DAY, [churn("a", 0.1)])
    unified(lake, BEFORE)
    unified(lake, DAY)
    assert moved(lake)["a"]["why"] == "another model version predicts"


def test_who_is_no_longer_scored_and_who_came_back_are_told(lake):
    write_people(lake, BEFORE, "left", "back")
    write_people(lake, DAY, "left", "back")
    write_churn(lake, BEFORE, [churn("left", 0.1)])
    write_churn(lake, DAY, [churn("back", 0.1)])
    unified(lake, BEFORE)
    unified(lake, DAY)
    actual = moved(lake)
    assert actual["left"]["why"].startswith("no session in the 30 days before")
    assert actual["back"]["why"].startswith("came back")


def test_without_the_day_before_nothing_moved(lake):
    write_people(lake, DAY, "a")
    write_churn(lake, DAY, [churn("a", 0.9)])
    unified(lake)
    assert moved(lake) == {}
