"""Texts that come back byte for byte <-> version 1 files (docs/format.md section 17). No Numba, no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final, Literal

from ardm_compress.container import CRC_BYTES, SOUND, START, STORED, TEXT, VERSION, HeaderReader, Kind, crc
from ardm_compress.errors import FormatError
from ardm_compress.files import write_varint
from ardm_compress.formats import FILE, LARGEST_TEXT
from ardm_compress.inference import MODEL_ID_BYTES, model_of_file
from ardm_compress.options import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from ardm_compress.files import Data
    from ardm_compress.inference import ModelFile

MOST_PACKED: Final = 1 << 12  # bytes of a text per byte of its stream, but for LEAST_BYTES: no bit is certain
LEAST_BYTES: Final = 8
TILE_BYTES: Final = 1 << 21  # of a text that are coded in one piece; the last tile has what is left


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedText:
    """A text."""

    kind: ClassVar[Literal[Kind.TEXT]] = Kind.TEXT
    size: int  # bytes of the compressed file
    header_bytes: int
    original_size: int  # bytes of the text
    checksum: bytes  # CRC-32 of the text
    model: ModelFile
    streams: list[bytes]  # one of each tile

    @property
    def tiles(self) -> list[int]:
        """Bytes of the text in each tile."""
        return tile_sizes(self.original_size)

    @property
    def facts(self) -> dict[str, object]:
        """What ``info`` shows."""
        return {
            "format": VERSION,
            "kind": "text",
            "tiles": len(self.streams),
            "model": self.model.name,
            "model_id": self.model.model_id.hex(),
            "comes_back": FILE,
            "original_bytes": self.original_size,
            "bytes": self.size,
            "payload_bytes": sum(map(len, self.streams)),
            "header_bytes": self.header_bytes,
            "bits_per_byte": 8 * self.size / self.original_size,
        }


def tile_sizes(size: int) -> list[int]:
    """Cut a text of so many bytes into tiles."""
    return [min(TILE_BYTES, size - start) for start in range(0, size, TILE_BYTES)]


def _head(size: int, checksum: bytes, model_id: bytes, lengths: list[int]) -> bytes:
    """Return what precedes the streams; the last one's length is not said."""
    head = START + bytes([SOUND | STORED | TEXT]) + write_varint(size) + checksum + model_id
    return head + b"".join(map(write_varint, lengths[:-1]))


def write_text(original: bytes, model_id: bytes, streams: list[bytes]) -> bytes:
    """Write a file of a text that a model has coded."""
    data = _head(len(original), crc(original), model_id, [len(stream) for stream in streams]) + b"".join(streams)
    return data + crc(data)


def parse_text(data: Data, limits: Limits = DEFAULT_LIMITS) -> ParsedText:
    """Parse and check all of a file.

    Raises:
        FormatError, ChecksumError: damaged or cut short; UnsupportedError: it needs another version or model;
        LimitError: over ``limits``.
    """
    reader = HeaderReader.start_whole(data, SOUND | STORED | TEXT)
    size, checksum = reader.varint(1, LARGEST_TEXT, "the size"), reader.take(CRC_BYTES)
    model_id = reader.take(MODEL_ID_BYTES)
    limits.check_memory(size)
    lengths = [reader.varint(0, len(data), "a stream's length") for _ in tile_sizes(size)[1:]]
    if reader.data[: reader.offset] != _head(size, checksum, model_id, [*lengths, 0]):
        raise FormatError("the header is not in its only valid form", offset=0, section="header")
    start = reader.offset
    streams = [reader.take(length) for length in lengths]
    streams.append(reader.data[reader.offset :])
    for tile, stream in zip(tile_sizes(size), streams, strict=True):
        if len(stream) < tile // MOST_PACKED - LEAST_BYTES:
            raise FormatError("the text is longer than its stream can tell: the file is damaged", section="header")
    return ParsedText(
        size=len(data), header_bytes=start, original_size=size, checksum=checksum, model=model_of_file(model_id),
        streams=streams,
    )  # fmt: skip
