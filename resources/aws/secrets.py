"""Secrets from Secrets Manager.

Belongs here: reading one, and keeping it for a few minutes, so that a change is noticed and not
every request asks. Does not belong here: what a secret means to whoever reads it.
"""

import json
import threading
import time
from typing import Any

from resources.aws.clients import aws_call, client
from resources.aws.errors import AwsError

KEPT_SECONDS = 300.0


# secrets that were read, each with the time until which it holds
_ANSWERS: dict[tuple[str, str], tuple[float, dict[str, Any]]] = {}
_LOCK = threading.Lock()


def read_secret(name: str, *, region: str, kept_seconds: float = KEPT_SECONDS) -> dict[str, Any]:
    """Read a secret that holds one JSON object.

    The last answer is good enough for `kept_seconds`; 0 always asks.

    Raises:
        AwsError: It is not there, may not be read, or is not a JSON object. The message never
            holds what the secret says.
    """
    with _LOCK:
        until, value = _ANSWERS.get((region, name), (0.0, {}))
        if kept_seconds and time.monotonic() < until:
            return dict(value)
        value = _read(name, region)
        _ANSWERS[region, name] = (time.monotonic() + kept_seconds, value)
        return dict(value)


def _read(name: str, region: str) -> dict[str, Any]:
    secrets = client("secretsmanager", region)
    with aws_call(f"reading the secret {name}"):
        try:
            answer = secrets.get_secret_value(SecretId=name)
        except secrets.exceptions.ResourceNotFoundException as error:
            raise AwsError(
                f"reading the secret {name}: there is none of that name in {region}"
            ) from error
    try:
        value = json.loads(answer.get("SecretString", ""))
    except json.JSONDecodeError:
        # not chained: the cause would show the secret
        raise AwsError(f"the secret {name} is not JSON: expected one JSON object") from None
    if not isinstance(value, dict):
        raise AwsError(f"the secret {name} is a JSON {type(value).__name__}, not an object")
    return value
