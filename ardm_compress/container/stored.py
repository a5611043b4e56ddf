"""Files that no model can code <-> version 1 files that hold them as they are, packed (docs/format.md section 14)."""

from __future__ import annotations

import lzma
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, ClassVar, Final, Literal

from ardm_compress.container import CRC_BYTES, SOUND, START, STORED, VERSION, HeaderReader, Kind
from ardm_compress.errors import ChecksumError, FormatError, LimitError
from ardm_compress.files import BLOCK, Data, Joined, OnDisk, blocks, spool, write_varint
from ardm_compress.formats import FILE

PACKED: Final = 1  # flag; else the bytes are as they were
LARGEST: Final = 1 << 34  # bytes
FILTERS: Final = [{"id": lzma.FILTER_LZMA2, "preset": 6}]
QUICK_FILTERS: Final = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 23}]  # ten times faster
QUICK_LOSS: Final = 1.5  # what they make of a file may be so many times larger
COMPRESSIBLE: Final = 0.98  # what they leave of a file, at most, of which anything is left out


def write_stored(data: Data, collected: BinaryIO) -> Data:
    """Write a file that holds another as it is; collect what follows its header in ``collected``."""
    if len(data) > LARGEST:
        raise LimitError(f"files that no model can code may have at most {LARGEST} bytes")
    packer = lzma.LZMACompressor(lzma.FORMAT_RAW, filters=FILTERS)
    collected.writelines(packer.compress(block) for block in blocks(data))
    collected.write(packer.flush())
    packed = collected.tell() < len(data)
    if not packed:
        collected.seek(0)
        collected.truncate()
        collected.writelines(blocks(data))
    head = START + bytes([SOUND | STORED | (PACKED if packed else 0)]) + write_varint(len(data))
    checksum = _crc(blocks(Joined(head, OnDisk(collected))))
    collected.seek(0, 2)
    collected.write(checksum)
    return Joined(head, OnDisk(collected))


def stored(data: Data) -> bytes:
    """Write the same file as ``write_stored``, in memory."""
    with spool() as collected:
        return write_stored(data, collected)[:]


def may_store_in(data: Data, size: int) -> bool:
    """Tell by a quick try whether a stored file may well be smaller than ``size`` bytes."""
    packer, packed = lzma.LZMACompressor(lzma.FORMAT_RAW, filters=QUICK_FILTERS), 0
    for block in blocks(data):
        packed += len(packer.compress(block))
        if packed > QUICK_LOSS * size:
            return False
    packed += len(packer.flush())
    return packed < QUICK_LOSS * size if packed < COMPRESSIBLE * len(data) else len(data) < size


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedStored:
    """Another file as it was, packed."""

    kind: ClassVar[Literal[Kind.STORED]] = Kind.STORED
    size: int  # bytes of the compressed file
    header_bytes: int
    original_size: int  # bytes of the file that is stored
    data: Data  # the compressed file
    is_packed: bool

    def parts(self) -> Iterator[bytes]:
        """Give the file that is stored, some at a time.

        Raises:
            FormatError, ChecksumError: damaged, which may show at the end only.
        """
        start, end = self.header_bytes, self.size - CRC_BYTES
        if end < start or _crc(blocks(self.data, 0, end)) != self.data[end : self.size]:
            raise ChecksumError("the file is damaged or cut short", offset=start, section="payload")
        body, found = blocks(self.data, start, end), 0
        for part in _unpacked(body) if self.is_packed else body:
            found += len(part)
            if found > self.original_size:
                break
            yield part
        if found != self.original_size:
            raise FormatError("a stored file has another size than its header says", section="payload")

    @property
    def facts(self) -> dict[str, object]:
        """What ``info`` shows."""
        return {
            "format": VERSION, "kind": "stored file", "comes_back": FILE, "original_bytes": self.original_size,
            "bytes": self.size,
        }  # fmt: skip


def parse_stored(data: Data) -> ParsedStored:
    """Parse and check the header.

    Raises:
        FormatError: damaged.
    """
    reader, flags = HeaderReader.start(data)
    size = reader.varint(0, LARGEST, "the size")
    if flags & ~PACKED != SOUND | STORED:
        raise FormatError("the header has flags that version 1 does not define", offset=5, section="header")
    return ParsedStored(
        size=len(data), header_bytes=reader.offset, original_size=size, data=data, is_packed=bool(flags & PACKED)
    )


def _unpacked(body: Iterable[bytes]) -> Iterator[bytes]:
    unpacker = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=FILTERS)
    try:
        for block in body:
            yield unpacker.decompress(block, BLOCK)
            while not unpacker.needs_input and not unpacker.eof:
                yield unpacker.decompress(b"", BLOCK)
    except (lzma.LZMAError, EOFError) as error:
        raise FormatError(f"a stored file is damaged: {error}", section="payload") from error
    if not unpacker.eof or unpacker.unused_data:
        raise FormatError("a stored file is cut short, or followed by something", section="payload")


def _crc(parts: Iterable[bytes]) -> bytes:
    value = 0
    for part in parts:
        value = zlib.crc32(part, value)
    return value.to_bytes(CRC_BYTES, "little")
