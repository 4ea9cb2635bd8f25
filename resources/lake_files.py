"""The lake's files: written whole or not at all, encrypted where the lake is, opened, checked.

Belongs here: a file's bytes, and what is raised where they are missing, changed, locked or out of
reach. Does not belong here: which files a table has (`lake.py`), and how bytes are encrypted
(`vault.py`) and summed (`seals.py`).
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from upath import UPath

from resources.botocore_errors import aws_errors, code_of, explain
from resources.files import replace_file
from resources.seals import check, sealed, unsealed
from resources.vault import ChangedFileError, Vault, VaultError, is_encrypted

# Codes of S3 where it is the file that is not there, or no error of S3 at all.
ABSENT = ("", "404", "NoSuchKey")
# Device, inode, time of change and size of a file of this machine.
Identity = tuple[int, int, int, int]
# The files of which this process has checked every byte, and the columns of those it asked for.
_CHECKED: set[Identity] = set()
_COLUMNS: dict[Identity, tuple[str, ...]] = {}
# A file of an object store that is not larger comes whole with one request, in about the time that
# asking for its size takes.
WHOLE = 2**20
# One customer's rows cost what a group of rows does: a fifth of a file of 100,000 customers, and up
# to a twentieth more where a query reads all of it (decision 173).
GROUP_ROWS = 16_384


class LakeError(RuntimeError):
    """A lake table cannot be read or written."""


class MissingPartitionError(LakeError):
    """Partitions that were asked for are not in the lake."""


class CorruptPartitionError(LakeError):
    """A partition's file is not a whole Parquet file."""


class LockedPartitionError(LakeError):
    """A partition's file is encrypted, and its key is not at hand."""


class StorageError(OSError):
    """The storage does not answer or refuses; unlike a wrong partition it may mend by itself."""


@dataclass(frozen=True)
class LakeFiles:
    """The files under one root, local or remote.

    Attributes:
        root: A local folder or a URL that fsspec knows, such as `s3://bucket/prefix`.
        options: What fsspec needs for that URL (`resources.aws.storage`); nothing locally.
        key_file: A file with the key that encrypts the files of a local lake; none by default.
    """

    root: str
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)
    key_file: str = ""

    @property
    def is_local(self) -> bool:
        """Whether the root is a folder of this machine."""
        return "://" not in self.root or self.root.startswith("file://")

    @property
    def vault(self) -> Vault | None:
        """What encrypts the files, where they are."""
        if not self.key_file:
            return None
        return Vault(Path(str(UPath(self.root))).absolute(), Path(self.key_file))

    def put(self, path: UPath, payload: bytes) -> int:
        """Write a file of the lake whole or not at all, encrypted where the lake is.

        Returns:
            Its size.

        Raises:
            LockedPartitionError: The key is not there.
        """
        vault = self.vault
        if vault is not None:
            with _unlocked():
                payload = vault.encrypted(Path(str(path)), payload)
        put_atomically(path, payload)
        return len(payload)

    def content(self, path: UPath) -> IO[bytes]:
        """Open a file of the lake as it was before encryption.

        Raises:
            FileNotFoundError: It is not there.
            LockedPartitionError: Its key is not there.
            CorruptPartitionError: It was changed or moved since it was encrypted.
        """
        if not self.is_local:
            end: bytes = path.fs.cat_file(path.path, start=-WHOLE)
            return BytesIO(end) if len(end) < WHOLE else path.open("rb")
        file: IO[bytes] = path.open("rb")
        if not is_encrypted(file):
            return file
        with file, _unlocked():
            if self.vault is None:
                raise VaultError(f"{path} is encrypted: set LAKE_KEY to the file with its key")
            return BytesIO(self.vault.decrypted(Path(str(path)), file.read()))

    def recode(self, path: UPath, *, encrypted: bool) -> bool:
        """Write a file of the lake again, encrypted with the first key or plain.

        No other writer may be at it: what it writes meanwhile would be undone.

        Returns:
            Whether it was written; one that is as it should be stays.

        Raises:
            LockedPartitionError: Its key is not there, or this lake has none.
            CorruptPartitionError: It was changed or moved since it was encrypted.
        """
        vault = self.vault
        if vault is None:
            raise LockedPartitionError(f"{path}: this lake has no key")
        raw = path.read_bytes()
        with _unlocked():
            if vault.is_current(raw) if encrypted else not is_encrypted(BytesIO(raw)):
                return False
            plain = vault.decrypted(Path(str(path)), raw)
        (self.put if encrypted else put_atomically)(path, plain)
        return True

    def unsealed(self, file: IO[bytes]) -> pq.ParquetFile:
        """Return an open file's Parquet, each part checked by its sum where it is read."""
        # an object store keeps sums of its own, and each further read costs there
        return unsealed(file, footer=self.is_local)


def put_atomically(path: UPath, payload: bytes) -> None:
    """Write a file so that it appears whole or not at all.

    Locally: written beside its place, then renamed over it, so a process that is killed leaves the
    old file or the new one. On an object store one put is already atomic.
    """
    if path.protocol not in ("", "file"):
        with reached(path):
            path.write_bytes(payload)
        return
    replace_file(Path(str(path)), payload)


@contextmanager
def _unlocked() -> Iterator[None]:
    try:
        yield
    except VaultError as error:
        raise LockedPartitionError(str(error)) from error
    except ChangedFileError as error:
        raise CorruptPartitionError(f"{error}; materialise that partition again") from error


@contextmanager
def reached(path: UPath) -> Iterator[None]:
    """Tell what S3 refuses apart from what is not there or not whole.

    Raises:
        StorageError: S3 does not answer, or does not let this process in.
    """
    if path.protocol != "s3":
        yield
        return
    kinds: tuple[type[Exception], ...] = (OSError, *aws_errors())
    try:
        yield
    except kinds as error:
        # an error of Parquet has no code; a file that is not there is told by the caller
        if isinstance(error, OSError) and code_of(error) in ABSENT:
            raise
        raise StorageError(f"{path}: {explain(error)}") from error


@contextmanager
def whole(path: UPath, *, table: str) -> Iterator[None]:
    """Name a table's file where what is read of it is not whole.

    Raises:
        CorruptPartitionError: It is not.
        StorageError: As `reached` does.
    """
    try:
        with reached(path):
            yield
    except (StorageError, FileNotFoundError):
        raise
    except (pa.ArrowInvalid, OSError) as error:
        raise CorruptPartitionError(
            f"table {table}: {path} is not a whole Parquet file ({error}); materialise that "
            "partition again"
        ) from error


def check_once(path: str, opened: Callable[[], AbstractContextManager[IO[bytes]]]) -> None:
    """Check every byte of a file of this machine, unless this process has and it is the same.

    Args:
        path: Where it is.
        opened: Opens it; not called for one that is known, since each query asks for all files.

    Raises:
        pyarrow.ArrowInvalid: It is not whole, where `opened` does not name it.
    """
    identity = _identity(path)
    if identity not in _CHECKED:
        with opened() as file:
            check(file)
        _CHECKED.add(identity)


def columns_once(
    path: str, opened: Callable[[], AbstractContextManager[IO[bytes]]]
) -> tuple[str, ...]:
    """Return the columns of a file of this machine, read once while it stays the same.

    They decide how a query is put, so the sums of the file are not asked here.

    Args:
        path: Where it is.
        opened: Opens it; not called for one that is known.

    Raises:
        FileNotFoundError: It is not there.
        pyarrow.ArrowInvalid: It is no Parquet file, where `opened` does not name it.
    """
    identity = _identity(path)
    if identity not in _COLUMNS:
        with opened() as file:
            _COLUMNS[identity] = tuple(pq.read_schema(file).names)
    return _COLUMNS[identity]


def _identity(path: str) -> Identity:
    state = os.stat(path)  # noqa: PTH116 - a Path a day takes longer
    return (state.st_dev, state.st_ino, state.st_mtime_ns, state.st_size)


def encode(rows: pa.Table, *, group_rows: int = GROUP_ROWS) -> bytes:
    """Write rows as one Parquet file in memory, in groups of so many rows."""
    # a dictionary pays for words that come again, not for ids, of which nearly each is new
    words = [
        field.name
        for field in rows.schema
        if pa.types.is_string(field.type) and not field.name.endswith("_id")
    ]
    # zstd's fastest level: partitions are written once and read often
    return sealed(
        rows,
        row_group_size=group_rows,
        compression="zstd",
        compression_level=1,
        use_dictionary=words or False,
    )


def read_rows(
    content: pq.ParquetFile, column: str, values: Sequence[str], columns: list[str] | None
) -> pa.Table:
    """Read the rows of a file of which a column of text has one of some values.

    Of groups of rows whose least and greatest value rule them out nothing is read, and of those
    that turn out to have none no other column.

    Args:
        content: The file.
        column: The column that is looked at.
        values: Its wanted values.
        columns: Those to read; all when None.
    """
    schema, wanted = content.schema_arrow, pa.array(values, pa.string())
    # no table has nested columns, so a column's place is that of its values
    place = schema.names.index(column)
    parts = [schema.empty_table().select(columns or schema.names)]
    for number in range(content.num_row_groups):
        bounds = content.metadata.row_group(number).column(place).statistics
        bounded = bounds is not None and bounds.has_min_max
        if bounded and not any(bounds.min <= value <= bounds.max for value in values):
            continue
        mask = pc.is_in(content.read_row_group(number, columns=[column])[column], wanted)
        if pc.any(mask).as_py():
            parts.append(content.read_row_group(number, columns=columns).filter(mask))
    return pa.concat_tables(parts)
