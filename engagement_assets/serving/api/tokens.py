"""JSON Web Tokens of an issuer that the installation trusts.

Belongs here: checking a token. Does not belong here: making one, which the issuer does.

Only signatures by a private key are accepted (RS256, ES256, EdDSA): `none` and shared secrets are
not, so that a public key can never be taken for a secret (RFC 8725).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jwt

from engagement_assets.settings.api import ApiSettings
from engagement_assets.settings.fields import SettingsError

ALGORITHMS = ("RS256", "ES256", "EdDSA")
REQUIRED = ("exp", "iat", "iss", "aud", "sub")
# An issuer's keys are asked for again after so long, and when a token names one that is not known.
KEYS_SECONDS = 300
REFUSALS: dict[type[Exception], str] = {
    jwt.ExpiredSignatureError: "has expired",
    jwt.ImmatureSignatureError: "is not valid yet: compare the clocks",
    jwt.InvalidAudienceError: "is for another audience",
    jwt.InvalidIssuerError: "is of another issuer",
}


class TokenError(Exception):
    """A token is not accepted; the message says why, without a word of what is in it."""


@dataclass
class TokenChecker:
    """Checks tokens of one issuer for one audience.

    Attributes:
        keys: An https:// address, or a JWKS as data.
        leeway: Seconds by which clocks may differ.
    """

    issuer: str
    audience: str
    keys: str | dict[str, Any]
    leeway: int = 30
    _client: jwt.PyJWKClient | None = field(default=None, init=False, repr=False)

    @classmethod
    def of(cls, settings: ApiSettings) -> TokenChecker | None:
        """The checker of the settings, or None where no issuer is named.

        Raises:
            SettingsError: The file of keys cannot be read.
        """
        if not settings.jwt_issuer:
            return None
        keys: str | dict[str, Any] = settings.jwt_keys
        if not settings.jwt_keys.startswith("https://"):
            keys = _keys_of(Path(settings.jwt_keys))
        return cls(settings.jwt_issuer, settings.jwt_audience, keys, settings.jwt_leeway_seconds)

    @property
    def is_remote(self) -> bool:
        """Whether keys are asked for over the network, which may take a while."""
        return isinstance(self.keys, str)

    def claims(self, token: str) -> dict[str, Any]:
        """The claims of a token that is accepted.

        Raises:
            TokenError: It is forged, expired, of another issuer or audience, or lacks a claim.
        """
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                self._key(token),
                algorithms=list(ALGORITHMS),
                issuer=self.issuer,
                audience=self.audience,
                leeway=self.leeway,
                options={"require": list(REQUIRED)},
            )
        except jwt.MissingRequiredClaimError as error:
            raise TokenError(f"the token lacks the claim {error.claim}") from error
        except (jwt.PyJWTError, ValueError) as error:
            raise TokenError(f"the token {REFUSALS.get(type(error), 'is not accepted')}") from error
        return claims

    def _key(self, token: str) -> Any:
        if isinstance(self.keys, str):
            if self._client is None:
                self._client = jwt.PyJWKClient(self.keys, lifespan=KEYS_SECONDS, timeout=5)
            return self._client.get_signing_key_from_jwt(token).key
        wanted = jwt.get_unverified_header(token).get("kid")
        known = jwt.PyJWKSet.from_dict(self.keys).keys
        for key in known:
            if key.key_id == wanted or (wanted is None and len(known) == 1):
                return key.key
        raise TokenError("the token is signed by a key that is not known")


def _keys_of(path: Path) -> dict[str, Any]:
    try:
        data: dict[str, Any] = json.loads(path.read_text())
        jwt.PyJWKSet.from_dict(data)
    except (OSError, ValueError, jwt.PyJWTError, AttributeError) as error:
        raise SettingsError(
            f"ENGAGEMENT_API_JWT_KEYS={path}: expected an https:// address or a file with a JWKS"
        ) from error
    return data
