"""Who was erased, as hashes that name nobody, and the certificates of it.

    <root>/key                      32 random bytes, hexadecimal; made once, never changed
    <root>/tombstones.json          when which hash was erased, and a seal over it
    <root>/pending.json             an erasure that was begun and not ended: whom it is about
    <root>/certificates/<id>.json   what was removed where, signed

A tombstone is the keyed hash of a customer id, so that a row that is delivered or restored again is
recognised. Whoever has the key and guesses an id can tell that it was erased, and nothing else.
Keep this folder out of what a backup restores: older tombstones would let the erased back in.

Belongs here: the folder. Does not belong here: erasing.
"""

import fcntl
import hmac
import json
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import Field
from upath import UPath

from resources.changes import change_atomically
from resources.files import RESTORE, DamagedFileError, parsed
from resources.lake import put_atomically

KEY, TOMBSTONES, PENDING, CERTIFICATES = "key", "tombstones.json", "pending.json", "certificates"
SEAL = "seal"
KEY_BYTES = 32
# What an erasure that was begun says of whom it is about, each a list of texts.
BEGUN = ("ids", "values", "known_since")


class ErasureError(RuntimeError):
    """Something could not be erased, or it is not known whether it was."""


_HASH = re.compile("[0-9a-f]{64}")


@dataclass
class Erasures:
    """The folder of tombstones and certificates.

    Attributes:
        root: The folder; made with the first erasure.
    """

    root: UPath
    # ids that were looked at and are not among the erased
    _others: set[str] = field(default_factory=set, repr=False)

    def tombstones(self) -> frozenset[str]:
        """Return the hashes of those who were erased.

        Raises:
            DamagedFileError: The file is gone or is not what was written.
        """
        return frozenset(self._buried())

    def bury(self, customer_ids: Iterable[str], *, at: str) -> list[str]:
        """Keep the hashes of some customers for good; returns theirs."""
        own = [self.hashed(name) for name in sorted(customer_ids)]

        def changed(text: str | None) -> str:
            stones = {**dict.fromkeys(own, at), **self._opened(text)}
            return _text(stones | {SEAL: self._seal(stones)})

        change_atomically(self.root / TOMBSTONES, changed)
        self._others.clear()
        return own

    def hashed(self, customer_id: str) -> str:
        """Return the hash of an id."""
        return hmac.digest(self.derived("tombstone"), customer_id.encode(), "sha256").hex()

    def erased(self, customer_ids: Iterable[str]) -> set[str]:
        """Return those of some ids that were erased."""
        buried = self.tombstones()
        if not buried:
            return set()
        fresh = set(customer_ids) - self._others
        erased = {name for name in fresh if self.hashed(name) in buried}
        self._others |= fresh - erased
        return erased

    def rows(self, ids: pa.ChunkedArray) -> np.ndarray:
        """Return which of n ids, of any type, were erased."""
        texts = ids.cast(pa.string())
        erased = self.erased(pc.unique(texts).drop_null().to_pylist())
        mask = pc.is_in(texts, value_set=pa.array(sorted(erased), pa.string()))
        return np.asarray(mask.to_numpy(zero_copy_only=False), dtype=bool)

    def derived(self, purpose: str) -> bytes:
        """Return a key of 32 bytes for one purpose."""
        return hmac.digest(bytes.fromhex(self._key()), purpose.encode(), "sha256")

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Let one erasure of this machine be at work; on an object store nothing holds others off.

        Raises:
            ErasureError: Another is.
        """
        if self.root.protocol not in ("", "file"):
            yield
            return
        folder = Path(str(self.root))
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / ".erasing.lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise ErasureError("another erasure is at work: wait for it, then again") from error
            yield

    @property
    def pending(self) -> dict[str, list[str]]:
        """Whom an erasure that was not ended is about: `ids`, `values` and `known_since`.

        Raises:
            DamagedFileError: It does not say whom.
        """
        begun = self._read(PENDING)
        try:
            if not all(isinstance(text, str) for name in begun for text in _listed(begun[name])):
                raise TypeError("an entry is no text")
            if set(begun) - set(BEGUN):
                raise ValueError(f"{', '.join(BEGUN)} were expected, there are {', '.join(begun)}")
            for day in begun.get("known_since", ()):
                date.fromisoformat(day)
        except (TypeError, ValueError) as error:
            raise DamagedFileError(
                f"{self.root / PENDING} does not say whom an erasure is about ({error}): {RESTORE}"
            ) from error
        return begun

    def begin(self, pending: Mapping[str, Sequence[str]]) -> None:
        """Note whom an erasure is about, so that it can be ended after a crash."""
        self._write(PENDING, pending)

    def certify(self, statement: Mapping[str, Any]) -> dict[str, Any]:
        """End an erasure: sign what was done and keep it under its id; returns the certificate."""
        private = Ed25519PrivateKey.from_private_bytes(self.derived("certificate"))
        public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        signature = {
            "algorithm": "Ed25519",
            "public_key": public.hex(),
            "value": private.sign(_canonical(statement)).hex(),
        }
        certificate = {**statement, "signature": signature}
        self._write(f"{CERTIFICATES}/{statement['certificate_id']}.json", certificate)
        (self.root / PENDING).unlink(missing_ok=True)
        return certificate

    def _key(self) -> str:
        path = self.root / KEY
        if not path.exists():
            # looked for again after the tombstones: another erasure may have written both meanwhile
            if self._read(TOMBSTONES) and not path.exists():
                raise ErasureError(
                    f"{path} is gone: without it the erased are not recognised; restore it"
                )
            # of two that make it at once the second takes the first one's
            change_atomically(path, lambda text: text or secrets.token_hex(KEY_BYTES))
            if path.protocol in ("", "file"):
                path.chmod(0o600)
        key: bytes = path.read_bytes().strip()
        if not re.fullmatch(rb"[0-9a-f]{%d}" % (2 * KEY_BYTES), key):
            raise DamagedFileError(
                f"{path} holds no key of {KEY_BYTES} bytes in hexadecimal: restore it; without it "
                "the erased are not recognised"
            )
        return key.decode()

    def certificates(self) -> list[dict[str, Any]]:
        """Return every certificate, the oldest first.

        Raises:
            DamagedFileError: One is no JSON object; the message names it.
        """
        folder = self.root / CERTIFICATES
        paths = folder.glob("*.json") if folder.exists() else ()
        read = [parsed(path, path.read_bytes()) for path in paths]
        # whether one was changed is asked of its signature (`is_genuine`)
        return sorted(read, key=lambda one: str(one.get("ended_at")))

    def _buried(self) -> dict[str, Any]:
        path = self.root / TOMBSTONES
        return self._opened(path.read_bytes() if path.exists() else None)

    def _opened(self, text: str | bytes | None) -> dict[str, Any]:
        """Return tombstones as a file holds them, without their seal."""
        path = self.root / TOMBSTONES
        stones = {} if text is None else parsed(path, text)
        # an older release wrote none
        seal = stones.pop(SEAL, None)
        if (
            not all(_HASH.fullmatch(name) for name in stones)
            or (seal is not None and seal != self._seal(stones))
            or (not stones and (self.root / CERTIFICATES).exists())
        ):
            raise DamagedFileError(
                f"{path} is gone or is not what was written: without it the erased come back; "
                "restore its newest copy"
            )
        return stones

    def _seal(self, stones: Mapping[str, Any]) -> str:
        return hmac.digest(self.derived("seal"), _canonical(stones), "sha256").hex()

    def _read(self, name: str) -> dict[str, Any]:
        path = self.root / name
        return parsed(path, path.read_bytes()) if path.exists() else {}

    def _write(self, name: str, content: Mapping[str, Any]) -> None:
        put_atomically(self.root / name, _text(content).encode())


def is_genuine(certificate: Mapping[str, Any]) -> bool:
    """Return whether a certificate says what was signed; compare its public key with yours."""
    statement = {name: value for name, value in certificate.items() if name != "signature"}
    try:
        signature = certificate["signature"]
        public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(signature["public_key"]))
        public.verify(bytes.fromhex(signature["value"]), _canonical(statement))
    # a signature of another form is none
    except (InvalidSignature, LookupError, TypeError, ValueError):
        return False
    return True


def _listed(texts: Any) -> list[Any]:
    if not isinstance(texts, list):
        raise TypeError("lists were expected")
    return texts


def _text(content: Mapping[str, Any]) -> str:
    return json.dumps(content, indent=1, sort_keys=True)


def _canonical(statement: Mapping[str, Any]) -> bytes:
    return json.dumps(statement, sort_keys=True, separators=(",", ":")).encode()


class ErasuresResource(dg.ConfigurableResource):
    """The folder of tombstones and certificates."""

    root: str = Field(description="Folder or URL; keep it out of what a backup restores.")
    options: dict[str, Any] = Field(
        default_factory=dict, description="What fsspec needs for that URL; nothing for a folder."
    )

    @property
    def erasures(self) -> Erasures:
        """The folder."""
        return Erasures(UPath(self.root, **self.options))
