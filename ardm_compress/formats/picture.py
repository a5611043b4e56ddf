"""An image file taken apart: its samples, and what it takes to make the file again. Errors and NumPy only."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ardm_compress.container.image import Reader, write_varint
from ardm_compress.container.surroundings import joined, parted, read_surroundings, write_surroundings
from ardm_compress.errors import FormatError

if TYPE_CHECKING:
    from numpy.typing import NDArray

PNG, WEBP, RASTER = range(3)  # kinds of files
KIND_NAMES: Final = ("png", "webp", "raster")
DEPTHS: Final = (1, 2, 4, 8, 16)
MOST_CHANNELS: Final = 4
PLAIN, DEFLATED, MIXED = range(3)  # how what surrounds the samples is packed; MIXED and more: for STRIDES
COMPARED: Final = 256  # rows at a time
MOST_MIXED_BYTES: Final = 1 << 12  # of head and tail that are packed by mixing contexts
STRIDES: Final = (0, 1, 3)  # each byte less the one so many places before; 0: as it is. Palettes are often ramps


@dataclass(frozen=True, slots=True)
class Wrapper:
    """Everything but the samples and the sides of the image."""

    kind: int
    depth: int  # bits of a sample
    channels: int  # 1..MOST_CHANNELS
    form: int = 0  # 0..255, what it means depends on the kind
    head: bytes = b""  # what precedes the samples; of PNG and WebP files, chunks
    tail: bytes = b""


@dataclass(frozen=True)
class Picture:
    """Samples as the file has them (indices into a palette, gray without scaling) and the rest of the file."""

    samples: NDArray[Any]  # (rows, columns, channels); 16 bits if the depth is
    wrapper: Wrapper


def sample_type(depth: int) -> type[np.uint8] | type[np.uint16]:
    """Of arrays of samples of so many bits."""
    return np.uint16 if depth == DEPTHS[-1] else np.uint8


def same_picture(one: Picture, other: Picture) -> bool:
    """Whether nothing that is promised differs."""
    if one.wrapper != other.wrapper or one.samples.shape != other.samples.shape:
        return False
    starts = range(0, len(one.samples), COMPARED)
    return all(np.array_equal(one.samples[i : i + COMPARED], other.samples[i : i + COMPARED]) for i in starts)


def write_wrapper(wrapper: Wrapper) -> bytes:
    """As the compressed file keeps it, the shorter way."""
    first = wrapper.kind | DEPTHS.index(wrapper.depth) << 2 | (wrapper.channels - 1) << 5
    data = bytes([first, wrapper.form])
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


def read_wrapper(data: bytes) -> Wrapper:
    """Inverse of ``write_wrapper``.

    Raises:
        FormatError: no such wrapper; LimitError: it unpacks to too much.
    """
    kind, depth = (data[0] & 3, data[0] >> 2 & 7) if len(data) > 1 else (RASTER + 1, 0)
    if kind > RASTER or depth >= len(DEPTHS) or data[0] >> 7 or (len(data) > 2 and data[2] >= MIXED + len(STRIDES)):
        raise FormatError("the wrapper is not one that version 1 defines", section="header")
    head, tail = _surroundings(data[2], data[3:]) if len(data) > 2 else (b"", b"")
    return Wrapper(kind, DEPTHS[depth], (data[0] >> 5 & 3) + 1, data[1], head, tail)


def _surroundings(way: int, data: bytes) -> tuple[bytes, bytes]:
    if way == DEFLATED:
        return read_surroundings(data)
    if way == PLAIN:
        return parted(data)
    from ardm_compress.coding.mixing import unpack_bytes  # compiles

    reader = Reader(data)
    count = reader.varint(0, MOST_MIXED_BYTES, "the length of the wrapper")
    return parted(_sums(unpack_bytes(data[reader.offset :], count), STRIDES[way - MIXED]))
