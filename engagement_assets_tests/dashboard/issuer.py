"""A small OpenID issuer on this machine: discovery, authorization with PKCE, token and keys.

Whoever comes is signed in at once as whoever `claims` names. Belongs here: the protocol. Does not
belong here: what a dashboard makes of a sign-in (`test_dashboard_oidc.py`).
"""

import base64
import hashlib
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import uvicorn
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse
from starlette.routing import Route

from engagement_assets_tests.browser import free_port

CLIENT = "dashboard"


def _key() -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": "of-the-issuer"})


@dataclass
class Issuer:
    """An issuer and who signs in next.

    Attributes:
        url: Its address.
        secret: What the client proves itself by.
        claims: Of who signs in next, over those that the protocol asks for.
        lasts: Seconds until a token expires; negative for one that has.
        key: What tokens are signed with.
        asked: Redirects and tokens that were asked for.
    """

    url: str
    secret: str = field(default_factory=lambda: secrets.token_hex(16))
    claims: dict[str, Any] = field(default_factory=dict)
    lasts: float = 3600.0
    key: RSAKey = field(default_factory=_key)
    asked: list[str] = field(default_factory=list)
    _own: RSAKey = field(init=False)
    _codes: dict[str, dict[str, str]] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self._own = self.key

    def signs_in(self, *, lasts: float = 3600.0, key: RSAKey | None = None, **claims: Any) -> None:
        """Say who signs in next; with another key than the published one a token is forged."""
        self.claims, self.lasts, self.key = claims, lasts, key or self._own

    def app(self) -> Starlette:
        """Return what answers."""
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._discovery),
                Route("/keys", self._keys),
                Route("/authorize", self._authorize),
                Route("/token", self._token, methods=["POST"]),
            ]
        )

    async def _discovery(self, _: Request) -> JSONResponse:
        return JSONResponse(
            {
                "issuer": self.url,
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
                "jwks_uri": f"{self.url}/keys",
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "code_challenge_methods_supported": ["S256"],
            }
        )

    async def _keys(self, _: Request) -> JSONResponse:
        return JSONResponse(KeySet([self._own]).as_dict(private=False))

    async def _authorize(self, request: Request) -> RedirectResponse:
        asked = dict(request.query_params)
        code = secrets.token_urlsafe(16)
        self._codes[code] = asked
        self.asked.append("authorize")
        back = urlencode({"code": code, "state": asked["state"]})
        return RedirectResponse(f"{asked['redirect_uri']}?{back}", status_code=302)

    async def _token(self, request: Request) -> JSONResponse:
        form = await request.form()
        asked = self._codes.pop(str(form["code"]), None)
        proof = hashlib.sha256(str(form.get("code_verifier", "")).encode()).digest()
        challenge = base64.urlsafe_b64encode(proof).rstrip(b"=").decode()
        basic = base64.b64encode(f"{CLIENT}:{self.secret}".encode()).decode()
        if (
            asked is None
            or request.headers.get("authorization") != f"Basic {basic}"
            or challenge != asked["code_challenge"]
            or form["redirect_uri"] != asked["redirect_uri"]
        ):
            return JSONResponse({"error": "invalid_grant"}, status_code=400)
        self.asked.append("token")
        now = time.time()
        claims = {
            "iss": self.url,
            "aud": CLIENT,
            "iat": int(now - 7200),
            "exp": int(now + self.lasts),
            "nonce": asked["nonce"],
            **self.claims,
        }
        token = jwt.encode({"alg": "RS256", "kid": "of-the-issuer"}, claims, self.key)
        return JSONResponse(
            {"access_token": secrets.token_urlsafe(), "token_type": "Bearer", "id_token": token}
        )


@contextmanager
def issuer() -> Iterator[Issuer]:
    """Run an issuer until the block ends."""
    port = free_port()
    made = Issuer(f"http://127.0.0.1:{port}")
    server = uvicorn.Server(
        uvicorn.Config(made.app(), host="127.0.0.1", port=port, log_level="error")
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        if not thread.is_alive():
            raise RuntimeError("the issuer did not start")
        time.sleep(0.05)
    try:
        yield made
    finally:
        server.should_exit = True
        thread.join(timeout=30)
