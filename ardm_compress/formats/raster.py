"""What BMP, PNM and TIFF files have in common whose samples lie in them unpacked, between a head and a tail.

They come back byte for byte. This is also the plug of such files of which the head says nothing that is known.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ardm_compress.errors import FormatError, UnsupportedError
from ardm_compress.formats.contents import MOST_CHANNELS, PADDED, RASTER, ImageWrapper, Picture, sample_type

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ardm_compress.options import Limits

BIG_ENDIAN, BLUE_FIRST, UPWARDS = 1, 2, 4  # flags of a wrapper's form; PADDED is one more


class Layout(NamedTuple):
    """Where a file's samples are and what they are like."""

    start: int  # of the samples in the file, in bytes
    rows: int
    columns: int
    channels: int
    depth: int  # bits of a sample: 8 or 16
    form: int  # flags


def read_samples(data: bytes, layout: Layout, limits: Limits) -> Picture:
    """Take a file apart whose samples are where the layout says.

    Raises:
        UnsupportedError: it would not come back byte for byte; LimitError: too large.
    """
    rows, columns, channels, depth, form = layout[1:]
    if min(rows, columns) < 1 or not 1 <= channels <= MOST_CHANNELS or layout.start < 0:
        raise UnsupportedError("an image without pixels or with many channels")
    end = layout.start + rows * _pitch(columns, channels, depth, form)
    if end > len(data):
        raise FormatError("damaged image file: it ends before its last pixel")
    limits.check_image(rows, columns, channels * depth // 8)
    lines = np.frombuffer(data[layout.start : end], np.uint8).reshape(rows, -1)
    packed = lines[:, : columns * channels * depth // 8]
    samples: NDArray[Any] = packed.reshape(rows, columns, -1)
    if depth == 16:
        samples = np.ascontiguousarray(samples).view(">u2" if form & BIG_ENDIAN else "<u2")
    samples = _turned(samples, form).astype(sample_type(depth))
    picture = Picture(samples, ImageWrapper(RASTER, depth, channels, form, data[: layout.start], data[end:]))
    if b"".join(parts(picture)) != data:
        raise UnsupportedError("an image file with something between its pixels")
    return picture


def parts(media: Picture) -> Iterator[bytes]:
    """Make the file again, byte for byte."""
    wrapper, samples = media.wrapper, _turned(media.samples, media.wrapper.form)
    rows, columns, channels = samples.shape
    kind = "u1" if wrapper.depth == 8 else ">u2" if wrapper.form & BIG_ENDIAN else "<u2"
    lines = np.ascontiguousarray(samples.astype(kind)).view(np.uint8).reshape(rows, -1)
    padding = _pitch(columns, channels, wrapper.depth, wrapper.form) - lines.shape[1]
    yield wrapper.head
    yield np.pad(lines, ((0, 0), (0, padding))).tobytes()
    yield wrapper.tail


def check(wrapper: ImageWrapper) -> None:
    """Raise FormatError unless there are such files."""
    if wrapper.depth < 8 or wrapper.form > 2 * PADDED - 1 or (wrapper.form & BLUE_FIRST and wrapper.channels < 3):
        raise FormatError("no image file is like that", section="header")


def stripped(wrapper: ImageWrapper) -> ImageWrapper:
    """Return the same: such files come back byte for byte."""
    return wrapper


def shows_samples(_wrapper: ImageWrapper) -> bool:
    """Whether nothing but the samples says how they look, which is not known of unknown heads."""
    return False


def _turned(samples: NDArray[Any], form: int) -> NDArray[Any]:
    """Rows downwards and red first, or as the file has them."""
    if form & UPWARDS:
        samples = samples[::-1]
    return samples[..., [2, 1, 0, 3][: samples.shape[2]]] if form & BLUE_FIRST else samples


def _pitch(columns: int, channels: int, depth: int, form: int) -> int:
    size = columns * channels * depth // 8
    return size + -size % 4 if form & PADDED else size
