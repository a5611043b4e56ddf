"""Bytes that need not be in memory: files are read where and when they are needed. Standard library only."""

from __future__ import annotations

import errno
import io
import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING, BinaryIO, Final, Protocol, cast

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

BLOCK: Final = 1 << 20  # bytes read at a time
IN_MEMORY: Final = 1 << 24  # bytes from which temporary files are on disk


class Data(Protocol):
    """A length, and slices that are bytes: ``bytes`` itself, or a file."""

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice, /) -> bytes: ...


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
