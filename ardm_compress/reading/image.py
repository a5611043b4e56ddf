"""Open files of images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ardm_compress.codec.images import decode_image
from ardm_compress.files import read_chunks
from ardm_compress.formats import png
from ardm_compress.formats.catalogue import file_bytes
from ardm_compress.formats.contents import PNG, Picture, sample_type
from ardm_compress.reading.base import OWN_AXIS, SampledFile, Source

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ardm_compress.ardm.tiles import Region
    from ardm_compress.container.image import ParsedImage
    from ardm_compress.container.picture import ParsedPicture


class ImageFile(SampledFile):
    """An image; ``read`` gives its samples."""

    kind: ClassVar[str] = "image"

    def __init__(self, source: Source, file: ParsedImage | ParsedPicture) -> None:
        super().__init__(source)
        self._file, self._wrapper, wrapper = file, file.wrapper, file.wrapper
        self._flat = wrapper.channels == 1 and not (
            wrapper.kind == PNG and any(name == OWN_AXIS for name, _ in read_chunks(wrapper.head))
        )
        self.suffix = wrapper.file_kind.suffix
        self.shape: tuple[int, ...] = file.shape if self._flat else (*file.shape, wrapper.channels)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the samples: bool of gray PNG files of one bit, else uint8 or uint16."""
        bits = self._wrapper.kind == PNG and self._wrapper.depth == 1 and self._wrapper.form != png.PALETTE
        return np.dtype(bool if bits else sample_type(self._wrapper.depth))

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

    def original(self) -> bytes:
        """See ``File.original``."""
        return file_bytes(self._picture(None, 0))

    def _picture(self, region: Region | None, level: int) -> Picture:
        source = self._source
        return decode_image(
            self._file, region=region, preview=level, jobs=source.jobs, limits=source.limits, progress=source.progress
        )

    def __repr__(self) -> str:
        return f"<ImageFile {self.shape} {self.dtype} of {self.suffix}>"
