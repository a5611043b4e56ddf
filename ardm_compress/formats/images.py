"""Image files of every kind <-> pictures."""

from __future__ import annotations

import io
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import numpy as np
from PIL import Image, UnidentifiedImageError
from PIL.TiffImagePlugin import TiffImageFile

from ardm_compress.container.image import MAX_SIDE
from ardm_compress.container.surroundings import MAX_SURROUNDINGS
from ardm_compress.errors import FormatError, LimitError, UnsupportedError
from ardm_compress.formats import png, raster, webp
from ardm_compress.formats.media import WRITERS, image_bytes
from ardm_compress.formats.picture import PNG, RASTER, WEBP, Picture, Wrapper, same_picture
from ardm_compress.limits import DEFAULT_LIMITS, Limits

JPEG: Final = b"\xff\xd8\xff"
RASTERS: Final = (b"BM", b"P5", b"P6", b"P7", b"II", b"MM")
RASTER_SUFFIXES: Final = {
    b"P": (".ppm", ".pgm", ".pnm", ".pam"), b"BM": (".bmp", ".dib"), b"I": (".tif", ".tiff"), b"M": (".tif", ".tiff"),
}  # fmt: skip
SUFFIXES: Final = {b"\x89PNG": ".png", b"RIFF": ".webp", b"GIF8": ".gif", b"BM": ".bmp", b"II": ".tif", b"MM": ".tif"}
CHECKS: Final = {PNG: png.check, WEBP: webp.check, RASTER: raster.check}
DAMAGE: Final = (UnsupportedError, FormatError, struct.error, ValueError, OSError, RuntimeError, SyntaxError,
                 LookupError, TypeError)  # fmt: skip
TIFF: Final = (b"II*\0", b"MM\0*")
PIXELS: Final = {"1": "L", "L": "L", "LA": "LA", "RGB": "RGB", "RGBA": "RGBA"}  # modes of pixels that can be forced
PLUGINS: Final = ("EPS", "WMF", "ARDM")  # of Pillow that are not asked: they run Ghostscript and others, or are our own
LOSSY: Final = (
    "this {} file is already lossily compressed and is best kept as it is: its pixels stored losslessly would only be "
    "larger; --force-pixels stores them all the same, as of a PNG file"
)


def read_picture(data: bytes, limits: Limits = DEFAULT_LIMITS) -> Picture | None:
    """Take an image file apart; None if it is one that must be stored as it is.

    Raises:
        UnsupportedError: it is lossy already; FormatError: no image, or damaged; LimitError: too large.
    """
    if data[:3] == JPEG:
        raise UnsupportedError(LOSSY.format("JPEG"))
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP" and webp.is_lossy(data):
        raise UnsupportedError(LOSSY.format("WebP"))
    try:
        with _quiet():
            return _taken_apart(data, limits)
    except DAMAGE:
        _check_readable(data, limits)  # damaged files are refused, all others stored
        return None


def taken_apart(data: bytes, *, strip: bool, force_pixels: bool, limits: Limits = DEFAULT_LIMITS) -> Picture | None:
    """What is to be kept of a file: as ``read_picture``, or of lossy and other files their pixels, if these are forced.

    Raises:
        As ``read_picture`` and ``read_pixels``.
    """
    try:
        picture = read_picture(data, limits)
    except UnsupportedError:
        if not force_pixels:
            raise
        picture = None
    if picture is None and force_pixels:
        picture = read_pixels(data, limits)
    return stripped(picture) if picture and strip else picture


def same_image(
    picture: Picture, original: bytes, *, strip: bool, force_pixels: bool, limits: Limits = DEFAULT_LIMITS
) -> bool:
    """Whether a picture is what was to be kept of a file, and still is when its own file is made and read again."""
    expected = taken_apart(original, strip=strip, force_pixels=force_pixels, limits=limits)
    if expected is None or not same_picture(picture, expected):
        return False
    del expected  # of large images two at a time are enough
    again = read_picture(write_picture(picture), limits)
    return again is not None and same_picture(picture, again)


def read_pixels(data: bytes, limits: Limits = DEFAULT_LIMITS) -> Picture:
    """The pixels of an image, as of a PNG file without anything else.

    Raises:
        FormatError: no image, or damaged; UnsupportedError: its pixels are not 8-bit gray or colour, or it has several.
    """
    _check_readable(data, limits)
    with _quiet(), _opened(data, limits) as image:
        if getattr(image, "n_frames", 1) > 1:
            raise UnsupportedError("animations and files of several pages have no one set of pixels")
        mode = PIXELS.get(image.mode, "RGBA" if image.mode == "P" and "transparency" in image.info else "")
        if not mode:
            raise UnsupportedError(f"pixels of the kind {image.mode} cannot be those of an 8-bit PNG file")
        pixels = np.array(image.convert(mode))
    samples = pixels.reshape(*pixels.shape[:2], -1)
    return Picture(samples, png.plain(samples.shape[2]))


def write_picture(picture: Picture) -> bytes:
    """The file again: byte for byte what it was, or of PNG and WebP one with the same samples and chunks."""
    wrapper = picture.wrapper
    CHECKS[wrapper.kind](wrapper)
    try:
        return {PNG: png.write_png, WEBP: webp.write_webp, RASTER: raster.write_raster}[wrapper.kind](picture)
    except (struct.error, ValueError, OSError, RuntimeError) as error:
        raise FormatError(f"the image file cannot be made again: {error}") from error


def own_suffixes(wrapper: Wrapper) -> tuple[str, ...]:
    """Of files of its kind, the usual one first."""
    if wrapper.kind == RASTER:
        return next((found for magic, found in RASTER_SUFFIXES.items() if wrapper.head.startswith(magic)), (".raw",))
    return (".png",) if wrapper.kind == PNG else (".webp",)


def check_suffix(wrapper: Wrapper, suffix: str) -> None:
    """Raise UnsupportedError unless there is a kind of file of that suffix that can hold such samples."""
    own, visible = own_suffixes(wrapper), shows_samples(wrapper)
    simple = suffix in WRITERS and wrapper.depth == 8 and wrapper.channels in (1, 3)
    if suffix not in own and not (visible and (suffix == ".png" or simple)):
        raise UnsupportedError(
            f"cannot write this image as {suffix or 'a file without a suffix'}; choose {' or '.join(own)}"
        )


def written_as(picture: Picture, suffix: str) -> bytes:
    """A file of the kind of a suffix; of another kind than its own it has no metadata.

    Raises:
        UnsupportedError: there is no such kind, or it cannot hold these samples.
    """
    wrapper, samples = picture.wrapper, picture.samples
    check_suffix(wrapper, suffix)
    if suffix in own_suffixes(wrapper):
        return write_picture(picture)
    if suffix == ".png":
        return png.write_png(Picture(samples, png.plain(wrapper.channels, wrapper.depth)))
    return image_bytes(samples, suffix)


def shows_samples(wrapper: Wrapper) -> bool:
    """Whether samples are gray or colour from black to full scale, transparency last, and nothing else says more."""
    if wrapper.kind == RASTER:
        return raster.shows_samples(wrapper.head)
    return wrapper.kind == WEBP or (wrapper.form != png.PALETTE and not png.has_colour_key(wrapper))


def part_wrapper(wrapper: Wrapper) -> Wrapper:
    """Of an image that is a part of another, without metadata.

    Raises:
        UnsupportedError: its samples would not look the same without the file that they are from.
    """
    if wrapper.kind == PNG:
        return png.stripped(wrapper)
    if not shows_samples(wrapper):
        raise UnsupportedError("parts of this kind of file cannot be decoded; decode all of it")
    return png.plain(wrapper.channels, wrapper.depth)


def stripped(picture: Picture) -> Picture:
    """Without metadata; of kinds that come back byte for byte nothing is left out."""
    wrapper = picture.wrapper
    if wrapper.kind == RASTER:
        return picture
    return Picture(picture.samples, (png if wrapper.kind == PNG else webp).stripped(wrapper))


def plugins() -> list[str]:
    """Names of Pillow's plugins by which image files are opened: all but PLUGINS."""
    Image.init()
    return [name for name in Image.ID if name not in PLUGINS]


def suffix_of(data: bytes) -> str:
    """The usual suffix of an image file; none if it is not known."""
    if data[:4] == b"RIFF" and data[8:12] != b"WEBP":
        return ""
    return next((suffix for magic, suffix in SUFFIXES.items() if data.startswith(magic)), "")


def _taken_apart(data: bytes, limits: Limits) -> Picture:
    if data.startswith(png.SIGNATURE):
        picture = png.read_png(data, limits)
    elif data[:4] == b"RIFF":
        picture = webp.read_webp(data, limits)
    elif data[:2] in RASTERS:
        picture = raster.read_raster(data, limits)
    else:
        raise UnsupportedError("a kind of image that is stored as it is")
    wrapper, shape = picture.wrapper, picture.samples.shape
    CHECKS[wrapper.kind](wrapper)
    if max(shape[:2]) > MAX_SIDE:
        raise UnsupportedError("an image of longer sides than can be coded")
    if len(wrapper.head) + len(wrapper.tail) > MAX_SURROUNDINGS - 8:
        raise UnsupportedError(f"more than {MAX_SURROUNDINGS} bytes that are not samples")
    return picture


def _check_readable(data: bytes, limits: Limits) -> None:
    """Raise FormatError unless Pillow reads the file, or it is of a kind that others read."""
    try:
        with _quiet(), _opened(data, limits) as image:
            image.load()
    except (LimitError, MemoryError):
        raise
    except Exception as error:  # plugins raise SyntaxError, struct.error, IndexError, ... on damaged files
        if not _others_read(data, error):
            raise FormatError(_unreadable(data, error)) from error


def _unreadable(data: bytes, error: Exception) -> str:
    if not data:
        return "the file is empty"
    what = "not a readable image file, or a damaged one"  # Pillow's own words for that name an object in memory
    return what if isinstance(error, UnidentifiedImageError) else f"{what}: {error}"


def _others_read(data: bytes, error: Exception) -> bool:
    """Whether a file that Pillow does not read, for this reason, is of a kind that it lacks."""
    if data[:2] == b"BM":
        return str(error).startswith("Unsupported BMP")
    try:
        TiffImageFile(io.BytesIO(data))
    except SyntaxError as reason:
        return data[:4] in TIFF and "unknown pixel mode" in str(reason)
    except Exception:  # noqa: BLE001  # see above
        return False
    return False


def _opened(data: bytes, limits: Limits) -> Image.Image:
    """By Pillow; images that are too large are refused before they unpack."""
    image = Image.open(io.BytesIO(data), formats=plugins())
    limits.check_image(image.height, image.width, len(image.getbands()) * (4 if image.mode[:1] in "IF" else 1))
    return image


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Pillow's limit of pixels, for which there is our own, and its warnings, which are about metadata."""
    before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = before
