"""Compressed files: how all of them begin, and what they are parsed to; the rooms' files are those of each kind.

A file is parsed once, to one value: its kind, its header, its streams, and what surrounds its samples (docs/format.md).
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from enum import Enum
from itertools import accumulate
from typing import TYPE_CHECKING, Final, TypeAlias

from ardm_compress.errors import ChecksumError, FormatError, UnsupportedError
from ardm_compress.files import Data, Reader, write_varint
from ardm_compress.options import DEFAULT_LIMITS, MAX_SIDE, Limits

if TYPE_CHECKING:
    from ardm_compress.container.image import ParsedImage
    from ardm_compress.container.jpeg import ParsedJpeg
    from ardm_compress.container.picture import ParsedPicture
    from ardm_compress.container.sound import ParsedSound
    from ardm_compress.container.stored import ParsedStored
    from ardm_compress.container.text import ParsedText
    from ardm_compress.files import Data

MAGIC: Final = b"ARDM"
VERSION: Final = 1
START: Final = MAGIC + bytes([VERSION])  # of all files; left out where one is inside another
CRC_BYTES: Final = 4
SOUND: Final = 1 << 7  # flag: this is a file of sound, or
STORED: Final = 1 << 6  # with this flag as well, another file as it was
JPEG: Final = 1 << 1  # and with both, a JPEG file, by its coefficients
TEXT: Final = 1 << 2  # or a text, by its bytes


class Kind(Enum):
    """What a compressed file holds."""

    MODEL = "image"  # coded by the model as a whole
    PICTURE = "image tiles"  # an image of which each tile is coded by whatever makes it smallest
    SOUND = "sound"
    STORED = "stored file"  # another file as it was, packed
    JPEG = "JPEG file"  # another file as it was, by its coefficients
    TEXT = "text"  # another file as it was, by its bytes


def sample_checksum(samples: bytes) -> int:
    """CRC-32 (ISO 3309) of a tile's samples in raster order, channels innermost."""
    return zlib.crc32(samples)


def check_tile(checksum: int, expected: int, tile: int) -> None:
    """Raise ChecksumError unless a decoded tile has the checksum, as of ``sample_checksum``, of what was encoded."""
    if checksum != expected:
        raise ChecksumError(f"tile {tile} decoded to other samples than were encoded", section=f"tile {tile}")


def crc(data: bytes) -> bytes:
    """CRC-32, little-endian."""
    return zlib.crc32(data).to_bytes(CRC_BYTES, "little")


def write_ends(checksums: tuple[int, ...], lengths: tuple[int, ...]) -> bytes:
    """Write the last fields of a header: the tiles' checksums and, if there are several, the streams' lengths."""
    ends = b"".join(value.to_bytes(CRC_BYTES, "little") for value in checksums)
    return ends + b"".join(write_varint(length) for length in lengths if len(lengths) > 1)


def write_payloads(head: bytes, payloads: list[bytes]) -> bytes:
    """Join a header's bytes and its streams' payloads to a file, with their checksums."""
    if len(payloads) == 1:  # small files have one checksum, at their end, over everything
        return head + payloads[0] + crc(head + payloads[0])
    return head + crc(head) + b"".join(p + crc(p) for p in payloads)


def describe_sizes(size: int, header_bytes: int, lengths: Sequence[int], samples: int) -> dict[str, object]:
    """Return what the description of every coded file ends with.

    Args:
        size: of the file, bytes.
        header_bytes: before the first stream.
        lengths: of the streams with their checksums, bytes.
        samples: that are coded.
    """
    return {
        "bytes": size,
        "payload_bytes": sum(lengths) - CRC_BYTES * len(lengths),
        "header_bytes": header_bytes,
        "bits_per_sample": 8 * size / max(1, samples),
    }


class HeaderReader(Reader):
    """A cursor over the header of a compressed file."""

    @classmethod
    def start(cls, data: Data) -> tuple[HeaderReader, int]:
        """Read magic, version and flags; return a cursor behind them, and the flags."""
        reader = cls(data)
        if data[: len(MAGIC)] != MAGIC:
            raise FormatError("this is not an ardm-compress file", offset=0, section="header")
        reader.take(len(MAGIC))
        version, flags = reader.take(2)
        if version != VERSION:
            raise UnsupportedError(
                f"the file has format version {version}; this program reads version {VERSION}; use a newer one"
            )
        return reader, flags

    @classmethod
    def start_whole(cls, data: Data, flags: int) -> HeaderReader:
        """Return a cursor behind the flags of a file of one checksum, in all of it but that checksum.

        Raises:
            FormatError: it has other flags, or is not of this program; ChecksumError: it is damaged or cut short.
        """
        reader, found = cls.start(data)
        if found != flags:
            raise FormatError("the header has flags that version 1 does not define", offset=5, section="header")
        whole = data[:]
        if len(whole) < reader.offset + CRC_BYTES or crc(whole[:-CRC_BYTES]) != whole[-CRC_BYTES:]:
            raise ChecksumError("the file is damaged or cut short; it has no part to salvage", section="payload")
        start, reader = reader.offset, cls(whole[:-CRC_BYTES])
        reader.take(start)
        return reader

    def check(self) -> None:
        """Raise ChecksumError unless the checksum of all that was read follows."""
        end = self.offset
        if crc(self.data[:end]) != self.take(CRC_BYTES):
            raise ChecksumError("the header is damaged", offset=end, section="header")

    def finish(self, streams: int, expected: bytes) -> None:
        """Check the header's checksum, or of a file of one stream that of all, and that only ``expected`` says it."""
        data, end = self.data, self.offset
        if streams != 1:
            self.check()
        if streams == 1 and (len(data) < end + CRC_BYTES or crc(data[:-CRC_BYTES]) != data[-CRC_BYTES:]):
            message = "the file is damaged or cut short; small ones like it have one checksum, and no part to salvage"
            raise ChecksumError(message, offset=end, section="payload")
        if expected != data[:end]:
            raise FormatError("the header is not in its only valid form", offset=0, section="header")

    def ends(self, tiles: int, streams: int, what: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Inverse of ``write_ends``."""
        checksums = tuple(int.from_bytes(self.take(CRC_BYTES), "little") for _ in range(tiles))
        given = streams if streams > 1 else 0
        return checksums, tuple(self.varint(CRC_BYTES, 1 << 32, what) for _ in range(given))


class Payloads:
    """The payloads of streams; each is read when asked for, and its checksum checked once unless it is the only one."""

    def __init__(self, data: Data, offset: int, lengths: tuple[int, ...], *, whole: bool = False) -> None:
        """Note where payloads are; if they should be ``whole``, raise FormatError as ``check_whole`` does."""
        self._data, self._ends = data, list(accumulate(lengths, initial=offset))
        self._checked = bytearray([len(lengths) == 1] * len(lengths))
        if whole:
            self.check_whole()

    def check_whole(self) -> None:
        """Raise FormatError unless the payloads, and nothing else, fill the file to its end."""
        if self._ends[-1] != len(self._data):
            message = f"the file has {len(self._data)} bytes but should have {self._ends[-1]}"
            message += "; --salvage decodes what there is" if len(self._data) < self._ends[-1] else ""
            raise FormatError(message, offset=min(self._ends[-1], len(self._data)))

    def __len__(self) -> int:
        return len(self._checked)

    def __getitem__(self, number: int) -> bytes:
        if not 0 <= number < len(self):
            raise IndexError(number)
        start, stop = self._ends[number : number + 2]
        payload = self._data[start:stop]
        if len(payload) < stop - start:
            raise FormatError("the file is cut short; --salvage decodes what there is", offset=len(self._data))
        if not self._checked[number] and crc(payload[:-CRC_BYTES]) != payload[-CRC_BYTES:]:
            raise ChecksumError(f"section {number} is damaged", offset=start, section=f"section {number}")
        self._checked[number] = True
        return payload[:-CRC_BYTES]

    def check(self) -> None:
        """Raise ChecksumError if any is damaged: better at once than after minutes of decoding those before it."""
        for number in range(len(self)):
            self[number]

    def arrived(self, number: int) -> tuple[bytes, int]:
        """Return what there is of a payload, damaged or not, and how many of its bytes are missing at the end."""
        start, stop = self._ends[number : number + 2]
        size = stop - start - CRC_BYTES
        try:
            return self[number], 0
        except ChecksumError:
            return b"", size
        except FormatError:
            payload = self.raw(number)
            return payload, size - len(payload)

    def first(self, number: int) -> bytes:
        """Return the first byte of a payload, unchecked."""
        return self._data[self._ends[number] : self._ends[number] + 1]

    def raw(self, number: int) -> bytes:
        """Return what there is of a payload, which may be cut short or damaged."""
        start, stop = self._ends[number : number + 2]
        return self._data[start : stop - CRC_BYTES]


Parsed: TypeAlias = "ParsedImage | ParsedPicture | ParsedSound | ParsedStored | ParsedJpeg | ParsedText"

UNLIMITED: Final = Limits(pixels=MAX_SIDE**2, samples=1 << 40)  # to describe a file


def parse(data: Data, limits: Limits = DEFAULT_LIMITS) -> Parsed:
    """Parse and check the header of a compressed file, which may be cut short behind it.

    What only files of another kind need is not imported.

    Raises:
        FormatError, ChecksumError: no compressed file, or a damaged header; UnsupportedError: it needs another version
        or model; LimitError: over ``limits``.
    """
    _, flags = HeaderReader.start(data)
    if flags & SOUND and flags & STORED and flags & JPEG:
        from ardm_compress.container.jpeg import parse_jpeg

        return parse_jpeg(data, limits)
    if flags & SOUND and flags & STORED and flags & TEXT:
        from ardm_compress.container.text import parse_text

        return parse_text(data, limits)
    if flags & SOUND and flags & STORED:
        from ardm_compress.container.stored import parse_stored

        return parse_stored(data)
    if flags & SOUND:
        from ardm_compress.container.sound import parse_sound

        return parse_sound(data, limits)
    from ardm_compress.container.picture import PICTURE, TILED, parse_picture

    if flags & ~TILED == PICTURE:
        return parse_picture(data, limits)
    from ardm_compress.container.image import parse_image

    return parse_image(data, flags, limits)
