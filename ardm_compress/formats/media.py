"""Image files <-> 8-bit samples, through Pillow. Errors, files, NumPy and Pillow only; no torch.

Pillow narrows some files without a word: 16-bit RGB to 8 bits, a transparent colour or a fourth TIFF channel to
nothing. So each format has a check of its own on what the file says before Pillow's pixels are believed.
"""

from __future__ import annotations

import io
import re
import struct
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NoReturn, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from PIL.TiffImagePlugin import TiffImageFile

from ardm_compress.errors import ArdmError, FormatError, LimitError, UnsupportedError
from ardm_compress.files.atomic import write_atomically

Samples: TypeAlias = NDArray[np.uint8]

SUPPORTED: Final = "8-bit RGB and gray images (PNG, BMP, PPM/PGM, TIFF, lossless WebP)"

MODE_NAMES: Final = {
    "1": "1-bit images",
    "P": "palette images",
    "PA": "palette images",
    "LA": "images with transparency",
    "RGBA": "images with transparency",
    "I": "images of more than 8 bits",
    "F": "floating-point images",
}

WRITERS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    ".png": ("PNG", {}),
    ".ppm": ("PPM", {}),  # Pillow picks P5 or P6 by the channels and readers go by that, whatever the suffix
    ".pgm": ("PPM", {}),
    ".pnm": ("PPM", {}),
    ".bmp": ("BMP", {}),
    ".tif": ("TIFF", {"compression": "tiff_adobe_deflate"}),
    ".tiff": ("TIFF", {"compression": "tiff_adobe_deflate"}),
    ".webp": ("WEBP", {"lossless": True, "exact": True}),
}

TIFF_LOSSLESS: Final = {1, 5, 8, 32773, 32946, 34925, 50000}  # none, LZW, Deflate, PackBits, Deflate, LZMA, Zstandard
PPM_HEADER: Final = re.compile(rb"P(\d)" + 3 * rb"(?:\s|#[^\r\n]*[\r\n])+(\d+)")


def read_image(path: Path | str) -> Samples:
    """Read the pixels of an image file, exactly as they are stored; metadata is left out.

    Returns:
        (rows, columns, channels); channels is 3 (RGB) or 1 (gray).

    Raises:
        UnsupportedError: a kind of image that this version does not take; the message names those it does.
        FormatError: not an image, cut short or damaged.
        LimitError: more pixels than Pillow agrees to unpack.
        OSError: the file cannot be read.
    """
    return _decode_image(Path(path).read_bytes())


def write_image(path: Path | str, samples: Samples, *, force: bool = False) -> None:
    """Write ``samples``, shaped as `read_image` returns them, in the format of the suffix, atomically.

    Raises:
        UnsupportedError: no writer for the suffix, or its format cannot hold these samples.
        OutputExistsError: ``path`` exists and ``force`` is not set.
    """
    path = Path(path)
    check_writable(path)
    write_atomically(path, image_bytes(samples, path.suffix.lower()), force=force)


def check_writable(path: Path) -> None:
    """Raise UnsupportedError unless `write_image` knows the suffix of ``path``."""
    if path.suffix.lower() not in WRITERS:
        raise UnsupportedError(f"cannot write {path.name}: its suffix must be one of {' '.join(WRITERS)}")


def _decode_image(data: bytes) -> Samples:
    with _pillow_errors(), Image.open(io.BytesIO(data)) as image:
        _check_kind(image, data)
        pixels = np.array(image, dtype=np.uint8)
    return pixels.reshape(*pixels.shape[:2], -1)


def image_bytes(samples: Samples, suffix: str) -> bytes:
    """A file of samples, shaped as `read_image` returns them, of the kind of a suffix in WRITERS.

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


@contextmanager
def _pillow_errors() -> Iterator[None]:
    """Turn what Pillow raises on a bad file into our errors; its warnings are about metadata, which is not read."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (ArdmError, MemoryError):
        raise
    except Image.DecompressionBombError as error:
        raise LimitError(str(error)) from error
    except UnidentifiedImageError as error:
        raise FormatError(f"not a readable image file; this version takes {SUPPORTED}") from error
    except Exception as error:  # plugins raise SyntaxError, struct.error, IndexError, ... on damaged files
        raise FormatError(f"damaged image file: {error}") from error


def _refuse(what: str) -> NoReturn:
    raise UnsupportedError(f"{what} not supported; this version takes {SUPPORTED}")


def _refuse_lossy(kind: str) -> NoReturn:
    raise UnsupportedError(
        f"this {kind} file is already lossily compressed and is best kept as it is: its pixels stored losslessly"
        f" would only be larger; this version takes {SUPPORTED}"
    )


def _check_kind(image: Image.Image, data: bytes) -> None:
    """Raise UnsupportedError unless Pillow's pixels will be the file's 8-bit samples, all of them."""
    kind = image.format or "unnamed"
    if kind in ("JPEG", "MPO"):
        _refuse_lossy("JPEG")
    if kind not in CHECKS:
        _refuse(f"{kind} files are")
    if getattr(image, "n_frames", 1) > 1:
        _refuse("animations and files of several pages are")
    if image.mode not in ("L", "RGB"):
        default = MODE_NAMES["I"] if image.mode.startswith("I;") else f"images of mode {image.mode}"
        _refuse(f"{MODE_NAMES.get(image.mode, default)} are")
    CHECKS[kind](image, data)


def _check_png(image: Image.Image, data: bytes) -> None:
    if data[24] != 8:  # bit depth in IHDR, which comes first
        _refuse(f"{data[24]}-bit PNG files are")
    image.load()  # else a tRNS chunk after the pixels would be missed
    if "transparency" in image.info:
        _refuse("images with transparency (a PNG tRNS chunk) are")


def _check_bmp(_image: Image.Image, data: bytes) -> None:
    (header,) = struct.unpack_from("<I", data, 14)
    (bits,) = struct.unpack_from("<H", data, 24 if header == 12 else 28)
    if bits not in (8, 24):  # 8 is a gray ramp as palette here, or Pillow would have said mode P
        _refuse(f"{bits}-bit BMP files are")


def _check_ppm(image: Image.Image, data: bytes) -> None:
    header = PPM_HEADER.match(data)
    if not header or int(header[4]) != 255:
        _refuse("PPM/PGM files with a maximum other than 255 are")
    end = header.end() + 1 + image.width * image.height * len(image.getbands())
    if header[1] in b"56" and data[end : end + 1] == b"P":
        _refuse("PPM/PGM files of several images are")


def _check_tiff(image: Image.Image, _data: bytes) -> None:
    assert isinstance(image, TiffImageFile)
    compression, photometric = image.tag_v2.get(259, 1), image.tag_v2.get(262)
    if compression in (6, 7):
        _refuse_lossy("JPEG-compressed TIFF")
    if compression not in TIFF_LOSSLESS:
        _refuse(f"TIFF files with compression {compression} are")
    if set(image.tag_v2.get(258, (1,))) != {8}:
        _refuse("TIFF files of other than 8 bits per sample are")
    if image.tag_v2.get(338) or photometric not in (0, 1, 2):
        _refuse("TIFF files with extra channels or other colour spaces are")
    if set(image.tag_v2.get(339, (1,))) != {1}:
        _refuse("TIFF files of signed samples are")


def _check_webp(_image: Image.Image, data: bytes) -> None:
    offset, kinds = 12, set()
    while offset + 8 <= len(data):
        kind, size = struct.unpack_from("<4sI", data, offset)
        kinds.add(kind)
        offset += 8 + size + size % 2
    if b"VP8L" not in kinds:
        _refuse_lossy("WebP")


CHECKS: Final[dict[str, Callable[[Image.Image, bytes], None]]] = {
    "PNG": _check_png,
    "BMP": _check_bmp,
    "PPM": _check_ppm,
    "TIFF": _check_tiff,
    "WEBP": _check_webp,
}
