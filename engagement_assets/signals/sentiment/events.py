"""Texts that are scored as they are written.

Belongs here: which of them are read, once each, and the alert to customer support. Does not belong
here: the daily run (`scoring.py`), HTTP and queues. No text is kept, and none is in an alert.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import pandas as pd

from engagement_assets.signals.sentiment.scoring import ALERT_BELOW, TextScorer
from resources.channels import NotSentError
from resources.claims import KEPT_DAYS, Claim, Claims

logger = logging.getLogger(__name__)

# A server that is silent for longer is taken for dead; whoever sent the text sends it again.
LEASE_SECONDS = 15.0
PREFIX = "text/"
COLUMN = "alerted_at"


class Outcome(StrEnum):
    """What became of a text."""

    SCORED = "scored"
    ALERTED = "alerted"
    KNOWN = "known"
    WITHHELD = "withheld"
    HELD = "held"


@dataclass(frozen=True)
class TextEvent:
    """A text that was just written.

    Attributes:
        source_table: posts, interactions or messages.
        row_id: The key of its row there.
        customer_id: Who wrote it.
        text: What it says.
    """

    source_table: str
    row_id: str
    customer_id: str
    text: str

    @property
    def text_id(self) -> str:
        """The text's id, as `sentiment/scores` has it."""
        return f"{self.source_table}/{self.row_id}"


@dataclass(frozen=True)
class TextEvents:
    """Scores texts as they are written, each once however often and to whom it is delivered.

    Attributes:
        scorer: Gives the model.
        agreed: Gives the customers who agree that their texts are read.
        claims: What was scored, shared by all servers.
        tell: Tells customer support, or raises `NotSentError`.
        alert_below: A score below it is an alert.
    """

    scorer: Callable[[], TextScorer]
    agreed: Callable[[], Collection[str]]
    claims: Claims
    tell: Callable[[dict[str, Any]], None]
    alert_below: float = ALERT_BELOW

    def handle(self, events: Sequence[TextEvent]) -> list[Outcome]:
        """Score texts and tell of those that score low.

        Returns:
            What became of each. `HELD`: another server is at it, or support could not be told; send
            it again in a moment.

        Raises:
            ClaimsError: The claims cannot be written; nothing was lost, send them again.
        """
        agreed = self.agreed()
        allowed = {event.text_id: event for event in events if event.customer_id in agreed}
        settled = self.claims.settled([PREFIX + name for name in allowed])
        fresh = {name: event for name, event in allowed.items() if PREFIX + name not in settled}
        outcomes = dict.fromkeys(allowed, Outcome.KNOWN)
        if fresh:
            model = self.scorer()
            scores = model.score_texts([event.text for event in fresh.values()])
            scored = [
                self._kept(event, row, model.version)
                for event, row in zip(fresh.values(), scores.to_dict("records"), strict=True)
            ]
            outcomes |= zip(fresh, self._claimed(list(fresh), scored), strict=True)
        done: set[str] = set()
        answer = []
        for event in events:
            name = event.text_id
            outcome = outcomes.get(name, Outcome.WITHHELD)
            again = name in done and outcome in (Outcome.SCORED, Outcome.ALERTED)
            answer.append(Outcome.KNOWN if again else outcome)
            done.add(name)
        return answer

    def _kept(self, event: TextEvent, row: Mapping[Any, Any], version: str) -> dict[str, Any]:
        """What stays of a text."""
        low = not pd.isna(row["score"]) and row["score"] < self.alert_below
        now = datetime.now(UTC).replace(tzinfo=None).isoformat()
        return {
            "customer_id": event.customer_id,
            "written": fingerprint(event.text),
            "model_version": version,
            COLUMN: now if low else None,
            "scores": {name: None if pd.isna(value) else value for name, value in row.items()},
        }

    def _claimed(self, names: Sequence[str], scored: Sequence[Mapping[str, Any]]) -> list[Outcome]:
        """Keep the scores of texts on disk, and tell of the low ones."""
        wanted = [
            (PREFIX + name, json.dumps(one), one[COLUMN] is None)
            for name, one in zip(names, scored, strict=True)
        ]
        outcomes, listens = [], True
        for name, one, claim in zip(names, scored, self.claims.claim_all(wanted), strict=True):
            if claim is None:
                outcomes.append(Outcome.HELD)
            elif one[COLUMN] is None:
                outcomes.append(Outcome.SCORED)
            else:
                listens = listens and self._told(name, claim)
                if not listens:
                    self.claims.release(claim)
                outcomes.append(Outcome.ALERTED if listens else Outcome.HELD)
        return outcomes

    def _told(self, name: str, claim: Claim) -> bool:
        try:
            self.tell(alert_of(name, json.loads(claim.content)))
        except NotSentError as error:
            logger.warning("support could not be told of text %s: %s", name, error)
            return False
        self.claims.settle(claim)
        return True


def alert_of(text_id: str, scored: Mapping[str, Any]) -> dict[str, Any]:
    """Return the alert about a text, by id."""
    return {
        "at": f"{scored[COLUMN]}Z",
        "id": PREFIX + text_id,
        "kind": "text",
        "severity": "WARN",
        "asset": "sentiment/alerts",
        "message": "a customer wrote something very negative; look at it in the app",
        "text_id": text_id,
        "customer_id": scored["customer_id"],
        "score": scored["scores"]["score"],
        "model_version": scored["model_version"],
    }


def fingerprint(text: str) -> str:
    """Return what tells a text from another version of it, and does not give it away."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def scored_before(claims: Claims, texts: pd.DataFrame, version: str) -> pd.DataFrame:
    """Return the scores that texts got as they were written.

    Args:
        claims: What was scored.
        texts: n texts with `recorded_on`, `text_id`, `customer_id` and `text`.
        version: The model that scores now; scores of another are left out.

    Returns:
        Scores and `alerted_at`, in the index of `texts`, of those that were scored as they are now
        and by this model; of the others only `alerted_at` where support was told.
    """
    first = datetime.now(UTC).date() - timedelta(days=KEPT_DAYS)
    texts = texts[texts["recorded_on"] >= first]
    scored = claims.settled([PREFIX + name for name in texts["text_id"]])
    rows, index = [], []
    for place, name, customer, text in zip(
        texts.index, texts["text_id"], texts["customer_id"], texts["text"], strict=True
    ):
        before = json.loads(scored.get(PREFIX + name, "null"))
        if before is None or before["customer_id"] != customer:
            continue
        same = before["model_version"] == version and before["written"] == fingerprint(text)
        rows.append({COLUMN: before[COLUMN], **(before["scores"] if same else {})} | {"same": same})
        index.append(place)
    return pd.DataFrame(rows, index=pd.Index(index, dtype=texts.index.dtype))
