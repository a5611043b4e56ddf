"""What a JPEG file is besides coefficients <-> bytes. NumPy and the standard library only."""

from __future__ import annotations

import lzma
import zlib
from dataclasses import dataclass
from typing import Final

import numpy as np

from ardm_compress.errors import FormatError
from ardm_compress.files import Reader, write_varint
from ardm_compress.formats.jpeg.markers import (
    MOST_BREAKS,
    MOST_SCANS,
    Hole,
    Picture,
    Room,
    ScanNotes,
    describe,
)

MOST_BYTES: Final = 1 << 28  # of a file without the data of its scans
NOTES_BYTES: Final = 1 << 24  # that notes take at most, besides paddings: they are fewer than half the file's bytes
MOST_FILE: Final = 1 << 31  # bytes of scans
MOST_PICTURES: Final = 65
_LZMA, _ZLIB = 0, 1  # how it is packed
_FILTERS: Final = [{"id": lzma.FILTER_LZMA2, "preset": 9}]
# What nearly all files hold: a JFIF header, and the Huffman tables of ITU-T T.81, K.3.
USUAL_BYTES: Final = bytes.fromhex(
    "ffd8ffe000104a46494600010100000100010000"
    "ffc4001f0000010501010101010100000000000000000102030405060708090a0bffc400b5100002010303020403050504040000017d"
    "01020300041105122131410613516107227114328191a1082342b1c11552d1f02433627282090a161718191a25262728292a34353637"
    "38393a434445464748494a535455565758595a636465666768696a737475767778797a838485868788898a92939495969798999aa2a3"
    "a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae1e2e3e4e5e6e7e8e9eaf1f2f3f4f5f6f7f8f9fa"
    "ffc4001f0100030101010101010101010000000000000102030405060708090a0bffc400b51100020102040403040705040400010277"
    "000102031104052131061241510761711322328108144291a1b1c109233352f0156272d10a162434e125f11718191a262728292a3536"
    "3738393a434445464748494a535455565758595a636465666768696a737475767778797a82838485868788898a92939495969798999a"
    "a2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae2e3e4e5e6e7e8e9eaf2f3f4f5f6f7f8f9fa"
)


@dataclass(frozen=True, slots=True)
class Rest:
    """What it takes, besides coefficients, to write a file."""

    bare: bytes  # the file without the data of scans
    holes: tuple[Hole, ...]  # of every picture
    notes: tuple[tuple[ScanNotes, ...], ...]  # of every picture, of its scans; none if all are USUAL

    @property
    def size(self) -> int:
        """Of the file, bytes."""
        return len(self.bare) + sum(hole.size for hole in self.holes)

    def describe(self) -> list[Picture]:
        """Describe the pictures; their coefficients are zeros.

        Raises:
            UnsupportedError: there are none where they should be.
        """
        pictures: list[Picture] = []
        room = Room()
        for index, hole in enumerate(self.holes):
            pictures.append(describe(self.bare, hole.start, self.holes[index + 1 :], room))
        return pictures


def pack(rest: Rest) -> bytes:
    """Pack it, by whatever makes it smaller."""
    plain = _written(rest)
    deflater = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL, zdict=USUAL_BYTES)
    deflated = deflater.compress(plain) + deflater.flush()
    packed = lzma.compress(plain, lzma.FORMAT_RAW, filters=_FILTERS)
    if len(deflated) <= len(packed):
        return bytes([_ZLIB]) + deflated
    return bytes([_LZMA]) + packed


def unpack(data: bytes, size: int) -> Rest:
    """Invert ``pack``, for a file of ``size`` bytes.

    Raises:
        FormatError: it is damaged.
    """
    if data[:1] not in (bytes([_LZMA]), bytes([_ZLIB])):
        raise FormatError("the rest of a JPEG file is packed in a way that is not known", section="header")
    unpacker = (
        lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=_FILTERS)
        if data[0] == _LZMA
        else zlib.decompressobj(-zlib.MAX_WBITS, zdict=USUAL_BYTES)
    )
    try:
        plain = unpacker.decompress(data[1:], min(MOST_BYTES, 2 * size + NOTES_BYTES))
    except (lzma.LZMAError, zlib.error, EOFError) as error:
        raise FormatError(f"the rest of a JPEG file is damaged: {error}", section="header") from error
    if not unpacker.eof or unpacker.unused_data:
        raise FormatError("the rest of a JPEG file is cut short or too long", section="header")
    rest = _read(plain)
    if rest.size != size:
        raise FormatError("a JPEG file has another size than its header says", section="header")
    if _written(rest) != plain:
        raise FormatError("the rest of a JPEG file is not in its only valid form", section="header")
    return rest


def _written(rest: Rest) -> bytes:
    """Write it: how many pictures there are, of each where it is and its notes, and the bare file."""
    out, before = [write_varint(len(rest.holes))], 0
    for hole, notes in zip(rest.holes, rest.notes, strict=True):
        out += [write_varint(hole.start - before), write_varint(hole.size), write_varint(len(notes))]
        before = hole.start
        for note in notes:
            out += [write_varint(len(note.padding)), note.padding.tobytes(), write_varint(len(note.breaks))]
            out += [write_varint(int(gap)) for gap in np.diff(note.breaks, prepend=0)]
    return b"".join((*out, rest.bare))


def _read(plain: bytes) -> Rest:
    """Invert ``_written``."""
    reader, start = Reader(plain), 0
    holes: list[Hole] = []
    notes: list[tuple[ScanNotes, ...]] = []
    room = MOST_BREAKS
    for _ in range(reader.varint(1, MOST_PICTURES, "the number of pictures")):
        start += reader.varint(0, MOST_BYTES, "the beginning of a picture")
        holes.append(Hole(start, reader.varint(0, MOST_FILE, "the size of a picture's scans")))
        count = reader.varint(0, MOST_SCANS, "the number of scans")
        own = []
        for _ in range(count):
            own.append(_read_notes(reader, room))
            room -= len(own[-1].breaks)
        notes.append(tuple(own))
    return Rest(plain[reader.offset :], tuple(holes), tuple(notes))


def _read_notes(reader: Reader, room: int) -> ScanNotes:
    padding = reader.take(reader.varint(1, MOST_BYTES, "the number of paddings"))
    count = reader.varint(0, room, "the number of breaks")
    gaps = [reader.varint(0, MOST_BYTES, "a break") for _ in range(count)]
    return ScanNotes(np.frombuffer(padding, np.uint8), np.cumsum(np.array(gaps, np.int64)))
