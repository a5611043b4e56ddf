"""Directories of TIFF and BigTIFF files, and of EXIF data, which is built like them. Standard library only."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from ardm_compress.errors import FormatError, UnsupportedError


class Directory(dict[int, tuple[int, ...]]):
    """Integers by the number of their tag."""

    def __init__(self) -> None:
        super().__init__()
        self.places: dict[int, tuple[str, int]] = {}  # how struct names each of a tag's integers, and where they begin


ORIENTATION: Final = 274
SUB_DIRECTORIES: Final = 330
TAGS: Final = frozenset((256, 257, 258, 259, 262, 266, 273, ORIENTATION, 277, 278, 279, 284, 317, 322, 323, 324, 325,
                         SUB_DIRECTORIES, 338, 339))  # that are read  # fmt: skip
MOST_NUMBERS: Final = 1 << 22  # entries and values of a file
INTEGERS: Final = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 13: "I", 16: "Q", 17: "q", 18: "Q"}  # by type


class _Form(NamedTuple):
    """How a file writes its numbers."""

    order: str  # < or >
    offset: str  # of an offset, as struct names it
    entries: str  # of the number of a directory's entries
    entry: str  # tag, type, number of values

    def unpack(self, data: bytes, numbers: str, offset: int) -> tuple[int, ...]:
        """Read numbers of a kind that ``struct`` names so; struct.error if they are not inside the data."""
        return struct.unpack_from(self.order + numbers, data, offset)


CLASSIC: Final = _Form("", "I", "H", "HHI")
BIG: Final = _Form("", "Q", "Q", "HHQ")


def read_directories(data: bytes) -> Iterator[Directory]:
    """Read the directories of a file, in order, each followed by those below it.

    Raises:
        FormatError: it is no such file, or one is not inside it; UnsupportedError: they hold more than MOST_NUMBERS.
    """
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    version = int.from_bytes(data[2:4], "little" if order == "<" else "big")
    if order is None or version not in (42, 43):
        raise FormatError("a TIFF file has an unknown version")
    form = (BIG if version == 43 else CLASSIC)._replace(order=order)
    try:
        yield from _Directories(data, form).chain(form.unpack(data, form.offset, 8 if version == 43 else 4)[0])
    except struct.error as error:
        raise FormatError(f"a directory of a TIFF file is not inside it: {error}") from error


def read_orientation(exif: bytes) -> int:
    """Find how an image is turned, 1 to 8, in EXIF data; 1, not at all, if it does not say."""
    try:
        found = next(iter(read_directories(exif)), Directory()).get(ORIENTATION, (1,))[0]
    except (FormatError, UnsupportedError, IndexError):
        return 1
    return found if 1 <= found <= 8 else 1


def write_orientation(orientation: int) -> bytes:
    """Make EXIF data that says how an image is turned, and nothing else."""
    return b"II*\0" + struct.pack("<IHHHIHHI", 8, 1, ORIENTATION, 3, 1, orientation, 0, 0)


class _Directories:
    """The directories of a file as they are read; files that have them overlap take no longer than others."""

    def __init__(self, data: bytes, form: _Form) -> None:
        self._data, self._form = data, form
        self._seen: set[int] = set()
        self._numbers = 0

    def chain(self, offset: int) -> Iterator[Directory]:
        """Read a directory, those below it, and those that follow."""
        while offset and offset not in self._seen:
            self._seen.add(offset)
            directory, offset = self._directory(offset)
            yield directory
            for below in directory.get(SUB_DIRECTORIES, ()):
                yield from self.chain(below)

    def _directory(self, offset: int) -> tuple[Directory, int]:
        """Read a directory, and where the next is."""
        data, form = self._data, self._form
        (count,) = form.unpack(data, form.entries, offset)
        offset += struct.calcsize(form.entries)
        head, inline = struct.calcsize("=" + form.entry), struct.calcsize(form.offset)
        directory = Directory()
        for at in range(offset, offset + count * (head + inline), head + inline):
            tag, kind, number = form.unpack(data, form.entry, at)
            self._count(1)
            if kind not in INTEGERS or tag not in TAGS:
                continue
            self._count(number)
            size = number * struct.calcsize(INTEGERS[kind])
            where = at + head if size <= inline else form.unpack(data, form.offset, at + head)[0]
            directory[tag] = form.unpack(data, f"{number}{INTEGERS[kind]}", where)
            directory.places[tag] = form.order + INTEGERS[kind], where
        return directory, form.unpack(data, form.offset, offset + count * (head + inline))[0]

    def _count(self, numbers: int) -> None:
        self._numbers += numbers
        if self._numbers > MOST_NUMBERS:
            raise UnsupportedError("a TIFF file whose directories hold too much")
