"""A tile of a picture <-> bytes, by whatever makes them fewest: the model, WebP, JPEG XL, contexts, or as they are.

docs/format.md section 15.2 is normative.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ardm_compress.container.image import read_header
from ardm_compress.container.picture import APART, CONTEXTS, JPEG_XL, MODEL, RAW, WEBP
from ardm_compress.container.streams import START
from ardm_compress.errors import FormatError, LimitError, UnsupportedError
from ardm_compress.files.fields import Reader, write_varint
from ardm_compress.formats import webp
from ardm_compress.formats.contents import sample_type
from ardm_compress.methods import contexts

if TYPE_CHECKING:
    from numpy.typing import NDArray

MODEL_CHANNELS: Final = (1, 3)
MODEL_DEPTH: Final = 8
TRIED: Final = 96  # side of the parts by which the model is compared with the others
TRIED_PLACES: Final = (0.25, 0.75)  # of an axis, where they are
SMALL: Final = len(TRIED_PLACES) ** 2 * TRIED**2  # pixels up to which the model is tried on all of a tile
HOPEFUL: Final = 1.25  # the model is tried on all of a tile unless its estimate, 10 % too high, is more than that
SIMPLE: Final = 32  # of what others make so many times smaller, the model takes more
CLEAR: Final = 1.0  # the others are not if it is estimated to take less than that
NATURAL: Final = 0.4  # of raw samples, which WebP takes at first try of what is no drawing; slower ways gain little
JPEG_XL_START: Final = b"\xff\x0a"
JPEG_XL_BITS: Final = (9, 13, 18, 30)  # of a side
JPEG_XL_RATIOS: Final = ((0, 1), (1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))  # of columns to rows
QUICK: Final = 7  # effort of JPEG XL at first
EFFORTS: Final = (9, 10)  # those of which one is the smallest: 10 on drawings by far, but not on all there is
SLOW: Final = 1 << 19  # pixels from which they take too long
NEAR: Final = 1.25  # times the smallest, from where they may reach it


@dataclass(frozen=True, slots=True)
class Settings:
    """How the model codes."""

    budget: int | None = None  # network calls
    model: str = "photo"  # name
    describe: bool = True  # tell the network about tiles
    made: Mapping[bytes, bytes] = field(default_factory=dict)  # files that the model makes of tiles, by ``key_of`` them


DEFAULT_SETTINGS: Final = Settings()


def encode_tile(
    samples: NDArray[Any], depth: int, settings: Settings = DEFAULT_SETTINGS, by_model: float | None = None
) -> bytes:
    """The shortest stream of a tile.

    Args:
        samples: (rows, columns, channels).
        depth: their bits.
        settings: of the model.
        by_model: what ``compared`` gives, if that is known.
    """
    streams, channels = [_raw(samples, depth)], samples.shape[2]
    if by_model is None:
        by_model = compared(samples, settings) if is_for_model(depth, channels) else CLEAR
    if is_for_model(depth, channels) and by_model <= HOPEFUL:
        streams.append(bytes([MODEL]) + _by_model(samples, settings)[len(START) :])
    small = samples.shape[0] * samples.shape[1] <= SMALL
    if by_model >= CLEAR and not (small and len(streams) > 1 and _settled(samples, min(map(len, streams)))):
        streams += _others(samples, depth, min(map(len, streams)))
        mixed = contexts.pack(samples, depth)
        streams += [] if mixed is None else [bytes([CONTEXTS]) + mixed]
    if channels in (2, 4):
        streams.append(_apart(samples, depth, settings))
    return min(streams, key=len)


def _by_model(samples: NDArray[Any], settings: Settings) -> bytes:
    """The file that the model makes of a tile."""
    from ardm_compress.codec import array

    made = settings.made.get(key_of(samples)) if settings.made else None
    budget, model, describe = settings.budget, settings.model, settings.describe
    return made or array.encode(np.asarray(samples, np.uint8), budget=budget, model=model, describe=describe)


def key_of(samples: NDArray[np.uint8]) -> bytes:
    """What tells apart all tiles of 8-bit samples."""
    return struct.pack("<3I", *samples.shape) + samples.tobytes()


def parts_for_model(samples: NDArray[Any], depth: int) -> list[NDArray[Any]]:
    """What ``encode_tile`` lets the model code of a small tile."""
    channels = samples.shape[2]
    if depth != MODEL_DEPTH:
        return []
    return [samples] if channels in MODEL_CHANNELS else [samples[..., :-1], samples[..., -1:]]


def files_of_model(stream: bytes) -> list[bytes]:
    """The files of the model that a tile's stream holds; FormatError if that cannot be told."""
    parts = _parted(stream[1:]) if stream[:1] == bytes([APART]) else (stream,)  # which are never apart themselves
    return [_whole(part[1:]) for part in parts if part[:1] == bytes([MODEL])]


def is_for_model(depth: int, channels: int) -> bool:
    """Whether the model codes samples of that kind."""
    return depth == MODEL_DEPTH and channels in MODEL_CHANNELS


def decode_tile(
    stream: bytes, shape: tuple[int, int, int], depth: int, known: Mapping[bytes, NDArray[np.uint8]] | None = None
) -> NDArray[Any]:
    """Inverse of ``encode_tile``.

    Args:
        stream: of the tile.
        shape: (rows, columns, channels).
        depth: bits of a sample.
        known: samples that files of the model are known to hold.

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
        from ardm_compress.codec import array

        found = (known or {}).get(_whole(body))
        return array.decode(_whole(body)) if found is None else found
    if method == bytes([WEBP]) and depth <= 8:
        return _of_depth(webp.unpack(body, shape), depth)
    if method == bytes([JPEG_XL]):
        return _of_depth(_from_jpeg_xl(body, shape), depth)
    if method == bytes([CONTEXTS]):
        return contexts.unpack(body, shape, depth)
    if method == bytes([APART]) and shape[2] in (2, 4):
        return _from_apart(body, shape, depth, known)
    raise FormatError("a tile is coded in a way that version 1 does not define", section="payload")


def salvage_tile(stream: bytes, shape: tuple[int, int, int], depth: int) -> NDArray[Any] | None:
    """What a stream still holds that may be damaged or cut short; None if that is nothing. Arguments as above."""
    method, body = stream[:1], stream[1:]
    if method == bytes([APART]) and shape[2] in (2, 4):
        return _salvaged_apart(body, shape, depth)
    try:
        if method == bytes([MODEL]) and depth == 8:
            from ardm_compress.codec import array

            samples: NDArray[Any] = array.salvage(_whole(body))[0]
            return _of_shape(samples, shape)
        return decode_tile(stream, shape, depth)
    except (FormatError, UnsupportedError, LimitError):
        return None


def _salvaged_apart(body: bytes, shape: tuple[int, int, int], depth: int) -> NDArray[Any] | None:
    try:
        first, rest = _parted(body)
    except FormatError:
        return None
    found = np.full(shape, 1 << depth - 1, sample_type(depth))
    for stream, channels in ((first, slice(0, -1)), (rest, slice(-1, None))):
        part = salvage_tile(stream, found[..., channels].shape, depth)
        if part is not None:
            found[..., channels] = part
    return found


def _whole(body: bytes) -> bytes:
    """The file of which a stream of the model leaves out what all files begin with."""
    return START + body


def of_model(stream: bytes) -> bytes | None:
    """The file that a stream of the model is, by itself."""
    return _whole(stream[1:]) if stream[0] == MODEL else None


def _settled(samples: NDArray[Any], best: int) -> bool:
    """Whether a tile of 8 bits is no drawing, and others hardly make it smaller than it is at best so far."""
    quick = len(webp.pack(np.asarray(samples, np.uint8), quick=True))
    return best < quick and quick > NATURAL * samples.size and best < len(_jpeg_xl(samples))


def _others(samples: NDArray[Any], depth: int, best: int) -> list[bytes]:
    """Streams of whole images' coders; the slowest only if they may be below ``best`` bytes and what others take."""
    found = []
    if depth <= 8 and max(samples.shape[:2]) <= webp.MAX_SIDE:
        found.append(bytes([WEBP]) + webp.pack(np.asarray(samples, np.uint8)))
    if depth >= 8:
        quick = _jpeg_xl(samples, QUICK)
        near = len(quick) < NEAR * min([best, *map(len, found)])
        efforts = EFFORTS if near and samples.shape[0] * samples.shape[1] <= SLOW else ()
        found += [bytes([JPEG_XL]) + each for each in (quick, *(_jpeg_xl(samples, effort) for effort in efforts))]
    return found


def compared(samples: NDArray[Any], settings: Settings) -> float:
    """How many times more the model takes than the others do, on parts of large tiles; HOPEFUL for small ones."""
    rows, columns = samples.shape[:2]
    if rows * columns <= SMALL:
        return HOPEFUL
    parts = []
    for y in TRIED_PLACES:
        for x in TRIED_PLACES:
            top, left = (max(0, round(side * place) - TRIED // 2) for side, place in ((rows, y), (columns, x)))
            parts.append(np.asarray(samples[top : top + TRIED, left : left + TRIED], np.uint8))
    others = sum(min(len(webp.pack(part, quick=True)), len(_jpeg_xl(part))) for part in parts)
    if others * SIMPLE < sum(part.size for part in parts):
        return math.inf
    from ardm_compress.codec import array

    return sum(array.estimate(part, settings.model) for part in parts) / others


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


def _jpeg_xl(samples: NDArray[Any], effort: int = 9) -> bytes:
    import imagecodecs

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
    """Rows and columns that a JPEG XL codestream says it has; 0, 0 if it is none, or may be of several frames.

    Source: ISO/IEC 18181-1, SizeHeader and the beginning of ImageMetadata, of which animations need ``extra_fields``.
    """
    if stream[:2] != JPEG_XL_START:
        return 0, 0
    bits = int.from_bytes(stream[2:16], "little")

    def take(count: int) -> int:
        nonlocal bits
        value, bits = bits & (1 << count) - 1, bits >> count
        return value

    small = take(1)

    def side() -> int:
        return 8 * (take(5) + 1) if small else take(JPEG_XL_BITS[take(2)]) + 1

    rows = side()
    ratio = take(3)
    columns = rows * JPEG_XL_RATIOS[ratio][0] // JPEG_XL_RATIOS[ratio][1] if ratio else side()
    all_default = take(1)
    return (0, 0) if not all_default and take(1) else (rows, columns)


def _apart(samples: NDArray[Any], depth: int, settings: Settings) -> bytes:
    """The last channel, transparency, for itself."""
    colour, rest = (encode_tile(part, depth, settings) for part in (samples[..., :-1], samples[..., -1:]))
    return bytes([APART]) + write_varint(len(colour)) + colour + rest


def _from_apart(
    body: bytes, shape: tuple[int, int, int], depth: int, known: Mapping[bytes, NDArray[np.uint8]] | None
) -> NDArray[Any]:
    first, rest = _parted(body)
    colour = decode_tile(first, (*shape[:2], shape[2] - 1), depth, known)
    return np.concatenate([colour, decode_tile(rest, (*shape[:2], 1), depth, known)], 2)


def _parted(body: bytes) -> tuple[bytes, bytes]:
    """The streams of colour and of transparency; the first may be all there is, cut short."""
    reader = Reader(body)
    length = reader.varint(1, 1 << 32, "the length of a stream")
    return body[reader.offset : reader.offset + length], body[reader.offset + length :]


def _of_shape(samples: NDArray[Any], shape: tuple[int, int, int]) -> NDArray[Any]:
    if samples.shape != shape:
        raise FormatError("a tile has other sides than its file says", section="payload")
    return samples


def _of_depth(samples: NDArray[Any], depth: int) -> NDArray[Any]:
    if samples.dtype != sample_type(depth) or int(samples.max(initial=0)) >> depth:
        raise FormatError("a tile has other samples than its file says", section="payload")
    return samples
