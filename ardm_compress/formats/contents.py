"""A foreign file taken apart: samples, and what it takes to make the file again; or why it is stored as it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

import numpy as np

from ardm_compress.formats.kinds import BY_NAME, IMAGE, Kind, kind_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ardm_compress.files.data import Data
    from ardm_compress.formats.jpeg.markers import Picture as JpegPicture
    from ardm_compress.formats.jpeg.rest import Rest

PNG, WEBP, RASTER, FORCED = range(4)  # kinds of image files, as wrappers number them
# FORCED: a PNG file of the pixels of another file, which does not come back
DEPTHS: Final = (1, 2, 4, 8, 16)  # bits of a sample of an image
MOST_CHANNELS: Final = 4  # of an image
MOST_SOUND_CHANNELS: Final = 64
MOST_SURROUNDINGS: Final = 1 << 27  # bytes of head and tail
FLAC_RATE: Final = 655350  # frames per second of FLAC files, at most
BIG_ENDIAN, UNSIGNED, VERBATIM, FLAC = 1, 2, 4, 8  # flags of a sound wrapper's kind; without VERBATIM and FLAC the
# file is the shortest WAV file there is
COMPARED: Final = 256  # rows at a time
RAW: Final = Kind("raw", IMAGE, rb"", (".raw",))  # of heads that no known file begins with
LOSSY: Final = (
    "this {} file is lossily compressed: its pixels stored losslessly would only be larger; --force-pixels codes them "
    "all the same, as of a PNG file"
)
LOSSY_SOUND: Final = "this {} file is lossily compressed"


@dataclass(frozen=True, slots=True)
class ImageWrapper:
    """Everything in an image file but the samples and the sides of the image."""

    kind: int  # PNG, WEBP, RASTER or FORCED
    depth: int  # bits of a sample
    channels: int  # 1..MOST_CHANNELS
    form: int = 0  # 0..255, what it means depends on the kind
    head: bytes = b""  # what precedes the samples; of PNG and WebP files, chunks
    tail: bytes = b""

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


def sample_type(depth: int) -> type[np.uint8] | type[np.uint16]:
    """Return the type of arrays of an image's samples of ``depth`` bits."""
    return np.uint16 if depth == DEPTHS[-1] else np.uint8


def same_picture(one: Picture, other: Picture) -> bool:
    """Whether nothing that is promised differs."""
    if one.wrapper != other.wrapper or one.samples.shape != other.samples.shape:
        return False
    starts = range(0, len(one.samples), COMPARED)
    return all(np.array_equal(one.samples[i : i + COMPARED], other.samples[i : i + COMPARED]) for i in starts)
