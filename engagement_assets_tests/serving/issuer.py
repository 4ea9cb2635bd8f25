"""An issuer of tokens for tests."""

import json
import time
from dataclasses import dataclass, field
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

ISSUER = "https://issuer.example"
AUDIENCE = "engagement-test"


@dataclass
class Issuer:
    """Signs tokens with a key of its own."""

    kid: str = "first"
    key: Any = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def jwk(self) -> dict[str, Any]:
        public = json.loads(ECAlgorithm.to_jwk(self.key.public_key()))
        return public | {"kid": self.kid, "use": "sig", "alg": "ES256"}

    def token(self, **claims: Any) -> str:
        now = int(time.time())
        told = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": "jane.doe@example.com",
            "iat": now,
            "exp": now + 600,
            "scope": "read score",
        }
        kept = {name: value for name, value in (told | claims).items() if value is not None}
        return jwt.encode(kept, self.key, algorithm="ES256", headers={"kid": self.kid})


def jwks(*issuers: Issuer) -> dict[str, Any]:
    return {"keys": [issuer.jwk() for issuer in issuers]}
