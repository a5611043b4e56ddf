"""Bytes that come and go: in memory or on disk, read where and when they are needed, and the fields in them.

Standard library and errors only.
"""

from __future__ import annotations

import errno
import io
import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING, BinaryIO, Final, Protocol, TypeAlias, cast

from ardm_compress.errors import FormatError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

BLOCK: Final = 1 << 20  # bytes read at a time
IN_MEMORY: Final = 1 << 24  # bytes from which temporary files are on disk


class Data(Protocol):
    """A length, and slices that are bytes: ``bytes`` itself, or a file."""

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice, /) -> bytes: ...


def file_content(data: bytes | bytearray | memoryview) -> bytes:
    """Return what a caller gives as the content of a file; raise TypeError for anything but bytes."""
    if isinstance(data, (bytes, bytearray, memoryview)):
        return bytes(data)
    raise TypeError(f"the bytes of a file are needed, not {type(data).__name__}; encode_file takes paths")


class OnDisk:
    """A file that is open for reading; slices read it, in several threads as well."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._size, self._lock = file, file.seek(0, os.SEEK_END), threading.Lock()

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, part: slice, /) -> bytes:
        start, stop, _ = part.indices(self._size)
        with self._lock:
            self._file.seek(start)
            data = self._file.read(max(0, stop - start))
        if len(data) != max(0, stop - start):
            raise OSError(errno.EIO, "the file became shorter while it was read")
        return data


class Joined:
    """Data after data."""

    def __init__(self, head: bytes, body: Data) -> None:
        self._head, self._body = head, body

    def __len__(self) -> int:
        return len(self._head) + len(self._body)

    def __getitem__(self, part: slice, /) -> bytes:
        start, stop, _ = part.indices(len(self))
        size = len(self._head)
        return self._head[start:stop] + self._body[max(0, start - size) : max(0, stop - size)]


class Part:
    """What is behind the first bytes of data."""

    def __init__(self, data: Data, start: int) -> None:
        self._data, self._start = data, start

    def __len__(self) -> int:
        return len(self._data) - self._start

    def __getitem__(self, part: slice, /) -> bytes:
        start, stop, _ = part.indices(len(self))
        return self._data[self._start + start : self._start + stop]


class Stream(io.RawIOBase):
    """Data as a file to read from."""

    def __init__(self, data: Data) -> None:
        self._data, self._at = data, 0

    def readable(self) -> bool:
        """Return True: data are always there."""
        return True

    def seekable(self) -> bool:
        """Return True: data are always there."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """See ``io.IOBase``."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: len(self._data)}[whence]
        self._at = max(0, start + offset)
        return self._at

    def readinto(self, buffer: WriteableBuffer) -> int:
        """See ``io.RawIOBase``."""
        view = memoryview(buffer).cast("B")
        data = self._data[self._at : self._at + len(view)]
        view[: len(data)] = data
        self._at += len(data)
        return len(data)


def blocks(data: Data, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
    """Its bytes from ``start`` to ``stop``, some at a time."""
    stop = len(data) if stop is None else stop
    for at in range(start, stop, BLOCK):
        yield data[at : min(at + BLOCK, stop)]


@contextmanager
def opened(path: Path) -> Iterator[Data]:
    """Open a file's data; read pipes and devices at once."""
    with path.open("rb") as file:
        yield OnDisk(file) if path.is_file() else file.read()


@contextmanager
def spool(parts: Iterable[bytes] = ()) -> Iterator[BinaryIO]:
    """Open a temporary file that holds ``parts``, in memory while it is small."""
    with SpooledTemporaryFile(IN_MEMORY) as temporary:
        file = cast("BinaryIO", temporary)
        file.writelines(parts)
        yield file


def write_varint(value: int) -> bytes:
    """LEB128: seven bits a byte, least significant first, bit 7 set on all but the last."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


class Reader:
    """A cursor over fields that never runs past the end."""

    def __init__(self, data: Data) -> None:
        self.data, self.offset = data, 0

    def take(self, count: int) -> bytes:
        """Read the next bytes."""
        if self.offset + count > len(self.data):
            raise FormatError("the file ends inside its header", offset=len(self.data), section="header")
        self.offset += count
        return self.data[self.offset - count : self.offset]

    def varint(self, low: int, high: int, what: str) -> int:
        """Read the next LEB128 number, which must be within ``low``..``high``."""
        start, value = self.offset, 0
        for shift in range(0, 35, 7):
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
        if not low <= value <= high:
            raise FormatError(f"{what} is not within {low}..{high}", offset=start, section="header")
        return value


Chunk: TypeAlias = tuple[bytes, bytes]  # name, of four bytes, and body

NAME_BYTES = 4


def write_chunks(chunks: Sequence[Chunk]) -> bytes:
    """Length, name and body of each."""
    return b"".join(write_varint(len(body)) + name + body for name, body in chunks)


def read_chunks(data: bytes) -> list[Chunk]:
    """Inverse of ``write_chunks``; FormatError if there is none."""
    reader, chunks = Reader(data), []
    while reader.offset < len(data):
        length = reader.varint(0, len(data), "the length of a chunk")
        name = reader.take(NAME_BYTES)
        chunks.append((name, reader.take(length)))
    return chunks
