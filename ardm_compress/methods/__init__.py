"""The methods by which tiles are coded: what each offers, and which one a stream's first byte names.

docs/format.md section 15.2 is normative. A method's module is imported when a tile needs it.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from ardm_compress.container.picture import APART, CONTEXTS, JPEG_XL, MODEL, RAW, WEBP
from ardm_compress.errors import FormatError, LimitError, UnsupportedError
from ardm_compress.formats.contents import DEPTHS, sample_type

if TYPE_CHECKING:
    from numpy.typing import NDArray

FILES: Final = {RAW: "raw", MODEL: "model", WEBP: "webp", JPEG_XL: "jpegxl", APART: "apart", CONTEXTS: "contexts"}
Shape: TypeAlias = tuple[int, int, int]  # rows, columns, channels


class Method:
    """A way to code a tile as the body of a stream, which is what follows the first byte."""

    depths: tuple[int, ...] = DEPTHS  # bits of the samples, and
    channels: tuple[int, ...] = (1, 2, 3, 4)  # of the tiles for which the format defines it

    def decode(self, body: bytes, shape: Shape, depth: int) -> NDArray[Any]:
        """Decode a tile: samples (rows, columns, channels).

        Raises:
            FormatError: the body is damaged, or not of such samples; LimitError, UnsupportedError: see ``codec``.
        """
        raise NotImplementedError

    def decode_tiles(self, bodies: Sequence[bytes], shape: Shape, depth: int) -> list[NDArray[Any]]:
        """Decode tiles of one shape, which the model does in lockstep."""
        return [self.decode(body, shape, depth) for body in bodies]

    def salvage(self, body: bytes, shape: Shape, depth: int) -> NDArray[Any] | None:
        """Decode what a body still holds that may be damaged or cut short; None if that is nothing."""
        try:
            return self.decode(body, shape, depth)
        except (FormatError, UnsupportedError, LimitError):
            return None


def method_of(stream: bytes, shape: Shape, depth: int) -> Method:
    """Find the method that codes a tile of a shape, with samples of ``depth`` bits.

    Raises:
        FormatError: version 1 defines none.
    """
    name = FILES.get(stream[0]) if stream else None
    method = cast("Method", import_module(f"ardm_compress.methods.{name}").METHOD) if name else None
    if not method or depth not in method.depths or shape[2] not in method.channels:
        raise FormatError("a tile is coded in a way that version 1 does not define", section="payload")
    return method


def decode_tiles(streams: Sequence[bytes], shape: Shape, depth: int) -> list[NDArray[Any]]:
    """Decode tiles of one shape; those of one method go to it together.

    Raises:
        FormatError: one of them is damaged, or not a stream of such samples.
    """
    by_method: dict[Method, list[int]] = {}
    for number, stream in enumerate(streams):
        by_method.setdefault(method_of(stream, shape, depth), []).append(number)
    found: dict[int, NDArray[Any]] = {}
    for method, numbers in by_method.items():
        found.update(zip(numbers, method.decode_tiles([streams[n][1:] for n in numbers], shape, depth), strict=True))
    return [found[number] for number in range(len(streams))]


def salvage_tile(stream: bytes, shape: Shape, depth: int) -> NDArray[Any] | None:
    """Decode what a stream still holds that may be damaged or cut short; None if that is nothing."""
    try:
        method = method_of(stream, shape, depth)
    except FormatError:
        return None
    return method.salvage(stream[1:], shape, depth)


def check_shape(found: tuple[int, ...], shape: tuple[int, ...]) -> None:
    """Raise FormatError unless a tile has the sides, or the sides and channels, that its file says."""
    if found != shape:
        raise FormatError("a tile has other sides than its file says", section="payload")


def check_depth(samples: NDArray[Any], depth: int) -> None:
    """Raise FormatError unless samples are of ``depth`` bits, in the type of array that holds these."""
    if samples.dtype != sample_type(depth) or int(samples.max(initial=0)) >> depth:
        raise FormatError("a tile has other samples than its file says", section="payload")
