"""A codec of numcodecs, for chunks of arrays of Zarr's format 2 that are images or stacks of them."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np
from numcodecs.abc import Codec
from numcodecs.compat import ensure_bytes, ensure_ndarray, ndarray_copy
from numcodecs.registry import register_codec

from ardm_compress.errors import UnsupportedError
from ardm_compress.formats.contents import MOST_CHANNELS
from ardm_compress.reading.arrays import decode, encode

if TYPE_CHECKING:
    from numpy.typing import NDArray

DTYPES: Final = ("|u1", "<u2", "|b1")


class Ardm(Codec):  # type: ignore[misc]
    """Codes chunks of uint8, little-endian uint16 or bool: (..., rows, columns) or (..., rows, columns, 1 to 4).

    Images of a stack are coded below one another, as one image.

    Args:
        budget: network calls, at least 1; more make smaller chunks.
        model: name of a model.

    Raises:
        ValueError: budget below 1.
    """

    codec_id: ClassVar[str] = "ardm"

    def __init__(self, budget: int | None = None, model: str = "photo") -> None:
        self.budget = budget if budget is None else operator.index(budget)  # Zarr keeps it as JSON
        self.model = model
        if self.budget is not None and self.budget < 1:
            raise ValueError("budget must be at least 1 network call")

    def encode(self, buf: Any) -> bytes:
        """Compress a chunk; its bytes are taken in the order in which they are in memory."""
        chunk: NDArray[Any] = ensure_ndarray(buf)
        if chunk.dtype.str not in DTYPES or chunk.ndim < 2 or not chunk.size:
            raise UnsupportedError(
                "chunks must be uint8, little-endian uint16 or bool of at least two axes, none of length 0, not "
                f"{chunk.dtype.str} of shape {chunk.shape}"
            )
        return encode(as_image(chunk.T if chunk.flags.f_contiguous else chunk), budget=self.budget, model=self.model)

    def decode(self, buf: Any, out: Any = None) -> Any:
        """Inverse of ``encode``: a chunk of the same bytes, as one image, or ``out``, filled with them."""
        chunk = decode(ensure_bytes(buf))
        return ndarray_copy(chunk.astype(chunk.dtype.newbyteorder("<"), copy=False), out)


def as_image(chunk: NDArray[Any]) -> NDArray[Any]:
    """View a chunk as (rows, columns) or (rows, columns, channels)."""
    coloured = chunk.ndim > 2 and chunk.shape[-1] <= MOST_CHANNELS and chunk.dtype != np.bool_
    return chunk.reshape(-1, *chunk.shape[-2 if coloured else -1 :])


register_codec(Ardm)
