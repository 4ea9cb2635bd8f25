"""Texts are scored as they are written: once, only of who agrees, and support is told once."""

import json
import os
import signal
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from engagement_assets.signals.sentiment.events import (
    Outcome,
    TextEvent,
    TextEvents,
    scored_before,
)
from engagement_assets.signals.sentiment.scoring import score_days
from engagement_assets.signals.tables import KNOWN_TABLES, SENTIMENT_ALERTS, SENTIMENT_SCORES
from engagement_assets.source.consent import Consent
from engagement_assets.source.contract import TABLES
from engagement_assets.source.known import product_sql
from engagement_assets_tests.signals.sentiment.test_consent import Recorder, add, consent
from resources.channels import NotSentError
from resources.claims import SqliteClaims
from resources.engine import DuckDBEngine
from resources.lake import Lake
from resources.tables import by_sql_name

SQL = product_sql(Path(__file__).parents[3] / "sql")
TODAY = datetime.now(UTC).date()


def text(number, score, customer="ann"):
    return TextEvent("posts", f"p{number}", customer, f"{customer} says {score}")


class Support:
    """Takes alerts, one line of a file each, whatever process tells them."""

    def __init__(self, path):
        self.path = path

    def __call__(self, alert):
        with self.path.open("a") as file:
            file.write(json.dumps(alert) + "\n")

    @property
    def alerts(self):
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        return [json.loads(line) for line in lines]


@pytest.fixture
def support(tmp_path):
    return Support(tmp_path / "support")


@pytest.fixture
def claims(tmp_path):
    return SqliteClaims(tmp_path / "claims.sqlite")


def handler(claims, tell, scorer=None):
    scorer = scorer or Recorder()
    return TextEvents(lambda: scorer, lambda: frozenset({"ann", "bob"}), claims, tell)


def test_a_text_is_scored_once_and_support_told_once(claims, support):
    scorer = Recorder()
    first = [text(1, 0.3), text(2, -0.9), text(3, -0.9, "cat"), text(2, -0.9)]
    assert handler(claims, support, scorer).handle(first) == [
        Outcome.SCORED, Outcome.ALERTED, Outcome.WITHHELD, Outcome.KNOWN,
    ]  # fmt: skip
    again = [*first[:2], text(4, -0.6)]
    assert handler(claims, support, scorer).handle(again) == ["known", "known", "alerted"]
    assert scorer.read == ["ann says 0.3", "ann says -0.9", "ann says -0.6"]
    assert [alert["text_id"] for alert in support.alerts] == ["posts/p2", "posts/p4"]
    assert "says" not in support.path.read_text()
    assert b"says" not in claims.path.read_bytes()


def test_support_is_told_when_it_listens_again(claims, support):
    def deaf(_):
        raise NotSentError("no", answers=False)

    assert handler(claims, deaf).handle([text(1, -0.9)]) == [Outcome.HELD]
    assert handler(claims, support).handle([text(1, -0.9)]) == [Outcome.ALERTED]
    assert len(support.alerts) == 1


def test_a_server_that_is_killed_at_any_step_loses_and_doubles_nothing(tmp_path):
    events = [text(1, -0.9), text(2, 0.3), text(3, -0.8)]
    for step in range(20):
        folder = tmp_path / str(step)
        folder.mkdir()
        support, claims = Support(folder / "support"), SqliteClaims(folder / "claims.sqlite")
        was_killed = killed_at(step, events, support, claims)
        later = SqliteClaims(claims.path, clock=lambda: time.time() + 1e4)
        assert Outcome.HELD not in handler(later, support).handle(events)
        alerts = [alert["id"] for alert in support.alerts]
        assert set(alerts) == {"text/posts/p1", "text/posts/p3"}
        # one that was told a moment before the kill comes again, under its id
        assert len(alerts) <= 2 + was_killed
        assert len(later.settled([f"text/posts/p{n}" for n in (1, 2, 3)])) == 3
        if not was_killed:
            break
    # claiming, and of two texts telling and settling, before and after each
    assert step == 2 * 5


def killed_at(step, events, support, claims):
    """Handle events in a process that is killed at its n-th moment; says whether it was."""
    child = os.fork()
    if child:
        return os.WIFSIGNALED(os.waitpid(child, 0)[1])
    moments = 0

    def moment():
        nonlocal moments
        if moments == step:
            os.kill(os.getpid(), signal.SIGKILL)
        moments += 1

    def stepping(function):
        def stepped(*arguments, **named):
            moment()
            answer = function(*arguments, **named)
            moment()
            return answer

        return stepped

    try:
        claims.claim_all, claims.settle = stepping(claims.claim_all), stepping(claims.settle)
        handler(claims, stepping(support)).handle(events)
    finally:
        os._exit(0)


def test_the_daily_run_takes_over_what_was_scored_and_tells_nobody(tmp_path, claims, support):
    lake = Lake(str(tmp_path / "lake"))
    yesterday = TODAY - timedelta(days=1)
    for table in ("customers", "interactions", "messages"):
        lake.write_empty(TABLES[table], day=yesterday)
    add(lake, "consents", yesterday, [consent("ann", True), consent("bob", True)])
    written = [text(1, 0.3), text(2, -0.9), text(3, -0.8), text(4, -0.7, "bob")]
    handler(claims, support).handle(written[:3])
    rows = [
        {"post_id": event.row_id, "customer_id": event.customer_id, "text": event.text}
        for event in written
    ]
    # changed since
    rows[2]["text"] = "ann says -0.6"
    add(lake, "posts", yesterday, rows)
    scorer = Recorder()
    (day,) = score_days(
        DuckDBEngine(lake, declared=by_sql_name(KNOWN_TABLES)),
        SQL,
        [yesterday],
        scorer=lambda: scorer,
        consent=Consent(TODAY, granted_by_source=False),
        before=lambda texts, version: scored_before(claims, texts, version),
    )
    assert (day.scores.rows, day.alerts.rows) == (4, 3)
    assert scorer.read == ["ann says -0.6", "bob says -0.7"]
    scores = lake.read(SENTIMENT_SCORES.key, days=[yesterday]).to_pandas().set_index("text_id")
    assert scores["score"].to_dict() == {
        "posts/p1": 0.3, "posts/p2": -0.9, "posts/p3": -0.6, "posts/p4": -0.7,
    }  # fmt: skip
    assert scores["emotion"].notna().all()
    alerts = lake.read(SENTIMENT_ALERTS.key, days=[yesterday]).to_pandas().set_index("text_id")
    assert alerts["alerted_at"].notna().to_dict() == {
        "posts/p2": True, "posts/p3": True, "posts/p4": False,
    }  # fmt: skip
    assert len(support.alerts) == 2


def test_scores_of_another_model_are_not_taken_over(claims, support):
    handler(claims, support).handle([text(1, -0.9)])
    rows = pd.DataFrame(
        {
            "recorded_on": [TODAY], "text_id": ["posts/p1"], "customer_id": ["ann"],
            "text": ["ann says -0.9"],
        }
    )  # fmt: skip
    assert scored_before(claims, rows, "recorder")["same"].tolist() == [True]
    (other,) = scored_before(claims, rows, "another").to_dict("records")
    assert not other["same"]
    assert other["alerted_at"]
    assert scored_before(claims, rows.assign(customer_id="bob"), "recorder").empty
