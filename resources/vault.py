"""Encryption of the lake's files on one machine, under keys that lie outside of it.

A file is a mark, the name of its key, a nonce, and what AES-256-GCM makes of the content. Its place
in the lake is authenticated with it, so that a file in another's place is refused. A file without
the mark is plain, so that a lake can be encrypted while it is in use. Whole files and not columns:
DuckDB reads no Parquet file whose columns have keys, and of one with a single key it refuses those
of several pages (docs/decisions/0172-an-encrypted-lake.md).

Belongs here: what is done with a file's bytes. Does not belong here: where files lie
(`lake.py`, `lake_files.py`).
"""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import IO, Any, ClassVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from fsspec.implementations.local import LocalFileSystem

from resources.key_files import KeyFileError, keys_in

MARK = b"ELK1"
_NAME_BYTES, _NONCE_BYTES, _TAG_BYTES = 4, 12, 16
_HEAD = len(MARK) + _NAME_BYTES + _NONCE_BYTES
PROTOCOL = "vault"


class VaultError(RuntimeError):
    """A key is not at hand; the message names its file."""


class ChangedFileError(ValueError):
    """A file was changed or moved since it was encrypted; the message names it."""


@dataclass(frozen=True)
class Vault:
    """Encrypts and decrypts files under one root.

    Attributes:
        root: The folder, absolute, to which the places of files are relative.
        key_file: A file of hexadecimal keys, a line each: the first encrypts, each decrypts.
    """

    root: Path
    key_file: Path

    def encrypted(self, path: Path, content: bytes) -> bytes:
        """Return the content of a file as it is to be written.

        Raises:
            VaultError: There is no key.
        """
        name, key = next(iter(self._keys().items()))
        nonce = os.urandom(_NONCE_BYTES)
        return MARK + name + nonce + AESGCM(key).encrypt(nonce, content, self._place(path))

    def decrypted(self, path: Path, content: bytes) -> bytes:
        """Return what was written as a file; plain content is given back as it is.

        Raises:
            VaultError: Its key is not there.
            ChangedFileError: It was changed or moved.
        """
        if not content.startswith(MARK):
            return content
        name = content[len(MARK) : len(MARK) + _NAME_BYTES]
        nonce = content[len(MARK) + _NAME_BYTES : _HEAD]
        key = self._keys().get(name)
        if key is None:
            raise VaultError(
                f"{path} is encrypted with a key that {self.key_file} does not hold: add it there "
                "as a further line"
            )
        try:
            return AESGCM(key).decrypt(nonce, content[_HEAD:], self._place(path))
        except InvalidTag as error:
            raise ChangedFileError(f"{path} was changed or moved since it was encrypted") from error

    def is_current(self, content: bytes) -> bool:
        """Whether content is encrypted with the first key.

        Raises:
            VaultError: There is no key.
        """
        return content.startswith(MARK + next(iter(self._keys())))

    def _keys(self) -> Mapping[bytes, bytes]:
        try:
            changed = self.key_file.stat().st_mtime_ns
        except OSError as error:
            raise VaultError(
                f"{self.key_file}: {error.strerror}: restore the file of the lake's keys, without "
                "which nobody reads it"
            ) from error
        return _keys_of(self.key_file, changed)

    def _place(self, path: Path) -> bytes:
        return path.absolute().relative_to(self.root).as_posix().encode()


@lru_cache(maxsize=8)
def _keys_of(path: Path, changed: int) -> Mapping[bytes, bytes]:  # noqa: ARG001 - read again once changed
    try:
        keys = keys_in(path)
    except KeyFileError as error:
        raise VaultError(str(error)) from error
    return {hashlib.sha256(key).digest()[:_NAME_BYTES]: key for key in keys}


def is_encrypted(file: IO[bytes]) -> bool:
    """Whether a file begins as an encrypted one does; it is left at its beginning."""
    begin = file.read(len(MARK))
    file.seek(0)
    return begin == MARK


class VaultFileSystem(LocalFileSystem):  # type: ignore[misc]  # fsspec has no types
    """The files under a vault's root as they were before encryption, for DuckDB to read.

    Args:
        vault: Decrypts them.
    """

    protocol: ClassVar[Any] = PROTOCOL
    cachable = False

    def __init__(self, vault: Vault) -> None:
        super().__init__()
        self._vault = vault

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        if isinstance(path, list):
            return [cls._strip_protocol(one) for one in path]
        return super()._strip_protocol(str(path).removeprefix(f"{PROTOCOL}://"))

    def _open(self, path: str, mode: str = "rb", **_: Any) -> IO[bytes]:
        if mode != "rb":
            raise VaultError(f"{path}: the vault is only read here")
        content = Path(path).read_bytes()
        return BytesIO(self._vault.decrypted(Path(path), content))

    def info(self, path: str, **options: Any) -> dict[str, Any]:
        """What is known of a file; its size is that of the content."""
        known: dict[str, Any] = super().info(path, **options)
        if known["type"] == "file":
            with Path(known["name"]).open("rb") as file:
                if is_encrypted(file):
                    known["size"] -= _HEAD + _TAG_BYTES
        return known
