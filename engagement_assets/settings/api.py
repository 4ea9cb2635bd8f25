"""Settings of the API, from the environment: `ENGAGEMENT_API_` and the field's name in capitals.

Belongs here: names, defaults and checks. Does not belong here: what they do.
"""

import os
import re
from typing import Any, ClassVar, Self

from pydantic import model_validator
from pydantic_settings import SettingsConfigDict

from engagement_assets.settings.fields import Declared, SettingsError, setting

PREFIX = "ENGAGEMENT_API_"
# of the deployment on AWS
NOT_OURS = f"{PREFIX}SECRET"
RATE = r"[1-9]\d{0,8}/(second|minute|hour|day)"


class ApiSettings(Declared):
    """How the API is served."""

    model_config = SettingsConfigDict(env_prefix=PREFIX)
    page: ClassVar[str] = "docs/api.md"

    host: str = setting(
        "127.0.0.1", "address to listen on; `0.0.0.0` behind a proxy, which others reach"
    )
    port: int = setting(8000, "port to listen on; `make serve API_PORT=…`", ge=0, le=65_535)
    workers: int = setting(1, "processes, one a core; each loads the models", ge=1)
    threads: int = setting(1, "customers scored at once in a worker; more make reads wait", ge=1)
    keys: str = setting("", "another file of API keys", shown="`<home>/api_keys.json`")
    jwt_issuer: str = setting("", "accept JWTs of this issuer; without it none is accepted")
    jwt_audience: str = setting("", "`aud` that a JWT must have")
    jwt_keys: str = setting("", "public keys of the issuer, a JWKS: an https:// address or a file")
    jwt_leeway_seconds: int = setting(
        30, "how far clocks may differ in `exp`, `nbf` and `iat`", ge=0, le=300
    )
    rate: str = setting(
        "200/second",
        "requests that a key may make; a key may have its own rate",
        pattern=f"^{RATE}$",
        expected="a number and a time such as 200/second or 6000/minute",
    )
    ask_rate: str = setting(
        "30/minute",
        "questions to the chat that a key may ask; a language model costs by question",
        pattern=f"^{RATE}$",
        expected="a number and a time such as 30/minute",
    )
    rate_storage: str = setting(
        "async+memory://",
        "where requests are counted: `async+redis://host:6379` shares counts between workers "
        "(`pip install redis`)",
    )
    max_body_bytes: int = setting(262_144, "larger bodies are 413", ge=1_024)
    body_seconds: float = setting(10.0, "a body that takes longer is 408", gt=0)
    header_seconds: float = setting(
        10.0, "a client that does not end its headers by then is cut off", gt=0
    )
    idle_seconds: float = setting(30.0, "a connection idle for longer is closed", gt=0)
    concurrency: int = setting(
        500, "requests answered at once in a worker; further ones are 503", ge=1
    )
    address_connections: int = setting(
        100,
        "connections at once from one address; behind a proxy, whose address all share, as many "
        "as `ENGAGEMENT_API_CONCURRENCY`",
        ge=1,
    )
    tls_certificate: str = setting(
        "", "PEM file of the certificate and its chain: the API ends TLS itself (1.2 or later)"
    )
    tls_key: str = setting("", "PEM file of its private key")
    docs: bool = setting(False, "1 opens `/docs` and `/openapi.json` to anybody; for development")
    lake: bool = setting(True, "0 asks the store alone, and never the lake")
    warm_sentiment: bool = setting(
        True, "0 loads the sentiment model with the first text instead of at the start"
    )

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown(cls, values: Any) -> Any:
        known = set(cls.variables().values())
        for name in os.environ:
            if name.startswith(PREFIX) and name not in {*known, NOT_OURS}:
                raise SettingsError(
                    f"{name} is no setting; those of the API are {', '.join(sorted(known))}"
                )
        return values

    @model_validator(mode="after")
    def _check_pairs(self) -> Self:
        if bool(self.tls_key) != bool(self.tls_certificate):
            raise SettingsError(f"{PREFIX}TLS_KEY: expected certificate and key together")
        if self.jwt_issuer and not (self.jwt_keys and self.jwt_audience):
            raise SettingsError(
                f"{PREFIX}JWT_ISSUER: expected keys and audience wherever there is an issuer"
            )
        return self


def is_rate(text: str) -> bool:
    """Whether a text is a number of requests a time."""
    return re.fullmatch(RATE, text) is not None
