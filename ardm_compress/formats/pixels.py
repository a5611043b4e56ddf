"""Pixels of any image file that Pillow opens, and simple image files of given pixels; metadata is left out."""

from __future__ import annotations

import io
import logging
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from threading import RLock
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from PIL import Image, UnidentifiedImageError

from ardm_compress.errors import FormatError, LimitError, UnsupportedError
from ardm_compress.files import Chunk, write_chunks
from ardm_compress.formats import kind_of, png
from ardm_compress.formats.contents import FORCED, Picture
from ardm_compress.formats.tags import ORIENTATION, write_orientation
from ardm_compress.options import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from numpy.typing import NDArray

FORCED_MODES: Final = {"1": "L", "L": "L", "LA": "LA", "RGB": "RGB", "RGBA": "RGBA"}  # of pixels that can be forced
REFUSED_PLUGINS: Final = ("EPS", "WMF", "ARDM")  # of Pillow: they run Ghostscript and others, or are our own
ACCEPT_BYTES: Final = 16  # by which Pillow's plugins know their files
METRES_PER_INCH: Final = 0.0254
JPEG_SCALES: Final = (8, 4, 2, 1)  # of which libjpeg, through Pillow, takes the largest that leaves what is asked for
QUIET: Final = RLock()

logging.getLogger("PIL").addHandler(logging.NullHandler())  # else what it raises is on the terminal as well
WRITERS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    ".png": ("PNG", {}),
    ".ppm": ("PPM", {}),  # Pillow picks P5 or P6 by the channels and readers go by that, whatever the suffix
    ".pgm": ("PPM", {}),
    ".pnm": ("PPM", {}),
    ".bmp": ("BMP", {}),
    ".tif": ("TIFF", {"compression": "tiff_adobe_deflate"}),
    ".tiff": ("TIFF", {"compression": "tiff_adobe_deflate"}),
    ".webp": ("WEBP", {"lossless": True, "exact": True}),
}  # Pillow's name and options by suffix
PREVIEW_WRITERS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    ".jpg": ("JPEG", {"quality": 90}),
    ".jpeg": ("JPEG", {"quality": 90}),
    ".webp": ("WEBP", {"lossless": True}),
}  # of previews, which may be lossy
MODES: Final = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}  # by channels


def read_pixels(
    data: bytes, limits: Limits = DEFAULT_LIMITS, *, only_first: bool = False, preview: int = 0
) -> Picture:  # fmt: skip
    """Read the pixels of an image, as those of a PNG file with the same profile, EXIF data and shape of pixels.

    Args:
        data: the file.
        limits: of the image.
        only_first: take the first image of several.
        preview: about every 2**preview-th row and column; those of JPEG files are means, by their low frequencies.

    Raises:
        UnsupportedError: no image, or its pixels are not 8-bit gray or colour, or it has several; FormatError: damaged.
    """
    check_readable(data, limits, kind_of(data).name)
    with quiet(), _opened(data, limits) as image:
        if getattr(image, "n_frames", 1) > 1 and not only_first:
            raise UnsupportedError("animations and files of several pages have no one set of pixels")
        mode = FORCED_MODES.get(image.mode, "RGBA" if image.mode == "P" and "transparency" in image.info else "")
        if not mode and preview and image.mode in ("P", "CMYK", "YCbCr"):  # which need not keep every value
            mode = "RGB"
        if not mode:
            raise UnsupportedError(f"pixels of the kind {image.mode} cannot be those of an 8-bit PNG file")
        chunks, stride = list(_shown_by(image)), _drafted(image, preview)
        pixels = np.array(image.convert(mode))[::stride, ::stride]
    samples = pixels.reshape(*pixels.shape[:2], -1)
    plain = png.plain(samples.shape[2])
    return Picture(samples, replace(plain, kind=FORCED, head=write_chunks(chunks)))


def _drafted(image: Image.Image, preview: int) -> int:
    """Let a decoder that can, that of JPEG files, give fewer rows and columns; return which of those to take."""
    before = image.size
    image.draft(None, tuple(max(1, side >> preview) for side in before))  # type: ignore[arg-type]
    if image.size == before:
        return 1 << preview
    most = min(side // max(1, side >> preview) for side in before)
    return (1 << preview) // next(scale for scale in JPEG_SCALES if scale <= most)


def _shown_by(image: Image.Image) -> Iterator[Chunk]:
    """Chunks of a PNG file for what an image says of how it looks, and its EXIF data."""
    profile, dpi, exif = (image.info.get(name) for name in ("icc_profile", "dpi", "exif"))
    if profile and profile[16:20] == (b"GRAY" if image.mode in ("1", "L", "LA") else b"RGB "):
        yield b"iCCP", b"ICC profile\0\0" + zlib.compress(profile, 9)
    if dpi and dpi[0] != dpi[1] and min(dpi) > 0:
        yield b"pHYs", struct.pack(">IIB", *(round(float(dots) / METRES_PER_INCH) for dots in dpi), 1)
    orientation = image.getexif().get(ORIENTATION, 1)
    if exif:
        yield b"eXIf", exif.removeprefix(b"Exif\0\0")
    elif orientation in range(2, 9):
        yield b"eXIf", write_orientation(orientation)


def write_pixels(samples: NDArray[np.uint8], suffix: str) -> bytes:
    """Make a file of samples (rows, columns, 1 or 3) of the kind of a suffix in WRITERS.

    Raises:
        UnsupportedError: files of that kind cannot hold them.
    """
    if samples.dtype != np.uint8 or samples.ndim != 3 or samples.shape[2] not in (1, 3):
        raise ValueError(f"need uint8 (rows, columns, 1 or 3), got {samples.dtype} {samples.shape}")
    kind, options = WRITERS[suffix]
    if kind == "WEBP" and samples.shape[2] == 1:
        raise UnsupportedError("WebP has no gray images; use .png")
    image = Image.fromarray(samples[..., 0] if samples.shape[2] == 1 else samples)
    out = io.BytesIO()
    try:
        image.save(out, kind, **options)
    except (OSError, ValueError) as error:  # larger than the format's fields can say
        raise UnsupportedError(f"{kind} cannot hold this image ({error}); use .png") from error
    return out.getvalue()


def write_preview(picture: Picture, suffix: str) -> bytes:
    """Make a file of a preview, of the kind of a suffix in PREVIEW_WRITERS.

    Raises:
        UnsupportedError: files of that kind cannot hold it.
    """
    kind, options = PREVIEW_WRITERS[suffix]
    samples, channels = picture.samples, picture.samples.shape[2]
    if picture.wrapper.depth != 8 or picture.wrapper.form == png.PALETTE or (kind == "JPEG" and channels in (2, 4)):
        raise UnsupportedError(f"{kind} cannot hold this preview; use .png")
    out = io.BytesIO()
    image = Image.fromarray(samples[..., 0] if channels == 1 else samples, MODES[channels])
    (image if channels > 2 or kind == "JPEG" else image.convert(MODES[channels + 2])).save(out, kind, **options)
    return out.getvalue()


def check_readable(data: bytes, limits: Limits, kind: str = "") -> None:
    """Raise FormatError unless Pillow reads the file, of the kind of that name; UnsupportedError if it is unknown."""
    if not data:
        raise FormatError("the file is empty")
    try:
        with quiet(), _opened(data, limits) as image:
            image.load()
    except (LimitError, MemoryError):
        raise
    except UnidentifiedImageError as error:
        if kind:
            raise FormatError(f"this {kind} file is damaged or cut short") from error
        raise UnsupportedError("this kind of file is not known; this program takes images and sound") from error
    except Exception as error:  # plugins raise SyntaxError, struct.error, IndexError, ... on damaged files
        raise FormatError(f"this {kind or 'image'} file is damaged or cut short: {error}") from error


def sides_of(data: bytes, limits: Limits = DEFAULT_LIMITS) -> tuple[int, int]:
    """Return rows and columns of an image.

    Raises:
        LimitError: too large; FormatError: Pillow cannot open it.
    """
    try:
        with quiet(), _opened(data, limits) as image:
            return image.height, image.width
    except LimitError:
        raise
    except Exception as error:  # as above
        raise FormatError(f"this image file cannot be opened: {error}") from error


def plugins() -> list[str]:
    """Name Pillow's plugins by which image files are opened: all but REFUSED_PLUGINS."""
    Image.init()
    return [name for name in Image.ID if name not in REFUSED_PLUGINS]


@contextmanager
def quiet() -> Iterator[None]:
    """Hide Pillow's warnings, which are about metadata; in one thread at a time, because filters are the process's."""
    with QUIET, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _opened(data: bytes, limits: Limits) -> Image.Image:
    """Open an image without Pillow's own limit of pixels; images that are too large are refused before they unpack.

    Raises:
        UnidentifiedImageError: Pillow does not know it.
    """
    for name in plugins():
        factory, accept = Image.OPEN[name]
        if accept and accept(data[:ACCEPT_BYTES]) is not True:
            continue
        with suppress(SyntaxError, IndexError, TypeError, struct.error):  # as Pillow does: another plugin may know it
            image = factory(io.BytesIO(data), "")
            bands = len(image.getbands()) * (4 if image.mode[:1] in "IF" else 1)
            limits.check_image(image.height, image.width, bands)
            return image
    raise UnidentifiedImageError("no image file that Pillow knows")
