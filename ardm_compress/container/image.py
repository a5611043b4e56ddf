"""An image that the model has coded <-> version 1 files (docs/format.md sections 2 to 4, 15.1)."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from math import ceil, prod
from typing import TYPE_CHECKING, ClassVar, Final, Literal

from ardm_compress.ardm import make_order
from ardm_compress.ardm.schedule import call_count
from ardm_compress.ardm.tiles import LATENT_LIMIT, Conditioning, tile_box
from ardm_compress.container import (
    CRC_BYTES,
    MAGIC,
    START,
    VERSION,
    HeaderReader,
    Kind,
    Payloads,
    crc,
    describe_sizes,
    write_ends,
    write_payloads,
)
from ardm_compress.container.wrappers import IMAGE_KINDS, MAX_WRAPPER, describe_original, read_image_wrapper
from ardm_compress.errors import FormatError, LimitError
from ardm_compress.files import Data, Joined, Part, write_varint
from ardm_compress.formats.contents import PNG, ImageWrapper
from ardm_compress.inference import MODEL_ID_BYTES, model_of_file
from ardm_compress.options import DEFAULT_LIMITS, MAX_SIDE, Limits

if TYPE_CHECKING:
    from ardm_compress.ardm.schedule import Runs
    from ardm_compress.inference import ModelFile

STYLE_BITS: Final = 5
MAX_SECTIONS: Final = 20
PROGRESSIVE: Final = 1 << 5  # beside the number of sections
MODEL_DEPTH: Final = 8  # bits of the samples that models of images code
PNG_COLOURS: Final = {1: 0, 3: 2}  # colour types of the PNG files, gray and RGB, that images without a wrapper are

SCHEDULED: Final = 1 << 2
TILED: Final = 1 << 3
SECTIONED: Final = 1 << 4
STYLED: Final = 1 << 5
LATENTS: Final = 1 << 6
WRAPPED: Final = 1 | 1 << 3  # all flags of a file that begins with the wrapper of an image file
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


def write_runs(runs: tuple[int, ...]) -> bytes:
    """Elias gamma codes, most significant bit first, zero bits at the end."""
    bits = "".join(format(run, f"0{2 * run.bit_length() - 1}b") for run in runs)
    bits += "0" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


def _write_header(header: Header) -> bytes:
    """Write the header without its checksum; no other bytes say the same."""
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


def _read_schedule(reader: HeaderReader) -> Runs:
    length = reader.varint(0, 1 << 16, "the length of the schedule")
    return read_runs(reader.take(length), reader.offset) if length else reader.varint(1, 1 << 16, "the number of steps")


def _read_sections(reader: HeaderReader) -> tuple[bool, int]:
    """Whether payloads are in reverse, and the number of sections."""
    start = reader.offset
    progressive, sections = divmod(reader.varint(2, PROGRESSIVE + MAX_SECTIONS, "the number of sections"), PROGRESSIVE)
    if not 2 <= sections <= MAX_SECTIONS:
        raise FormatError(f"the number of sections is not within 2..{MAX_SECTIONS}", offset=start, section="header")
    return bool(progressive), sections


def _read_latents(reader: HeaderReader) -> tuple[int, ...]:
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
    reader, flags = HeaderReader.start(data)
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


def write_wrapped(wrapper: bytes, file: bytes) -> bytes:
    """Write a file of the model, with the wrapper of the picture whose samples it holds."""
    head = START + bytes([WRAPPED]) + write_varint(len(wrapper)) + wrapper
    return head + crc(head) + file[len(START) :]


def read_wrapped(data: Data) -> tuple[bytes, Data]:
    """Inverse of ``write_wrapped``.

    Raises:
        FormatError: damaged.
    """
    reader, _ = HeaderReader.start(data)
    wrapper = reader.take(reader.varint(1, MAX_WRAPPER, "the length of the wrapper"))
    reader.check()
    return wrapper, Joined(START, Part(data, reader.offset))


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedImage:
    """An image that the model has coded as a whole."""

    kind: ClassVar[Literal[Kind.MODEL]] = Kind.MODEL
    size: int  # bytes of the file
    header_bytes: int  # up to the first stream
    header: Header
    payloads: Payloads
    wrapper: ImageWrapper
    model: ModelFile

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.header.shape

    @property
    def facts(self) -> dict[str, object]:
        """What ``info`` shows.

        Raises:
            FormatError: the schedule does not fit the first tile.
        """
        header, order = self.header, make_order(self.model.order, axes=2, period=self.model.period)
        samples = prod(header.shape) * header.channels
        return {
            "format": VERSION,
            "kind": "image",
            "width": header.shape[1],
            "height": header.shape[0],
            "channels": header.channels,
            "bit_depth": MODEL_DEPTH,
            "file": IMAGE_KINDS[self.wrapper.kind],
            "model": self.model.name,
            "model_id": header.model_id.hex(),
            "calls": call_count(header.runs, order, header.tile),
            "tiles": prod(header.grid),
            "sections": header.sections,
            "progressive": header.progressive,
            "style": header.style,
            "mirror": header.mirror,
            "latents": max(map(len, header.latents), default=0),
            **describe_original(self.wrapper, *header.shape),
        } | describe_sizes(self.size, self.header_bytes, header.lengths, samples)


def parse_image(data: Data, flags: int, limits: Limits) -> ParsedImage:
    """Parse and check all that precedes the streams.

    Raises:
        FormatError, ChecksumError: damaged; UnsupportedError: another version or model is needed; LimitError: over
        ``limits``.
    """
    kept, file = read_wrapped(data) if flags == WRAPPED else (None, data)
    header, offset = read_header(file, limits)
    model = model_of_file(header.model_id)
    plain = ImageWrapper(PNG, MODEL_DEPTH, header.channels, PNG_COLOURS[header.channels])
    wrapper = plain if kept is None else read_image_wrapper(kept)
    if wrapper.depth != MODEL_DEPTH or wrapper.channels != header.channels:
        raise FormatError("the wrapper is of other samples than the file has", section="header")
    payloads, front = Payloads(file, offset, header.lengths), len(data) - len(file) + offset
    return ParsedImage(
        size=len(data), header_bytes=front, header=header, payloads=payloads, wrapper=wrapper, model=model
    )
