"""WAV files, also of other byte orders and longer ones, of integer samples."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from ardm_compress.errors import UnsupportedError
from ardm_compress.formats.contents import BIG_ENDIAN, UNSIGNED, VERBATIM, Sound
from ardm_compress.formats.pcm import SoundLayout, fields_at, read_between, write_between

if TYPE_CHECKING:
    from ardm_compress.files import Data
    from ardm_compress.options import Limits

PCM: Final = 1  # format tag
EXTENSIBLE: Final = 0xFFFE
UNKNOWN_SIZES: Final = (0, 0xFFFFFFFF)  # of a data chunk whose writer could not go back: it reaches to the end


def read(data: Data, _limits: Limits) -> Sound:
    """Take a file apart.

    Raises:
        UnsupportedError: its samples are no integers, or it has none; struct.error: it is cut short.
    """
    sound = read_between(data, _layout(data))
    wrapper, shape = sound.wrapper, (sound.samples.shape[0], sound.samples.shape[1])
    shortest = shortest_head(wrapper.rate, shape, wrapper.width)
    if (wrapper.head, wrapper.tail) == (shortest, _padding(sound)) and not wrapper.kind & BIG_ENDIAN:
        return replace(sound, wrapper=replace(wrapper, kind=wrapper.kind & ~VERBATIM, head=b"", tail=b""))
    return sound


def parts(media: Sound) -> Iterator[bytes]:
    """Make the file again, some of it at a time.

    Raises:
        UnsupportedError: it would be too long.
    """
    wrapper = media.wrapper
    if wrapper.kind & VERBATIM:
        yield from write_between(media, wrapper.head, wrapper.tail)
        return
    head = shortest_head(wrapper.rate, media.samples.shape, wrapper.width)
    if not head:
        raise UnsupportedError("this is too much for a WAV file")
    yield from write_between(media, head, _padding(media))


def _padding(sound: Sound) -> bytes:
    frames, channels = sound.samples.shape
    return bytes(frames * channels * sound.wrapper.width % 2)


def _layout(data: Data) -> SoundLayout:
    order = ">" if data[:4] == b"RIFX" else "<"
    offset, large, form = 12, 0, None
    while offset + 8 <= len(data):
        name, size = fields_at(f"{order}4sI", data, offset)
        offset += 8
        if name == b"ds64":
            (large,) = fields_at("<Q", data, offset + 8)
        elif name == b"fmt ":
            form = fields_at(f"{order}HHIIHH", data, offset)
            if form[0] == EXTENSIBLE:
                form = (*fields_at(f"{order}H", data, offset + 24), *form[1:])
        elif name == b"data" and form:
            left = len(data) - offset
            if size in UNKNOWN_SIZES:
                size = large or (0 if size == 0 and _chunks_follow(data, offset, order) else left)
            return _of_form(form, order, offset, min(size, left))
        offset += size + size % 2
    raise UnsupportedError("a WAVE file without a format or without samples")


def _chunks_follow(data: Data, offset: int, order: str) -> bool:
    """Whether nothing but whole chunks is left."""
    while offset + 8 <= len(data):
        name, size = fields_at(f"{order}4sI", data, offset)
        if not name.isascii() or not name.decode("ascii").isprintable():
            return False
        offset += 8 + size + size % 2
    return offset == len(data)


def _of_form(form: tuple[int, ...], order: str, start: int, size: int) -> SoundLayout:
    tag, channels, rate, _, block, bits = form
    if tag != PCM:
        raise UnsupportedError(f"WAVE samples of format {tag}")
    width = block // channels if channels else 0
    if not channels or block != width * channels or not 1 <= width <= 4 or not 0 < bits <= 8 * width:
        raise UnsupportedError(f"WAVE samples of {bits} bits, {channels} channels in {block} bytes")
    kind = (BIG_ENDIAN if order == ">" else 0) | (UNSIGNED if width == 1 else 0)
    return SoundLayout(rate, channels, width, kind, start, size)


def shortest_head(rate: int, shape: tuple[int, ...], width: int) -> bytes:
    """Build the first 44 bytes of a WAVE file of nothing but samples; none if these are too many for one."""
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
