"""Files that no model can code <-> version 1 files that hold them as they are, packed (docs/format.md section 14)."""

from __future__ import annotations

import lzma
from typing import Final

from ardm_compress.audio.container import SOUND, STORED
from ardm_compress.container import CRC_BYTES, MAGIC, VERSION, Reader, crc, write_varint
from ardm_compress.errors import ChecksumError, FormatError, LimitError

PACKED: Final = 1  # flag; else the bytes are as they were
LARGEST: Final = 1 << 31  # bytes
FILTERS: Final = [{"id": lzma.FILTER_LZMA2, "preset": 6}]


def write_stored(data: bytes) -> bytes:
    """A file that holds another."""
    if len(data) > LARGEST:
        raise LimitError(f"files that no model can code may have at most {LARGEST} bytes")
    packed = lzma.compress(data, lzma.FORMAT_RAW, filters=FILTERS)
    smaller = len(packed) < len(data)
    head = MAGIC + bytes([VERSION, SOUND | STORED | (PACKED if smaller else 0)]) + write_varint(len(data))
    body = head + (packed if smaller else data)
    return body + crc(body)


def stored_size(data: bytes) -> int:
    """Bytes of the file that is stored."""
    return Reader.start(data)[0].varint(0, 1 << 34, "the size")


def read_stored(data: bytes) -> bytes:
    """Inverse of ``write_stored``.

    Raises:
        FormatError, ChecksumError: damaged; LimitError: it claims to be larger than this version takes.
    """
    reader, flags = Reader.start(data)
    size = reader.varint(0, 1 << 34, "the size")
    if len(data) < reader.offset + CRC_BYTES or crc(data[:-CRC_BYTES]) != data[-CRC_BYTES:]:
        raise ChecksumError("the file is damaged or cut short", offset=reader.offset, section="payload")
    if flags & ~PACKED != SOUND | STORED:
        raise FormatError("the header has flags that version 1 does not define", offset=5, section="header")
    if size > LARGEST:
        raise LimitError(f"a stored file of {size} bytes is over the limit of {LARGEST}")
    body = data[reader.offset : -CRC_BYTES]
    if flags & PACKED:
        body = _unpack(body, size)
    if len(body) != size:
        raise FormatError("a stored file has another size than its header says", section="payload")
    return body


def _unpack(body: bytes, size: int) -> bytes:
    unpacker = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=FILTERS)
    try:
        data = unpacker.decompress(body, size + 1)
    except lzma.LZMAError as error:
        raise FormatError(f"a stored file is damaged: {error}", section="payload") from error
    if len(data) <= size and (not unpacker.eof or unpacker.unused_data):
        raise FormatError("a stored file is cut short, or followed by something", section="payload")
    return data
