"""Whether other coders' files hold the same colours and sound. NumPy, Pillow, and what takes our own files apart."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from ardm_compress.errors import ChecksumError, UnsupportedError
from ardm_compress.formats import png
from ardm_compress.formats.catalogue import read_picture, read_sound

if TYPE_CHECKING:
    from numpy.typing import NDArray

WIDE = 16  # bits of a sample, which Pillow narrows


def colours(data: bytes) -> NDArray[Any]:
    """Return what an image file shows, in as few channels as that takes: gray, colour, and transparency if any.

    Returns:
        (rows, columns, 1 to 4), uint8 or uint16.

    Raises:
        UnsupportedError: a kind of file that coders do not write.
    """
    picture = read_picture(data)
    if picture.wrapper.depth < WIDE:
        with Image.open(io.BytesIO(data)) as image:
            return fewest(np.asarray(image.convert("RGBA")))
    if png.has_colour_key(picture.wrapper):
        raise UnsupportedError("16 bits with a transparent colour, which coders treat differently")
    samples, channels = picture.samples, picture.wrapper.channels
    colour = samples[..., : channels - 1 + channels % 2]
    full = np.full((*samples.shape[:2], 1), np.iinfo(samples.dtype).max, samples.dtype)
    return fewest(np.dstack([*np.broadcast_to(colour, (*samples.shape[:2], 3)).transpose(2, 0, 1),
                             samples[..., -1:] if channels % 2 == 0 else full]))  # fmt: skip


def fewest(shown: NDArray[Any]) -> NDArray[Any]:
    """Without transparency where there is none, and in one channel if it is gray; from (rows, columns, 4)."""
    opaque = bool((shown[..., 3] == np.iinfo(shown.dtype).max).all())
    gray = bool((shown[..., :1] == shown[..., 1:3]).all())
    kept = ([0] if gray else [0, 1, 2]) + ([] if opaque else [3])
    return np.ascontiguousarray(shown[..., kept])


def check_image(decoded: bytes, original: bytes) -> None:
    """Raise ChecksumError unless two image files show the same."""
    _check_same(colours(decoded), colours(original))


def check_sound(decoded: bytes, original: bytes) -> None:
    """Raise ChecksumError unless two sound files have the same samples and rate."""
    one, other = read_sound(decoded), read_sound(original)
    if one.wrapper.rate != other.wrapper.rate:
        raise ChecksumError(f"the rate has changed from {other.wrapper.rate} to {one.wrapper.rate}")
    everything = slice(None)
    _check_same(one.samples[everything] << one.wrapper.shift, other.samples[everything] << other.wrapper.shift)


def _check_same(one: NDArray[Any], other: NDArray[Any]) -> None:
    if not np.array_equal(one, other):
        raise ChecksumError("what came back is not what went in")
