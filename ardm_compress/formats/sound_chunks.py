"""Where the samples of a WAV or AIFF file are, and what they are like. Standard library and errors only."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ardm_compress.errors import UnsupportedError
from ardm_compress.formats.pcm import BIG_ENDIAN, UNSIGNED

if TYPE_CHECKING:
    from ardm_compress.files.data import Data

PCM: Final = 1  # WAVE format tag
EXTENSIBLE: Final = 0xFFFE
UNKNOWN_SIZES: Final = (0, 0xFFFFFFFF)  # of a data chunk whose writer could not go back: it reaches to the end


class Layout(NamedTuple):
    """Where a file's samples are and what they are like."""

    rate: int
    channels: int
    width: int
    kind: int
    start: int
    size: int


def find_samples(data: Data) -> Layout:
    """Of a WAV or AIFF file.

    Raises:
        UnsupportedError: its samples are no integers, or it has none; struct.error: it is cut short.
    """
    return _aiff_layout(data) if data[:4] == b"FORM" else _wave_layout(data)


def _at(form: str, data: Data, offset: int) -> tuple[Any, ...]:
    return struct.unpack(form, data[offset : offset + struct.calcsize(form)])


def _wave_layout(data: Data) -> Layout:
    order = ">" if data[:4] == b"RIFX" else "<"
    offset, large, form = 12, 0, None
    while offset + 8 <= len(data):
        name, size = _at(f"{order}4sI", data, offset)
        offset += 8
        if name == b"ds64":
            (large,) = _at("<Q", data, offset + 8)
        elif name == b"fmt ":
            form = _at(f"{order}HHIIHH", data, offset)
            if form[0] == EXTENSIBLE:
                form = (*_at(f"{order}H", data, offset + 24), *form[1:])
        elif name == b"data" and form:
            left = len(data) - offset
            if size in UNKNOWN_SIZES:
                size = large or (0 if size == 0 and _chunks_follow(data, offset, order) else left)
            return _wave_form(form, order, offset, min(size, left))
        offset += size + size % 2
    raise UnsupportedError("a WAVE file without a format or without samples")


def _chunks_follow(data: Data, offset: int, order: str) -> bool:
    """Whether nothing but whole chunks is left."""
    while offset + 8 <= len(data):
        name, size = _at(f"{order}4sI", data, offset)
        if not name.isascii() or not name.decode("ascii").isprintable():
            return False
        offset += 8 + size + size % 2
    return offset == len(data)


def _wave_form(form: tuple[int, ...], order: str, start: int, size: int) -> Layout:
    tag, channels, rate, _, block, bits = form
    if tag != PCM:
        raise UnsupportedError(f"WAVE samples of format {tag}")
    width = block // channels if channels else 0
    if not channels or block != width * channels or not 1 <= width <= 4 or not 0 < bits <= 8 * width:
        raise UnsupportedError(f"WAVE samples of {bits} bits, {channels} channels in {block} bytes")
    kind = (BIG_ENDIAN if order == ">" else 0) | (UNSIGNED if width == 1 else 0)
    return Layout(rate, channels, width, kind, start, size)


def _aiff_layout(data: Data) -> Layout:
    if data[8:12] not in (b"AIFF", b"AIFC"):
        raise UnsupportedError("an IFF file that is not AIFF")
    offset, common, kind = 12, None, BIG_ENDIAN
    while offset + 8 <= len(data):
        name, size = _at(">4sI", data, offset)
        offset += 8
        if name == b"COMM":
            common = _at(">hIhHQ", data, offset)
            coding = data[offset + 18 : offset + 22] if data[8:12] == b"AIFC" else b"NONE"
            if coding not in (b"NONE", b"twos", b"sowt"):
                raise UnsupportedError(f"AIFF samples coded as {coding!r}")
            kind = 0 if coding == b"sowt" else BIG_ENDIAN
        elif name == b"SSND" and common:
            channels, _, bits, exponent, mantissa = common
            (skip,) = _at(">I", data, offset)
            start = offset + 8 + skip
            width = -(-bits // 8)
            if channels < 1 or not 1 <= width <= 4:
                raise UnsupportedError(f"AIFF samples of {bits} bits, {channels} channels")
            rate = round(min(mantissa * 2.0 ** (exponent - 16383 - 63), 2**32 - 1))
            return Layout(rate, channels, width, kind, start, max(0, min(size - 8 - skip, len(data) - start)))
        offset += size + size % 2
    raise UnsupportedError("an AIFF file without a format or without samples")


def shortest_head(rate: int, shape: tuple[int, ...], width: int) -> bytes:
    """The first 44 bytes of a WAVE file that holds nothing but its samples; none if that is too much for one."""
    frames, channels = shape
    block, size = channels * width, frames * channels * width
    size += size % 2
    if size + 36 > 0xFFFFFFFF or block * rate > 0xFFFFFFFF or block > 0xFFFF:
        return b""
    form = struct.pack("<HHIIHH", PCM, channels, rate, block * rate, block, 8 * width)
    return (
        struct.pack("<4sI4s4sI", b"RIFF", size + 36, b"WAVE", b"fmt ", 16)
        + form
        + struct.pack("<4sI", b"data", frames * block)
    )
