"""JPEG files <-> coefficients and the rest; ``ardm_compress.formats.jpeg`` does the work."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ardm_compress.formats.contents import Coefficients

if TYPE_CHECKING:
    from ardm_compress.files import Data
    from ardm_compress.options import Limits


def read(data: Data, limits: Limits) -> Coefficients:  # noqa: ARG001  # what is too large is refused when it is coded
    """Take a file apart.

    Raises:
        UnsupportedError: it is damaged, or of a kind that is not coded.
    """
    from ardm_compress.formats.jpeg.files import take_apart

    file = data[:]
    return Coefficients(file, *take_apart(file))


def parts(media: Coefficients) -> Iterator[bytes]:
    """Make the file again, byte for byte."""
    yield media.data
