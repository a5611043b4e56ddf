"""Files whose samples lie in them unpacked <-> samples between a head and a tail: BMP, PPM, PGM, PAM, plain TIFF.

They come back byte for byte.
"""

from __future__ import annotations

import io
import re
import struct
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from ardm_compress.errors import FormatError, UnsupportedError
from ardm_compress.formats.picture import MOST_CHANNELS, RASTER, Picture, Wrapper, sample_type
from ardm_compress.limits import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from numpy.typing import NDArray

BIG_ENDIAN, BLUE_FIRST, UPWARDS, PADDED = 1, 2, 4, 8  # flags of a wrapper's form; PADDED: rows of whole four bytes
PNM: Final = re.compile(rb"P([56])" + 3 * rb"(?:\s|#[^\r\n]*[\r\n])+(\d+)" + rb"\s")
PAM: Final = re.compile(rb"P7\n(?:[^\n]*\n)*?ENDHDR\n")
FULL_SCALE: Final = (b"255", b"65535")
PAM_KINDS: Final = {b"1": b"GRAYSCALE", b"2": b"GRAYSCALE_ALPHA", b"3": b"RGB", b"4": b"RGB_ALPHA"}  # by channels
BMP_CHANNELS: Final = {8: 1, 24: 3, 32: 4}  # by bits of a pixel
BMP_PLAIN: Final = (0, 3)  # compressions: none, and none with masks
TIFF_TAGS: Final = {"bits": 258, "packing": 259, "offsets": 273, "channels": 277, "sizes": 279, "planar": 284,
                    "tiles": 322, "format": 339}  # fmt: skip


class _Layout(NamedTuple):
    start: int  # of the samples in the file
    rows: int
    columns: int
    channels: int
    depth: int
    form: int


def read_raster(data: bytes, limits: Limits = DEFAULT_LIMITS) -> Picture:
    """Take a file apart.

    Raises:
        UnsupportedError: its samples are packed, or not integers of 8 or 16 bits, or not in one piece; LimitError:
        too large.
    """
    layout = _layout(data)
    rows, columns, channels, depth, form = layout[1:]
    if min(rows, columns) < 1 or not 1 <= channels <= MOST_CHANNELS or layout.start < 0:
        raise UnsupportedError("an image without pixels or with many channels")
    end = layout.start + rows * _pitch(columns, channels, depth, form)
    if end > len(data):
        raise FormatError("damaged image file: it ends before its last pixel")
    limits.check_image(rows, columns, channels * depth // 8)
    lines = np.frombuffer(data[layout.start : end], np.uint8).reshape(rows, -1)
    packed = lines[:, : columns * channels * depth // 8]
    samples: NDArray[Any] = packed.reshape(rows, columns, -1)
    if depth == 16:
        samples = np.ascontiguousarray(samples).view(">u2" if form & BIG_ENDIAN else "<u2")
    samples = _turned(samples, form).astype(sample_type(depth))
    picture = Picture(samples, Wrapper(RASTER, depth, channels, form, data[: layout.start], data[end:]))
    if write_raster(picture) != data:
        raise UnsupportedError("an image file with something between its pixels")
    return picture


def write_raster(picture: Picture) -> bytes:
    """The file, byte for byte."""
    wrapper, samples = picture.wrapper, _turned(picture.samples, picture.wrapper.form)
    rows, columns, channels = samples.shape
    kind = "u1" if wrapper.depth == 8 else ">u2" if wrapper.form & BIG_ENDIAN else "<u2"
    lines = np.ascontiguousarray(samples.astype(kind)).view(np.uint8).reshape(rows, -1)
    padding = _pitch(columns, channels, wrapper.depth, wrapper.form) - lines.shape[1]
    return wrapper.head + np.pad(lines, ((0, 0), (0, padding))).tobytes() + wrapper.tail


def shows_samples(head: bytes) -> bool:
    """Whether samples are gray or colour from black to full scale, as far as is known of a file that begins so."""
    if head[:2] == b"P7":
        fields = _fields(head)
        kind = fields.get(b"TUPLTYPE", b"").strip()
        return fields.get(b"MAXVAL", b"").strip() in FULL_SCALE and kind == PAM_KINDS.get(fields[b"DEPTH"].strip())
    if head[:2] == b"BM":
        return head[28:30] == (24).to_bytes(2, "little")
    found = PNM.match(head)
    return bool(found and found[4] in FULL_SCALE)


def check(wrapper: Wrapper) -> None:
    """Raise FormatError unless there are such files."""
    if wrapper.depth < 8 or wrapper.form > 2 * PADDED - 1 or (wrapper.form & BLUE_FIRST and wrapper.channels < 3):
        raise FormatError("no image file is like that", section="header")


def _turned(samples: NDArray[Any], form: int) -> NDArray[Any]:
    """Rows downwards and red first, or as the file has them."""
    if form & UPWARDS:
        samples = samples[::-1]
    return samples[..., [2, 1, 0, 3][: samples.shape[2]]] if form & BLUE_FIRST else samples


def _pitch(columns: int, channels: int, depth: int, form: int) -> int:
    size = columns * channels * depth // 8
    return size + -size % 4 if form & PADDED else size


def _layout(data: bytes) -> _Layout:
    if data[:2] == b"BM":
        return _bmp(data)
    if data[:2] in (b"II", b"MM"):
        return _tiff(data)
    return _pam(data) if data[:2] == b"P7" else _pnm(data)


def _pnm(data: bytes) -> _Layout:
    found = PNM.match(data)
    if not found:
        raise UnsupportedError("a PNM file of text or bits")
    kind, columns, rows, most = map(int, found.groups())
    return _Layout(found.end(), rows, columns, 3 if kind == 6 else 1, *_depth_of(most))


def _depth_of(most: int) -> tuple[int, int]:
    """Depth and form of samples up to ``most``."""
    if not 0 < most < 1 << 16:
        raise UnsupportedError(f"samples up to {most}")
    return (8, 0) if most < 1 << 8 else (16, BIG_ENDIAN)


def _pam(data: bytes) -> _Layout:
    found, fields = PAM.match(data), _fields(data)
    try:
        columns, rows, channels, most = (int(fields[name]) for name in (b"WIDTH", b"HEIGHT", b"DEPTH", b"MAXVAL"))
    except KeyError as error:
        raise UnsupportedError("a PAM file without sides") from error
    return _Layout(found.end() if found else 0, rows, columns, channels, *_depth_of(most))


def _fields(data: bytes) -> dict[bytes, bytes]:
    """Of the header of a PAM file."""
    found = PAM.match(data)
    lines = [line.split(maxsplit=1) for line in (found[0].split(b"\n") if found else []) if line[:1] != b"#"]
    return {line[0]: line[1] for line in lines if len(line) == 2}


def _bmp(data: bytes) -> _Layout:
    start, size, columns, rows, _, bits, packing = struct.unpack_from("<IIiiHHI", data, 10)
    if size < 40 or bits not in BMP_CHANNELS or packing not in BMP_PLAIN:
        raise UnsupportedError(f"a BMP file of {bits} bits a pixel, or packed")
    form = PADDED | (UPWARDS if rows > 0 else 0) | (BLUE_FIRST if bits > 8 else 0)
    return _Layout(start, abs(rows), columns, BMP_CHANNELS[bits], 8, form)


def _tiff(data: bytes) -> _Layout:
    with Image.open(io.BytesIO(data)) as image:
        if not isinstance(image, TiffImageFile) or image.n_frames > 1:
            raise UnsupportedError("a TIFF file of several images")
        tags: dict[str, Any] = {name: image.tag_v2.get(number) for name, number in TIFF_TAGS.items()}
        columns, rows = image.size
    bits, formats = set(tags["bits"] or (1,)), set(tags["format"] or (1,))
    plain = tags["packing"] in (None, 1) and tags["planar"] in (None, 1) and not tags["tiles"]
    if not plain or formats != {1} or len(bits) > 1 or not bits <= {8, 16} or not tags["sizes"]:
        raise UnsupportedError("a TIFF file that is packed, or not of samples of 8 or 16 bits side by side")
    offsets, sizes = tags["offsets"], tags["sizes"]
    joined = all(a + size == b for a, size, b in zip(offsets, sizes, offsets[1:], strict=False))
    channels, depth = tags["channels"] or 1, bits.pop()
    if not joined or sum(sizes) != rows * columns * channels * depth // 8:
        raise UnsupportedError("a TIFF file whose pixels are not in one piece")
    return _Layout(offsets[0], rows, columns, channels, depth, BIG_ENDIAN if data[:2] == b"MM" else 0)
