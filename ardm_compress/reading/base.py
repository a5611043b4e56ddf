"""What open files of every kind have in common."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np

from ardm_compress.options import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray
    from typing_extensions import Self

    from ardm_compress.container import Parsed
    from ardm_compress.container.stored import ParsedStored
    from ardm_compress.files import Data
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


class File:
    """A compressed file of which only the header has been read; also a context, which closes it."""

    kind: ClassVar[str]  # "image", "sound" or "stored file", as ``info`` calls it
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


class SampledFile(File):
    """A file that has samples; ``numpy.asarray`` takes it for the array that ``read`` gives."""

    def read(self) -> NDArray[Any]:
        """Decode all samples."""
        raise NotImplementedError

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("samples are decoded into a new array, so a copy cannot be avoided")
        return np.asarray(self.read(), dtype)


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
