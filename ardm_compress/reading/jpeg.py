"""Open files of JPEG files, which come back byte for byte. Imports the model only to decode."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from ardm_compress.codec.jpegs import decode_jpeg
from ardm_compress.formats.pixels import read_pixels
from ardm_compress.reading import SampledFile, Source

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ardm_compress.container.jpeg import ParsedJpeg


class JpegFile(SampledFile):
    """A JPEG file; ``original`` gives it, ``read`` its pixels."""

    kind: ClassVar[Literal["JPEG file"]] = "JPEG file"
    suffix = ".jpg"

    def __init__(self, source: Source, file: ParsedJpeg) -> None:
        super().__init__(source)
        self._file = file
        self.size = file.shape  # rows and columns

    def __len__(self) -> int:
        return self.size[0]

    def read(self, *, level: int = 0) -> NDArray[np.uint8]:
        """Decode the pixels as Pillow does, (rows, columns) or (rows, columns, channels).

        Args:
            level: 0 is all; up to 4, about every 2**level-th row and column, by their low frequencies.

        Raises:
            FormatError, ChecksumError: damaged; LimitError: too large.
        """
        found = read_pixels(self.original(), self._source.limits, only_first=True, preview=level)
        samples: NDArray[Any] = found.samples
        return samples[..., 0] if samples.shape[2] == 1 else samples

    def original(self) -> bytes:
        """See ``File.original``."""
        return decode_jpeg(self._file, progress=self._source.progress)

    def __repr__(self) -> str:
        return f"<JpegFile {self.size}>"
