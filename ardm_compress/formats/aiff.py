"""AIFF files, also AIFF-C ones, of integer samples."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ardm_compress.errors import UnsupportedError
from ardm_compress.formats.contents import BIG_ENDIAN, Sound
from ardm_compress.formats.pcm import SoundLayout, fields_at, read_between, write_between

if TYPE_CHECKING:
    from ardm_compress.files import Data
    from ardm_compress.options import Limits


def read(data: Data, _limits: Limits) -> Sound:
    """Take a file apart.

    Raises:
        UnsupportedError: its samples are no integers, or it has none; struct.error: it is cut short.
    """
    return read_between(data, _layout(data))


def parts(media: Sound) -> Iterator[bytes]:
    """Make the file again, some of it at a time."""
    return write_between(media, media.wrapper.head, media.wrapper.tail)


def _layout(data: Data) -> SoundLayout:
    offset, common, kind = 12, None, BIG_ENDIAN
    while offset + 8 <= len(data):
        name, size = fields_at(">4sI", data, offset)
        offset += 8
        if name == b"COMM":
            common = fields_at(">hIhHQ", data, offset)
            coding = data[offset + 18 : offset + 22] if data[8:12] == b"AIFC" else b"NONE"
            if coding not in (b"NONE", b"twos", b"sowt"):
                raise UnsupportedError(f"AIFF samples coded as {coding!r}")
            kind = 0 if coding == b"sowt" else BIG_ENDIAN
        elif name == b"SSND" and common:
            channels, frames, bits, exponent, mantissa = common
            (skip,) = fields_at(">I", data, offset)
            start = offset + 8 + skip
            width = -(-bits // 8)
            if channels < 1 or not 1 <= width <= 4:
                raise UnsupportedError(f"AIFF samples of {bits} bits, {channels} channels")
            rate = round(min(mantissa * 2.0 ** (exponent - 16383 - 63), 2**32 - 1))
            size = size - 8 - skip if size else frames * channels * width  # 0: its writer could not go back
            return SoundLayout(rate, channels, width, kind, start, max(0, min(size, len(data) - start)))
        offset += size + size % 2
    raise UnsupportedError("an AIFF file without a format or without samples")
