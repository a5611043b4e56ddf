"""Bytes <-> sections of a version 1 file (docs/format.md sections 2 to 4). Standard library only."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, replace
from itertools import accumulate
from math import ceil, prod
from typing import TYPE_CHECKING, Final

from ardm_compress.ardm.tiles import tile_box
from ardm_compress.coding.conditioning import LATENT_LIMIT, Conditioning
from ardm_compress.errors import ChecksumError, FormatError, LimitError, UnsupportedError
from ardm_compress.files.data import Data
from ardm_compress.limits import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from ardm_compress.ardm.plans import Runs

MAGIC: Final = b"ARDM"
VERSION: Final = 1
MODEL_ID_BYTES: Final = 4
CRC_BYTES: Final = 4
MAX_SIDE: Final = 1 << 20
STYLE_BITS: Final = 5
MAX_SECTIONS: Final = 20
PROGRESSIVE: Final = 1 << 5  # beside the number of sections

SCHEDULED: Final = 1 << 2
TILED: Final = 1 << 3
SECTIONED: Final = 1 << 4
STYLED: Final = 1 << 5
LATENTS: Final = 1 << 6
KNOWN_FLAGS: Final = 0b11 | SCHEDULED | TILED | SECTIONED | STYLED | LATENTS


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """Everything but the entropy-coded payload."""

    shape: tuple[int, int]  # rows, columns, each 1..MAX_SIDE
    channels: int  # 1 or 3
    model_id: bytes  # first MODEL_ID_BYTES of the model file's SHA-256
    tile: tuple[int, int]  # rows, columns; the last tile of an axis may be smaller
    sections: int  # the coarse levels together, then each finer one
    progressive: bool = False  # whether payloads are in reverse, so that their beginning is decoded first
    style: int = 0  # of every tile's conditioning
    mirror: int = 0
    latents: tuple[tuple[int, ...], ...] = ()  # of every tile; () if no tile has any
    runs: Runs  # ranks per step, over the non-empty ranks of the first tile
    checksums: tuple[int, ...]  # CRC-32 of every tile's samples, tiles in raster order
    lengths: tuple[int, ...]  # bytes of every section with its CRC-32: all tiles' first sections, then their second

    @property
    def grid(self) -> tuple[int, int]:
        """Tiles along each axis."""
        return ceil(self.shape[0] / self.tile[0]), ceil(self.shape[1] / self.tile[1])

    def conditioning(self, index: int) -> Conditioning:
        """Return what the network is told about a tile."""
        return Conditioning(self.style, self.mirror, self.latents[index] if self.latents else ())

    def tile_box(self, index: int) -> tuple[slice, slice]:
        """Rows and columns of a tile."""
        return tile_box(self.shape, self.tile, index)


def sample_checksum(samples: bytes) -> int:
    """CRC-32 (ISO 3309) of a tile's samples in raster order, channels innermost."""
    return zlib.crc32(samples)


def check_samples(samples: bytes, expected: int, tile: int) -> None:
    """Raise ChecksumError unless a decoded tile's samples, as ``sample_checksum`` takes them, are those encoded."""
    if sample_checksum(samples) != expected:
        raise ChecksumError(f"tile {tile} decoded to other samples than were encoded", section=f"tile {tile}")


def crc(data: bytes) -> bytes:
    """CRC-32, little-endian."""
    return zlib.crc32(data).to_bytes(CRC_BYTES, "little")


def write_varint(value: int) -> bytes:
    """LEB128: seven bits a byte, least significant first, bit 7 set on all but the last."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def write_runs(runs: tuple[int, ...]) -> bytes:
    """Elias gamma codes, most significant bit first, zero bits at the end."""
    bits = "".join(format(run, f"0{2 * run.bit_length() - 1}b") for run in runs)
    bits += "0" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


def write_ends(checksums: tuple[int, ...], lengths: tuple[int, ...]) -> bytes:
    """The last fields of a header: the tiles' checksums and, if there are several, the streams' lengths."""
    ends = b"".join(value.to_bytes(CRC_BYTES, "little") for value in checksums)
    return ends + b"".join(write_varint(length) for length in lengths if len(lengths) > 1)


def _write_header(header: Header) -> bytes:
    """The header's bytes without its checksum: the only ones that say the same."""
    flags = header.channels - 1
    body = b"".join(write_varint(n) for n in header.shape)
    body += header.model_id
    if header.tile != header.shape:
        flags |= TILED
        body += b"".join(write_varint(n) for n in header.tile)
    if header.sections > 1:
        flags |= SECTIONED
        body += write_varint(header.sections | PROGRESSIVE * header.progressive)
    if header.style or header.mirror:
        flags |= STYLED
        body += write_varint(header.style | header.mirror << STYLE_BITS)
    if any(header.latents):
        flags |= LATENTS
        body += b"".join(write_varint(len(z)) + struct.pack(f"{len(z)}b", *z) for z in header.latents)
    if isinstance(header.runs, int):
        flags |= SCHEDULED
        body += write_varint(0) + write_varint(header.runs)
    elif header.runs and max(header.runs) > 1:
        flags |= SCHEDULED
        runs = write_runs(header.runs)
        body += write_varint(len(runs)) + runs
    body += write_ends(header.checksums, header.lengths)
    return MAGIC + bytes([VERSION, flags]) + body


def write_file(header: Header, payloads: list[bytes]) -> bytes:
    """Assemble a file; ``payloads`` are in the order of ``header.lengths``, which is derived from them."""
    header = replace(header, lengths=tuple(len(p) + CRC_BYTES for p in payloads))
    return write_payloads(_write_header(header), payloads)


def write_payloads(head: bytes, payloads: list[bytes]) -> bytes:
    """A file of a header's bytes and its streams' payloads, with their checksums."""
    if len(payloads) == 1:  # small files have one checksum, at their end, over everything
        return head + payloads[0] + crc(head + payloads[0])
    return head + crc(head) + b"".join(p + crc(p) for p in payloads)


class Reader:
    """A cursor over the header that never runs past the end."""

    def __init__(self, data: Data) -> None:
        self.data, self.offset = data, 0

    @classmethod
    def start(cls, data: Data) -> tuple[Reader, int]:
        """A cursor behind the magic, the version and the flags; the flags as well."""
        reader = cls(data)
        if data[: len(MAGIC)] != MAGIC:
            raise FormatError("this is not an ardm-compress file", offset=0, section="header")
        reader.take(len(MAGIC))
        version, flags = reader.take(2)
        if version != VERSION:
            raise UnsupportedError(f"the file has format version {version}; this program reads version {VERSION}")
        return reader, flags

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

    def take(self, count: int) -> bytes:
        """The next bytes."""
        if self.offset + count > len(self.data):
            raise FormatError("the file ends inside its header", offset=len(self.data), section="header")
        self.offset += count
        return self.data[self.offset - count : self.offset]

    def varint(self, low: int, high: int, what: str) -> int:
        """The next LEB128 number, which must be within ``low``..``high``."""
        start, value = self.offset, 0
        for shift in range(0, 35, 7):
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
        if not low <= value <= high:
            raise FormatError(f"{what} is not within {low}..{high}", offset=start, section="header")
        return value


def read_runs(data: bytes, offset: int) -> tuple[int, ...]:
    """Inverse of ``write_runs``; ``offset`` is told in errors."""
    bits = "".join(format(byte, "08b") for byte in data)
    runs, at = [], 0
    while (one := bits.find("1", at)) >= 0:
        end = 2 * one - at + 1
        if end > len(bits):
            raise FormatError("the schedule ends inside a run", offset=offset, section="header")
        runs.append(int(bits[one:end], 2))
        at = end
    return tuple(runs)


def _read_schedule(reader: Reader) -> Runs:
    length = reader.varint(0, 1 << 16, "the length of the schedule")
    return read_runs(reader.take(length), reader.offset) if length else reader.varint(1, 1 << 16, "the number of steps")


def _read_sections(reader: Reader) -> tuple[bool, int]:
    """Whether payloads are in reverse, and the number of sections."""
    start = reader.offset
    progressive, sections = divmod(reader.varint(2, PROGRESSIVE + MAX_SECTIONS, "the number of sections"), PROGRESSIVE)
    if not 2 <= sections <= MAX_SECTIONS:
        raise FormatError(f"the number of sections is not within 2..{MAX_SECTIONS}", offset=start, section="header")
    return bool(progressive), sections


def _read_latents(reader: Reader) -> tuple[int, ...]:
    start = reader.offset
    count = reader.varint(0, 255, "the number of latents")
    latents = struct.unpack(f"{count}b", reader.take(count))
    if latents and (min(latents) < -LATENT_LIMIT or latents[-1] == 0):
        raise FormatError("the latents are not in their only valid form", offset=start, section="header")
    return latents


def read_header(data: Data, limits: Limits = DEFAULT_LIMITS) -> tuple[Header, int]:
    """Parse and check a header.

    Returns:
        The header, and the offset of the first payload.

    Raises:
        FormatError: not this format, or damaged; UnsupportedError: a later version; LimitError: over ``limits``.
    """
    reader, flags = Reader.start(data)
    if flags & ~KNOWN_FLAGS or flags & 3 not in (0, 2):
        raise FormatError("the header has flags that version 1 does not define", offset=5, section="header")
    channels = (flags & 3) + 1
    shape = reader.varint(1, MAX_SIDE, "the height"), reader.varint(1, MAX_SIDE, "the width")
    limits.check_pixels(*shape)
    model_id = reader.take(MODEL_ID_BYTES)
    tile = shape
    if flags & TILED:
        tile = reader.varint(1, shape[0], "the tile height"), reader.varint(1, shape[1], "the tile width")
    if prod(tile) > limits.tile_pixels:
        raise LimitError(f"a tile of {tile[1]} x {tile[0]} pixels is over the limit of {limits.tile_pixels}")
    progressive, sections = _read_sections(reader) if flags & SECTIONED else (False, 1)
    mirror, style = divmod(reader.varint(1, 127, "the style") if flags & STYLED else 0, 1 << STYLE_BITS)
    tiles = ceil(shape[0] / tile[0]) * ceil(shape[1] / tile[1])
    limits.check_tiles(tiles, *shape)
    latents = tuple(_read_latents(reader) for _ in range(tiles if flags & LATENTS else 0))
    runs = _read_schedule(reader) if flags & SCHEDULED else None
    checksums, lengths = reader.ends(tiles, tiles * sections, "a section's length")
    header = Header(
        shape=shape, channels=channels, model_id=model_id, tile=tile, sections=sections, progressive=progressive,
        style=style, mirror=mirror, latents=latents, runs=runs, checksums=checksums, lengths=lengths,
    )  # fmt: skip
    end = reader.offset
    reader.finish(tiles * sections, _write_header(header))
    return (header if lengths else replace(header, lengths=(len(data) - end,))), reader.offset


def read_file(data: Data, limits: Limits = DEFAULT_LIMITS, *, whole: bool = True) -> tuple[Header, Payloads]:
    """Parse a header, and find the streams behind it, of which the last may be missing unless the file is ``whole``.

    Raises:
        As ``read_header``; asking for a payload, ChecksumError if it is damaged.
    """
    header, offset = read_header(data, limits)
    return header, Payloads(data, offset, header.lengths, whole=whole)


class Payloads:
    """The payloads of streams; each is read when asked for, and its checksum checked once unless it is the only one."""

    def __init__(self, data: Data, offset: int, lengths: tuple[int, ...], *, whole: bool = False) -> None:
        """Raises: FormatError: they do not fill the data from ``offset`` on, although it should be ``whole``."""
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
        """What there is of a payload that may be cut short, and how many bytes are missing; of a damaged one, all."""
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
        """The first byte of a payload, unchecked."""
        return self._data[self._ends[number] : self._ends[number] + 1]

    def raw(self, number: int) -> bytes:
        """What there is of a payload, which may be cut short or damaged."""
        start, stop = self._ends[number : number + 2]
        return self._data[start : stop - CRC_BYTES]
