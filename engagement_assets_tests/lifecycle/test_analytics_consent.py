"""Who refuses analytics is neither learnt from nor scored, from the moment it is known."""

from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest

from engagement_assets.features.catalogue import CUSTOMER_FEATURES
from engagement_assets.features.labels import LABELS
from engagement_assets.features.snapshot import land_labels, land_snapshot
from engagement_assets.governance.tables import KNOWN_TABLES
from engagement_assets.lifecycle.adapter import Inputs
from engagement_assets.source.contract import TABLES
from engagement_assets_tests.features.worlds import SQL, S, World, at
from engagement_assets_tests.lifecycle.made_inputs import made_inputs
from resources.engine import DuckDBEngine
from resources.lake import Lake
from resources.tables import by_sql_name

ALL = ["ann", "bob", "cat", "dan"]
# as long as the window of the label of engagement
LAST = S + timedelta(days=7)


def world(*statements: tuple[str, int, bool]) -> World:
    made = World()
    for name in ALL:
        made.customer(name)
        made.session(name, at(3))
        made.session(name, at(-2))
    made.add("messages", at(2), customer_id="ann", recipient_id="bob")
    made.add("messages", at(2), customer_id="ann", recipient_id="cat")
    for name, days_before, granted in statements:
        made.add(
            "consents", at(days_before), customer_id=name, purpose="analytics", granted=granted
        )
    return made


def engine_of(lake: Lake) -> DuckDBEngine:
    return DuckDBEngine(lake, declared=by_sql_name(KNOWN_TABLES), threads=1)


def inputs_of(lake: Lake) -> Inputs:
    return made_inputs(engine=engine_of(lake), sql=SQL)


def people(lake: Lake, table: str = CUSTOMER_FEATURES, day: date = S) -> list[str]:
    names: list[str] = lake.read(table, days=[day]).column("customer_id").to_pylist()
    return sorted(names)


@pytest.mark.parametrize(
    ("statements", "analysed"),
    [
        ((), ALL),
        ((("bob", 5, False),), ["ann", "cat", "dan"]),
        ((("bob", 9, True), ("bob", 5, False)), ["ann", "cat", "dan"]),
        ((("bob", 5, False), ("bob", 4, True)), ALL),
        ((("bob", 5, True), ("bob", 5, False)), ["ann", "cat", "dan"]),
        # known only after the snapshot's day, and all the same not in what is made now
        ((("bob", -3, False),), ["ann", "cat", "dan"]),
    ],
    ids=["nobody", "refused", "withdrew", "agreed again", "same instant", "later"],
)
def test_features_and_labels_are_of_those_who_do_not_refuse(
    tmp_path: Path, statements: tuple[tuple[str, int, bool], ...], analysed: list[str]
) -> None:
    lake = world(*statements).write(tmp_path, last_day=LAST)
    land_snapshot(engine_of(lake), SQL, S)
    label = LABELS["engagement_score"]
    if label.closes_on(S) <= LAST:
        land_labels(engine_of(lake), SQL, S, labels=[label])
        assert people(lake, label.key) == analysed
    assert people(lake) == analysed


def test_rows_that_name_them_are_no_part_of_what_is_said_of_others(tmp_path: Path) -> None:
    for folder, statements, sent in (("before", (), 2), ("after", (("bob", 5, False),), 1)):
        lake = world(*statements).write(tmp_path / folder, last_day=LAST)
        land_snapshot(engine_of(lake), SQL, S)
        rows = lake.read(CUSTOMER_FEATURES, days=[S]).to_pandas().set_index("customer_id")
        assert rows.loc["ann", "messages_sent_month"] == sent


def test_a_refusal_holds_for_the_history_of_an_account_that_was_merged(tmp_path: Path) -> None:
    made = world(("bob", 5, False))
    made.add("customer_merges", at(4), merged_id="bob", customer_id="cat")
    lake = made.write(tmp_path, last_day=LAST)
    land_snapshot(engine_of(lake), SQL, S)
    assert people(lake) == ["ann", "dan"]


def test_who_withdraws_is_not_learnt_from_though_the_snapshot_has_them(tmp_path: Path) -> None:
    lake = world().write(tmp_path, last_day=LAST)
    land_snapshot(engine_of(lake), SQL, S)
    before = inputs_of(lake).features(S)
    assert before["customer_id"].tolist() == ALL
    refusal = world(("bob", -5, False)).tables["consents"]
    table = TABLES["consents"]
    lake.write(
        table, table.empty().from_pylist(refusal, schema=table.arrow), day=S + timedelta(days=5)
    )
    after = inputs_of(lake).features(S)
    # the others as they were
    pd.testing.assert_frame_equal(
        after, before[before["customer_id"] != "bob"].reset_index(drop=True)
    )


def test_another_purpose_is_judged_by_itself(tmp_path: Path) -> None:
    lake = world(("bob", 5, False)).write(tmp_path, last_day=LAST)
    rows = engine_of(lake).select(
        SQL.query("contact/customers"), {"snapshot_date": S, "holdout": "none"}
    )
    refuses = {row["customer_id"]: row["refuses_analytics"] for row in rows.to_pylist()}
    assert refuses == {"ann": False, "bob": True, "cat": False, "dan": False}
