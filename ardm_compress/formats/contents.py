"""A foreign file taken apart: samples, and what it takes to make the file again; or why it is stored as it is."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, TypeAlias, TypeVar

import numpy as np

from ardm_compress.files import Data, blocks
from ardm_compress.formats import BY_NAME, FILE, IMAGE, Kind, kind_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ardm_compress.formats.jpeg.markers import Picture as JpegPicture
    from ardm_compress.formats.jpeg.rest import Rest

PNG, WEBP, RASTER, FORCED = range(4)  # kinds of image files, as wrappers number them
# FORCED: a PNG file of the pixels of another file, which does not come back
DEPTHS: Final = (1, 2, 4, 8, 16)  # bits of a sample of an image
MOST_CHANNELS: Final = 4  # of an image
MOST_SOUND_CHANNELS: Final = 64
MOST_SURROUNDINGS: Final = 1 << 27  # bytes of head and tail
FLAC_RATE: Final = 655350  # frames per second of FLAC files, at most
IN_STRIPS, MADE_ANEW, SHOWN = 16, 32, 64  # flags of the form of a TIFF file's wrapper: samples lie in strips or tiles,
# as ``ardm_compress.formats.strips`` tells; the file is not the one that was compressed; its samples are all of it that
# is shown, from black to full scale, upright
BIG_ENDIAN, UNSIGNED, VERBATIM, FLAC = 1, 2, 4, 8  # flags of a sound wrapper's kind; without VERBATIM and FLAC the
# file is the shortest WAV file there is
COMPARED: Final = 256  # rows at a time
PADDED: Final = 8  # bit of the form of files of kind RASTER: rows are filled to multiples of 4 bytes
NAMED_FROM: Final = 1 << 13  # bytes of a file of which size and SHA-256 are kept: of smaller ones they would count
PIXELS_AND_METADATA: Final = "pixels and metadata"  # what comes back of an image file that is packed anew
SHORTEST_HEAD: Final = 44  # bytes of a WAV file before its samples
RAW: Final = Kind("raw", IMAGE, rb"", (".raw",))  # of heads that no known file begins with
LOSSY: Final = (
    "this {} file is lossily compressed: its pixels stored losslessly would only be larger; --force-pixels codes them "
    "all the same, as of a PNG file"
)
LOSSY_SOUND: Final = "this {} file is lossily compressed"


class Original(NamedTuple):
    """The file that was compressed, where another one with the same content comes back."""

    size: int  # bytes
    sha256: bytes

    @classmethod
    def of(cls, data: Data) -> Original:
        """Name a file."""
        digest = hashlib.sha256()
        for block in blocks(data):
            digest.update(block)
        return cls(len(data), digest.digest())


@dataclass(frozen=True, slots=True)
class ImageWrapper:
    """Everything in an image file but the samples and the sides of the image."""

    kind: int  # PNG, WEBP, RASTER or FORCED
    depth: int  # bits of a sample
    channels: int  # 1..MOST_CHANNELS
    form: int = 0  # 0..255, what it means depends on the kind
    head: bytes = b""  # what precedes the samples; of PNG and WebP files, chunks
    tail: bytes = b""
    original: Original | None = field(default=None, compare=False)

    @property
    def is_exact(self) -> bool:
        """Whether the file comes back byte for byte."""
        return self.kind == RASTER and not (self.is_packed and self.form & MADE_ANEW)

    @property
    def is_packed(self) -> bool:
        """Whether it is a TIFF file whose strips or tiles are packed again."""
        return self.kind == RASTER and bool(self.form & IN_STRIPS)

    @property
    def is_named(self) -> bool:
        """Whether another file comes back, or, of another version of a library, may."""
        return self.is_packed or not self.is_exact

    @property
    def comes_back(self) -> str:
        """What of the file does."""
        return FILE if self.is_exact else "pixels" if self.kind == FORCED else PIXELS_AND_METADATA

    def file_size(self, rows: int, columns: int) -> int | None:
        """Return the bytes of the file that was compressed, which had so many pixels, if they are known."""
        if self.is_named:
            return self.original.size if self.original else None
        row = columns * self.channels * self.depth // 8
        return len(self.head) + rows * (row + (-row % 4 if self.form & PADDED else 0)) + len(self.tail)

    @property
    def file_kind(self) -> Kind:
        """Of file that it belongs to."""
        if self.kind != RASTER:
            return BY_NAME["WebP" if self.kind == WEBP else "PNG"]
        kind = kind_of(self.head)
        return kind if kind.plug in ("bmp", "netpbm", "tiff") else RAW


@dataclass(frozen=True)
class Picture:
    """Samples as the file has them (indices into a palette, gray without scaling) and the rest of the file."""

    samples: NDArray[Any]  # (rows, columns, channels); 16 bits if the depth is
    wrapper: ImageWrapper


class Samples(Protocol):
    """Samples (frames, channels) of which slices are arrays: an array, or what reads or decodes them when asked."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Frames, channels."""

    def __getitem__(self, frames: slice, /) -> NDArray[np.int32]: ...


@dataclass(frozen=True, slots=True)
class SoundWrapper:
    """Everything in a sound file but the samples and their number."""

    kind: int  # flags
    width: int  # bytes of a sample in the file
    shift: int  # low bits that are 0 in all samples
    rate: int  # frames per second
    head: bytes = b""  # what precedes the samples; of FLAC files, metadata blocks
    tail: bytes = b""
    original: Original | None = field(default=None, compare=False)

    @property
    def is_exact(self) -> bool:
        """Whether the file comes back byte for byte."""
        return not self.kind & FLAC

    @property
    def is_named(self) -> bool:
        """Whether another file comes back."""
        return not self.is_exact

    @property
    def comes_back(self) -> str:
        """What of the file does."""
        return FILE if self.is_exact else "samples and metadata"

    def file_size(self, frames: int, channels: int) -> int | None:
        """Return the bytes of the file that was compressed, which had so many samples, if they are known."""
        if not self.is_exact:
            return self.original.size if self.original else None
        samples = frames * channels * self.width
        return samples + (len(self.head) + len(self.tail) if self.kind & VERBATIM else SHORTEST_HEAD + samples % 2)

    @property
    def file_kind(self) -> Kind:
        """Of file that it belongs to."""
        if self.kind & FLAC:
            return BY_NAME["FLAC"]
        return BY_NAME["AIFF" if self.head[:4] == b"FORM" else "WAV"]


@dataclass(frozen=True)
class Sound:
    """Samples, and the rest of the file."""

    samples: Samples  # (frames, channels), without ``wrapper.shift`` low bits
    wrapper: SoundWrapper


@dataclass(frozen=True)
class Coefficients:
    """A JPEG file, taken apart."""

    data: bytes  # the file
    pictures: list[JpegPicture]
    rest: Rest


@dataclass(frozen=True)
class Stored:
    """A file that is kept as it is."""

    data: Data
    kind: Kind
    reason: str  # why it is not taken apart


Media: TypeAlias = "Picture | Sound | Coefficients | Stored"


Own = TypeVar("Own", bound=Media)


def with_original(media: Own, data: Data) -> Own:
    """Note size and SHA-256 of the file that media were read from, if it is large and may not come back itself."""
    if not isinstance(media, Picture | Sound) or not media.wrapper.is_named or len(data) < NAMED_FROM:
        return media
    return replace(media, wrapper=replace(media.wrapper, original=Original.of(data)))  # type: ignore[arg-type]


def sample_type(depth: int) -> type[np.uint8] | type[np.uint16]:
    """Return the type of arrays of an image's samples of ``depth`` bits."""
    return np.uint16 if depth == DEPTHS[-1] else np.uint8


def same_picture(one: Picture, other: Picture) -> bool:
    """Whether nothing that is promised differs."""
    if one.wrapper != other.wrapper or one.samples.shape != other.samples.shape:
        return False
    starts = range(0, len(one.samples), COMPARED)
    return all(np.array_equal(one.samples[i : i + COMPARED], other.samples[i : i + COMPARED]) for i in starts)
