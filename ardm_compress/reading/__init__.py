"""Compressed files that are open for reading; what a kind of file needs is imported once there is one of it."""

from __future__ import annotations

import io
import operator
import os
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar, Final, Literal

import numpy as np

from ardm_compress.container import Kind, parse
from ardm_compress.errors import UnsupportedError
from ardm_compress.files import OnDisk, opened, read_chunks, spool
from ardm_compress.formats import SOUND, kind_of, png
from ardm_compress.formats.contents import PNG, Picture, sample_type
from ardm_compress.options import DEFAULT_LIMITS, Limits, check_jobs

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray
    from typing_extensions import Self

    from ardm_compress.ardm.tiles import Region
    from ardm_compress.container import Parsed
    from ardm_compress.container.image import ParsedImage
    from ardm_compress.container.picture import ParsedPicture
    from ardm_compress.container.stored import ParsedStored
    from ardm_compress.container.text import ParsedText
    from ardm_compress.files import Data
    from ardm_compress.reading.jpeg import JpegFile
    from ardm_compress.reading.sound import SoundFile
    from ardm_compress.tasks import Progress

OWN_AXIS: Final = b"arAx"  # name of an empty chunk of PNG and WAV files: their one channel has an axis in arrays


@dataclass(frozen=True, slots=True)
class Source:
    """Where an open file is read from, and how."""

    data: Data
    parsed: Parsed
    closing: AbstractContextManager[object]  # left when the file is closed
    jobs: int = 1
    limits: Limits = DEFAULT_LIMITS
    progress: Progress | None = None
    reopen: Callable[[], File] | None = None  # if it was opened by its path


class File:
    """A compressed file of which only the header has been read; also a context, which closes it."""

    kind: ClassVar[Literal["image", "sound", "JPEG file", "stored file"]]  # as ``info`` calls it
    suffix: str  # of the file that was compressed, such as ".png"; "" if it is not known

    def __init__(self, source: Source) -> None:
        self._source = source

    @property
    def info(self) -> dict[str, object]:
        """What ``ardm-compress info --json`` shows, but for the name: sides, model, sizes in bytes ..."""
        return self._source.parsed.facts

    def original(self) -> bytes:
        """Restore the file that was compressed, as ``ardm-compress decode`` writes it: byte for byte, or repacked.

        Raises:
            FormatError, ChecksumError: damaged; LimitError: too large; UnsupportedError: of another version.
        """
        raise NotImplementedError

    def close(self) -> None:
        """Close the file, unless it was open before."""
        self._source.closing.__exit__(None, None, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __reduce__(self) -> tuple[Callable[[], File], tuple[()]]:
        if self._source.reopen is None:
            raise TypeError("a file that was open before cannot be pickled; open it by its path")
        return self._source.reopen, ()


class SampledFile(File):
    """A file that has samples; ``numpy.asarray`` takes it for the array that ``read`` gives.

    Slices are those of this array; of images and sound only the tiles that they touch are decoded.
    """

    AXES: ClassVar[int] = 0  # that are cut: rows and columns of an image, frames of sound
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> Any:
        keys = key if isinstance(key, tuple) else (key,)
        if not self.AXES or not all(isinstance(each, (slice, int, np.integer)) for each in keys):
            return np.asarray(self)[key]
        keys += (slice(None),) * (self.AXES - len(keys))
        spans, inner = zip(*map(_span, keys[: self.AXES], self.shape), strict=False)
        if not all(spans):
            return np.empty(self.shape, self.dtype)[key]
        return self._cut(list(spans))[tuple(inner) + keys[self.AXES :]]

    def _cut(self, spans: list[range]) -> NDArray[Any]:
        """Decode the samples within these spans of the first axes."""
        raise NotImplementedError

    def read(self) -> NDArray[Any]:
        """Decode all samples."""
        raise NotImplementedError

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("samples are decoded into a new array, so a copy cannot be avoided")
        return np.asarray(self.read(), dtype)


def _span(key: slice | int, size: int) -> tuple[range, slice | int]:
    """Return what of an axis a key touches, and the key to that alone."""
    if not isinstance(key, slice):
        at = range(size)[operator.index(key)]
        return range(at, at + 1), 0
    found = range(size)[key]
    if not found:
        return found, key
    low = min(found[0], found[-1])
    return range(low, max(found[0], found[-1]) + 1), slice(found[0] - low, None, found.step)


class StoredFile(File):
    """A file without samples, such as an animation or a text; only ``original`` gives it."""

    kind: ClassVar[Literal["stored file"]] = "stored file"

    def __init__(self, source: Source, file: ParsedStored | ParsedText, suffix: str = "") -> None:
        super().__init__(source)
        self._file, self.suffix = file, suffix

    def original(self) -> bytes:
        """See ``File.original``."""
        from ardm_compress.codec.jpegs import original_parts

        return b"".join(original_parts(self._file, jobs=self._source.jobs, progress=self._source.progress))

    def __repr__(self) -> str:
        return f"<StoredFile of {self.suffix or 'an unknown kind'}>"


class ImageFile(SampledFile):
    """An image; ``read`` gives its samples."""

    kind: ClassVar[Literal["image"]] = "image"
    AXES: ClassVar[int] = 2

    def __init__(self, source: Source, file: ParsedImage | ParsedPicture) -> None:
        super().__init__(source)
        self._file, self._wrapper, wrapper = file, file.wrapper, file.wrapper
        self._flat = wrapper.channels == 1 and not (
            wrapper.kind == PNG and any(name == OWN_AXIS for name, _ in read_chunks(wrapper.head))
        )
        self.suffix = wrapper.file_kind.suffix
        self.shape = file.shape if self._flat else (*file.shape, wrapper.channels)
        bits = wrapper.kind == PNG and wrapper.depth == 1 and wrapper.form != png.PALETTE
        self.dtype = np.dtype(bool if bits else sample_type(wrapper.depth))  # bool of gray PNG files of one bit

    def read(self, *, region: Region | None = None, level: int = 0) -> NDArray[Any]:
        """Decode the samples as the file has them: palette images give indices, gray of 2 or 4 bits 0 to 3 or 15.

        Args:
            region: left, top, width and height, in pixels of the level, of what to read; only its tiles are decoded.
            level: 0 is all; up to 4, about every 2**level-th row and column.

        Returns:
            (rows, columns) or (rows, columns, channels), of ``dtype``.

        Raises:
            FormatError, ChecksumError: damaged; UnsupportedError: the region is not inside the image, or parts of
            this kind of file cannot be decoded; LimitError: too large.
        """
        samples = self._picture(region, level).samples.astype(self.dtype, copy=False)
        return samples[..., 0] if self._flat else samples

    def _cut(self, spans: list[range]) -> NDArray[Any]:
        rows, columns = spans
        try:
            return self.read(region=(columns.start, rows.start, len(columns), len(rows)))
        except UnsupportedError:  # it shows its samples only as a whole
            return self.read()[rows.start : rows.stop, columns.start : columns.stop]

    def original(self) -> bytes:
        """See ``File.original``."""
        from ardm_compress.formats.catalogue import file_bytes

        return file_bytes(self._picture(None, 0))

    def _picture(self, region: Region | None, level: int) -> Picture:
        from ardm_compress.codec.images import decode_image

        source = self._source
        return decode_image(
            self._file, region=region, preview=level, jobs=source.jobs, limits=source.limits, progress=source.progress
        )

    def __repr__(self) -> str:
        return f"<ImageFile {self.shape} {self.dtype} of {self.suffix}>"


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
    reopen = None
    with ExitStack() as stack:
        if isinstance(file, (str, os.PathLike)):
            reopen = partial(open, os.path.abspath(file), jobs=jobs, limits=limits)
            data = stack.enter_context(opened(Path(file)))
        elif not hasattr(file, "read"):
            raise TypeError(f"a path or an open file is needed, not {type(file).__name__}; bytes: io.BytesIO(...)")
        else:
            data = OnDisk(file if file.seekable() else io.BytesIO(file.read()))
        files = ExitStack()
        source = Source(data, parse(data, limits), files, jobs, limits, progress, reopen)
        found = _found(source, files)
        files.push(stack.pop_all())
        return found


def _found(source: Source, files: ExitStack) -> ImageFile | JpegFile | SoundFile | StoredFile:
    """Return the file by its kind; what it opens is left to ``files`` to close."""
    file = source.parsed
    if file.kind is Kind.STORED:
        return _stored(source, file, files)
    if file.kind is Kind.TEXT:
        return StoredFile(source, file)
    if file.kind is Kind.JPEG:
        from ardm_compress.reading.jpeg import JpegFile

        return JpegFile(source, file)
    if file.kind is Kind.SOUND:
        from ardm_compress.reading.sound import CodedSound

        return CodedSound(source, file)

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
