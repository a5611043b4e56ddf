"""Open files of images. Imports torch only to read pixels that the model has coded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ardm_compress.codec.picture import decode_image, wrapper_of
from ardm_compress.container import image as container
from ardm_compress.container import picture as pictures
from ardm_compress.formats import png
from ardm_compress.formats.image_chunks import read_chunks
from ardm_compress.formats.images import own_suffixes, write_picture
from ardm_compress.formats.picture import PNG, Picture, sample_type
from ardm_compress.reading.base import OWN_AXIS, File, Source

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ardm_compress.ardm.tiles import Region
    from ardm_compress.files.data import Data
    from ardm_compress.limits import Limits


def image_sides(data: Data, limits: Limits) -> tuple[int, int]:
    """Rows and columns, from the header alone.

    Raises:
        FormatError: damaged; LimitError: over ``limits``; UnsupportedError: of a later version.
    """
    if pictures.is_picture(data):
        return pictures.read_header(data, limits)[0].shape
    file = pictures.read_wrapped(data)[1] if pictures.is_wrapped(data) else data
    return container.read_header(file, limits)[0].shape


class ImageFile(File):
    """An image; ``read`` gives its samples."""

    kind: ClassVar[str] = "image"

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        wrapper, sides = wrapper_of(source.data, source.limits), image_sides(source.data, source.limits)
        self._wrapper = wrapper
        self._flat = wrapper.channels == 1 and not (
            wrapper.kind == PNG and any(name == OWN_AXIS for name, _ in read_chunks(wrapper.head))
        )
        self.suffix = own_suffixes(wrapper)[0]
        self.shape: tuple[int, ...] = sides if self._flat else (*sides, wrapper.channels)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the samples: bool of gray PNG files of one bit, else uint8 or uint16."""
        bits = self._wrapper.kind == PNG and self._wrapper.depth == 1 and self._wrapper.form != png.PALETTE
        return np.dtype(bool if bits else sample_type(self._wrapper.depth))

    def read(self, *, region: Region | None = None, level: int = 0) -> NDArray[Any]:
        """The samples as the file has them: of palette images indices, of gray ones of 2 or 4 bits 0 to 3 or 15.

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
        return write_picture(self._picture(None, 0))

    def _picture(self, region: Region | None, level: int) -> Picture:
        source = self._source
        return decode_image(
            source.data, region=region, level=level, jobs=source.jobs, limits=source.limits, progress=source.progress
        )

    def __repr__(self) -> str:
        return f"<ImageFile {self.shape} {self.dtype} of {self.suffix}>"
