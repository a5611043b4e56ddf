"""Files that no model can code <-> version 1 files that hold them as they are, packed (docs/format.md section 14)."""

from __future__ import annotations

import lzma
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

from ardm_compress.container.image import CRC_BYTES, MAGIC, VERSION, Reader, write_varint
from ardm_compress.container.sound import SOUND, STORED
from ardm_compress.errors import ChecksumError, FormatError, LimitError
from ardm_compress.files.data import BLOCK, Data, Joined, OnDisk, blocks, spool

PACKED: Final = 1  # flag; else the bytes are as they were
LARGEST: Final = 1 << 34  # bytes
FILTERS: Final = [{"id": lzma.FILTER_LZMA2, "preset": 6}]


def write_stored(data: Data, collected: BinaryIO) -> Data:
    """A file that holds another; what follows its header is collected in a file."""
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
    head = MAGIC + bytes([VERSION, SOUND | STORED | (PACKED if packed else 0)]) + write_varint(len(data))
    checksum = _crc(blocks(Joined(head, OnDisk(collected))))
    collected.seek(0, 2)
    collected.write(checksum)
    return Joined(head, OnDisk(collected))


def stored(data: Data) -> bytes:
    """The file that ``write_stored`` gives, in memory."""
    with spool() as collected:
        return write_stored(data, collected)[:]


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """Where the file is that another holds."""

    data: Data  # the whole compressed file
    offset: int  # of what is stored
    size: int  # bytes of the file that is stored
    packed: bool

    def unpack(self) -> Iterator[bytes]:
        """Give the file that is stored, some at a time.

        Raises:
            FormatError, ChecksumError: damaged, which may show at the end only.
        """
        end = len(self.data) - CRC_BYTES
        if end < self.offset or _crc(blocks(self.data, 0, end)) != self.data[end : len(self.data)]:
            raise ChecksumError("the file is damaged or cut short", offset=self.offset, section="payload")
        body, found = blocks(self.data, self.offset, end), 0
        for part in _unpacked(body) if self.packed else body:
            found += len(part)
            if found > self.size:
                break
            yield part
        if found != self.size:
            raise FormatError("a stored file has another size than its header says", section="payload")


def read_header(data: Data) -> Body:
    """Parse the header of a file that holds another.

    Raises:
        FormatError: it is none, or damaged.
    """
    reader, flags = Reader.start(data)
    size = reader.varint(0, LARGEST, "the size")
    if flags & ~PACKED != SOUND | STORED:
        raise FormatError("the header has flags that version 1 does not define", offset=5, section="header")
    return Body(data=data, offset=reader.offset, size=size, packed=bool(flags & PACKED))


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
