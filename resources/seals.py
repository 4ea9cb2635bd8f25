"""Checksums of Parquet files, so that a bit that turned is not read as another value.

Pages have checksums by the format, which pyarrow writes and checks. The footer, which holds names,
types and places, has none: a sum over it is written into it, in place of eight zeros.

Belongs here: writing and checking. Does not belong here: where files lie (`lake.py`).
"""

from __future__ import annotations

import io
import os
import zlib
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

_NAME, _NONE = b"footer_crc32", b"00000000"
# the length of the footer, and the format's mark
_TAIL = 8


def sealed(rows: pa.Table, **options: Any) -> bytes:
    """Write rows as one Parquet file with checksums of its pages and its footer."""
    sink = io.BytesIO()
    with pq.ParquetWriter(sink, rows.schema, write_page_checksum=True, **options) as writer:
        writer.write_table(rows)
        writer.add_key_value_metadata({_NAME: _NONE})
    content = bytearray(sink.getvalue())
    begin = len(content) - _TAIL - int.from_bytes(content[-_TAIL:-4], "little")
    place = _place(content[begin:])
    content[begin + place : begin + place + len(_NONE)] = _sum(content[begin:])
    return bytes(content)


def unsealed(file: IO[bytes], *, footer: bool = True) -> pq.ParquetFile:
    """Open a Parquet file whose sums are right; those of pages are checked as they are read.

    Args:
        file: Opened for reading.
        footer: Whether to check the footer's, which takes one more read.

    Raises:
        pyarrow.ArrowInvalid: A sum is wrong or is not there.
    """
    if footer:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _TAIL))
        length = int.from_bytes(file.read(4), "little")
        file.seek(max(0, size - _TAIL - length))
        content = bytearray(file.read())
        place = _place(content)
        written = bytes(content[place : place + len(_NONE)])
        content[place : place + len(_NONE)] = _NONE
        if written != _sum(content):
            raise pa.ArrowInvalid("the footer's checksum is wrong")
        file.seek(0)
    return pq.ParquetFile(file, page_checksum_verification=True)


def _place(footer: bytes | bytearray) -> int:
    """Where the sum stands: after its name, a byte of type and one of length."""
    place = footer.rfind(_NAME)
    if place < 0:
        raise pa.ArrowInvalid("the footer has no checksum")
    return place + len(_NAME) + 2


def _sum(footer: bytes | bytearray) -> bytes:
    return f"{zlib.crc32(footer):08x}".encode()
