"""A codec of Zarr's format 3, for chunks of integers. Needs zarr 3."""

from __future__ import annotations

import asyncio
import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from zarr.abc.codec import ArrayBytesCodec
from zarr.registry import register_codec

from ardm_compress.errors import FormatError, UnsupportedError
from ardm_compress.numcodecs import as_image
from ardm_compress.options import EncodeOptions
from ardm_compress.reading.arrays import decode, encode

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from typing_extensions import Self
    from zarr.core.array_spec import ArraySpec
    from zarr.core.buffer import Buffer, NDBuffer

NAME: Final = "ardm"
WORD: Final = 2  # bytes of the widest samples of an image


@dataclass(frozen=True)
class ArdmCodec(ArrayBytesCodec):
    """Codes chunks of integers or bool, of at least one axis, as images; it takes the place of Zarr's "bytes" codec.

    Chunks are (..., rows, columns) or (..., rows, columns, 1 to 4). Images of a stack are coded below one another, and
    so are the 16-bit parts of wider integers, the highest first. Of signed integers each part is stored plus half its
    range, after carrying: the high parts of small numbers are all equal, whatever the sign.

    Args:
        budget: network calls, at least 1; more make smaller chunks.
        model: name of a model.

    Raises:
        ValueError: budget below 1.
    """

    is_fixed_size = False

    budget: int | None = None
    model: str = "photo"

    def __post_init__(self) -> None:
        if self.budget is not None:
            object.__setattr__(self, "budget", operator.index(self.budget))  # Zarr keeps it as JSON
        EncodeOptions(budget=self.budget)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Make a codec of what ``zarr.json`` says."""
        return cls(**data.get("configuration", {}))

    def to_dict(self) -> dict[str, Any]:
        """Return what ``zarr.json`` is to say."""
        return {"name": NAME, "configuration": {"budget": self.budget, "model": self.model}}

    def validate(self, *, shape: tuple[int, ...], dtype: Any, chunk_grid: Any) -> None:  # noqa: ARG002  # Zarr's names
        """Raise UnsupportedError for arrays that cannot be coded."""
        kind = dtype.to_native_dtype()
        if kind.kind not in "biu" or not shape:
            raise UnsupportedError(f"arrays must be integers or bool of at least one axis, not {kind} of shape {shape}")

    async def _encode_single(self, chunk_data: NDBuffer, chunk_spec: ArraySpec) -> Buffer:
        image = _to_image(chunk_data.as_numpy_array())
        coded = await asyncio.to_thread(encode, image, budget=self.budget, model=self.model)
        stored: Buffer = chunk_spec.prototype.buffer.from_bytes(coded)
        return stored

    async def _decode_single(self, chunk_data: Buffer, chunk_spec: ArraySpec) -> NDBuffer:
        image = await asyncio.to_thread(decode, chunk_data.to_bytes())
        chunk = _from_image(image, chunk_spec.dtype.to_native_dtype(), chunk_spec.shape)
        found: NDBuffer = chunk_spec.prototype.nd_buffer.from_numpy_array(chunk)
        return found

    def compute_encoded_size(self, input_byte_length: int, chunk_spec: ArraySpec) -> int:
        """Raise NotImplementedError: only coding tells."""
        raise NotImplementedError


def _to_image(chunk: NDArray[Any]) -> NDArray[Any]:
    """View a chunk as an image of uint8, uint16 or bool."""
    size, kind = chunk.dtype.itemsize, chunk.dtype.kind
    if kind == "b":
        return as_image(np.atleast_2d(chunk))
    unsigned = np.ascontiguousarray(chunk, f"<{kind}{size}").view(f"<u{size}")
    if kind == "i":
        unsigned = unsigned + _middle(unsigned.dtype)
    image = as_image(np.atleast_2d(unsigned))
    if size <= WORD:
        return image
    words = image.view("<u2").reshape(*image.shape, -1)
    return np.concatenate(np.moveaxis(words, -1, 0)[::-1])


def _from_image(image: NDArray[Any], dtype: np.dtype[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """Inverse of ``_to_image``.

    Raises:
        FormatError: this is no image of such a chunk.
    """
    size, kind = dtype.itemsize, dtype.kind
    word = "bool" if kind == "b" else f"u{min(size, WORD)}"
    if image.dtype != word or image.size * image.itemsize != np.prod(shape, dtype=np.int64) * size:
        raise FormatError(f"a chunk of {dtype} of shape {shape} cannot be an image of {image.dtype} {image.shape}")
    if size > WORD:
        words = image.astype("<u2").reshape(size // WORD, -1)[::-1]
        image = np.ascontiguousarray(words.T).view(f"<u{size}")
    if kind == "i":
        image = (image - _middle(image.dtype)).view(image.dtype.str.replace("u", "i"))
    return image.reshape(shape).astype(dtype, copy=False)


def _middle(dtype: np.dtype[Any]) -> Any:
    """Return the unsigned integer whose every part is half a part's range."""
    return dtype.type(0x80 if dtype.itemsize == 1 else 0x8000_8000_8000_8000 % (1 << (8 * dtype.itemsize)))


register_codec(NAME, ArdmCodec)
