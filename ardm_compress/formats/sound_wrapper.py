"""What a sound file has besides its samples <-> bytes (docs/format.md section 13.7). Errors and container only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ardm_compress.container.image import Reader, write_varint
from ardm_compress.container.surroundings import read_surroundings, write_surroundings
from ardm_compress.errors import FormatError
from ardm_compress.files.data import Data
from ardm_compress.formats.pcm import FLAC, VERBATIM

WIDEST: Final = 4  # bytes of a sample
WIDEST_FLAC: Final = 3
FLAC_RATE: Final = 655350


@dataclass(frozen=True, slots=True)
class Wrapper:
    """Everything but the samples and their number."""

    kind: int  # flags: see ``ardm_compress.formats.pcm``
    width: int  # bytes of a sample in the file
    shift: int  # low bits that are 0 in all samples
    rate: int  # frames per second
    head: bytes = b""  # what precedes the samples; of FLAC files, metadata blocks
    tail: bytes = b""

    @property
    def suffix(self) -> str:
        """Of files of this kind."""
        return ".flac" if self.kind & FLAC else suffix_of(self.head)


def suffix_of(data: Data) -> str:
    """The usual suffix of a sound file."""
    return ".flac" if data[:4] == b"fLaC" else ".aiff" if data[:4] == b"FORM" else ".wav"


def write_wrapper(wrapper: Wrapper) -> bytes:
    """As the compressed file keeps it."""
    data = bytes([wrapper.kind, wrapper.width, wrapper.shift]) + write_varint(wrapper.rate)
    if wrapper.kind & (VERBATIM | FLAC):
        data += write_surroundings(wrapper.head, wrapper.tail)
    return data


def read_wrapper(data: bytes) -> Wrapper:
    """Inverse of ``write_wrapper``.

    Raises:
        FormatError: no such wrapper; LimitError: it unpacks to too much.
    """
    reader = Reader(data)
    kind, width, shift = reader.take(3)
    rate = reader.varint(0, (1 << 32) - 1, "the sample rate")
    if kind == FLAC and not 0 < rate <= FLAC_RATE:
        raise FormatError(f"the sample rate is not within 1..{FLAC_RATE}", section="header")
    if kind > FLAC or not 1 <= width <= (WIDEST_FLAC if kind == FLAC else WIDEST) or shift >= 8 * width:
        raise FormatError("the wrapper is not one that version 1 defines", section="header")
    if not kind & (VERBATIM | FLAC):
        return Wrapper(kind, width, shift, rate)
    return Wrapper(kind, width, shift, rate, *read_surroundings(data[reader.offset :]))


def wrapper_rate(data: bytes) -> int:
    """Frames per second, without unpacking what surrounds the samples."""
    reader = Reader(data)
    reader.take(3)
    return reader.varint(0, (1 << 32) - 1, "the sample rate")
