"""Directories of TIFF and BigTIFF files, and of EXIF data, which is built like them. Standard library only."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple, TypeAlias

from ardm_compress.errors import FormatError

Directory: TypeAlias = "dict[int, tuple[int, ...]]"  # integers by the number of their tag

ORIENTATION: Final = 274
SUB_DIRECTORIES: Final = 330
MOST_DIRECTORIES: Final = 1 << 12
INTEGERS: Final = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 13: "I", 16: "Q", 17: "q", 18: "Q"}  # by type


class _Form(NamedTuple):
    """How a file writes its numbers."""

    order: str  # < or >
    offset: str  # of an offset, as struct names it
    entries: str  # of the number of a directory's entries
    entry: str  # tag, type, number of values


CLASSIC: Final = _Form("", "I", "H", "HHI")
BIG: Final = _Form("", "Q", "Q", "HHQ")


def read_directories(data: bytes) -> Iterator[Directory]:
    """Read the directories of a file, in order, each followed by those below it.

    Raises:
        FormatError: it is no such file, or one is not inside it.
    """
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    version = int.from_bytes(data[2:4], "little" if order == "<" else "big")
    if order is None or version not in (42, 43):
        raise FormatError("a TIFF file has an unknown version")
    form = (BIG if version == 43 else CLASSIC)._replace(order=order)
    seen: set[int] = set()
    try:
        yield from _chain(data, form, struct.unpack_from(order + form.offset, data, 8 if version == 43 else 4)[0], seen)
    except struct.error as error:
        raise FormatError(f"a directory of a TIFF file is not inside it: {error}") from error


def read_orientation(exif: bytes) -> int:
    """Find how an image is turned, 1 to 8, in EXIF data; 1, not at all, if it does not say."""
    try:
        found = next(iter(read_directories(exif)), {}).get(ORIENTATION, (1,))[0]
    except (FormatError, IndexError):
        return 1
    return found if 1 <= found <= 8 else 1


def write_orientation(orientation: int) -> bytes:
    """Make EXIF data that says how an image is turned, and nothing else."""
    return b"II*\0" + struct.pack("<IHHHIHHI", 8, 1, ORIENTATION, 3, 1, orientation, 0, 0)


def _chain(data: bytes, form: _Form, offset: int, seen: set[int]) -> Iterator[Directory]:
    """Yield a directory, those below it, and those that follow."""
    while offset and offset not in seen and len(seen) < MOST_DIRECTORIES:
        seen.add(offset)
        directory, offset = _directory(data, form, offset)
        yield directory
        for below in directory.get(SUB_DIRECTORIES, ()):
            yield from _chain(data, form, below, seen)


def _directory(data: bytes, form: _Form, offset: int) -> tuple[Directory, int]:
    """Read a directory; return it, and where the next is."""
    (count,) = struct.unpack_from(form.order + form.entries, data, offset)
    offset += struct.calcsize(form.entries)
    head, inline = struct.calcsize("=" + form.entry), struct.calcsize(form.offset)
    directory = {}
    for at in range(offset, offset + count * (head + inline), head + inline):
        tag, kind, number = struct.unpack_from(form.order + form.entry, data, at)
        if kind not in INTEGERS:
            continue
        size = number * struct.calcsize(INTEGERS[kind])
        where = at + head if size <= inline else struct.unpack_from(form.order + form.offset, data, at + head)[0]
        if where + size > len(data):
            raise FormatError(f"the values of tag {tag} are not inside the TIFF file")
        directory[tag] = struct.unpack_from(f"{form.order}{number}{INTEGERS[kind]}", data, where)
    return directory, struct.unpack_from(form.order + form.offset, data, offset + count * (head + inline))[0]
