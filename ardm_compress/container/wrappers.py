"""What a foreign file has besides its samples <-> bytes (docs/format.md sections 13.7 and 15.3).

Numba is needed for a head and tail of an image that are packed by mixing contexts, as short ones are.
"""

from __future__ import annotations

import zlib
from typing import Final

import numpy as np

from ardm_compress.errors import FormatError, LimitError
from ardm_compress.files import Reader, write_varint
from ardm_compress.formats.contents import (
    DEPTHS,
    FLAC,
    FLAC_RATE,
    IN_STRIPS,
    MOST_SURROUNDINGS,
    RASTER,
    VERBATIM,
    ImageWrapper,
    Original,
    SoundWrapper,
)

MAX_WRAPPER: Final = 1 << 28  # bytes
NAMED: Final = 1 << 7  # flag of an image's wrapper: size and SHA-256 of the original file follow
NAMED_SOUND: Final = 1 << 4  # of the wrapper of sound
MOST_ORIGINAL: Final = (1 << 35) - 1  # bytes
SHA256_BYTES: Final = 32
IMAGE_KINDS: Final = ("png", "webp", "raster", "pixels as png")  # what ``info`` calls the kinds of image wrappers
PLAIN, DEFLATED, MIXED = range(3)  # how head and tail are packed; MIXED and more: for STRIDES
STRIDES: Final = (0, 1, 3)  # each byte less the one so many places before; 0: as it is. Palettes are often ramps
MOST_MIXED_BYTES: Final = 1 << 12  # of head and tail that are packed by mixing contexts
WIDEST: Final = 4  # bytes of a sample of sound
WIDEST_FLAC: Final = 3
MOST_RATE: Final = (1 << 32) - 1  # frames per second


def write_image_wrapper(wrapper: ImageWrapper) -> bytes:
    """Serialise the wrapper of an image, the shortest way."""
    first = wrapper.kind | DEPTHS.index(wrapper.depth) << 2 | (wrapper.channels - 1) << 5
    data = bytes([first | NAMED if wrapper.original else first, wrapper.form]) + _write_original(wrapper.original)
    if not (wrapper.head or wrapper.tail):
        return data
    plain = joined(wrapper.head, wrapper.tail)
    ways = [bytes([PLAIN]) + plain, bytes([DEFLATED]) + write_surroundings(wrapper.head, wrapper.tail)]
    if len(plain) <= MOST_MIXED_BYTES:
        from ardm_compress.coding.mixing import pack_bytes  # compiles

        stride = min(STRIDES, key=lambda stride: len(zlib.compress(_differences(plain, stride))))
        packed = write_varint(len(plain)) + pack_bytes(_differences(plain, stride))
        ways.append(bytes([MIXED + STRIDES.index(stride)]) + packed)
    return data + min(ways, key=len)


def read_image_wrapper(data: bytes) -> ImageWrapper:
    """Parse the wrapper of an image; inverse of ``write_image_wrapper``.

    Raises:
        FormatError: no such wrapper; LimitError: it unpacks to too much.
    """
    reader = Reader(data)
    first, form = reader.take(2)
    kind, depth = first & 3, first >> 2 & 7
    original = _read_original(reader) if first & NAMED else None
    rest = data[reader.offset :]
    is_unnamed = kind == RASTER and not form & IN_STRIPS
    if depth >= len(DEPTHS) or (original and is_unnamed) or (rest and rest[0] >= MIXED + len(STRIDES)):
        raise FormatError("the wrapper is not one that version 1 defines", section="header")
    head, tail = _image_surroundings(rest[0], rest[1:]) if rest else (b"", b"")
    return ImageWrapper(kind, DEPTHS[depth], (first >> 5 & 3) + 1, form, head, tail, original)


def write_sound_wrapper(wrapper: SoundWrapper) -> bytes:
    """Serialise the wrapper of sound."""
    kind = wrapper.kind | NAMED_SOUND if wrapper.original else wrapper.kind
    data = bytes([kind, wrapper.width, wrapper.shift]) + write_varint(wrapper.rate) + _write_original(wrapper.original)
    if wrapper.kind & (VERBATIM | FLAC):
        data += write_surroundings(wrapper.head, wrapper.tail)
    return data


def read_sound_wrapper(data: bytes) -> SoundWrapper:
    """Parse the wrapper of sound; inverse of ``write_sound_wrapper``.

    Raises:
        FormatError: no such wrapper; LimitError: it unpacks to too much.
    """
    reader = Reader(data)
    first, width, shift = reader.take(3)
    rate, kind = reader.varint(0, MOST_RATE, "the sample rate"), first & ~NAMED_SOUND
    original = _read_original(reader) if first & NAMED_SOUND else None
    if kind == FLAC and not 0 < rate <= FLAC_RATE:
        raise FormatError(f"the sample rate is not within 1..{FLAC_RATE}", section="header")
    widest = WIDEST_FLAC if kind == FLAC else WIDEST
    if kind > FLAC or (original and kind != FLAC) or not 1 <= width <= widest or shift >= 8 * width:
        raise FormatError("the wrapper is not one that version 1 defines", section="header")
    if not kind & (VERBATIM | FLAC):
        return SoundWrapper(kind, width, shift, rate)
    return SoundWrapper(kind, width, shift, rate, *read_surroundings(data[reader.offset :]), original)


def _write_original(original: Original | None) -> bytes:
    return write_varint(original.size) + original.sha256 if original else b""


def _read_original(reader: Reader) -> Original:
    return Original(reader.varint(0, MOST_ORIGINAL, "the size of the original file"), reader.take(SHA256_BYTES))


def describe_original(wrapper: ImageWrapper | SoundWrapper, *extent: int) -> dict[str, object]:
    """Return what ``info`` shows of the file that was compressed, which had such sides, or frames and channels."""
    size, original = wrapper.file_size(*extent), wrapper.original
    facts: dict[str, object] = {"comes_back": wrapper.comes_back}
    facts |= {} if size is None else {"original_bytes": size}
    return facts | ({"original_sha256": original.sha256.hex()} if original else {})


def _image_surroundings(way: int, data: bytes) -> tuple[bytes, bytes]:
    """Head and tail."""
    if way == DEFLATED:
        return read_surroundings(data)
    if way == PLAIN:
        return parted(data)
    from ardm_compress.coding.mixing import unpack_bytes  # compiles

    reader = Reader(data)
    count = reader.varint(0, MOST_MIXED_BYTES, "the length of the wrapper")
    return parted(_sums(unpack_bytes(data[reader.offset :], count), STRIDES[way - MIXED]))


def _differences(data: bytes, stride: int) -> bytes:
    values = np.frombuffer(data, np.uint8)
    changed = values.copy()
    if stride:
        changed[stride:] -= values[:-stride]
    return bytes(changed)


def _sums(data: bytes, stride: int) -> bytes:
    """Inverse of ``_differences``."""
    values = np.frombuffer(data, np.uint8).copy()
    for first in range(stride):
        values[first::stride] = np.cumsum(values[first::stride], dtype=np.uint8)
    return bytes(values)


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
