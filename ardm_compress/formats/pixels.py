"""Pixels of any image file that Pillow opens, and simple image files of given pixels; metadata is left out."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from PIL import Image, UnidentifiedImageError
from PIL.TiffImagePlugin import TiffImageFile

from ardm_compress.errors import FormatError, LimitError, UnsupportedError
from ardm_compress.formats import png
from ardm_compress.formats.contents import Picture
from ardm_compress.limits import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from numpy.typing import NDArray

FORCED_MODES: Final = {"1": "L", "L": "L", "LA": "LA", "RGB": "RGB", "RGBA": "RGBA"}  # of pixels that can be forced
REFUSED_PLUGINS: Final = ("EPS", "WMF", "ARDM")  # of Pillow: they run Ghostscript and others, or are our own
TIFF: Final = (b"II*\0", b"MM\0*")
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


def read_pixels(data: bytes, limits: Limits = DEFAULT_LIMITS) -> Picture:
    """Read the pixels of an image, as those of a PNG file without anything else.

    Raises:
        FormatError: no image, or damaged; UnsupportedError: its pixels are not 8-bit gray or colour, or it has several.
    """
    check_readable(data, limits)
    with quiet(), _opened(data, limits) as image:
        if getattr(image, "n_frames", 1) > 1:
            raise UnsupportedError("animations and files of several pages have no one set of pixels")
        mode = FORCED_MODES.get(image.mode, "RGBA" if image.mode == "P" and "transparency" in image.info else "")
        if not mode:
            raise UnsupportedError(f"pixels of the kind {image.mode} cannot be those of an 8-bit PNG file")
        pixels = np.array(image.convert(mode))
    samples = pixels.reshape(*pixels.shape[:2], -1)
    return Picture(samples, png.plain(samples.shape[2]))


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


def check_readable(data: bytes, limits: Limits) -> None:
    """Raise FormatError unless Pillow reads the file, or it is of a kind that others read."""
    try:
        with quiet(), _opened(data, limits) as image:
            image.load()
    except (LimitError, MemoryError):
        raise
    except Exception as error:  # plugins raise SyntaxError, struct.error, IndexError, ... on damaged files
        if not _others_read(data, error):
            raise FormatError(_unreadable(data, error)) from error


def plugins() -> list[str]:
    """Name Pillow's plugins by which image files are opened: all but REFUSED_PLUGINS."""
    Image.init()
    return [name for name in Image.ID if name not in REFUSED_PLUGINS]


@contextmanager
def quiet() -> Iterator[None]:
    """Switch off Pillow's limit of pixels, for which there is our own, and its warnings, which are about metadata."""
    before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


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
