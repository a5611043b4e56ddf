"""An image of which each tile is coded in its own way <-> version 1 files (docs/format.md section 15)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from math import ceil, prod
from typing import ClassVar, Final, Literal

from ardm_compress.ardm.tiles import tile_box
from ardm_compress.container import (
    CRC_BYTES,
    MAGIC,
    VERSION,
    HeaderReader,
    Kind,
    Payloads,
    describe_sizes,
    write_ends,
    write_payloads,
)
from ardm_compress.container.wrappers import IMAGE_KINDS, MAX_WRAPPER, describe_original, read_image_wrapper
from ardm_compress.errors import FormatError, LimitError
from ardm_compress.files import Data, write_varint
from ardm_compress.formats.contents import ImageWrapper
from ardm_compress.options import DEFAULT_LIMITS, MAX_SIDE, Limits

RAW, MODEL, WEBP, JPEG_XL, APART, CONTEXTS = range(6)  # first byte of a tile's stream: how it is coded
METHODS: Final = ("raw", "model", "webp", "jpeg xl", "apart", "contexts")
PICTURE: Final = 1  # flags
TILED: Final = 1 << 2


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureHeader:
    """Everything but what the tiles hold."""

    shape: tuple[int, int]  # rows, columns
    tile: tuple[int, int]  # rows, columns; the last of an axis may be smaller
    wrapper: bytes  # see ``ardm_compress.container.wrappers``
    checksums: tuple[int, ...]  # CRC-32 of every tile's samples, those of 16 bits little-endian, channels innermost
    lengths: tuple[int, ...]  # bytes of every tile's stream with its CRC-32

    @property
    def grid(self) -> tuple[int, int]:
        """Tiles along each axis."""
        return ceil(self.shape[0] / self.tile[0]), ceil(self.shape[1] / self.tile[1])

    def tile_box(self, index: int) -> tuple[slice, slice]:
        """Rows and columns of a tile."""
        return tile_box(self.shape, self.tile, index)


def method_name(first: bytes) -> str:
    """Name the method of a stream by its first byte, as ``info`` does."""
    return METHODS[first[0]] if first and first[0] < len(METHODS) else "unknown"


def _write_header(header: PictureHeader) -> bytes:
    """Write the header without its checksum; no other bytes say the same."""
    flags = PICTURE
    body = b"".join(write_varint(n) for n in header.shape)
    if header.tile != header.shape:
        flags |= TILED
        body += b"".join(write_varint(n) for n in header.tile)
    body += write_varint(len(header.wrapper)) + header.wrapper + write_ends(header.checksums, header.lengths)
    return MAGIC + bytes([VERSION, flags]) + body


def write_file(header: PictureHeader, payloads: list[bytes]) -> bytes:
    """Assemble a file; ``header.lengths`` is derived from the payloads."""
    header = replace(header, lengths=tuple(len(p) + CRC_BYTES for p in payloads))
    return write_payloads(_write_header(header), payloads)


def read_header(data: Data, limits: Limits = DEFAULT_LIMITS) -> tuple[PictureHeader, int]:
    """Parse and check a header; the header, and the offset of the first stream.

    Raises:
        FormatError: damaged; LimitError: over ``limits``.
    """
    reader, flags = HeaderReader.start(data)
    if flags & ~TILED != PICTURE:
        raise FormatError("the header has flags that version 1 does not define", offset=5, section="header")
    shape = reader.varint(1, MAX_SIDE, "the height"), reader.varint(1, MAX_SIDE, "the width")
    limits.check_pixels(*shape)
    tile = shape
    if flags & TILED:
        tile = reader.varint(1, shape[0], "the tile height"), reader.varint(1, shape[1], "the tile width")
    if prod(tile) > limits.tile_pixels:
        raise LimitError(f"a tile of {tile[1]} x {tile[0]} pixels is over the limit of {limits.tile_pixels}")
    wrapper = reader.take(reader.varint(1, MAX_WRAPPER, "the length of the wrapper"))
    header = PictureHeader(shape=shape, tile=tile, wrapper=wrapper, checksums=(), lengths=())
    tiles = prod(header.grid)
    limits.check_tiles(tiles, *shape)
    checksums, lengths = reader.ends(tiles, tiles, "a stream's length")
    header = replace(header, checksums=checksums, lengths=lengths)
    end = reader.offset
    reader.finish(tiles, _write_header(header))
    return (header if lengths else replace(header, lengths=(len(data) - end,))), reader.offset


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedPicture:
    """An image of which each tile is coded by whatever makes it smallest."""

    kind: ClassVar[Literal[Kind.PICTURE]] = Kind.PICTURE
    size: int
    header_bytes: int
    header: PictureHeader
    payloads: Payloads
    wrapper: ImageWrapper

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.header.shape

    @property
    def facts(self) -> dict[str, object]:
        """What ``info`` shows."""
        header, wrapper = self.header, self.wrapper
        methods = Counter(method_name(self.payloads.first(index)) for index in range(len(self.payloads)))
        return {
            "format": VERSION,
            "kind": "image",
            "width": header.shape[1],
            "height": header.shape[0],
            "channels": wrapper.channels,
            "bit_depth": wrapper.depth,
            "file": IMAGE_KINDS[wrapper.kind],
            "tiles": prod(header.grid),
            "methods": ", ".join(f"{name} {count}" for name, count in sorted(methods.items())),
            **describe_original(wrapper, *header.shape),
        } | describe_sizes(self.size, self.header_bytes, header.lengths, prod(header.shape) * wrapper.channels)


def parse_picture(data: Data, limits: Limits) -> ParsedPicture:
    """Parse and check all that precedes the streams.

    Raises:
        FormatError, ChecksumError: damaged; LimitError: over ``limits``.
    """
    header, offset = read_header(data, limits)
    payloads, wrapper = Payloads(data, offset, header.lengths), read_image_wrapper(header.wrapper)
    return ParsedPicture(size=len(data), header_bytes=offset, header=header, payloads=payloads, wrapper=wrapper)
