"""AWS Lambda behind an SQS queue of texts: what `POST /v1/events/texts` does, from a queue.

Belongs here: the entry point `handler`. Does not belong here: which texts are read and what follows
(`engagement_assets.signals.sentiment.events`). A message's body is a body of that endpoint.
"""

import logging
from functools import cache
from typing import Any

from pydantic import ValidationError

from engagement_assets.deployments.resources import resources_of
from engagement_assets.deployments.serving import text_events
from engagement_assets.serving.api.texts import TextsRequest, events_of
from engagement_assets.settings.installation import Settings, current_home
from engagement_assets.signals.sentiment.events import Outcome, TextEvents
from resources.claims import ClaimsError

logger = logging.getLogger("engagement.texts")
logger.setLevel(logging.INFO)


@cache
def _events() -> TextEvents:
    return text_events(resources_of(Settings.load(current_home())))


def handler(event: Any, context: Any) -> dict[str, Any]:
    """Score the texts of a batch of messages; those that must come again are named."""
    del context
    again = [record["messageId"] for record in event["Records"] if not _taken(record)]
    return {"batchItemFailures": [{"itemIdentifier": name} for name in again]}


def _taken(record: Any) -> bool:
    try:
        body = TextsRequest.model_validate_json(record["body"])
    except ValidationError as error:
        # without what was sent; the queue's dead letters keep it
        logger.error(
            "message %s is no body of texts: %s",
            record["messageId"],
            [problem["loc"] for problem in error.errors(include_input=False, include_url=False)],
        )
        return False
    try:
        return Outcome.HELD not in _events().handle(events_of(body))
    except ClaimsError as error:
        logger.error("message %s comes again: %s", record["messageId"], error)
        return False
