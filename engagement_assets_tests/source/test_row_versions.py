"""Rows that change, are withdrawn or change hands after they were taken in.

Each story is delivered in three ways, which must give the same features: live (a day at a time,
as the files stood on that day), backfilled (the last files, all days at once), and delivered again
(the last files a day at a time, after the live days).
"""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from raw_rows import quarantined

from engagement_assets.features.catalogue import CUSTOMER_FEATURES
from engagement_assets.features.snapshot import land_snapshot
from engagement_assets.features.tables import KNOWN_TABLES
from engagement_assets.source.contract import MERGES, TABLES, WITHDRAWALS
from engagement_assets.source.ingestion import ingest
from engagement_assets.source.known import product_sql
from engagement_assets.source.mapping import open_mapped
from resources.engine import DuckDBEngine
from resources.lake import Lake
from resources.tables import by_sql_name

FIRST, LAST = date(2024, 1, 1), date(2024, 1, 6)
SQL = product_sql(Path(__file__).parents[2] / "sql")
Files = Mapping[str, Sequence[str]]
# what every story has: three people, one session
PEOPLE = {
    "customers": [
        "customer_id,signed_up_at",
        *(f"{name},2024-01-01 08:00" for name in ("ann", "bob", "cyd")),
    ],
    "sessions": [
        "session_id,customer_id,occurred_at,duration_seconds",
        "s1,ann,2024-01-01 10:00,600",
    ],
}
NOTES = "notification_id,customer_id,occurred_at,opened_at"
SENT = [f"n{number},ann,2024-01-01 1{number}:00," for number in range(4)]
POSTS = "post_id,customer_id,occurred_at,category,recorded_at"
VIEWS = {
    "interactions": [
        "interaction_id,customer_id,post_id,kind,occurred_at",
        "i1,bob,p1,like,2024-01-02 12:00",
    ]
}


class Source:
    """A mapped source whose files change from day to day."""

    def __init__(self, folder: Path) -> None:
        self.sql, self.data = folder / "sql", folder / "data"
        (self.sql / "mine").mkdir(parents=True)
        self.data.mkdir()
        (self.sql / "mine" / "source.toml").write_text(f"first_day = {FIRST}\n")

    def put(self, files: Files) -> None:
        # a table that has no rows yet is mapped from the first day on
        heads = {name: [",".join(TABLES[name].names)] for name in (MERGES, WITHDRAWALS)}
        for table, lines in (heads | PEOPLE | dict(files)).items():
            (self.data / f"{table}.csv").write_text("\n".join(lines) + "\n")
            (self.sql / "mine" / f"{table}.sql").write_text(
                f"FROM read_csv(:data || '/{table}.csv', header = true, all_varchar = true)"
            )

    def take_in(self, lake: Lake, first: date, last: date) -> None:
        ingest(open_mapped("mine", root=self.sql, data=str(self.data)), lake, first, last)


def features(lake: Lake, day: date) -> dict[str, dict[str, Any]]:
    engine = DuckDBEngine(lake, declared=by_sql_name(KNOWN_TABLES), threads=1)
    land_snapshot(engine, SQL, day)
    rows = lake.read(CUSTOMER_FEATURES, days=[day]).to_pylist()
    return {row["customer_id"]: row for row in rows}


def days() -> list[date]:
    return [FIRST + timedelta(days=count) for count in range((LAST - FIRST).days + 1)]


@pytest.fixture(params=["live", "backfilled", "delivered again"])
def told(request: pytest.FixtureRequest, tmp_path: Path):
    """Delivers a story, `{day: files from then on}`, and returns the lake."""

    def deliver(story: Mapping[int, Files]) -> Lake:
        source, lake = Source(tmp_path), Lake(str(tmp_path / "lake"))
        if request.param != "backfilled":
            for count, day in enumerate(days()):
                if count in story:
                    source.put(story[count])
                source.take_in(lake, day, day)
        if request.param != "live":
            source.put(story[max(story)])
            step = len(days()) if request.param == "backfilled" else 1
            for count in range(0, len(days()), step):
                source.take_in(lake, days()[count], days()[count + step - 1])
        return lake

    return deliver


def test_a_notification_that_is_opened_later_counts_from_then_on(told) -> None:
    opened = [*SENT[:2], *(line + "2024-01-03 09:00" for line in SENT[2:])]
    lake = told({0: {"notifications": [NOTES, *SENT]}, 2: {"notifications": [NOTES, *opened]}})
    rates = [features(lake, day)["ann"]["notification_open_rate_month"] for day in days()[1:4]]
    assert rates == [0.0, 0.5, 0.5]


def test_a_post_that_is_edited_is_one_post_in_its_latest_words(told) -> None:
    before = ["p1,ann,2024-01-02 10:00,art,", "p2,ann,2024-01-02 11:00,art,"]
    edited = [*before, "p1,ann,2024-01-02 10:00,music,2024-01-04 09:00"]
    lake = told({0: {"posts": [POSTS, *before]} | VIEWS, 3: {"posts": [POSTS, *edited]} | VIEWS})
    for day in days()[1:]:
        ann = features(lake, day)["ann"]
        assert (ann["posts_month"], ann["reactions_received_month"]) == (2, 1)
    assert not [row for day in range(6) for row in quarantined(lake, day)]


def test_a_row_that_is_withdrawn_no_longer_counts(told) -> None:
    posts = ["p1,ann,2024-01-02 10:00,art", "p2,ann,2024-01-02 11:00,art"]
    head = "post_id,customer_id,occurred_at,category,withdrawn_at"
    lake = told(
        {
            0: {"posts": [head, *(f"{post}," for post in posts)]},
            3: {"posts": [head, f"{posts[0]},2024-01-04 09:00", f"{posts[1]},"]},
        }
    )
    assert [features(lake, day)["ann"]["posts_month"] for day in days()[2:4]] == [2, 1]


def test_a_key_among_the_withdrawals_ends_all_versions_of_its_row(told) -> None:
    posts = [
        POSTS,
        "p1,ann,2024-01-02 10:00,art,",
        "p1,ann,2024-01-02 10:00,music,2024-01-03 09:00",
        "p2,bob,2024-01-02 10:00,art,",
    ]
    gone = ["table,row_key,occurred_at", "posts,p1,2024-01-05 10:00"]
    lake = told({0: {"posts": posts}, 4: {"posts": posts, "withdrawals": gone}})
    assert [features(lake, day)["ann"]["posts_month"] for day in days()[2:5]] == [1, 1, 0]


def test_a_transaction_that_is_corrected_counts_with_its_latest_amount(told) -> None:
    head = "transaction_id,customer_id,occurred_at,amount_usd,recorded_at"
    paid = "t1,ann,2024-01-02 10:00,80,"
    mended = "t1,ann,2024-01-02 10:00,30,2024-01-04 10:00"
    lake = told({0: {"transactions": [head, paid]}, 3: {"transactions": [head, paid, mended]}})
    spent = [features(lake, day)["ann"]["revenue_to_date_usd"] for day in days()[2:4]]
    assert spent == [80.0, 30.0]


def test_a_customer_who_is_merged_gives_their_history_to_the_other(told) -> None:
    chain = ["merged_id,customer_id,occurred_at", "ann,bob,2024-01-03 10:00"]
    lake = told({0: {}, 2: {"customer_merges": chain}})
    before, after = features(lake, days()[1]), features(lake, days()[2])
    assert (set(before), before["ann"]["logins_month"]) == ({"ann", "bob", "cyd"}, 1)
    assert (set(after), after["bob"]["logins_month"]) == ({"bob", "cyd"}, 1)


def test_a_chain_of_merges_ends_at_its_last_customer_and_a_circle_changes_nothing(told) -> None:
    chain = [
        "merged_id,customer_id,occurred_at",
        "ann,bob,2024-01-03 10:00",
        "bob,cyd,2024-01-04 10:00",
    ]
    circle = [*chain, "cyd,ann,2024-01-06 10:00"]
    lake = told({0: {}, 2: {"customer_merges": chain}, 5: {"customer_merges": circle}})
    assert {name: row["logins_month"] for name, row in features(lake, days()[4]).items()} == {
        "cyd": 1
    }
    assert features(lake, days()[5])["ann"]["logins_month"] == 1


def test_a_closed_account_has_no_features_from_then_on(told) -> None:
    closed = ["customer_id,signed_up_at,closed_at", "ann,2024-01-01 08:00,2024-01-04 12:00"]
    others = [f"{name},2024-01-01 08:00," for name in ("bob", "cyd")]
    lake = told(
        {
            0: {"customers": [closed[0], "ann,2024-01-01 08:00,", *others]},
            3: {"customers": [*closed, *others]},
        }
    )
    assert ["ann" in features(lake, day) for day in days()[2:4]] == [True, False]


def test_a_post_by_somebody_who_is_no_customer_is_taken_and_makes_no_customer(told) -> None:
    posts = [POSTS, "p1,,2024-01-02 10:00,art,", "p2,the editors,2024-01-02 11:00,art,"]
    lake = told({0: {"posts": posts} | VIEWS})
    assert lake.row_count("source/posts", days()[1]) == 2
    assert set(features(lake, days()[2])) == {"ann", "bob", "cyd"}
