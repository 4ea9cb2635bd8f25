"""Where messages are sent: alerts besides the log, and what customers are to receive.

Belongs here: one way of sending each, and what becomes of those that could not be sent. Does not
belong here: finding what failed (`alerts.py`) and what may be sent at all.
"""

import base64
import hashlib
import hmac
import http.client
import json
import logging
import urllib.error
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from time import time

logger = logging.getLogger(__name__)

WEBHOOK_TIMEOUT_SECONDS = 10
SECRET_PREFIX = "whsec_"  # noqa: S105 - how such secrets begin, not one


class NotSentError(Exception):
    """A message was not taken.

    Attributes:
        answers: Whether the other side is there, so that the next message is worth a try.
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
    """Posts each message as JSON to an http or https address."""

    name = "webhook"

    def __init__(self, url: str) -> None:
        self.url = url

    def headers(self, message: Mapping[str, object], body: bytes) -> dict[str, str]:
        """Return the headers of a message besides its type."""
        del message, body
        return {}

    def send(self, alert: dict) -> None:
        """Post one message."""
        body = json.dumps(alert).encode()
        request = urllib.request.Request(  # noqa: S310 - settings allow http(s) only
            self.url,
            data=body,
            headers={"Content-Type": "application/json", **self.headers(alert, body)},
        )
        try:
            with urllib.request.urlopen(request, timeout=WEBHOOK_TIMEOUT_SECONDS):  # noqa: S310 - http(s) only
                pass
        except (OSError, http.client.HTTPException, ValueError) as error:
            answers = isinstance(error, urllib.error.HTTPError)
            raise NotSentError(str(error), answers=answers) from error


class SignedWebhook(Webhook):
    """Posts messages that the receiver can check, as https://www.standardwebhooks.com says.

    Args:
        url: The address.
        secret: `whsec_` and the key in base64; the receiver has the same.
        id_field: The member that names a message, the same however often it is sent.
    """

    def __init__(self, url: str, secret: str, *, id_field: str) -> None:
        super().__init__(url)
        self.key, self.id_field = base64.b64decode(secret.removeprefix(SECRET_PREFIX)), id_field

    def headers(self, message: Mapping[str, object], body: bytes) -> dict[str, str]:
        """Return name, time and signature of a message."""
        name, at = str(message[self.id_field]), str(int(time()))
        signature = hmac.new(self.key, f"{name}.{at}.".encode() + body, hashlib.sha256).digest()
        return {
            "webhook-id": name,
            "webhook-timestamp": at,
            "webhook-signature": f"v1,{base64.b64encode(signature).decode()}",
        }
