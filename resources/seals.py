"""Checksums of Parquet files, so that a bit that turned is not read as another value.

Pages have checksums by the format, which pyarrow writes and checks. The footer, which holds names,
types and places, has none: a sum over it is written into it, in place of eight zeros. DuckDB checks
neither, so a sum over all that is before the footer stands in it too.

Belongs here: writing and checking. Does not belong here: where files lie (`lake.py`).
"""

from __future__ import annotations

import io
import os
import zlib
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

_FOOTER, _DATA, _NONE = b"footer_crc32", b"data_crc32", b"00000000"
# the length of the footer, and the format's mark
_TAIL = 8
# bytes that are read at once where only their sum is wanted
_PIECE = 2**22


def sealed(rows: pa.Table, *, row_group_size: int | None = None, **options: Any) -> bytes:
    """Write rows as one Parquet file with checksums of its pages, its data and its footer."""
    sink = io.BytesIO()
    with pq.ParquetWriter(sink, rows.schema, write_page_checksum=True, **options) as writer:
        writer.write_table(rows, row_group_size)
        writer.add_key_value_metadata({_DATA: _NONE, _FOOTER: _NONE})
    content = bytearray(sink.getvalue())
    begin = len(content) - _TAIL - int.from_bytes(content[-_TAIL:-4], "little")
    data, footer = content[:begin], content[begin:]
    footer[_place(footer, _DATA)] = _sum(data)
    footer[_place(footer, _FOOTER)] = _sum(footer)
    return bytes(data + footer)


def unsealed(file: IO[bytes], *, footer: bool = True) -> pq.ParquetFile:
    """Open a Parquet file whose sums are right; those of pages are checked as they are read.

    Args:
        file: Opened for reading.
        footer: Whether to check the footer's, which takes one more read.

    Raises:
        pyarrow.ArrowInvalid: A sum is wrong or is not there.
    """
    if footer:
        _checked_footer(file)
        file.seek(0)
    return pq.ParquetFile(file, page_checksum_verification=True)


def check(file: IO[bytes]) -> None:
    """Check every byte of a Parquet file, for a reader that checks none.

    Args:
        file: Opened for reading. Of one that was written before data had a sum, the footer alone
            is checked.

    Raises:
        pyarrow.ArrowInvalid: A sum is wrong or is not there.
    """
    footer = _checked_footer(file)
    if _DATA not in footer:
        return
    left, value = file.seek(0, os.SEEK_END) - len(footer), 0
    file.seek(0)
    while left > 0:
        piece = file.read(min(left, _PIECE))
        value, left = zlib.crc32(piece, value), left - len(piece)
    if footer[_place(footer, _DATA)] != _text(value):
        raise pa.ArrowInvalid("the data's checksum is wrong")


def _checked_footer(file: IO[bytes]) -> bytearray:
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _TAIL))
    length = int.from_bytes(file.read(4), "little")
    file.seek(max(0, size - _TAIL - length))
    footer = bytearray(file.read())
    place = _place(footer, _FOOTER)
    written = bytes(footer[place])
    footer[place] = _NONE
    if written != _sum(footer):
        raise pa.ArrowInvalid("the footer's checksum is wrong")
    return footer


def _place(footer: bytes | bytearray, name: bytes) -> slice:
    """Where a sum stands: after its name, a byte of type and one of length."""
    place = footer.rfind(name)
    if place < 0:
        raise pa.ArrowInvalid(f"the footer has no {name.decode()}")
    begin = place + len(name) + 2
    return slice(begin, begin + len(_NONE))


def _sum(content: bytes | bytearray) -> bytes:
    return _text(zlib.crc32(content))


def _text(value: int) -> bytes:
    return f"{value:08x}".encode()
