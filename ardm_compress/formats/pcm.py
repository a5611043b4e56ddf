"""Packed integer samples <-> arrays, and sound files in which they lie between a head and a tail."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from ardm_compress.errors import UnsupportedError
from ardm_compress.formats.contents import (
    BIG_ENDIAN,
    MOST_SURROUNDINGS,
    UNSIGNED,
    VERBATIM,
    Samples,
    Sound,
    SoundWrapper,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ardm_compress.files import Data

READ: Final = 1 << 16  # frames at a time
LARGEST: Final = 1 << 24  # magnitude of samples that are coded, without the low bits that are always 0


class SoundLayout(NamedTuple):
    """Where a file's samples are and what they are like."""

    rate: int  # frames per second
    channels: int
    width: int  # bytes of a sample
    kind: int  # flags
    start: int  # in bytes
    size: int  # in bytes


def spans(frames: int) -> list[slice]:
    """All frames, READ at a time."""
    return [slice(start, min(start + READ, frames)) for start in range(0, frames, READ)]


class Packed:
    """Samples that are unpacked when asked for."""

    def __init__(self, data: Data, start: int, shape: tuple[int, int], width: int, kind: int, shift: int = 0) -> None:
        """Args: ``start`` in bytes; ``width`` bytes a sample, of which ``shift`` low bits are left out."""
        self._data, self._start, self._block = data, start, shape[1] * width
        self.shape, self._width, self._kind, self._shift = shape, width, kind, shift

    def __getitem__(self, frames: slice, /) -> NDArray[np.int32]:
        start, stop, _ = frames.indices(self.shape[0])
        first = self._start + start * self._block
        body = self._data[first : first + max(0, stop - start) * self._block]
        return unpack(body, self._width, self._kind).reshape(-1, self.shape[1]) >> self._shift


def unpack(body: bytes, width: int, kind: int) -> NDArray[np.int32]:
    """Unpack integers to samples (n,)."""
    order = ">" if kind & BIG_ENDIAN else "<"
    if width == 1 and kind & UNSIGNED:
        return np.frombuffer(body, np.uint8).astype(np.int32) - 128
    if width != 3:
        return np.frombuffer(body, f"{order}i{width}").astype(np.int32)
    parts = np.frombuffer(body, np.uint8).reshape(-1, 3)[:, :: -1 if order == ">" else 1]
    four = np.zeros((len(parts), 4), np.uint8)
    four[:, 1:] = parts
    value: NDArray[np.int32] = four.view("<i4")[:, 0] >> 8
    return value.astype(np.int32, copy=False)


def pack(samples: NDArray[np.int32], width: int, kind: int) -> bytes:
    """Inverse of ``unpack``."""
    order = ">" if kind & BIG_ENDIAN else "<"
    if width == 1:
        return (samples + 128 if kind & UNSIGNED else samples).astype(np.uint8).tobytes()
    if width != 3:
        return samples.astype(f"{order}i{width}").tobytes()
    four = samples.astype(f"{order}i4").ravel().view(np.uint8).reshape(-1, 4)
    return (four[:, 1:] if order == ">" else four[:, :3]).tobytes()


def fields_at(form: str, data: Data, offset: int) -> tuple[Any, ...]:
    """Unpack fields, of the form that ``struct`` names so, at an offset; struct.error if the file ends before."""
    return struct.unpack(form, data[offset : offset + struct.calcsize(form)])


def read_between(data: Data, layout: SoundLayout) -> Sound:
    """Take a file apart whose samples are where the layout says.

    Raises:
        UnsupportedError: its samples have too many bits, or too much surrounds them.
    """
    block = layout.channels * layout.width
    shape = layout.size // block, layout.channels
    end = layout.start + shape[0] * block
    shift = low_bits(Packed(data, layout.start, shape, layout.width, layout.kind))
    samples = Packed(data, layout.start, shape, layout.width, layout.kind, shift)
    if layout.start + len(data) - end > MOST_SURROUNDINGS:
        raise UnsupportedError(f"more than {MOST_SURROUNDINGS} bytes that are not samples")
    head, tail = data[: layout.start], data[end:]
    return Sound(samples, SoundWrapper(layout.kind | VERBATIM, layout.width, shift, layout.rate, head, tail))


def write_between(sound: Sound, head: bytes, tail: bytes) -> Iterator[bytes]:
    """Make the file again, some of it at a time."""
    samples, wrapper = sound.samples, sound.wrapper
    yield head
    for span in spans(samples.shape[0]):
        yield pack(samples[span] << wrapper.shift, wrapper.width, wrapper.kind)
    yield tail


def low_bits(samples: Samples) -> int:
    """Count the low bits that are 0 in all samples.

    Raises:
        UnsupportedError: without them samples have more than 24 bits.
    """
    used = low = high = 0
    for span in spans(samples.shape[0]):
        part = samples[span]
        used |= int(np.bitwise_or.reduce(part, axis=None))
        low, high = min(low, int(part.min())), max(high, int(part.max()))
    shift = (used & -used).bit_length() - 1 if used else 0
    if max(high, -low) >> shift > LARGEST:
        raise UnsupportedError("samples of more than 24 bits")
    return shift
