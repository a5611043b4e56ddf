"""Coders that are libraries, of which only Lepton does not come with this package. In this process.

They are given arrays and make arrays, without the programs' reading and writing of files. Of a JPEG file
that is an array of its bytes.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

import imagecodecs
import numpy as np
import PIL
import soundfile
from PIL import Image, features

from ardm_compress.bench.base import Measured
from ardm_compress.bench.inputs import JPEG, Input
from ardm_compress.bench.machine import version_of
from ardm_compress.bench.samples import WIDE, colours
from ardm_compress.computing import processors
from ardm_compress.errors import ChecksumError, UnsupportedError
from ardm_compress.formats import IMAGE, SOUND

if TYPE_CHECKING:
    from numpy.typing import NDArray

FAILURES: Final = (ValueError, RuntimeError, OSError, NotImplementedError)  # imagecodecs' own are RuntimeErrors
FLAC_BEST: Final = 1.0  # libsndfile's scale of compression levels; this is 8 of flac
FLAC_SUBTYPES: Final = {8: "PCM_S8", 16: "PCM_16", 24: "PCM_24"}


@dataclass(frozen=True)
class Library:
    """A coder that is two functions between samples and bytes."""

    name: str
    kind: str
    version: str
    encode: Callable[[NDArray[Any], Input], bytes]
    decode: Callable[[bytes], NDArray[Any]]
    codec: str = ""  # of imagecodecs, which may have been built without it
    package: str = ""  # of PyPI, that need not be installed

    def missing(self) -> str:
        """See ``Coder.missing``."""
        if self.package and not find_spec(self.package.replace("-", "_")):
            return f"{self.package} (pip install {self.package})"
        if not self.codec or getattr(imagecodecs, self.codec).available:
            return ""
        return f"{self.codec} in imagecodecs (pip install -U imagecodecs)"

    def measure(self, source: Input) -> Measured:
        """See ``Coder.measure``."""
        samples = READERS[self.kind](source)
        if samples.shape[-1] == 1:
            samples = samples[..., 0]
        try:
            start = time.perf_counter()
            coded = self.encode(samples, source)
            middle = time.perf_counter()
            decoded = self.decode(coded)
            end = time.perf_counter()
        except FAILURES as error:
            raise UnsupportedError(f"refused: {error}") from error
        if not np.array_equal(decoded, samples):
            raise ChecksumError("what came back is not what went in")
        return Measured(len(coded), middle - start, end - middle)


def _sound(source: Input) -> NDArray[Any]:
    samples: NDArray[Any] = soundfile.read(source.path, dtype="int32", always_2d=True)[0]
    return samples


READERS: Final[dict[str, Callable[[Input], NDArray[Any]]]] = {
    IMAGE: lambda source: colours(source.path.read_bytes()),
    SOUND: _sound,
    JPEG: lambda source: np.frombuffer(source.path.read_bytes(), np.uint8),
}


def _png(_samples: NDArray[Any], source: Input) -> bytes:
    if source.depth == WIDE:
        raise UnsupportedError("Pillow narrows 16 bits to 8")
    out = io.BytesIO()
    with Image.open(source.path) as image:
        image.save(out, "PNG", optimize=True)
    return out.getvalue()


def _webp(_samples: NDArray[Any], source: Input) -> bytes:
    if source.depth == WIDE:
        raise UnsupportedError("would narrow 16 bits to 8")
    out = io.BytesIO()
    with Image.open(source.path) as image:
        image.save(out, "WEBP", lossless=True, exact=True, quality=100, method=6)  # as -z 9 of cwebp
    return out.getvalue()


def _from_file(data: bytes) -> NDArray[Any]:
    samples = colours(data)
    return samples[..., 0] if samples.shape[-1] == 1 else samples


def _jpeg_ls(samples: NDArray[Any], _source: Input) -> bytes:
    return bytes(imagecodecs.jpegls_encode(_less_green(samples, subtract=True), level=0))


def _from_jpeg_ls(data: bytes) -> NDArray[Any]:
    decoded: NDArray[Any] = imagecodecs.jpegls_decode(data)
    return _less_green(decoded, subtract=False)


def _less_green(samples: NDArray[Any], *, subtract: bool) -> NDArray[Any]:
    """Red and blue as differences from green, which JPEG-LS by itself does not take; or the inverse."""
    if samples.ndim == 2 or samples.shape[2] < 3:
        return samples
    changed: NDArray[Any] = samples.copy()
    green = samples[..., 1]
    for channel in (0, 2):
        changed[..., channel] += -green if subtract else green
    return changed


def _flac(samples: NDArray[Any], source: Input) -> bytes:
    if source.depth not in FLAC_SUBTYPES:
        raise UnsupportedError(f"libsndfile's FLAC has no {source.depth} bits")
    out = io.BytesIO()
    options = {"subtype": FLAC_SUBTYPES[source.depth], "compression_level": FLAC_BEST}
    soundfile.write(out, samples, soundfile.info(source.path).samplerate, format="FLAC", **options)
    return out.getvalue()


def _from_flac(data: bytes) -> NDArray[Any]:
    samples: NDArray[Any] = soundfile.read(io.BytesIO(data), dtype="int32")[0]
    return samples


def _jpeg_xl(effort: int, version: str) -> Library:
    def encode(samples: NDArray[Any], _source: Input) -> bytes:
        return bytes(imagecodecs.jpegxl_encode(samples, lossless=True, effort=effort, numthreads=processors()))

    return Library(f"JPEG XL, {version} -e {effort}", IMAGE, version, encode, imagecodecs.jpegxl_decode, "JPEGXL")


def _transcoding(version: str) -> Library:
    def encode(data: NDArray[Any], _source: Input) -> bytes:
        return bytes(imagecodecs.jpegxl_encode_jpeg(data.tobytes(), numthreads=processors()))

    def decode(data: bytes) -> NDArray[Any]:
        return np.frombuffer(imagecodecs.jpegxl_decode_jpeg(data, numthreads=processors()), np.uint8)

    return Library(f"JPEG XL, {version}", JPEG, version, encode, decode, "JPEGXL")


def _lepton() -> Library:
    package = "lepton-jpeg-python"
    version = f"lepton {version_of(package)}"

    def encode(data: NDArray[Any], _source: Input) -> bytes:
        return bytes(import_module("lepton_jpeg_python").compress_bytes(data.tobytes()))

    def decode(data: bytes) -> NDArray[Any]:
        return np.frombuffer(import_module("lepton_jpeg_python").decompress_bytes(data), np.uint8)

    return Library(f"Lepton, {version}", JPEG, version, encode, decode, package=package)


def libraries() -> tuple[Library, ...]:
    """All of them, with the versions that are there."""
    versions = imagecodecs.version(dict)
    xl, ls, j2k = (f"{name} {versions.get(name)}" for name in ("libjxl", "charls", "openjpeg"))
    webp, flac = f"libwebp {features.version('webp')}", f"libsndfile {soundfile.__libsndfile_version__}"

    def jpeg_2000(samples: NDArray[Any], _source: Input) -> bytes:
        return bytes(imagecodecs.jpeg2k_encode(samples, level=0, reversible=True, codecformat="j2k"))

    return (
        Library("PNG, Pillow optimize", IMAGE, f"Pillow {PIL.__version__}", _png, _from_file),
        Library(f"WebP, {webp} lossless exact", IMAGE, webp, _webp, _from_file),
        Library(f"JPEG-LS, {ls}, R-G and B-G", IMAGE, ls, _jpeg_ls, _from_jpeg_ls, "JPEGLS"),
        Library(f"JPEG 2000, {j2k}", IMAGE, j2k, jpeg_2000, imagecodecs.jpeg2k_decode, "JPEG2K"),
        _jpeg_xl(7, xl),
        _jpeg_xl(9, xl),
        Library(f"FLAC, {flac} level 8", SOUND, flac, _flac, _from_flac),
        _transcoding(xl),
        _lepton(),
    )
