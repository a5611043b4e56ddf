"""Tiles as two streams, of colour and of transparency, each coded by a method of its own. NumPy only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ardm_compress.errors import FormatError
from ardm_compress.files import Reader, write_varint
from ardm_compress.formats.contents import sample_type
from ardm_compress.methods import Method, Shape, decode_tiles, salvage_tile

if TYPE_CHECKING:
    from numpy.typing import NDArray

CHANNELS: Final = 2, 4  # of tiles that have transparency
PARTS: Final = slice(0, -1), slice(-1, None)  # channels of each stream


def join(colour: bytes, transparency: bytes) -> bytes:
    """Make a body of two streams."""
    return write_varint(len(colour)) + colour + transparency


def split(body: bytes) -> tuple[bytes, bytes]:
    """Invert ``join``; the first stream may be all there is, cut short."""
    reader = Reader(body)
    length = reader.varint(1, 1 << 32, "the length of a stream")
    return body[reader.offset : reader.offset + length], body[reader.offset + length :]


class Apart(Method):
    """See ``Method``."""

    channels = CHANNELS

    def decode_tiles(self, bodies: Sequence[bytes], shape: Shape, depth: int) -> list[NDArray[Any]]:
        """See ``Method``."""
        colours, rests = zip(*map(split, bodies), strict=True)
        decoded = (
            decode_tiles(colours, (*shape[:2], shape[2] - 1), depth),
            decode_tiles(rests, (*shape[:2], 1), depth),
        )
        return [np.concatenate(parts, 2) for parts in zip(*decoded, strict=True)]

    def salvage(self, body: bytes, shape: Shape, depth: int) -> NDArray[Any] | None:
        """See ``Method``; a part of which nothing is left is gray."""
        try:
            streams = split(body)
        except FormatError:
            return None
        found = np.full(shape, 1 << depth - 1, sample_type(depth))
        for stream, channels in zip(streams, PARTS, strict=True):
            part = salvage_tile(stream, found[..., channels].shape, depth)
            if part is not None:
                found[..., channels] = part
        return found


METHOD = Apart()
