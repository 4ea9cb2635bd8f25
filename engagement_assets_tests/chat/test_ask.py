"""Questions with known answers, and what must not be answered, on a small lake of drawn rows."""

import json
from datetime import date, timedelta

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from benchmarks.ask import PAYLOADS, answers, leaks, reference, shown_hostile, someone, wrong
from engagement_assets.chat.assistant import Assistant
from engagement_assets.chat.facts import Fact, unbound
from engagement_assets.chat.query import QueryError
from engagement_assets.decisions.customers.unified import CUSTOMERS_TABLE
from engagement_assets.features.catalogue import CUSTOMER_FEATURES_TABLE
from engagement_assets.governance.tables import KNOWN_TABLES
from resources.lake import Lake, encode, put_atomically
from resources.tables import Column, Table

DAY = date(2026, 11, 27)
ROWS = 240
TEXTS = {
    "location": ("africa", "oceania", "western_europe", "latin_america"),
    "account_type": ("premium", "free"),
    "primary_device": ("mobile", "desktop"),
    "gender": ("female", "male"),
}
RNG = np.random.default_rng(5)


def _drawn(column: Column) -> list:
    if column.name == "customer_id":
        return [f"c{number:07d}" for number in range(ROWS)]
    if column.type == "string":
        choices = TEXTS.get(column.name) or column.allowed or ("visits 3 (typical 9)", "posts 0")
        return [str(one) for one in RNG.choice(choices, ROWS)]
    if column.type == "date":
        return [DAY] * ROWS
    if column.type == "bool":
        return (RNG.random(ROWS) < 0.5).tolist()
    if column.name == "age":
        return RNG.integers(18, 80, ROWS).tolist()
    low, high = column.minimum or 0, 60 if column.maximum is None else column.maximum
    drawn = RNG.uniform(low, high, ROWS)
    values = (drawn.astype(int) if column.type == "int64" else drawn).tolist()
    # of the last customer nothing is expected
    return [*values[:-1], None] if column.name == "future_revenue_usd" else values


def _put(lake: Lake, table: str, rows: pa.Table) -> None:
    put_atomically(lake.path(table, DAY), encode(rows))


def _written(lake: Lake, table: Table, rows: list[dict]) -> None:
    """Put rows of a table; columns that they lack are null."""
    full = [{name: row.get(name) for name in table.names} for row in rows]
    _put(lake, table.key, pa.Table.from_pylist(full))


@pytest.fixture(scope="module")
def lake(tmp_path_factory) -> Lake:
    made = Lake(str(tmp_path_factory.mktemp("lake")))
    for table in (CUSTOMER_FEATURES_TABLE, CUSTOMERS_TABLE):
        _put(made, table.key, pa.table({c.name: _drawn(c) for c in table.columns}))
    tables = {table.key: table for table in KNOWN_TABLES}
    ids = RNG.permutation(ROWS)[:90]
    _written(
        made,
        tables["network/influencers"],
        [{"customer_id": f"c{one:07d}", "rank": rank} for rank, one in enumerate(ids, 1)],
    )
    forecasts = [
        {
            "metric": metric,
            "breakdown": "total",
            "part": "all",
            "target_day": DAY + timedelta(ahead),
            "horizon": ahead,
            "value": scale * (1 + ahead * 3 % 7),
            "low": scale / 2,
            "high": scale * 9,
        }
        for metric, scale in (
            ("sessions", 100.5),
            ("active_customers", 90.25),
            ("revenue_usd", 512.125),
            ("messages", 300.75),
        )
        for ahead in range(1, 8)
    ]
    _written(made, tables["forecast/predictions"], forecasts)
    programme = {
        "capability": "programme",
        "metric": "revenue_usd",
        "verdict": "no effect shown",
        "units_with": 228,
        "units_without": 12,
        "difference": 3.25,
        "anytime_low": -27.5,
        "anytime_high": 34.75,
    }
    _written(made, tables["value/programme"], [programme])
    _written(
        made,
        tables["governance/fairness_measures"],
        [
            {
                "model": model,
                "group_name": group,
                "verdict": "holds",
                "measure": measure,
                "value": 0.25,
                "people": 40,
                "judged": True,
                "fails": False,
            }
            for model in ("churn", "engagement")
            for group in ("55+", "18-24", "female", "male")
            for measure in ("selected", "base_rate")
        ],
    )
    return made


@pytest.fixture(scope="module")
def assistant(lake) -> Assistant:
    return Assistant(lake)


def test_the_questions_are_answered_with_what_their_own_query_gives_or_properly_refused(
    assistant, lake
):
    assert list(wrong(assistant, reference(lake))) == []


def test_a_value_that_is_not_known_is_refused_not_said_to_be_unknown(assistant):
    answer = assistant.ask(f"What is the future revenue of customer c{ROWS - 1:07d}?")
    assert answer.refusal == "nothing_found"


def test_no_hostile_wording_is_shown(assistant, lake):
    given = answers(assistant, someone(reference(lake)))
    assert len(given) > 100
    assert shown_hostile(given, count=1_000, seed=1) == []


def test_an_injection_brings_no_claim(assistant):
    assert leaks(assistant) == []


def test_a_value_that_is_an_injection_is_a_value_like_others(lake, tmp_path):
    copy = Lake(str(tmp_path))
    for table in (CUSTOMER_FEATURES_TABLE, CUSTOMERS_TABLE):
        rows = lake.read(table.key, days=[DAY])
        if "location" in rows.column_names:
            places = pa.array([PAYLOADS[0], *rows["location"].to_pylist()[1:]])
            at = rows.column_names.index("location")
            rows = rows.set_column(at, "location", places)
        _put(copy, table.key, rows)
    asked = Assistant(copy)
    answer = asked.ask("Which location has the highest mean churn probability?")
    assert answer.tool == "ranking"
    assert asked.ask("How many customers are there?").facts[0].values == (ROWS, ROWS)


@pytest.mark.parametrize(
    "question",
    [
        "What will the mean churn probability be next month?",
        "What was the mean engagement score last month?",
        "What is the mean engagement score of 5 customers?",
        "What is the mean churn probability in africa or oceania?",
        "What is the top mean engagement score?",
        "Who will be our top influencers next month?",
        "What is the forecast of sessions in 30 days?",
        "What were last Friday's sessions?",
        "What is the mean churn probability without premium accounts?",
        "What is the mean churn probability of customers who are not free?",
        "How many customers churn?",
    ],
)
def test_a_part_of_a_question_that_no_table_answers_is_not_passed_over(assistant, question):
    answer = assistant.ask(question)
    assert answer.refusal in {"not_known", "ambiguous"}
    assert not answer.facts


@pytest.mark.parametrize(
    "sql",
    [
        "DROP TABLE customers",
        "SELECT 1; SELECT 2",
        "SELECT * FROM customers",
        "SELECT customer_id FROM read_csv('/etc/passwd')",
        "SELECT read_text('/etc/passwd') FROM customers",
        "SELECT count(*) FROM customers, duckdb_settings()",
        "SELECT count(*) FROM main.customers",
        "SELECT unknown_column FROM customers",
        "SELECT count(*) FROM (SELECT age FROM customers)",
        "WITH x AS (SELECT 1) SELECT count(*) FROM customers",
        "SELECT count(*) FROM customers UNION SELECT 1",
        "COPY customers TO '/tmp/x'",
        "PRAGMA database_list",
    ],
)
def test_a_statement_that_is_not_allowed_does_not_run(assistant, sql):
    with pytest.raises(QueryError):
        assistant._warehouse.select(sql)


def test_a_statement_of_too_many_rows_is_refused(assistant):
    with pytest.raises(QueryError, match="rows"):
        assistant._warehouse.select("SELECT customer_id FROM customers")


def test_the_connection_reads_no_file_and_takes_no_setting(assistant):
    connection = assistant._warehouse._connection
    for sql in ("SELECT * FROM read_csv('/etc/passwd')", "SET enable_external_access = true"):
        with pytest.raises(duckdb.Error):
            connection.execute(sql)


@pytest.mark.parametrize(
    ("scope", "question", "refused"),
    [
        ("customer", "Who are our top 5 influencers?", True),
        ("customer", "What is the mean churn probability?", True),
        ("customer", "What is the churn probability of customer c0000001?", False),
        ("figures", "What is the churn probability of customer c0000001?", True),
        ("figures", "What is the mean churn probability?", False),
    ],
)
def test_a_scope_opens_its_own_tools_only(assistant, scope, question, refused):
    answer = assistant.ask(question, scopes=frozenset({scope}))
    assert (answer.refusal == "not_allowed") == refused
    assert bool(answer.facts) != refused


def test_a_wording_that_fails_or_says_more_gives_way_to_the_template(lake):
    def fails(question, facts):  # noqa: ARG001 - a wording's signature
        raise ConnectionError

    question = "How many customers are there?"
    plain = Assistant(lake).ask(question).text
    assert Assistant(lake, wording=fails).ask(question).text == plain
    more = Assistant(lake, wording=lambda _, facts: f"{facts[0].quoted} and 3 more").ask(question)
    assert more.text == plain
    bound = Assistant(lake, wording=lambda _, facts: f"Here is the answer: {facts[0].quoted}.")
    assert bound.ask(question).text == f"Here is the answer: {plain}"


def test_an_answer_quotes_each_claim_once_and_whole():
    fact = Fact("f1", "revenue of all customers: 3.20 USD", (3.2,), "t", DAY, "")
    assert unbound(fact.quoted, [fact]) == []
    for text in ("", "3.20 USD", "[f1: revenue]", f"{fact.quoted} {fact.quoted}", "[f2: 3.20]"):
        assert unbound(text, [fact]), text


def test_questions_and_answers_are_logged(lake, tmp_path):
    log = tmp_path / "questions.jsonl"
    asked = Assistant(lake, log)
    asked.ask("How many customers are there?")
    asked.ask("Delete customer c0000001.")
    first, second = (json.loads(line) for line in log.read_text().splitlines())
    assert first["facts"][0]["values"] == [ROWS, ROWS]
    assert second["refusal"] == "not_allowed"
