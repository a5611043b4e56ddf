"""Files that are stored as they were, again."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING, Final

from ardm_compress.container.stored import read_header
from ardm_compress.errors import UnsupportedError
from ardm_compress.formats.images import suffix_of as image_suffix
from ardm_compress.formats.sound_wrapper import suffix_of as sound_suffix
from ardm_compress.formats.sounds import is_sound

if TYPE_CHECKING:
    from ardm_compress.files.data import Data

SAME: Final = {
    ".aif": ".aiff", ".aifc": ".aiff", ".wave": ".wav", ".tiff": ".tif", ".dib": ".bmp",
}  # suffixes of the same kinds of files  # fmt: skip


def decoded_file(data: Data, *, suffix: str | None = None) -> Iterator[bytes]:
    """The parts of a file that is stored as it was.

    Args:
        data: the compressed file.
        suffix: of the kind of file that is wanted, which must be the one that it is.

    Raises:
        UnsupportedError: it is of another kind; FormatError, ChecksumError: damaged, which may show at the end only.
    """
    parts = read_header(data).unpack()
    start = next(parts, b"")
    known = sound_suffix(start) if is_sound(start) else image_suffix(start)
    if suffix and known and SAME.get(suffix, suffix) != known:
        raise UnsupportedError("this file is stored as it was, so it can only be decoded as what it was")
    return chain((start,), parts)
