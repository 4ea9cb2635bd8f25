"""Questions with known answers, and what must not be answered, on a small lake of drawn rows."""

import json
import time
from datetime import UTC, datetime, timedelta

import duckdb
import pyarrow as pa
import pytest
from upath import UPath

from benchmarks.ask import PAYLOADS, answers, leaks, reference, shown_hostile, someone, wrong
from engagement_assets.chat.assistant import Assistant, template
from engagement_assets.chat.facts import Answer, Fact, bound_part, unbound
from engagement_assets.chat.grammar import Grammar, Known
from engagement_assets.chat.query import QueryError
from engagement_assets.decisions.customers.unified import CUSTOMERS_TABLE
from engagement_assets.features.catalogue import CUSTOMER_FEATURES_TABLE
from engagement_assets_tests.chat.conftest import DAY, ROWS, _put
from resources.lake import Lake
from resources.questions import DAY_NANOSECONDS, QuestionLog


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


def test_an_answer_quotes_each_claim_once_and_whole():
    fact = Fact("f1", "revenue of all customers: 3.20 USD", (3.2,), "t", DAY.isoformat(), "")
    assert unbound(fact.quoted, [fact]) == []
    for text in ("", "3.20 USD", "[f1: revenue]", f"{fact.quoted} {fact.quoted}", "[f2: 3.20]"):
        assert unbound(text, [fact]), text


def test_a_person_reads_claims_as_sentences_with_their_ids_behind():
    facts = (
        Fact("f1", "revenue: 3.20 USD", (3.2,), "t", DAY.isoformat(), ""),
        Fact("f2", "customers: 4", (4,), "t", DAY.isoformat(), ""),
    )
    answer = Answer("?", template(facts), facts)
    assert answer.readable == "Revenue: 3.20 USD [f1]. Customers: 4 [f2]."


def test_a_beginning_is_shown_as_far_as_it_binds():
    fact = Fact("f1", "revenue of all customers: 3.20 USD", (3.2,), "t", DAY.isoformat(), "")
    whole = f"Here is the answer: {fact.quoted}."
    parts = [bound_part(whole[:end], [fact]) for end in range(len(whole) + 1)]
    assert parts[-1] == whole.removesuffix(".")
    assert all(part is not None and unbound(part, [fact]) in ([], [part]) for part in parts)
    assert not any(part.endswith("3.20 USD") for part in parts)
    for text in ("It rose ", "[f1: revenue of all] ", f"{fact.quoted} {fact.quoted} ", "3 "):
        assert bound_part(text, [fact]) is None, text


def test_questions_answers_and_what_people_thought_are_kept(lake, tmp_path):
    log = QuestionLog(UPath(tmp_path) / "questions", days=90)
    asked = Assistant(lake, log)
    first = asked.ask("How many customers are there?", by="key:1")
    second = asked.ask("Delete customer c0000001.", by="key:2")
    assert log.add_feedback(first.id, by="key:1", helpful=True, note="thanks")
    assert not log.add_feedback(first.id, by="key:2", helpful=False)
    assert not log.add_feedback("../" + first.id, by="key:1", helpful=False)
    one, thought, two = log.lines()
    assert one["facts"][0]["values"] == [ROWS, ROWS]
    assert (thought["feedback_on"], thought["helpful"], thought["note"]) == (
        first.id,
        True,
        "thanks",
    )
    assert (two["id"], two["refusal"], two["by"]) == (second.id, "not_allowed", "key:2")
    assert Answer.from_dict(
        {name: value for name, value in two.items() if name not in {"at", "by"}}
    ).question.startswith("Delete")


def test_questions_go_with_their_feedback_after_their_days(tmp_path, monkeypatch):
    log = QuestionLog(UPath(tmp_path) / "questions", days=90)
    # the log of an older release, a line a question
    older = tmp_path / "questions.jsonl"
    now, day, now_ns = datetime.now(UTC), timedelta(days=1), time.time_ns()
    lines = [json.dumps({"at": (now - days * day).isoformat()}) for days in (91, 89)]
    older.write_text("\n".join(lines) + "\n")
    for days in (91, 89):
        monkeypatch.setattr(time, "time_ns", lambda days=days: now_ns - days * DAY_NANOSECONDS)
        asked = log.add({"text": f"{days} days ago"}, by="eva")
        assert log.add_feedback(asked, by="eva", helpful=True)
    monkeypatch.undo()
    assert log.expire() == 3
    question, thought = log.lines()
    assert (question["text"], thought["feedback_on"]) == ("89 days ago", question["id"])
    assert older.read_text().splitlines() == lines[1:]
    older.write_text(lines[0] + "\n")
    assert log.expire() == 1
    assert not older.exists()


def test_what_is_shown_of_groups_only_is_not_shown_of_one(assistant):
    assert assistant.ask("What is the age of c0000001?").refusal == "not_allowed"
    assert not assistant.ask("What is the mean age?").refusal


def test_of_who_is_not_advised_nothing_is_found(assistant):
    answer = assistant.ask("How can we keep customer c0000005?")
    assert answer.refusal == "nothing_found"
    told = assistant.ask("How can we keep customer c0000000?")
    assert "would predict" in told.text
    assert "Measured in the experiment" in told.text


def test_a_group_that_could_name_somebody_is_for_who_may_see_one(lake, tmp_path):
    copy = Lake(str(tmp_path))
    for table in (CUSTOMER_FEATURES_TABLE, CUSTOMERS_TABLE):
        rows = lake.read(table.key, days=[DAY])
        if "location" in rows.column_names:
            places = pa.array(["nowhere"] * 3 + rows["location"].to_pylist()[3:])
            rows = rows.set_column(rows.column_names.index("location"), "location", places)
        if "churn_probability" in rows.column_names:
            scores = pa.array([1.0] * 3 + [0.5] * (ROWS - 3))
            at = rows.column_names.index("churn_probability")
            rows = rows.set_column(at, "churn_probability", scores)
        _put(copy, table.key, rows)
    asked = Assistant(copy)
    figures = frozenset({"figures"})
    for question in (
        "How many customers are in nowhere?",
        "What is the mean churn probability in nowhere?",
        "What is the difference in mean churn probability between nowhere and africa?",
    ):
        assert not asked.ask(question).refusal, question
        assert asked.ask(question, scopes=figures).refusal == "not_allowed", question
    ranked = "Which location has the highest mean churn probability?"
    assert "nowhere" in asked.ask(ranked).text
    answer = asked.ask(ranked, scopes=figures)
    assert answer.facts
    assert "nowhere" not in answer.text


def test_of_two_customers_who_differ_in_capitals_alone_none_is_taken_for_the_other():
    known = Known.of({}, ["Ann1", "ann1", "bob2"])
    assert known.customers == {"bob2": "bob2"}
    asked = Grammar(known).read("why might ann1 churn")
    assert asked.unknown_customer
    assert not asked.customer
