"""The engine on Bedrock, against a server of the Converse API on this machine."""

import io
import json
import random
import re

import pytest

from benchmarks.ask import answers, hostile, leaks, reference, shown_by_engine, someone, wrong
from benchmarks.bedrock_stub import MODEL, REGION, PlayedModel, served
from engagement_assets.chat.assistant import (
    Assistant,
    Streamed,
    language_of,
    shown,
    template,
)
from engagement_assets.chat.bedrock import Bedrock
from engagement_assets.chat.facts import RefusedError, readable
from engagement_assets.chat.requests import asked_of, tool_specs
from engagement_assets.chat.tools import SCOPES
from engagement_assets.settings.chat import ChatSettings
from engagement_assets.settings.fields import SettingsError

QUESTION = "How many customers are there?"


@pytest.fixture(scope="module")
def embedded(lake) -> Assistant:
    return Assistant(lake)


@pytest.fixture
def model(embedded):
    played = PlayedModel(embedded._known)
    with served(played):
        yield played


@pytest.fixture
def assistant(lake, model) -> Assistant:  # noqa: ARG001 - the server that it asks
    return Assistant(lake, language=Bedrock(MODEL, REGION, seconds=0.5, attempts=1))


def test_the_questions_have_the_same_answers(assistant, lake):
    assert list(wrong(assistant, reference(lake))) == []
    text = assistant.ask(QUESTION).text
    assert text.startswith("Here is the answer: [f1: ")


def test_a_hostile_model_is_not_shown(assistant, model, lake, embedded):
    given = answers(embedded, someone(reference(lake)))
    assert shown_by_engine(assistant, model, given, count=300, seed=2) == []


def test_an_injection_brings_no_claim(assistant):
    assert leaks(assistant) == []


@pytest.mark.parametrize("fault", ["throttles", "hangs", "other form"])
def test_without_the_model_grammar_and_template_answer(assistant, model, embedded, fault):
    model.fault = fault
    answer = assistant.ask(QUESTION)
    assert answer.text == embedded.ask(QUESTION).text
    assert answer.facts


def test_the_step_that_reads_texts_has_no_tools_and_all_stands_in_fences(assistant, model):
    assistant.ask(QUESTION)
    reading, wording = model.seen
    assert {one["toolSpec"]["name"] for one in reading["toolConfig"]["tools"]} >= {"metric"}
    assert "toolConfig" not in wording
    assert "[f1:" not in json.dumps(reading)
    fences = [part["text"] for part in wording["messages"][0]["content"]]
    assert [text.split("-")[0] for text in fences] == ["<question", "<claims"]
    marks = {text.splitlines()[0].split("-")[1] for text in fences}
    assert len(marks) == 1
    assert marks.isdisjoint({json.dumps(reading)})


def test_a_streamed_answer_comes_in_parts_that_bind(assistant, model):
    parts = list[str]()
    answer = assistant.ask(QUESTION, on_text=parts.append)
    assert len(set(parts)) > 1
    assert all(answer.readable.startswith(part) for part in parts)
    assert answer.text.startswith("Here is the answer")
    claim = readable(answer.facts[0].quoted, answer.facts)
    rng = random.Random(1)  # noqa: S311 - a test's draws
    model.change = lambda text: hostile(text, answer.facts, rng)
    for _ in range(20):
        parts.clear()
        changed = assistant.ask(QUESTION, on_text=parts.append)
        assert changed.text == template(changed.facts)
        came = " ".join(parts)
        assert not re.search(r"\d|\[", came) or claim in came


def test_a_stream_that_breaks_off_gives_way_to_the_template(assistant, model):
    model.fault = "breaks off"
    answer = assistant.ask(QUESTION, on_text=lambda _: None)
    assert answer.text == template(answer.facts)


def test_a_terminal_gets_the_answer_as_it_comes_and_once(assistant):
    parts, out = list[str](), io.StringIO()
    streamed = Streamed(out)

    def on_text(text: str) -> None:
        streamed.part(text)
        parts.append(out.getvalue())

    answer = assistant.ask(QUESTION, on_text=on_text)
    streamed.end(answer)
    assert len(set(parts)) > 1
    assert out.getvalue() == shown(answer)


@pytest.mark.parametrize("fault", ["breaks off", "throttles"])
def test_a_terminal_gets_the_template_whole_where_the_model_fails(assistant, model, fault):
    model.fault, out = fault, io.StringIO()
    streamed = Streamed(out)
    answer = assistant.ask(QUESTION, on_text=streamed.part)
    streamed.end(answer)
    assert answer.text == template(answer.facts)
    assert out.getvalue().endswith(shown(answer))


@pytest.mark.parametrize(
    ("calls", "refusal"),
    [
        ([("sql", {"query": "SELECT * FROM customers"})], "ambiguous"),
        ([("metric", {"metric": "e-mail"})], "not_known"),
        ([("metric", {"metric": ["age"]})], "not_known"),
        ([("metric", {"groups": "all"})], "not_known"),
        (
            [("metric", {"groups": [{"dimension": "location", "value": "' OR 1=1"}]})],
            "nothing_found",
        ),
        ([("metric_of_customer", {"metric": "age", "customer": "x' OR '1'='1"})], "nothing_found"),
        ([("ranking", {"metric": "age", "side": "highest"})], "ambiguous"),
        ([("influencers", {"number": "all"})], "not_known"),
        ([("refuse", {"kind": "not_allowed"})], "not_allowed"),
        ([("refuse", {"kind": "nonsense"})], "not_known"),
    ],
)
def test_a_call_that_the_schemas_do_not_allow_is_refused(assistant, model, calls, refusal):
    model.calls = calls
    answer = assistant.ask(QUESTION)
    assert answer.refusal == refusal
    assert not answer.facts


def test_a_tool_that_the_scopes_do_not_open_is_neither_offered_nor_run(assistant, model):
    model.calls = [("influencers", {})]
    answer = assistant.ask(QUESTION, scopes=frozenset({"customer"}))
    assert answer.refusal == "not_allowed"
    offered = {one["toolSpec"]["name"] for one in model.seen[0]["toolConfig"]["tools"]}
    assert offered.isdisjoint({"influencers", "metric", "ranking"})
    assert "metric_of_customer" in offered


def test_several_calls_are_answered_together_with_ids_of_their_own(assistant, model):
    model.calls = [("metric", {}), ("metric", {"metric": "churn_probability", "aggregate": "avg"})]
    answer = assistant.ask(QUESTION)
    assert [fact.id for fact in answer.facts] == ["f1", "f2"]
    assert answer.text.startswith("Here is the answer")
    model.calls = [("metric", {})] * 4
    assert assistant.ask(QUESTION).tool == "metric"


def test_every_slot_of_every_tool_is_checked(embedded):
    for spec in tool_specs(SCOPES):
        name = spec["toolSpec"]["name"]
        for slot in spec["toolSpec"]["inputSchema"]["json"]["properties"]:
            if slot == "customer":
                continue
            with pytest.raises(RefusedError):
                asked_of(name, {slot: "-- no such value"}, embedded._known)


def test_the_settings_name_the_model(monkeypatch):
    assert language_of(ChatSettings()) is None
    monkeypatch.setenv("ENGAGEMENT_CHAT_ENGINE", "bedrock")
    with pytest.raises(SettingsError, match="ENGAGEMENT_CHAT_MODEL"):
        ChatSettings()
    monkeypatch.setenv("ENGAGEMENT_CHAT_MODEL", MODEL)
    monkeypatch.setenv("ENGAGEMENT_CHAT_REGION", REGION)
    language = language_of(ChatSettings())
    assert isinstance(language, Bedrock)
    assert language.model == MODEL
