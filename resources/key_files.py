"""Files of hexadecimal keys, a line each, that only their owner may read.

Belongs here: making one and reading its keys. Does not belong here: what a key is for and where its
file may lie.
"""

import secrets
from pathlib import Path

from resources.files import create_file

KEY_BYTES = 32


class KeyFileError(ValueError):
    """A file holds no keys; the message names it and says what is expected."""


def make_key(path: Path) -> None:
    """Make a file with a key unless it is there; only its owner may read it.

    Raises:
        OSError: It cannot be written.
    """
    create_file(path, secrets.token_hex(KEY_BYTES))


def keys_in(path: Path) -> list[bytes]:
    """Return the keys of a file, at least one.

    Raises:
        KeyFileError: A line is no key of 32 bytes, or there is none.
        OSError: It cannot be read.
    """
    try:
        keys = [bytes.fromhex(line) for line in path.read_text().split()]
    except ValueError as error:
        raise KeyFileError(f"{path}: a line is no hexadecimal key") from error
    if not keys or any(len(key) != KEY_BYTES for key in keys):
        raise KeyFileError(
            f"{path}: expected keys of {KEY_BYTES} bytes, a line each, such as "
            "`openssl rand -hex 32` makes"
        )
    return keys
