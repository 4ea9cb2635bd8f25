"""The next best action of one customer while an application waits: drawn, logged, in words.

Belongs here: from a customer's record and what the application sees now to a draw, and the log of
draws. Does not belong here: HTTP (`api/next_action.py`), the policy (`decisions`).
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pandas as pd

from engagement_assets.decisions.next_best_action.spec import SPEC, WORDS
from engagement_assets.learning.evaluation.splits import hash_positions
from engagement_assets.lifecycle.learnt import ContextChooser
from engagement_assets.lifecycle.spec import NO_ACTION
from engagement_assets.serving.plain import plain
from resources.files import append

logger = logging.getLogger(__name__)
DrawLog = Callable[[Mapping[str, Any]], None]
# What an application sees better than yesterday's features do.
SEEN = ("time_of_day", "device", "last_action")
WITHHELD = "no consent to personalisation"
HELD_OUT = "the customer is in the global holdout"


class DrawFile:
    """Draws as lines of JSON in a file that only grows.

    A line is added whole or not at all, so that several processes may share the file, and is
    written before the answer is given: no application acts on a draw that is not logged.

    Args:
        path: The file; made with the first draw.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def __call__(self, draw: Mapping[str, Any]) -> None:
        """Append a draw.

        Raises:
            OSError: It cannot be written.
        """
        append(self.path, orjson.dumps(draw) + b"\n", mode=0o600)


def log_line(draw: Mapping[str, Any]) -> None:
    """Write a draw to the process's log, where that is what lasts."""
    logger.info("next action drawn: %s", orjson.dumps(draw).decode())


def next_action(
    policy: ContextChooser,
    record: Mapping[str, Any],
    seen: Mapping[str, str | None],
    *,
    log: DrawLog,
    held_out: bool = False,
    decision_id: str | None = None,
) -> dict[str, Any]:
    """Draw what to suggest to a customer and log the draw with its propensity.

    The draw follows from its id, the policy's version and the context, so that it can be checked
    later. Without consent to personalisation, and in the global holdout, nothing is drawn and
    nothing suggested.

    Args:
        policy: What decides.
        record: The customer's document.
        seen: What the application sees now, by name; null where it does not, for which the usual
            time of day and device stand in.
        log: Where draws are logged.
        held_out: Whether the customer is in the global holdout.
        decision_id: Names the draw; a new one where None.

    Raises:
        OSError: The draw cannot be logged, and is not given.
    """
    agreed = record["consents"].get("personalisation", False)
    if held_out or not agreed:
        why = WITHHELD if not agreed else HELD_OUT
        return {
            "decision_id": None,
            "action": NO_ACTION.name,
            "text": WORDS[NO_ACTION.name],
            "reason": why,
            "propensity": 1.0,
            "added": None,
            "policy_version": policy.version,
            "withheld": why,
        }
    name = decision_id or uuid.uuid4().hex
    wanted = policy.decision.features or tuple(record["features"])
    features = pd.DataFrame(
        {
            "customer_id": [record["customer_id"]],
            "snapshot_date": [record["snapshot_date"]],
            **{column: [record["features"][column]] for column in wanted},
        }
    )
    contexts = policy.decision.contexts(features)
    for column, value in seen.items():
        if value is not None:
            contexts[column] = value
    draw = policy.draw(contexts, hash_positions([name], salt=policy.version))
    row = {column: plain(draw[column].iloc[0]) for column in draw}
    drawn = {
        "decision_id": name,
        "action": row["action"],
        "text": WORDS[row["action"]],
        "reason": row["reason"],
        "propensity": row["propensity"],
        "added": row["added"],
        "policy_version": policy.version,
        "withheld": None,
    }
    log(
        {
            "decision": SPEC.name,
            "customer_id": record["customer_id"],
            "drawn_at": datetime.now(UTC).isoformat(),
            "snapshot_date": record["snapshot_date"],
            **{key: drawn[key] for key in ("decision_id", "action", "propensity")},
            "policy_version": policy.version,
            "context": {
                column: plain(contexts[column].iloc[0]) for column in policy.decision.context
            },
        }
    )
    return drawn
