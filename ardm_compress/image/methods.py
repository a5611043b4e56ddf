"""A tile of a picture <-> bytes, by whatever makes them fewest: the model, WebP, JPEG XL, contexts, or as they are.

docs/format.md section 15.2 is normative.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ardm_compress.container import MAGIC, VERSION, Reader, read_header, write_varint
from ardm_compress.errors import FormatError
from ardm_compress.image import contexts, webp
from ardm_compress.image.container import APART, CONTEXTS, JPEG_XL, MODEL, RAW, WEBP
from ardm_compress.image.picture import sample_type

if TYPE_CHECKING:
    from numpy.typing import NDArray

START: Final = MAGIC + bytes([VERSION])
MODEL_CHANNELS: Final = (1, 3)
TRIED: Final = 96  # side of the parts by which the model is compared with the others
TRIED_PLACES: Final = (0.25, 0.75)  # of an axis, where they are
HOPEFUL: Final = 1.25  # the model is tried on all of a tile unless its estimate, 10 % too high, is more than that
CLEAR: Final = 1.0  # the others are not if it is estimated to take less than that
JPEG_XL_START: Final = b"\xff\x0a"
JPEG_XL_BITS: Final = (9, 13, 18, 30)  # of a side
JPEG_XL_RATIOS: Final = ((0, 1), (1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))  # of columns to rows
SLOW: Final = 1 << 18  # pixels from which JPEG XL is not given its utmost effort


@dataclass(frozen=True, slots=True)
class Coder:
    """The model of photographs, for samples (rows, columns, 1 or 3) of 8 bits."""

    encode: Callable[[NDArray[np.uint8]], bytes]  # gives a whole file
    decode: Callable[[bytes], NDArray[np.uint8]]
    estimate: Callable[[NDArray[np.uint8]], int]  # about how many bytes ``encode`` would give, fast


def encode_tile(samples: NDArray[Any], depth: int, coder: Coder) -> bytes:
    """The shortest stream of samples (rows, columns, channels) of ``depth`` bits."""
    streams = [_raw(samples, depth)]
    channels, by_model = samples.shape[2], 1.0
    if depth == 8 and channels in MODEL_CHANNELS:
        by_model = compared(samples, coder)
    if by_model >= CLEAR:
        streams += _others(samples, depth)
        mixed = contexts.pack(samples, depth)
        streams += [] if mixed is None else [bytes([CONTEXTS]) + mixed]
    if depth == 8 and channels in MODEL_CHANNELS and by_model <= HOPEFUL:
        streams.append(bytes([MODEL]) + coder.encode(samples)[len(START) :])
    if channels in (2, 4):
        streams.append(_apart(samples, depth, coder))
    return min(streams, key=len)


def decode_tile(stream: bytes, shape: tuple[int, int, int], depth: int, coder: Coder) -> NDArray[Any]:
    """Inverse of ``encode_tile``; ``shape`` (rows, columns, channels).

    Raises:
        FormatError: damaged, or not a stream of such samples.
    """
    method, body = stream[:1], stream[1:]
    if method == bytes([RAW]):
        return _from_raw(body, shape, depth)
    if method == bytes([MODEL]) and depth == 8:
        header, _ = read_header(_whole(body))
        if (*header.shape, header.channels) != shape:
            raise FormatError("a tile has other sides than its file says", section="payload")
        return coder.decode(_whole(body))
    if method == bytes([WEBP]) and depth <= 8:
        return _of_depth(webp.unpack(body, shape), depth)
    if method == bytes([JPEG_XL]):
        return _of_depth(_from_jpeg_xl(body, shape), depth)
    if method == bytes([CONTEXTS]):
        return contexts.unpack(body, shape, depth)
    if method == bytes([APART]) and shape[2] in (2, 4):
        return _from_apart(body, shape, depth, coder)
    raise FormatError("a tile is coded in a way that version 1 does not define", section="payload")


def _whole(body: bytes) -> bytes:
    """The file of which a stream of the model leaves out what all files begin with."""
    return START + body


def of_model(stream: bytes) -> bytes | None:
    """The file that a stream of the model is, by itself."""
    return _whole(stream[1:]) if stream[0] == MODEL else None


def _others(samples: NDArray[Any], depth: int) -> list[bytes]:
    """Streams of whole images' coders."""
    found = []
    if depth <= 8 and max(samples.shape[:2]) <= webp.MAX_SIDE:
        found.append(bytes([WEBP]) + webp.pack(np.asarray(samples, np.uint8)))
    if depth >= 8:
        found.append(bytes([JPEG_XL]) + _jpeg_xl(samples))
    return found


def compared(samples: NDArray[np.uint8], coder: Coder) -> float:
    """How many times more the model takes than the others do, on parts of large tiles; HOPEFUL for small ones."""
    rows, columns = samples.shape[:2]
    if rows * columns <= len(TRIED_PLACES) ** 2 * TRIED**2:
        return HOPEFUL
    model = others = 0
    for y in TRIED_PLACES:
        for x in TRIED_PLACES:
            top, left = (max(0, round(side * place) - TRIED // 2) for side, place in ((rows, y), (columns, x)))
            part = samples[top : top + TRIED, left : left + TRIED]
            model += coder.estimate(part)
            others += min(map(len, _others(part, 8)))
    return model / others


def _raw(samples: NDArray[Any], depth: int) -> bytes:
    if depth == 16:
        return bytes([RAW]) + samples.astype("<u2").tobytes()
    bits = np.unpackbits(samples.reshape(-1, 1), axis=1)[:, 8 - depth :]
    return bytes([RAW]) + np.packbits(bits).tobytes()


def _from_raw(body: bytes, shape: tuple[int, int, int], depth: int) -> NDArray[Any]:
    count = int(np.prod(shape))
    if len(body) != -(-count * depth // 8):
        raise FormatError("a tile has another size than its file says", section="payload")
    if depth == 16:
        return np.frombuffer(body, "<u2").astype(np.uint16).reshape(shape)
    bits = np.unpackbits(np.frombuffer(body, np.uint8), count=count * depth).reshape(-1, depth)
    return np.packbits(np.pad(bits, ((0, 0), (8 - depth, 0))), axis=1).reshape(shape)


def _jpeg_xl(samples: NDArray[Any]) -> bytes:
    import imagecodecs

    effort = 9 if samples.shape[0] * samples.shape[1] <= SLOW else 7
    pixels = samples[..., 0] if samples.shape[2] == 1 else samples
    return _codestream(bytes(imagecodecs.jpegxl_encode(pixels, lossless=True, effort=effort, usecontainer=False)))


def _codestream(data: bytes) -> bytes:
    """Out of the container that libjxl makes for deep samples all the same (ISO/IEC 18181-2)."""
    if data[:2] == JPEG_XL_START:
        return data
    at, stream = 0, b""
    while at < len(data):
        size, name = struct.unpack_from(">I4s", data, at)
        stop = at + size if size else len(data)
        stream += data[at + 8 : stop] if name == b"jxlc" else data[at + 12 : stop] if name == b"jxlp" else b""
        at = stop
    return stream


def _from_jpeg_xl(body: bytes, shape: tuple[int, int, int]) -> NDArray[Any]:
    import imagecodecs

    if jpeg_xl_sides(body) != shape[:2]:
        raise FormatError("a tile has other sides than its file says", section="payload")
    try:
        samples: NDArray[Any] = imagecodecs.jpegxl_decode(body)
    except (RuntimeError, ValueError) as error:  # JpegxlError is one
        raise FormatError(f"a tile is damaged: {error}", section="payload") from error
    return _of_shape(samples if samples.ndim == 3 else samples[..., None], shape)


def jpeg_xl_sides(stream: bytes) -> tuple[int, int]:
    """Rows and columns that a JPEG XL codestream says it has (ISO/IEC 18181-1, SizeHeader); 0, 0 if it is none."""
    if stream[:2] != JPEG_XL_START:
        return 0, 0
    bits = int.from_bytes(stream[2:12], "little")

    def take(count: int) -> int:
        nonlocal bits
        value, bits = bits & (1 << count) - 1, bits >> count
        return value

    small = take(1)

    def side() -> int:
        return 8 * (take(5) + 1) if small else take(JPEG_XL_BITS[take(2)]) + 1

    rows = side()
    ratio = take(3)
    return rows, rows * JPEG_XL_RATIOS[ratio][0] // JPEG_XL_RATIOS[ratio][1] if ratio else side()


def _apart(samples: NDArray[Any], depth: int, coder: Coder) -> bytes:
    """The last channel, transparency, for itself."""
    colour, rest = (encode_tile(part, depth, coder) for part in (samples[..., :-1], samples[..., -1:]))
    return bytes([APART]) + write_varint(len(colour)) + colour + rest


def _from_apart(body: bytes, shape: tuple[int, int, int], depth: int, coder: Coder) -> NDArray[Any]:
    reader = Reader(body)
    colour = reader.take(reader.varint(1, len(body), "the length of a stream"))
    first = decode_tile(colour, (*shape[:2], shape[2] - 1), depth, coder)
    return np.concatenate([first, decode_tile(body[reader.offset :], (*shape[:2], 1), depth, coder)], 2)


def _of_shape(samples: NDArray[Any], shape: tuple[int, int, int]) -> NDArray[Any]:
    if samples.shape != shape:
        raise FormatError("a tile has other sides than its file says", section="payload")
    return samples


def _of_depth(samples: NDArray[Any], depth: int) -> NDArray[Any]:
    if samples.dtype != sample_type(depth) or int(samples.max(initial=0)) >> depth:
        raise FormatError("a tile has other samples than its file says", section="payload")
    return samples
