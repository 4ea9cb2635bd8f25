"""Churn that devices learn together: of those who agree, within a budget that no run forgets."""

import secrets
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from upath import UPath

from engagement_assets.features.catalogue import CUSTOMER_FEATURES_TABLE
from engagement_assets.features.labels import WINDOW_COLUMN
from engagement_assets.learning.errors import TooLittleDataError
from engagement_assets.learning.federated.estimator import FederatedClassifier
from engagement_assets.learning.federated.privacy import BudgetSpentError, PrivacyPlan
from engagement_assets.lifecycle.dates import Snapshots
from engagement_assets.lifecycle.errors import NotTrainableError
from engagement_assets.lifecycle.training import split_rows
from engagement_assets.models.federated_churn.adapter import (
    ALONE,
    CENTRAL,
    FEDERATED,
    TREES,
    FederatedChurnAdapter,
    scales,
)
from engagement_assets.models.federated_churn.budget import open_budget
from engagement_assets.models.federated_churn.spec import LABEL, NAME, PURPOSE, SPEC
from engagement_assets.source.contract import TABLES
from engagement_assets_tests.decisions.tables import SQL, engine_of, filled
from engagement_assets_tests.lifecycle.made_inputs import made_inputs
from resources.lake import Lake
from resources.ledgers import LedgerError, Ledgers
from resources.quarter import Quarter

TRAIN, TEST = date(2026, 1, 1), date(2026, 1, 31)
SNAPSHOTS = Snapshots((TRAIN,), TEST)
PEOPLE = [f"c{i:05}" for i in range(6000)]
AGREED, WITHDREW = set(PEOPLE[:5000]), set(PEOPLE[5000:5500])


class Reader:
    granted_consents = ()

    def provides(self):
        return frozenset(TABLES)


def statement(customer, at, *, granted):
    return {
        "customer_id": customer,
        "purpose": PURPOSE,
        "granted": granted,
        "occurred_at": at,
        "recorded_at": at,
    }


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    """Customers whose logins say whether they leave, and what they agreed to."""
    lake = Lake(str(tmp_path_factory.mktemp("lake")))
    rng = np.random.default_rng(0)
    for day in (TRAIN, TEST):
        logins = rng.poisson(6, len(PEOPLE))
        rows = [
            {"customer_id": who, "snapshot_date": day, "logins_month": int(n)}
            for who, n in zip(PEOPLE, logins, strict=True)
        ]
        lake.write(CUSTOMER_FEATURES_TABLE, filled(CUSTOMER_FEATURES_TABLE, rows), day=day)
        leaves = rng.logistic(size=len(PEOPLE)) > 0.7 * logins - 4
        labels = [
            {
                "customer_id": who,
                "snapshot_date": day,
                LABEL.name: int(left),
                WINDOW_COLUMN.name: LABEL.window_days,
            }
            for who, left in zip(PEOPLE, leaves, strict=True)
        ]
        lake.write(LABEL, filled(LABEL, labels), day=day)
    early, late = pd.Timestamp(2025, 12, 1), pd.Timestamp(2025, 12, 2)
    said = [statement(who, early, granted=True) for who in sorted(AGREED | WITHDREW)]
    said += [statement(who, late, granted=False) for who in sorted(WITHDREW)]
    consents, customers = TABLES["consents"], TABLES["customers"]
    people = [{"customer_id": who, "signed_up_at": early, "recorded_at": early} for who in PEOPLE]
    lake.write(consents, filled(consents, said), day=late.date())
    lake.write(customers, filled(customers, people), day=late.date())
    return engine_of(lake)


def inputs(engine, folder, **parameters):
    return made_inputs(
        engine=engine,
        sql=SQL,
        reader=Reader(),
        parameters={"federated_epsilon": 1.0, "federated_hidden": 0, **parameters},
        threads=1,
        seed=0,
        bootstrap=20,
        ledgers=Ledgers(UPath(folder)),
    )


@pytest.fixture
def planned(monkeypatch):
    """A plan of noise without the search for it: its own tests are of that."""

    def plan(*, epsilon, clients, cohort, rounds, clip, delta, spent):
        if spent:
            raise BudgetSpentError(f"epsilon {epsilon} is spent")
        return PrivacyPlan(epsilon, delta, clients, cohort, rounds, clip, 20.0)

    monkeypatch.setattr(PrivacyPlan, "for_budget", plan)


@pytest.mark.usefixtures("planned")
def test_who_agrees_is_learnt_from_once_a_quarter(engine, tmp_path, monkeypatch) -> None:
    clients, fit = [], FederatedClassifier.fit
    monkeypatch.setattr(
        FederatedClassifier,
        "fit",
        lambda self, x, y, **how: clients.extend(how["groups"]) or fit(self, x, y, **how),
    )
    own, adapter = inputs(engine, tmp_path), FederatedChurnAdapter()
    trained = adapter.train(own, SNAPSHOTS)
    learners = split_rows(pd.DataFrame({"customer_id": PEOPLE}), test=False)["customer_id"]
    assert set(clients) == set(learners) & AGREED
    assert trained.card["training_customers"] == len(set(clients))

    card = trained.card
    assert set(card["methods"]) == {FEDERATED, CENTRAL, TREES}
    assert card["metrics"]["auc"]["value"] == card["methods"][FEDERATED] > 0.7
    assert card["own_later"][ALONE] != card["own_later"][FEDERATED]
    assert 0.5 < card["metrics"]["epsilon"] <= 1.0
    assert trained.model.random_state is None, "nobody can draw the noise again"
    text = adapter.evaluation_markdown(card)
    for words in (*card["methods"], ALONE, "Epsilon 0.", "retries"):
        assert words in text
    for gate in SPEC.gates:
        assert gate.judge(card | {"least_test_customers": 100}).state != "failed"

    ledger = own.ledgers.read(NAME, str(Quarter.of(TEST)))
    assert len(ledger["releases"]) == 100
    with pytest.raises(NotTrainableError, match="is spent"):
        adapter.train(inputs(engine, tmp_path), SNAPSHOTS)
    assert own.ledgers.read(NAME, str(Quarter.of(TEST))) == ledger


def test_a_training_that_is_killed_has_spent_its_rounds(tmp_path) -> None:
    ledgers = Ledgers(UPath(tmp_path))

    def opened(settings="hidden 0", day=TEST, clients=1000):
        how = {"epsilon": 1.0, "clients": clients, "settings": settings}
        return open_budget(ledgers, day, **how)

    plan = PrivacyPlan(1.0, 1000**-1.1, 1000, 500.0, 100, 0.5, 14.5)
    ledger, purpose = opened()
    ledger.charge(plan.release(purpose))
    ledger.charge(plan.release(purpose))
    ledger.mark_failed()
    # a fresh process sees what the killed one wrote
    again, retry = opened()
    assert [one.outcome for one in again.releases] == ["released", "failed"]
    assert [purpose, retry, opened("hidden 16")[1]] == ["training", "retry", "tuning"]
    assert opened(day=TEST + timedelta(days=90))[0].releases == ()
    # more clients ask for a smaller delta, and fewer never give it back
    assert opened(clients=5000)[0].delta == 5000**-1.1
    again.charge(plan.release(retry))
    assert opened(clients=10)[0].delta == 1000**-1.1
    with pytest.raises(LedgerError, match="meanwhile"):
        ledger.charge(plan.release("training"))
    assert len(opened()[0].releases) == 3


def test_too_few_clients_or_none_are_refused_before_anything_is_spent(
    engine, tmp_path, monkeypatch
) -> None:
    own = inputs(engine, tmp_path)
    monkeypatch.setattr(
        PrivacyPlan,
        "for_budget",
        lambda **how: PrivacyPlan(1.0, how["delta"], how["clients"], 20.0, 100, 0.5, 14.5),
    )
    with pytest.raises(TooLittleDataError, match="clients a round's noise is"):
        FederatedChurnAdapter().train(own, SNAPSHOTS)
    # another purpose, to which nobody agreed
    monkeypatch.setattr("engagement_assets.models.federated_churn.adapter.PURPOSE", "sentiment")
    with pytest.raises(NotTrainableError, match="no training customer agrees to the purpose"):
        FederatedChurnAdapter().train(own, SNAPSHOTS)
    assert own.ledgers.periods(NAME) == {}


def test_devices_scale_by_declarations_alone() -> None:
    made = scales()
    assert made["days_since_last_login"].nullable
    assert made["active_days_month"].largest == 30.0
    assert all(np.isfinite(scale.largest) and scale.largest > 0 for scale in made.values())
    huge = pd.Series([1e12, -1e12], name="transaction_revenue_month")
    np.testing.assert_array_equal(made[huge.name].inputs(huge)[0], [1.0, -1.0])


def test_a_damaged_ledger_spends_nothing(tmp_path) -> None:
    ledgers = Ledgers(UPath(tmp_path))
    ledgers.change(NAME, "2026-Q1", lambda _: {"a": 1})
    assert ledgers.periods(NAME) == {"2026-Q1": {"a": 1}}
    (tmp_path / NAME / "2026-Q1.json").write_text(secrets.token_hex(4) + "{")
    with pytest.raises(LedgerError, match="damaged"):
        ledgers.change(NAME, "2026-Q1", lambda _: {})
