"""Tiles as lossless codestreams of JPEG XL, by libjxl through imagecodecs, which is imported when it codes."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final

from ardm_compress.errors import FormatError
from ardm_compress.methods import Method, Shape, check_depth, check_shape

if TYPE_CHECKING:
    from numpy.typing import NDArray

START: Final = b"\xff\x0a"
BOX: Final = 8  # bytes of the head of a part of a container
SIDE_BITS: Final = (9, 13, 18, 30)
RATIOS: Final = ((0, 1), (1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))  # of columns to rows


def encode(samples: NDArray[Any], effort: int = 9) -> bytes:
    """Encode samples (rows, columns, channels) of 8 or 16 bits, by an effort of libjxl, 1 to 10."""
    import imagecodecs

    pixels = samples[..., 0] if samples.shape[2] == 1 else samples
    return codestream(bytes(imagecodecs.jpegxl_encode(pixels, lossless=True, effort=effort, usecontainer=False)))


def codestream(data: bytes) -> bytes:
    """Return what is in the container (ISO/IEC 18181-2) that libjxl makes for deep samples and JPEG files all the same.

    Raises:
        FormatError: it is damaged.
    """
    if data[:2] == START:
        return data
    at, stream = 0, b""
    while at < len(data):
        if len(data) - at < BOX or 0 < int.from_bytes(data[at : at + 4], "big") < BOX:
            raise FormatError("a JPEG XL file is damaged", section="payload")
        size, name = struct.unpack_from(">I4s", data, at)
        stop = at + size if size else len(data)
        stream += data[at + 8 : stop] if name == b"jxlc" else data[at + 12 : stop] if name == b"jxlp" else b""
        at = stop
    return stream


def sides(stream: bytes, *, only_plain: bool = True) -> tuple[int, int]:
    """Rows and columns that a JPEG XL codestream says it has; 0, 0 if it is none, or may be of several frames.

    Codestreams of JPEG files may say there how to turn them: ``only_plain=False`` takes them, and several frames.

    Source: ISO/IEC 18181-1, SizeHeader and the beginning of ImageMetadata, of which animations need ``extra_fields``.
    """
    if stream[:2] != START:
        return 0, 0
    bits = int.from_bytes(stream[2:16], "little")

    def take(count: int) -> int:
        nonlocal bits
        value, bits = bits & (1 << count) - 1, bits >> count
        return value

    small = take(1)

    def side() -> int:
        return 8 * (take(5) + 1) if small else take(SIDE_BITS[take(2)]) + 1

    rows = side()
    ratio = take(3)
    columns = rows * RATIOS[ratio][0] // RATIOS[ratio][1] if ratio else side()
    all_default = take(1)
    return (0, 0) if only_plain and not all_default and take(1) else (rows, columns)


class JpegXL(Method):
    """See ``Method``."""

    def decode(self, body: bytes, shape: Shape, depth: int) -> NDArray[Any]:
        """See ``Method``."""
        import imagecodecs

        check_shape(sides(body), shape[:2])
        try:
            samples: NDArray[Any] = imagecodecs.jpegxl_decode(body)
        except (RuntimeError, ValueError) as error:  # JpegxlError is one
            raise FormatError(f"a tile is damaged: {error}", section="payload") from error
        samples = samples if samples.ndim == 3 else samples[..., None]
        check_shape(samples.shape, shape)
        check_depth(samples, depth)
        return samples


METHOD = JpegXL()
