"""Who may see which page: the token of a start, and roles from the claims of a sign-in.

Belongs here: what is allowed. Does not belong here: asking a person (`app.py`).
"""

import hmac
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from engagement_assets.chat.tools import FIGURES, LISTS, ONE
from engagement_assets.settings.dashboard import PREFIX, ROLES

TOKEN_VARIABLE = f"{PREFIX}TOKEN"
UNTIL_VARIABLE = f"{PREFIX}TOKEN_UNTIL"
# of the address that lets a person in
GIVEN = "token"
# one text for a token that is missing, wrong or expired: it tells a stranger nothing
REFUSED = "This needs the address that `make dashboard` printed when it started."
# roles that may see single customers
SEE_CUSTOMERS = frozenset({"support", "reviewer", "admin"})
# everybody with a role
EVERYBODY = frozenset(ROLES)
ANALYSTS = frozenset({"analyst", "admin"})
REVIEWERS = frozenset({"reviewer", "admin"})
GOVERNANCE = frozenset({"analyst", "reviewer", "admin"})


@dataclass(frozen=True)
class Viewer:
    """A person who looks.

    Attributes:
        roles: What the person may see and do.
        name: Who it is, for the record of what people decide.
    """

    roles: frozenset[str]
    name: str

    @property
    def sees_customers(self) -> bool:
        """Whether single customers may be shown."""
        return bool(self.roles & SEE_CUSTOMERS)

    def may_see(self, roles: Collection[str]) -> bool:
        """Whether a page for some roles is for this person."""
        return bool(self.roles & frozenset(roles))


@dataclass(frozen=True)
class Token:
    """A secret that lets in whoever has it, until it expires."""

    value: str
    until: datetime

    @classmethod
    def new(cls, *, hours: float, now: datetime) -> "Token":
        """Return a token that nobody can guess."""
        return cls(secrets.token_urlsafe(32), now + timedelta(hours=hours))

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> "Token | None":
        """Return the token of the start, or None where nothing gave one."""
        value, until = environ.get(TOKEN_VARIABLE), environ.get(UNTIL_VARIABLE)
        return cls(value, datetime.fromisoformat(until)) if value and until else None

    def as_environ(self) -> dict[str, str]:
        """Return the variables that hand it to the server."""
        return {TOKEN_VARIABLE: self.value, UNTIL_VARIABLE: self.until.isoformat()}

    def opens(self, given: str, *, now: datetime) -> bool:
        """Whether a text is this token, and it has not expired."""
        same = hmac.compare_digest(given.encode(), self.value.encode())
        return same and now < self.until


def viewer_by_token(token: Token | None, given: str, role: str, *, now: datetime) -> Viewer | None:
    """Return who has a token, or None where it opens nothing."""
    if token is None or not token.opens(given, now=now):
        return None
    # whoever has one token is one person: two verdicts need two sign-ins
    return Viewer(frozenset({role}), "dashboard:token")


def scopes_of(viewer: Viewer) -> frozenset[str]:
    """Return what a person may ask: figures, one customer, or lists of customers too."""
    one = {ONE} if viewer.sees_customers else set()
    return frozenset({FIGURES} | one | ({LISTS} if "admin" in viewer.roles else set()))


def viewer_by_claims(claims: Mapping[str, Any], claim: str, *, now: datetime) -> Viewer | None:
    """Return who signed in, or None where claims name no person or role, or have expired."""
    expires = claims.get("exp")
    if not isinstance(expires, int | float) or datetime.fromtimestamp(expires, UTC) <= now:
        return None
    named = claims.get(claim)
    names = named.split() if isinstance(named, str) else named if isinstance(named, list) else []
    roles = frozenset(name for name in names if isinstance(name, str)) & EVERYBODY
    subject = claims.get("sub")
    if not roles or not isinstance(subject, str) or not subject:
        return None
    return Viewer(roles, f"dashboard:{subject}")
