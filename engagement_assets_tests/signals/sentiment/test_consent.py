"""Whose texts are scored: only of customers who agreed, then and still."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from engagement_assets.signals.sentiment.scoring import (
    PURPOSE,
    land_customer_sentiment,
    score_days,
)
from engagement_assets.signals.tables import (
    CUSTOMER_SENTIMENT,
    KNOWN_TABLES,
    SENTIMENT_ALERTS,
    SENTIMENT_SCORES,
)
from engagement_assets.source.consent import Consent
from engagement_assets.source.contract import TABLES
from engagement_assets.source.known import product_sql
from resources.engine import DuckDBEngine
from resources.lake import Lake, MissingPartitionError
from resources.tables import by_sql_name

SQL = product_sql(Path(__file__).parents[3] / "sql")
FIRST = date(2026, 1, 1)
DAYS = [FIRST + timedelta(days=n) for n in range(4)]
TABLE_CONSENT = frozenset(TABLES)


class Recorder:
    """A scorer that keeps what it was given, and scores a text by a number in it."""

    version = "recorder"

    def __init__(self) -> None:
        self.read: list[str] = []

    def score_texts(self, texts: Sequence[str]) -> pd.DataFrame:
        self.read += texts
        scores = [float(text.split()[-1]) for text in texts]
        columns = [c.name for c in SENTIMENT_SCORES.columns if c.name.startswith("p_")]
        frame = pd.DataFrame({"score": scores, "emotion": "joy"})
        for column in columns:
            frame[column] = 0.2
        frame["p_negative"] = [0.9 if score < 0 else 0.1 for score in scores]
        return frame


def noon(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 12)


def add(lake: Lake, table: str, day: date, rows: Sequence[Mapping[str, object]]) -> None:
    contract = TABLES[table]
    stamped = [{"occurred_at": noon(day), "recorded_at": noon(day)} | dict(row) for row in rows]
    filled = pa.Table.from_pylist(stamped, schema=contract.arrow)
    lake.write(contract, filled, day=day)


def post(number: int, customer: str, score: float) -> dict[str, object]:
    return {"post_id": f"p{number}", "customer_id": customer, "text": f"{customer} says {score}"}


def consent(customer: str, granted: bool, purpose: str = "sentiment") -> dict[str, object]:
    return {"customer_id": customer, "purpose": purpose, "granted": granted}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Ann agreed; Bob to something else; Cat never said; Dan withdraws on the third day."""
    lake = Lake(str(tmp_path))
    for day in DAYS:
        lake.write_empty(TABLES["customers"], day=day)
    people = [
        {"customer_id": name, "signed_up_at": noon(FIRST), "recorded_at": noon(FIRST)}
        for name in ("ann", "bob", "cat", "dan")
    ]
    schema = TABLES["customers"]
    lake.write(schema, pa.Table.from_pylist(people, schema=schema.arrow), day=FIRST)
    add(
        lake,
        "consents",
        DAYS[1],
        [consent("ann", True), consent("bob", True, "analytics"), consent("dan", True)],
    )
    for number, day in enumerate(DAYS):
        scores = {"ann": -0.9 + 0.4 * number, "bob": -1.0, "cat": -1.0, "dan": 0.5}
        add(
            lake,
            "posts",
            day,
            [post(10 * number + k, who, score) for k, (who, score) in enumerate(scores.items())],
        )
    return lake


def engine(lake: Lake) -> DuckDBEngine:
    return DuckDBEngine(lake, declared=by_sql_name(KNOWN_TABLES), threads=1)


def score(
    lake: Lake, days: Sequence[date] = DAYS, *, provided: frozenset[str] = TABLE_CONSENT,
    granted: Sequence[str] = (),
) -> Recorder:  # fmt: skip
    recorder = Recorder()
    told = Consent.of(lake, provided=provided, granted=granted, purpose=PURPOSE)
    for _ in score_days(engine(lake), SQL, days, scorer=lambda: recorder, consent=told):
        pass
    return recorder


def writers(recorder: Recorder) -> Iterator[str]:
    return (text.split()[0] for text in recorder.read)


def test_text_of_people_who_did_not_opt_in_is_never_read(lake: Lake) -> None:
    assert set(writers(score(lake))) == {"ann", "dan"}


def test_text_from_before_the_consent_is_not_read(lake: Lake) -> None:
    score(lake)
    rows = {day: lake.row_count(SENTIMENT_SCORES.key, day) for day in DAYS}
    assert rows == {DAYS[0]: 0, DAYS[1]: 2, DAYS[2]: 2, DAYS[3]: 2}


def test_a_withdrawn_consent_stops_it_from_the_next_run_on_whichever_day_is_scored(
    lake: Lake,
) -> None:
    add(lake, "consents", DAYS[2], [consent("dan", False)])
    assert set(writers(score(lake))) == {"ann"}


def test_a_withdrawal_wins_over_a_consent_of_the_same_instant(lake: Lake) -> None:
    add(lake, "consents", DAYS[2], [consent("ann", False), consent("ann", True)])
    assert "ann" not in set(writers(score(lake)))


def test_a_consent_given_again_counts_from_then_on(lake: Lake) -> None:
    add(lake, "consents", DAYS[2], [consent("dan", False)])
    add(lake, "consents", DAYS[3], [consent("dan", True)])
    assert list(writers(score(lake))).count("dan") == 2  # not on the day of the withdrawal


def test_a_withdrawn_customer_leaves_the_customers_sentiment_too(lake: Lake) -> None:
    score(lake)
    land(lake)
    assert customers(lake) == {"ann", "dan"}
    add(lake, "consents", DAYS[2], [consent("dan", False)])
    land(lake)
    assert customers(lake) == {"ann"}


def test_what_the_source_states_counts_only_where_it_has_no_table_of_consents(lake: Lake) -> None:
    assert set(writers(score(lake, granted=["sentiment"]))) == {"ann", "dan"}
    no_table = TABLE_CONSENT - {"consents"}
    assert not score(lake, [DAYS[0]], provided=no_table, granted=["analytics"]).read
    stated = score(lake, [DAYS[0]], provided=no_table, granted=["sentiment"])
    assert set(writers(stated)) == {"ann", "bob", "cat", "dan"}


def test_the_model_is_not_loaded_for_days_without_a_text(lake: Lake) -> None:
    def fail() -> Recorder:
        raise AssertionError("loaded")

    told = Consent.of(lake, provided=TABLE_CONSENT, granted=(), purpose=PURPOSE)
    landed = list(score_days(engine(lake), SQL, DAYS[:1], scorer=fail, consent=told))
    assert landed[0].scores.rows == 0


def test_messages_and_comments_are_scored_and_a_row_without_text_is_not(lake: Lake) -> None:
    add(
        lake,
        "messages",
        DAYS[1],
        [
            {"message_id": "m1", "customer_id": "ann", "recipient_id": "bob", "text": "ann to 0.1"},
            {"message_id": "m2", "customer_id": "bob", "recipient_id": "ann", "text": "bob to 0.1"},
        ],
    )
    add(
        lake,
        "interactions",
        DAYS[1],
        [
            {"interaction_id": "i1", "customer_id": "dan", "post_id": "p0", "kind": "comment",
             "text": "dan on 0.2"},
            {"interaction_id": "i2", "customer_id": "dan", "post_id": "p0", "kind": "view"},
        ],
    )  # fmt: skip
    score(lake, [DAYS[1]])
    rows = lake.read(SENTIMENT_SCORES.key, days=[DAYS[1]]).to_pandas()
    assert set(rows["text_id"]) == {"posts/p10", "posts/p13", "messages/m1", "interactions/i1"}


def test_a_score_under_the_limit_is_an_alert_with_the_id_and_never_the_text(lake: Lake) -> None:
    score(lake)
    alerts = lake.read(SENTIMENT_ALERTS.key, days=DAYS).to_pandas()
    # Ann's -0.5 of the second day is not under -0.5
    assert alerts.empty
    recorder = Recorder()
    told = Consent.of(lake, provided=TABLE_CONSENT, granted=(), purpose=PURPOSE)
    list(
        score_days(engine(lake), SQL, DAYS, scorer=lambda: recorder, consent=told, alert_below=-0.4)
    )
    alerts = lake.read(SENTIMENT_ALERTS.key, days=DAYS).to_pandas()
    assert list(alerts["text_id"]) == ["posts/p10"]
    assert not any("says" in str(value) for value in alerts.to_numpy().ravel())
    scores = lake.read(SENTIMENT_SCORES.key, days=DAYS).to_pandas()
    assert not any("says" in str(value) for value in scores.to_numpy().ravel())


def test_a_customers_mean_trend_and_negative_share_follow_from_the_scores(lake: Lake) -> None:
    score(lake)
    land(lake)
    rows = lake.read(CUSTOMER_SENTIMENT.key, days=[DAYS[3]]).to_pandas().set_index("customer_id")
    ann = rows.loc["ann"]
    assert ann["texts_scored"] == 3
    assert ann["avg_sentiment_score"] == pytest.approx((-0.5 - 0.1 + 0.3) / 3)
    assert ann["sentiment_trend_month"] == pytest.approx(0.4 * 30)
    assert ann["negative_share"] == pytest.approx(2 / 3)
    assert ann["last_text_at"] == pd.Timestamp(noon(DAYS[3]))


def test_a_trend_needs_texts_of_two_days(lake: Lake) -> None:
    score(lake)
    land(lake, DAYS[1])
    rows = lake.read(CUSTOMER_SENTIMENT.key, days=[DAYS[1]]).to_pandas()
    assert rows["sentiment_trend_month"].isna().all()


def test_a_window_with_a_day_that_was_not_scored_is_an_error_that_names_it(lake: Lake) -> None:
    score(lake, DAYS[2:])
    with pytest.raises(MissingPartitionError, match=str(DAYS[1])):
        land(lake)


def test_scores_after_the_day_do_not_move_its_customers_sentiment(lake: Lake) -> None:
    score(lake)
    land(lake, DAYS[2])
    before = lake.read(CUSTOMER_SENTIMENT.key, days=[DAYS[2]])
    add(lake, "posts", DAYS[3], [post(99, "ann", -1.0)])
    score(lake)
    land(lake, DAYS[2])
    assert lake.read(CUSTOMER_SENTIMENT.key, days=[DAYS[2]]).equals(before)


def land(lake: Lake, day: date = DAYS[3]) -> None:
    told = Consent.of(lake, provided=TABLE_CONSENT, granted=(), purpose=PURPOSE)
    land_customer_sentiment(engine(lake), SQL, day, first_day=FIRST, days=90, consent=told)


def customers(lake: Lake) -> set[str]:
    rows = lake.read(CUSTOMER_SENTIMENT.key, days=[DAYS[3]])
    return set(rows.column("customer_id").to_pylist())
