"""TIFF files of one image that is not packed, of samples of 8 or 16 bits side by side. Pillow reads the tags."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Final

from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from ardm_compress.errors import UnsupportedError
from ardm_compress.formats.raster import (
    BIG_ENDIAN,
    Layout,
    check,
    parts,
    read_samples,
    shows_samples,
    stripped,
)

if TYPE_CHECKING:
    from ardm_compress.files.data import Data
    from ardm_compress.formats.contents import Picture
    from ardm_compress.limits import Limits

__all__ = ["check", "parts", "read", "shows_samples", "stripped"]

TAGS: Final = {"bits": 258, "packing": 259, "offsets": 273, "channels": 277, "sizes": 279, "planar": 284,
               "tiles": 322, "format": 339}  # fmt: skip


def read(data: Data, limits: Limits) -> Picture:
    """Take a file apart; see ``read_samples``."""
    file = data[:]
    return read_samples(file, _layout(file), limits)


def _layout(data: bytes) -> Layout:
    with Image.open(io.BytesIO(data)) as image:
        if not isinstance(image, TiffImageFile) or image.n_frames > 1:
            raise UnsupportedError("a TIFF file of several images")
        tags: dict[str, Any] = {name: image.tag_v2.get(number) for name, number in TAGS.items()}
        columns, rows = image.size
    bits, formats = set(tags["bits"] or (1,)), set(tags["format"] or (1,))
    plain = tags["packing"] in (None, 1) and tags["planar"] in (None, 1) and not tags["tiles"]
    if not plain or formats != {1} or len(bits) > 1 or not bits <= {8, 16} or not tags["sizes"]:
        raise UnsupportedError("a TIFF file that is packed, or not of samples of 8 or 16 bits side by side")
    offsets, sizes = tags["offsets"], tags["sizes"]
    joined = all(a + size == b for a, size, b in zip(offsets, sizes, offsets[1:], strict=False))
    channels, depth = tags["channels"] or 1, bits.pop()
    if not joined or sum(sizes) != rows * columns * channels * depth // 8:
        raise UnsupportedError("a TIFF file whose pixels are not in one piece")
    return Layout(offsets[0], rows, columns, channels, depth, BIG_ENDIAN if data[:2] == b"MM" else 0)
