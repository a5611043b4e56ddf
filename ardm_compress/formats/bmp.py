"""BMP files of 8, 24 or 32 bits a pixel that are not packed."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from ardm_compress.errors import UnsupportedError
from ardm_compress.formats.contents import PADDED
from ardm_compress.formats.raster import BLUE_FIRST, UPWARDS, Layout, check, parts, read_samples, stripped

if TYPE_CHECKING:
    from ardm_compress.files import Data
    from ardm_compress.formats.contents import ImageWrapper, Picture
    from ardm_compress.options import Limits

__all__ = ["check", "parts", "read", "shows_samples", "stripped"]

CHANNELS: Final = {8: 1, 24: 3, 32: 4}  # by bits of a pixel
PLAIN: Final = (0, 3)  # compressions: none, and none with masks
BITS: Final = slice(28, 30)  # of a pixel, in the file


def read(data: Data, limits: Limits) -> Picture:
    """Take a file apart; see ``read_samples``."""
    start, size, columns, rows, _, bits, packing = struct.unpack_from("<IIiiHHI", data[:64], 10)
    if size < 40 or bits not in CHANNELS or packing not in PLAIN:
        raise UnsupportedError(f"a BMP file of {bits} bits a pixel, or packed")
    form = PADDED | (UPWARDS if rows > 0 else 0) | (BLUE_FIRST if bits > 8 else 0)
    return read_samples(data[:], Layout(start, abs(rows), columns, CHANNELS[bits], 8, form), limits)


def shows_samples(wrapper: ImageWrapper) -> bool:
    """Whether nothing but the samples says how they look: no palette and no masks do."""
    return wrapper.head[BITS] == (24).to_bytes(2, "little")
