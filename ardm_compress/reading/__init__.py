"""Compressed files that are open for reading. Imports torch only to read what the model has coded."""

from __future__ import annotations

import io
import os
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, ClassVar

from ardm_compress.container.sound import is_sound, is_stored
from ardm_compress.container.stored import read_stored
from ardm_compress.errors import UnsupportedError
from ardm_compress.files.data import OnDisk, opened, spool
from ardm_compress.formats.images import suffix_of as image_suffix
from ardm_compress.formats.sound_wrapper import suffix_of as sound_suffix
from ardm_compress.formats.sounds import is_sound as is_sound_file
from ardm_compress.limits import DEFAULT_LIMITS, Limits
from ardm_compress.reading.base import File, Source, check_jobs
from ardm_compress.reading.image import ImageFile
from ardm_compress.reading.sound import CodedSound, SoundFile, StoredSound

if TYPE_CHECKING:
    from ardm_compress.progress import Progress

__all__ = ["File", "ImageFile", "SoundFile", "StoredFile", "open"]


class StoredFile(File):
    """A file that is stored as it was, such as an animation; only ``original`` gives it."""

    kind: ClassVar[str] = "stored file"

    def __init__(self, source: Source, suffix: str = "") -> None:
        super().__init__(source)
        self.suffix = suffix

    def original(self) -> bytes:
        """See ``File.original``."""
        return b"".join(read_stored(self._source.data))

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
        source = Source(data, files, jobs, limits, progress)
        found = _found(source, files)
        files.push(stack.pop_all())
        return found


def _found(source: Source, files: ExitStack) -> ImageFile | SoundFile | StoredFile:
    """The file by its kind; what it opens is left to ``files`` to close."""
    if not is_sound(source.data):
        return ImageFile(source)
    if not is_stored(source.data):
        return CodedSound(source)
    start = b"".join(islice(read_stored(source.data), 1))
    if not is_sound_file(start):
        return StoredFile(source, image_suffix(start))
    with ExitStack() as stack:
        unpacked = stack.enter_context(spool(read_stored(source.data)))
        try:
            found = StoredSound(source, sound_suffix(start), OnDisk(unpacked))
        except UnsupportedError:
            return StoredFile(source, sound_suffix(start))
        files.push(stack.pop_all())
        return found
