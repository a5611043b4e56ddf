"""Compressed files that are open for reading. Imports torch only to read what the model has coded."""

from __future__ import annotations

import io
import os
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, ClassVar

from ardm_compress.container.parse import parse
from ardm_compress.container.sound import ParsedSound
from ardm_compress.container.stored import ParsedStored
from ardm_compress.errors import UnsupportedError
from ardm_compress.files.data import OnDisk, opened, spool
from ardm_compress.formats.kinds import SOUND, kind_of
from ardm_compress.limits import DEFAULT_LIMITS, Limits
from ardm_compress.options import check_jobs
from ardm_compress.reading.base import File, Source
from ardm_compress.reading.image import ImageFile
from ardm_compress.reading.sound import CodedSound, SoundFile, StoredSound

if TYPE_CHECKING:
    from ardm_compress.progress import Progress

__all__ = ["File", "ImageFile", "SoundFile", "StoredFile", "open"]


class StoredFile(File):
    """A file that is stored as it was, such as an animation; only ``original`` gives it."""

    kind: ClassVar[str] = "stored file"

    def __init__(self, source: Source, file: ParsedStored, suffix: str = "") -> None:
        super().__init__(source)
        self._file, self.suffix = file, suffix

    def original(self) -> bytes:
        """See ``File.original``."""
        return b"".join(self._file.parts())

    def __repr__(self) -> str:
        return f"<StoredFile of {self.suffix or 'an unknown kind'}>"


def open(  # noqa: A001  # as gzip and Pillow call it
    file: str | os.PathLike[str] | BinaryIO, *, jobs: int = 1, limits: Limits = DEFAULT_LIMITS,
    progress: Progress | None = None,
) -> ImageFile | SoundFile | StoredFile:  # fmt: skip
    """Open a compressed file; its header alone is read, and of stored sound files, which no model can code, all.

    Args:
        file: a path, or a file that is open for reading bytes, which stays open.
        jobs: processes that decode the tiles of an image.
        limits: over which files are refused.
        progress: called with the network calls done and their total while samples are decoded.

    Raises:
        FormatError, ChecksumError: it is no such file, or its header is damaged; UnsupportedError: it needs another
        version or model; LimitError: too large; OSError: it cannot be read; TypeError: neither path nor file;
        ValueError: jobs below 1.
    """
    check_jobs(jobs)
    with ExitStack() as stack:
        if isinstance(file, (str, os.PathLike)):
            data = stack.enter_context(opened(Path(file)))
        elif not hasattr(file, "read"):
            raise TypeError(f"a path or an open file is needed, not {type(file).__name__}; bytes: io.BytesIO(...)")
        else:
            data = OnDisk(file if file.seekable() else io.BytesIO(file.read()))
        files = ExitStack()
        source = Source(data, parse(data, limits), files, jobs, limits, progress)
        found = _found(source, files)
        files.push(stack.pop_all())
        return found


def _found(source: Source, files: ExitStack) -> ImageFile | SoundFile | StoredFile:
    """The file by its kind; what it opens is left to ``files`` to close."""
    file = source.parsed
    if isinstance(file, ParsedSound):
        return CodedSound(source, file)
    if not isinstance(file, ParsedStored):
        return ImageFile(source, file)
    parts = file.parts()
    start = next(parts, b"")
    kind = kind_of(start)
    if kind.medium != SOUND:
        return StoredFile(source, file, kind.suffix)
    with ExitStack() as stack:
        unpacked = stack.enter_context(spool(chain((start,), parts)))
        try:
            found = StoredSound(source, kind.suffix, OnDisk(unpacked))
        except UnsupportedError:
            return StoredFile(source, file, kind.suffix)
        files.push(stack.pop_all())
        return found
