"""API keys: making, keeping and checking them.

Belongs here: keys at rest and in requests. Does not belong here: JWT (`tokens.py`) and what a scope
opens (`routes.py`).

A key is `eng_<id>_<secret>`; the secret has 256 random bits. Only its SHA-256 is kept: a slow hash
guards words that people choose, which could be guessed, and a random secret of that length cannot.
The key is shown once, when it is made.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from engagement_assets.settings.api import is_rate
from resources.files import one_writer, replace_file

KEYS_FILE = "api_keys.json"
# what each opens of the chat: figures over many, one customer, lists of customers
ASK_SCOPES = {"ask_figures": "figures", "ask_customer": "customer", "ask_lists": "lists"}
SCOPES = ("read", "score", "contact", "events", "review", *ASK_SCOPES, "admin")
# A file is looked at again after so long, so that a key that was withdrawn stops working.
LOOK_AGAIN_SECONDS = 2.0
_SHA256 = re.compile(r"[0-9a-f]{64}")
_TOKEN = re.compile(r"eng_([0-9a-f]{12})_([0-9a-f]{64})")


class KeysError(ValueError):
    """The keys cannot be read, or a new one is not legal."""


@dataclass(frozen=True)
class ApiKey:
    """A key as it is kept.

    Attributes:
        id: 12 hexadecimal digits; it names the key in logs and errors.
        name: What it is for, in words.
        sha256: Hash of the whole key.
        scopes: What it opens, of `SCOPES`.
        created_at: When it was made (UTC, ISO 8601).
        expires_at: When it stops working; None for never.
        rate: Its own rate, such as `500/second`; None for the API's.
    """

    id: str
    name: str
    sha256: str
    scopes: tuple[str, ...]
    created_at: str
    expires_at: str | None = None
    rate: str | None = None

    def expired(self, now: datetime) -> bool:
        """Whether it has stopped working."""
        return self.expires_at is not None and datetime.fromisoformat(self.expires_at) <= now

    def check(self) -> None:
        """Check what no type says.

        Raises:
            ValueError: A scope, a rate or a time is not legal.
        """
        if _SHA256.fullmatch(self.sha256) is None:
            raise ValueError(f"the hash of the key {self.id} is no SHA-256")
        if not set(self.scopes) <= set(SCOPES):
            raise ValueError(f"the key {self.id} has scopes that there are not")
        if self.rate is not None and not is_rate(self.rate):
            raise ValueError(f"the rate of the key {self.id} is no rate")
        if self.expires_at and datetime.fromisoformat(self.expires_at).tzinfo is None:
            raise ValueError(f"the time at which the key {self.id} ends has no zone")


def new_key(
    name: str,
    scopes: Sequence[str],
    *,
    days: int | None = None,
    rate: str | None = None,
    now: datetime | None = None,
) -> tuple[ApiKey, str]:
    """Make a key.

    Returns:
        What is kept, and the key itself, which is not.

    Raises:
        KeysError: A scope or rate is not legal.
    """
    unknown = [scope for scope in scopes if scope not in SCOPES]
    if unknown or not scopes:
        raise KeysError(f"scopes {','.join(scopes) or '(none)'}: expected some of {SCOPES}")
    if rate is not None and not is_rate(rate):
        raise KeysError(f"rate {rate}: expected a number and a time such as 200/second")
    made = now or datetime.now(UTC)
    identity = secrets.token_hex(6)
    token = f"eng_{identity}_{secrets.token_hex(32)}"
    try:
        expires = None if days is None else (made + timedelta(days=days)).isoformat()
    except OverflowError as error:
        raise KeysError(f"days {days}: expected fewer, the calendar ends before") from error
    key = ApiKey(identity, name, _hash(token), tuple(scopes), made.isoformat(), expires, rate)
    return key, token


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


@dataclass(frozen=True)
class KeyRing:
    """Keys by id."""

    keys: Mapping[str, ApiKey] = field(default_factory=dict)

    @classmethod
    def parse(cls, data: Any, *, where: str) -> KeyRing:
        """Read what `to_data` gave.

        Raises:
            KeysError: It is of another form.
        """
        try:
            keys = TypeAdapter(list[ApiKey]).validate_python(data["keys"])
            for key in keys:
                key.check()
        except (KeyError, TypeError, ValueError) as error:
            raise KeysError(
                f"{where} is not usable: expected {{'keys': [...]}} of API keys as "
                f"`engagement api-key create` writes it; {_first_line(error)}"
            ) from error
        return cls({key.id: key for key in keys})

    def to_data(self) -> dict[str, Any]:
        """JSON data."""
        return {"keys": [asdict(key) for key in self.keys.values()]}

    def find(self, token: str, *, now: datetime | None = None) -> ApiKey | None:
        """The key that a token is, or None where it is none, is forged or has expired."""
        match = _TOKEN.fullmatch(token)
        if match is None:
            return None
        key = self.keys.get(match[1])
        # compared also where there is no such id, so that the time tells nothing
        same = hmac.compare_digest(_hash(token), key.sha256 if key else "0" * 64)
        if key is None or not same or key.expired(now or datetime.now(UTC)):
            return None
        return key


class KeyFile:
    """Keys in a file of the home, read again when it changes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._ring = KeyRing()
        self._seen: tuple[int, int] | None = None
        self._wrong: KeysError | None = None
        self._looked = -LOOK_AGAIN_SECONDS

    def ring(self) -> KeyRing:
        """The keys of now; none where there is no file.

        Raises:
            KeysError: The file is not one of keys.
        """
        if time.monotonic() - self._looked >= LOOK_AGAIN_SECONDS:
            self._looked = time.monotonic()
            self._look()
        if self._wrong is not None:
            # not the keys of before: one of them may have been withdrawn
            raise self._wrong
        return self._ring

    def _look(self) -> None:
        try:
            status = self.path.stat()
        except FileNotFoundError:
            self._ring, self._seen, self._wrong = KeyRing(), None, None
            return
        if (status.st_mtime_ns, status.st_size) != self._seen:
            self._wrong = None
            try:
                self._ring = read_keys(self.path)
            except KeysError as error:
                self._wrong = error
            self._seen = (status.st_mtime_ns, status.st_size)


@dataclass
class SecretKeys:
    """Keys in a secret of the same form as the file.

    Attributes:
        read: Reads the secret; it keeps the last answer for a few minutes itself.
        where: Names the secret in errors.
    """

    read: Callable[[], Mapping[str, Any]]
    where: str

    def ring(self) -> KeyRing:
        """The keys of now.

        Raises:
            KeysError: The secret cannot be read, or holds no keys.
        """
        try:
            data = self.read()
        except RuntimeError as error:
            raise KeysError(f"{self.where} cannot be read: {error}") from error
        return KeyRing.parse(data, where=self.where)


def read_keys(path: Path) -> KeyRing:
    """Read a file of keys; none where there is no file.

    Raises:
        KeysError: It is not one of keys.
    """
    if not path.exists():
        return KeyRing()
    try:
        data = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise KeysError(f"{path} is not usable: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise KeysError(f"{path} is not usable: it is not JSON") from error
    return KeyRing.parse(data, where=str(path))


def write_keys(path: Path, ring: KeyRing) -> None:
    """Write a file of keys that only its owner reads, whole or not at all."""
    before = os.umask(0o077)
    try:
        replace_file(path, (json.dumps(ring.to_data(), indent=1) + "\n").encode())
    finally:
        os.umask(before)


def add_key(
    path: Path,
    name: str,
    scopes: Sequence[str],
    *,
    days: int | None = None,
    rate: str | None = None,
) -> tuple[ApiKey, str]:
    """Make a key and put it into a file of keys.

    Raises:
        KeysError: The file is not one of keys, or a scope or rate is not legal.
    """
    key, token = new_key(name, scopes, days=days, rate=rate)
    with one_writer(path):
        write_keys(path, KeyRing({**read_keys(path).keys, key.id: key}))
    return key, token


def drop_key(path: Path, identity: str) -> None:
    """Take a key out of a file of keys.

    Raises:
        KeysError: It is not there.
    """
    with one_writer(path):
        keys = dict(read_keys(path).keys)
        if keys.pop(identity, None) is None:
            raise KeysError(f"there is no key {identity} in {path}")
        write_keys(path, KeyRing(keys))


def _first_line(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return str(error)
