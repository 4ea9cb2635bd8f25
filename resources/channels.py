"""Where alerts are sent besides the log.

Belongs here: one way of sending each, and what becomes of those that could not be sent. Does not
belong here: finding what failed (`alerts.py`).
"""

import http.client
import json
import logging
import urllib.error
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Iterable

logger = logging.getLogger(__name__)

WEBHOOK_TIMEOUT_SECONDS = 10


class NotSentError(Exception):
    """An alert was not taken.

    Attributes:
        answers: Whether the other side is there, so that the next alert is worth a try.
    """

    def __init__(self, message: str, *, answers: bool) -> None:
        super().__init__(message)
        self.answers = answers


class Channel(ABC):
    """One way of telling alerts; what it does not take is tried again at the next look."""

    name: str

    @abstractmethod
    def send(self, alert: dict) -> None:
        """Send one alert.

        Raises:
            NotSentError: It was not taken.
        """

    def send_all(self, alerts: Iterable[dict]) -> list[dict]:
        """Send alerts; gives back those that could not be sent."""
        unsent: list[dict] = []
        answers = True
        for alert in alerts:
            if not answers:
                # one that is down is not waited for again with each alert
                unsent.append(alert)
                continue
            try:
                self.send(alert)
            except NotSentError as error:
                logger.warning(
                    "the %s did not take an alert (%s); tried again later", self.name, error
                )
                unsent.append(alert)
                answers = error.answers
        return unsent


class Webhook(Channel):
    """Posts each alert as JSON to an http or https address."""

    name = "webhook"

    def __init__(self, url: str) -> None:
        self.url = url

    def send(self, alert: dict) -> None:
        """Post one alert."""
        request = urllib.request.Request(  # noqa: S310 - settings allow http(s) only
            self.url,
            data=json.dumps(alert).encode(),
            headers={"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=WEBHOOK_TIMEOUT_SECONDS):  # noqa: S310 - http(s) only
                pass
        except (OSError, http.client.HTTPException, ValueError) as error:
            answers = isinstance(error, urllib.error.HTTPError)
            raise NotSentError(str(error), answers=answers) from error
