"""Tiles as they are: samples in raster order, packed to their bits. NumPy only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ardm_compress.errors import FormatError
from ardm_compress.methods import Method, Shape

if TYPE_CHECKING:
    from numpy.typing import NDArray


def encode(samples: NDArray[Any], depth: int) -> bytes:
    """Pack samples of ``depth`` bits; those of 16 are little-endian."""
    if depth == 16:
        return samples.astype("<u2").tobytes()
    bits = np.unpackbits(samples.reshape(-1, 1), axis=1)[:, 8 - depth :]
    return np.packbits(bits).tobytes()


class Raw(Method):
    """See ``Method``."""

    def decode(self, body: bytes, shape: Shape, depth: int) -> NDArray[Any]:
        """See ``Method``."""
        count = int(np.prod(shape))
        if len(body) != -(-count * depth // 8):
            raise FormatError("a tile has another size than its file says", section="payload")
        if depth == 16:
            return np.frombuffer(body, "<u2").astype(np.uint16).reshape(shape)
        bits = np.unpackbits(np.frombuffer(body, np.uint8), count=count * depth).reshape(-1, depth)
        return np.packbits(np.pad(bits, ((0, 0), (8 - depth, 0))), axis=1).reshape(shape)


METHOD = Raw()
