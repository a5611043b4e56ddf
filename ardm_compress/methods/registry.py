"""Streams of tiles -> samples, by the method that a stream's first byte names. A method is imported when it is needed.

docs/format.md section 15.2 is normative.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, cast

from ardm_compress.container.picture import APART, CONTEXTS, JPEG_XL, MODEL, RAW, WEBP
from ardm_compress.errors import FormatError
from ardm_compress.methods.base import Method, Shape

if TYPE_CHECKING:
    from numpy.typing import NDArray

FILES: Final = {RAW: "raw", MODEL: "model", WEBP: "webp", JPEG_XL: "jpegxl", APART: "apart", CONTEXTS: "contexts"}


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
