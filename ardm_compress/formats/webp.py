"""Lossless WebP files <-> samples and all other chunks; and the lossless bitstream alone. Pixels go through Pillow."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image
from PIL.WebPImagePlugin import WebPImageFile

from ardm_compress.errors import FormatError, UnsupportedError
from ardm_compress.files import Chunk, read_chunks, write_chunks
from ardm_compress.formats.contents import LOSSY, WEBP, ImageWrapper, Picture

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ardm_compress.files import Data
    from ardm_compress.options import Limits

PIXELS: Final = b"VP8L"
CHANNELS: Final = (3, 4)
MAX_SIDE: Final = 16383
OPAQUE: Final = 255
OTHER_METADATA: Final = 0b1100  # flags in VP8X: there is EXIF, XMP
HAS_EXIF: Final = 0b1000
SIDE_BITS: Final = 14
BEST: Final = {"lossless": True, "exact": True, "quality": 100, "method": 6}
QUICK: Final = {"lossless": True, "exact": True, "quality": 50, "method": 3}


def read(data: Data, limits: Limits) -> Picture:
    """Take a file apart.

    Raises:
        UnsupportedError: it is lossy, an animation, or not all of it is chunks.
    """
    from ardm_compress.formats.pixels import quiet  # here, because most that use this module only pack pixels

    file = data[:]
    if _is_lossy(file):
        raise UnsupportedError(LOSSY.format("WebP"))
    chunks = list(_chunks(file))
    names = [name for name, _ in chunks]
    if names.count(PIXELS) != 1 or b"ANIM" in names or _riff(chunks) != file:
        raise UnsupportedError("a WebP file of an unusual form")
    try:
        with quiet(), WebPImageFile(io.BytesIO(file)) as image:
            limits.check_image(image.height, image.width, CHANNELS[-1])
            samples = np.array(image)
    except Image.DecompressionBombError as error:
        raise UnsupportedError("a WebP file of more pixels than Pillow opens") from error
    if samples.shape[2] == 4 and samples[..., 3].min() == OPAQUE:
        raise UnsupportedError("a WebP file that says it is transparent but is not, which libwebp does not write")
    at = names.index(PIXELS)
    head, tail = (write_chunks(part) for part in (chunks[:at], chunks[at + 1 :]))
    return Picture(samples, ImageWrapper(WEBP, 8, samples.shape[2], 0, head, tail))


def _is_lossy(data: bytes) -> bool:
    """Whether a file, unless it is an animation, holds a lossy image; False as well if it is cut short."""
    try:
        return any(name == b"VP8 " for name, _ in _chunks(data))
    except struct.error:
        return False


def parts(media: Picture) -> Iterator[bytes]:
    """Make a file with the same pixels and chunks, its pixels packed anew."""
    wrapper, pixels = media.wrapper, (PIXELS, pack(np.asarray(media.samples, np.uint8)))
    yield _riff([*read_chunks(wrapper.head), pixels, *read_chunks(wrapper.tail)])


def stripped(wrapper: ImageWrapper) -> ImageWrapper:
    """Leave out what is not needed to show the image: its colours and its orientation."""
    from ardm_compress.formats.tags import read_orientation, write_orientation

    chunks = dict([*read_chunks(wrapper.head), *read_chunks(wrapper.tail)])
    orientation = read_orientation(chunks.get(b"EXIF", b"").removeprefix(b"Exif\0\0"))
    profile, turned = b"ICCP" in chunks, orientation != 1
    if not (profile or turned) or not chunks.get(b"VP8X"):
        return ImageWrapper(WEBP, 8, wrapper.channels)
    flags = chunks[b"VP8X"][0] & ~OTHER_METADATA | (HAS_EXIF if turned else 0)
    head = [(b"VP8X", bytes([flags]) + chunks[b"VP8X"][1:])] + ([(b"ICCP", chunks[b"ICCP"])] if profile else [])
    tail = [(b"EXIF", write_orientation(orientation))] if turned else []
    return ImageWrapper(WEBP, 8, wrapper.channels, 0, write_chunks(head), write_chunks(tail))


def check(wrapper: ImageWrapper) -> None:
    """Raise FormatError unless WebP files have such samples."""
    if wrapper.depth != 8 or wrapper.channels not in CHANNELS or wrapper.form:
        raise FormatError("no WebP file is like that", section="header")


def shows_samples(_wrapper: ImageWrapper) -> bool:
    """Whether nothing but the samples says how they look: always."""
    return True


def pack(samples: NDArray[np.uint8], *, quick: bool = False) -> bytes:
    """Pack samples (rows, columns, 1 to 4) to a lossless bitstream; gray becomes three equal channels.

    ``quick`` takes a tenth of the time and some percent more bytes.
    """
    channels = samples.shape[2]
    if channels < 3:
        samples = np.concatenate([np.repeat(samples[..., :1], 3, 2), samples[..., 1:]], 2)
    out = io.BytesIO()
    Image.fromarray(samples).save(out, "WEBP", **(QUICK if quick else BEST))
    return next(body for name, body in _chunks(out.getvalue()) if name == PIXELS)


def unpack(stream: bytes, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Inverse of ``pack``; ``shape`` (rows, columns, channels).

    Raises:
        FormatError: not such a bitstream.
    """
    sides = int.from_bytes(stream[1:5], "little")
    width, height = ((sides >> shift & (1 << SIDE_BITS) - 1) + 1 for shift in (0, SIDE_BITS))
    if (height, width) != shape[:2]:
        raise FormatError("a tile has other sides than its file says", section="payload")
    try:
        with WebPImageFile(io.BytesIO(_riff([(PIXELS, stream)]))) as image:
            samples = np.array(image.convert("RGBA" if shape[2] in (2, 4) else "RGB"))
    except (OSError, ValueError, SyntaxError) as error:
        raise FormatError(f"a tile is damaged: {error}", section="payload") from error
    return samples if shape[2] > 2 else samples[..., [0, 3][: shape[2]]]


def _chunks(data: bytes) -> Iterator[Chunk]:
    at = 12
    while at < len(data):
        name, size = struct.unpack_from("<4sI", data, at)
        yield name, data[at + 8 : at + 8 + size]
        at += 8 + size + size % 2


def _riff(chunks: list[Chunk]) -> bytes:
    parts = (name + struct.pack("<I", len(body)) + body + bytes(len(body) % 2) for name, body in chunks)
    body = b"WEBP" + b"".join(parts)
    return b"RIFF" + struct.pack("<I", len(body)) + body
