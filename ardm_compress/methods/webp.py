"""Tiles as lossless bitstreams of WebP, by libwebp through Pillow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ardm_compress.formats import webp
from ardm_compress.methods import Method, Shape, check_depth

if TYPE_CHECKING:
    from numpy.typing import NDArray


class WebP(Method):
    """See ``Method``; ``formats.webp.pack`` encodes."""

    depths = (1, 2, 4, 8)

    def decode(self, body: bytes, shape: Shape, depth: int) -> NDArray[Any]:
        """See ``Method``."""
        samples = webp.unpack(body, shape)
        check_depth(samples, depth)
        return samples


METHOD = WebP()
