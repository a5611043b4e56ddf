"""What precedes and follows the samples of a file <-> deflated bytes. Standard library, errors and container only."""

from __future__ import annotations

import zlib

from ardm_compress.container.image import Reader, write_varint
from ardm_compress.errors import FormatError, LimitError
from ardm_compress.formats.contents import MOST_SURROUNDINGS


def write_surroundings(head: bytes, tail: bytes) -> bytes:
    """Both, deflated."""
    return zlib.compress(joined(head, tail), 9)


def read_surroundings(data: bytes) -> tuple[bytes, bytes]:
    """Inverse of ``write_surroundings``.

    Raises:
        FormatError: damaged; LimitError: they unpack to more than MOST_SURROUNDINGS bytes.
    """
    return parted(_unpacked(data))


def joined(head: bytes, tail: bytes) -> bytes:
    """Both, and where the first ends."""
    return write_varint(len(head)) + head + tail


def parted(data: bytes) -> tuple[bytes, bytes]:
    """Inverse of ``joined``."""
    if len(data) > MOST_SURROUNDINGS:
        raise LimitError(f"what surrounds the samples has more than {MOST_SURROUNDINGS} bytes")
    reader = Reader(data)
    head = reader.take(reader.varint(0, 1 << 32, "the length of the head"))
    return head, data[reader.offset :]


def _unpacked(packed: bytes) -> bytes:
    unpacker = zlib.decompressobj()
    try:
        data = unpacker.decompress(packed, MOST_SURROUNDINGS + 1)
    except zlib.error as error:
        raise FormatError(f"the wrapper is damaged: {error}", section="header") from error
    if len(data) > MOST_SURROUNDINGS:
        raise LimitError(f"what surrounds the samples has more than {MOST_SURROUNDINGS} bytes")
    if not unpacker.eof or unpacker.unused_data:
        raise FormatError("the wrapper is cut short, or followed by something", section="header")
    return data
