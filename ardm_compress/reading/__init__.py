"""Compressed files that are open for reading; what a kind of file needs is imported once there is one of it."""

from __future__ import annotations

import io
import os
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from ardm_compress.container import Kind, parse
from ardm_compress.errors import UnsupportedError
from ardm_compress.files import OnDisk, opened, spool
from ardm_compress.formats import SOUND, kind_of
from ardm_compress.options import DEFAULT_LIMITS, Limits, check_jobs
from ardm_compress.reading.base import Source, StoredFile

if TYPE_CHECKING:
    from ardm_compress.container.stored import ParsedStored
    from ardm_compress.reading.image import ImageFile
    from ardm_compress.reading.jpeg import JpegFile
    from ardm_compress.reading.sound import SoundFile
    from ardm_compress.tasks import Progress


def open(  # noqa: A001  # as gzip and Pillow call it
    file: str | os.PathLike[str] | BinaryIO, *, jobs: int = 1, limits: Limits = DEFAULT_LIMITS,
    progress: Progress | None = None,
) -> ImageFile | JpegFile | SoundFile | StoredFile:  # fmt: skip
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


def _found(source: Source, files: ExitStack) -> ImageFile | JpegFile | SoundFile | StoredFile:
    """Return the file by its kind; what it opens is left to ``files`` to close."""
    file = source.parsed
    if file.kind is Kind.STORED:
        return _stored(source, file, files)
    if file.kind is Kind.JPEG:
        from ardm_compress.reading.jpeg import JpegFile

        return JpegFile(source, file)
    if file.kind is Kind.SOUND:
        from ardm_compress.reading.sound import CodedSound

        return CodedSound(source, file)
    from ardm_compress.reading.image import ImageFile

    return ImageFile(source, file)


def _stored(source: Source, file: ParsedStored, files: ExitStack) -> SoundFile | StoredFile:
    """Return a stored file: as sound, if libsndfile reads it."""
    parts = file.parts()
    start = next(parts, b"")
    kind = kind_of(start)
    if kind.medium != SOUND:
        return StoredFile(source, file, kind.suffix)
    from ardm_compress.reading.sound import StoredSound

    with ExitStack() as stack:
        unpacked = stack.enter_context(spool(chain((start,), parts)))
        try:
            found = StoredSound(source, kind.suffix, OnDisk(unpacked))
        except UnsupportedError:
            return StoredFile(source, file, kind.suffix)
        files.push(stack.pop_all())
        return found
