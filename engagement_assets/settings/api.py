"""Settings of the API, from the environment.

Belongs here: names, defaults and checks. Does not belong here: what they do. Each is documented
with its field and in `docs/api.md`; the variable of a field is `ENGAGEMENT_API_` and its name in
capitals.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

PREFIX = "ENGAGEMENT_API_"


class ApiSettingsError(ValueError):
    """A setting has no legal value; the message names it and says what is."""


@dataclass(frozen=True)
class ApiSettings:
    """How the API is served.

    Attributes:
        host: Address to listen on. Only this machine by default; `0.0.0.0` behind a proxy.
        port: Port to listen on.
        workers: Processes. Each loads the models; one a core.
        threads: Customers that are scored at once in a worker; more make reads wait.
        keys: File of API keys; `api_keys.json` in the home when empty.
        jwt_issuer: `iss` that a JWT must have; without it no JWT is accepted.
        jwt_audience: `aud` that a JWT must have.
        jwt_keys: Public keys of the issuer: an https:// address or a file of a JWKS.
        jwt_leeway_seconds: Difference of clocks that is forgiven in `exp`, `nbf` and `iat`.
        rate: Requests that a key may make, such as `200/second` or `6000/minute`; a key may have
            its own.
        rate_storage: Where requests are counted: each worker for itself, or a shared Redis
            (`async+redis://host:6379`, with the package `redis`).
        max_body_bytes: Bodies beyond it are refused before they are read.
        body_seconds: A body that has not come by then is given up.
        header_seconds: A request line and headers that have not come by then are given up.
        idle_seconds: A connection without a request is closed after so long.
        concurrency: Connections at once; further ones are answered 503.
        tls_certificate: PEM file of the certificate and its chain; without it the API speaks
            plain HTTP and must stand behind something that ends TLS.
        tls_key: PEM file of its private key.
        docs: Whether `/docs` and `/openapi.json` are open to anybody; for development.
        lake: Whether customers who are not in the store are looked up in the lake.
        warm_sentiment: Whether the sentiment model is loaded right after the start, so that the
            first text does not wait for it.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 1
    threads: int = 1
    keys: str = ""
    jwt_issuer: str = ""
    jwt_audience: str = ""
    jwt_keys: str = ""
    jwt_leeway_seconds: int = 30
    rate: str = "200/second"
    rate_storage: str = "async+memory://"
    max_body_bytes: int = 262_144
    body_seconds: float = 10.0
    header_seconds: float = 10.0
    idle_seconds: float = 30.0
    concurrency: int = 500
    tls_certificate: str = ""
    tls_key: str = ""
    docs: bool = False
    lake: bool = True
    warm_sentiment: bool = True

    def __post_init__(self) -> None:
        checks = {
            "port": (0 <= self.port <= 65_535, "0 to 65535"),
            "workers": (self.workers >= 1, "at least 1"),
            "threads": (self.threads >= 1, "at least 1"),
            "jwt_leeway_seconds": (0 <= self.jwt_leeway_seconds <= 300, "0 to 300"),
            "rate": (is_rate(self.rate), "a number and a time such as 200/second"),
            "max_body_bytes": (self.max_body_bytes >= 1_024, "at least 1024"),
            "body_seconds": (self.body_seconds > 0, "more than 0"),
            "header_seconds": (self.header_seconds > 0, "more than 0"),
            "idle_seconds": (self.idle_seconds > 0, "more than 0"),
            "concurrency": (self.concurrency >= 1, "at least 1"),
            "tls_key": (
                bool(self.tls_key) == bool(self.tls_certificate),
                "certificate and key together",
            ),
            "jwt_issuer": (
                not self.jwt_issuer or bool(self.jwt_keys and self.jwt_audience),
                "keys and audience wherever there is an issuer",
            ),
        }
        for name, (holds, expected) in checks.items():
            if not holds:
                raise ApiSettingsError(f"{PREFIX}{name.upper()}: expected {expected}")

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Read the variables that are set.

        Raises:
            ApiSettingsError: One is unknown or has no legal value.
        """
        kinds = {field.name: field.type for field in fields(cls)}
        given: dict[str, Any] = {}
        for variable, text in environ.items():
            if not variable.startswith(PREFIX) or variable == f"{PREFIX}SECRET":
                continue
            name = variable.removeprefix(PREFIX).lower()
            if name not in kinds:
                known = ", ".join(f"{PREFIX}{field.upper()}" for field in kinds)
                raise ApiSettingsError(f"{variable} is no setting; those of the API are {known}")
            given[name] = _typed(variable, kinds[name], text)
        return cls(**given)


def is_rate(text: str) -> bool:
    """Whether a text is a number of requests a time."""
    return re.fullmatch(r"[1-9]\d{0,8}/(second|minute|hour|day)", text) is not None


def _typed(variable: str, kind: Any, text: str) -> Any:
    if kind is bool:
        if text.lower() not in ("0", "1", "true", "false"):
            raise ApiSettingsError(f"{variable}={text}: expected 1 or 0")
        return text.lower() in ("1", "true")
    try:
        return kind(text)
    except ValueError as error:
        raise ApiSettingsError(f"{variable}={text}: expected a number") from error
