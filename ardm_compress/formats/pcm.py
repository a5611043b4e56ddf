"""Packed integer samples <-> arrays. NumPy only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ardm_compress.files.data import Data

BIG_ENDIAN: Final = 1  # flags of a kind of file
UNSIGNED: Final = 2
VERBATIM: Final = 4  # head and tail are given; else the file is the shortest WAV there is
FLAC: Final = 8
READ: Final = 1 << 16  # frames at a time


class Samples(Protocol):
    """Samples (frames, channels) of which slices are arrays: an array, or what reads or decodes them when asked."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Frames, channels."""

    def __getitem__(self, frames: slice, /) -> NDArray[np.int32]: ...


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
    """Samples (n,) of packed integers."""
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
