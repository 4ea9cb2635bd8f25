"""Every simulated row is as the contract says, and names only what exists."""

from datetime import datetime, time, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from engagement_assets.source.contract import COMPLAINTS, CUSTOMERS, TABLES
from engagement_assets_tests.source.simulator.conftest import FIRST_DAY, at, make

Days = list[dict[str, pa.Table]]


def frame(days: Days, name: str) -> pd.DataFrame:
    return pa.concat_tables([day[name] for day in days]).to_pandas()


@pytest.mark.parametrize("name", TABLES)
def test_every_table_has_exactly_the_contracts_schema_on_every_day(fortnight: Days, name: str):
    assert all(list(day) == list(TABLES) for day in fortnight)
    for day in fortnight:
        assert day[name].schema == TABLES[name].arrow
        day[name].validate(full=True)
        for field in TABLES[name].columns:
            if not field.nullable:
                assert day[name][field.name].null_count == 0, field.name


@pytest.mark.parametrize("name", TABLES)
def test_no_key_comes_twice_over_the_days(fortnight: Days, name: str):
    table = TABLES[name]
    key = list(table.unique)
    assert not frame(fortnight, name).duplicated(key).any()


@pytest.mark.parametrize("name", TABLES)
def test_values_keep_to_bounds_and_closed_lists(fortnight: Days, name: str):
    rows = pa.concat_tables([day[name] for day in fortnight])
    for field in TABLES[name].columns:
        column = rows[field.name].drop_null()
        if field.minimum is not None and len(column):
            assert pc.min(column).as_py() >= field.minimum, field.name
        if field.maximum is not None and len(column):
            assert pc.max(column).as_py() <= field.maximum, field.name
        if field.allowed:
            assert set(column.unique().to_pylist()) <= set(field.allowed), field.name


@pytest.mark.parametrize("name", TABLES)
def test_every_customer_named_has_signed_up_before(fortnight: Days, name: str):
    known = frame(fortnight, "customers").groupby("customer_id")["signed_up_at"].min()
    rows = frame(fortnight, name)
    for field in TABLES[name].customer_columns:
        signed_up = rows[field].map(known)
        assert signed_up.notna().all()
        assert (signed_up <= rows[TABLES[name].event_time] + timedelta(seconds=1)).all()


@pytest.mark.parametrize("name", TABLES)
def test_a_day_holds_what_is_recorded_on_it(fortnight: Days, name: str):
    for number, day in enumerate(fortnight):
        rows = day[name].to_pandas()
        start = datetime.combine(at(number), time())
        assert rows["recorded_at"].between(start, start + timedelta(days=1), "left").all()
        happened = rows[TABLES[name].event_time]
        assert (happened <= rows["recorded_at"]).all()
        if name == COMPLAINTS:
            # it comes again when it is answered
            happened = rows["resolved_at"].fillna(happened)
        if number and name != CUSTOMERS:
            assert (happened >= start - timedelta(days=1)).all()


def test_few_rows_come_a_day_late_and_only_those_of_sessions(fortnight: Days):
    sessions = frame(fortnight, "sessions")
    late = sessions["occurred_at"].dt.date != sessions["recorded_at"].dt.date
    assert 0 < late.mean() < 0.02
    for name in ("notifications", "gig_listings", "retention_offers", "referrals"):
        rows = frame(fortnight, name)
        assert (rows["occurred_at"] == rows["recorded_at"]).all()


def test_only_the_first_day_brings_what_happened_before_it(fortnight: Days):
    first = fortnight[0]
    start = datetime.combine(FIRST_DAY, time())
    for name in ("customers", "consents", "connections"):
        early = pc.less(first[name][TABLES[name].event_time], pa.scalar(start))
        assert pc.sum(early).as_py() > 0
    assert pc.min(first["sessions"]["occurred_at"]).as_py() >= start


def test_later_times_do_not_lie_before_the_event(fortnight: Days):
    for name, table in TABLES.items():
        rows = frame(fortnight, name)
        for field in table.columns:
            if field.not_before:
                given = rows[field.name].notna()
                assert (rows[field.name] >= rows[table.event_time])[given].all(), field.name


def test_replies_may_come_on_a_later_day_or_never(fortnight: Days):
    messages = frame(fortnight, "messages")
    replied = messages["replied_at"].dropna()
    assert 0.3 < len(replied) / len(messages) < 0.9
    assert (replied.dt.date > messages.loc[replied.index, "occurred_at"].dt.date).any()


def test_interactions_come_after_their_post(fortnight: Days):
    posts = frame(fortnight, "posts").set_index("post_id")
    interactions = frame(fortnight, "interactions")
    known = interactions[interactions["post_id"].isin(posts.index)]
    # Only posts from before the first day are missing from `posts`.
    rest = interactions.drop(known.index)["occurred_at"]
    assert len(known) > 0.6 * len(interactions)
    assert rest.max() < datetime.combine(at(2), time())
    published = known["post_id"].map(posts["occurred_at"])
    assert (known["occurred_at"] > published).all()
    assert (known["customer_id"] != known["post_id"].map(posts["customer_id"])).all()


def test_comments_alone_have_a_text(fortnight: Days):
    interactions = frame(fortnight, "interactions")
    assert ((interactions["kind"] == "comment") == interactions["text"].notna()).all()
    assert interactions["text"].notna().sum() > 50
    assert frame(fortnight, "posts")["text"].notna().all()


def test_gigs_are_applied_for_after_they_are_offered(fortnight: Days):
    offered = frame(fortnight, "gig_listings").set_index("listing_id")
    for name in ("gig_applications", "job_ratings"):
        rows = frame(fortnight, name)
        assert len(rows) > 5
        assert (rows["occurred_at"] >= rows["listing_id"].map(offered["occurred_at"])).all()
        assert (rows["customer_id"] != rows["listing_id"].map(offered["customer_id"])).all()


def test_each_pair_connects_once_and_not_with_itself(fortnight: Days):
    pairs = frame(fortnight, "connections")[["customer_id", "other_customer_id"]].to_numpy()
    assert (pairs[:, 0] != pairs[:, 1]).all()
    assert not pd.DataFrame(np.sort(pairs.astype(str), axis=1)).duplicated().any()


def test_nobody_is_notified_after_unsubscribing_or_without_consent():
    world = make(customers=1500)
    days = [world.day(at(number)) for number in range(40)]
    sent = frame(days, "notifications")
    consents = frame(days, "consents")
    refused = consents[(consents["purpose"] == "notifications") & ~consents["granted"]]
    since = sent["customer_id"].map(refused.groupby("customer_id")["occurred_at"].min())
    assert not (sent["occurred_at"] > since + timedelta(days=1)).any()
    stopped = sent.dropna(subset=["unsubscribed_at"]).set_index("customer_id")["unsubscribed_at"]
    assert len(stopped) > 0
    assert not (sent["occurred_at"] > sent["customer_id"].map(stopped)).any()


def test_an_upgrade_is_a_later_row_of_the_same_customer():
    world = make(customers=3000, seed=2)
    days = [world.day(at(number)) for number in range(12)]
    customers = frame(days, "customers").sort_values("recorded_at")
    again = customers[customers.duplicated("customer_id")]
    assert len(again) > 0
    assert (again["account_type"] == "premium").all()
    first = customers.drop_duplicates("customer_id").set_index("customer_id")
    assert (again["customer_id"].map(first["account_type"]) == "free").all()
    assert (again["customer_id"].map(first["signed_up_at"]) == again["signed_up_at"]).all()


def test_adults_of_many_places_and_kinds(fortnight: Days):
    customers = frame(fortnight, "customers").drop_duplicates("customer_id")
    age = (customers["signed_up_at"] - pd.to_datetime(customers["birth_date"])).dt.days / 365.25
    assert age.min() >= 18
    assert age.max() < 80
    assert customers["location"].nunique() == 12
    assert customers["email"].is_unique


def test_a_world_of_one_customer_runs():
    world = make(customers=1, days=1)
    for number in range(3):
        tables = world.day(at(number))
        assert all(tables[name].schema == TABLES[name].arrow for name in TABLES)
    assert world.truth_churn(at(0)).num_rows <= 1
