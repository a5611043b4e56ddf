"""A compressed file -> one value: its kind, its header, its streams, and what surrounds its samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from ardm_compress.container.streams import JPEG, SOUND, STORED, HeaderReader
from ardm_compress.options import DEFAULT_LIMITS, MAX_SIDE, Limits

if TYPE_CHECKING:
    from ardm_compress.container.image import ParsedImage
    from ardm_compress.container.jpeg import ParsedJpeg
    from ardm_compress.container.picture import ParsedPicture
    from ardm_compress.container.sound import ParsedSound
    from ardm_compress.container.stored import ParsedStored
    from ardm_compress.files.data import Data

Parsed: TypeAlias = "ParsedImage | ParsedPicture | ParsedSound | ParsedStored | ParsedJpeg"

UNLIMITED: Final = Limits(pixels=MAX_SIDE**2, samples=1 << 40)  # to describe a file


def parse(data: Data, limits: Limits = DEFAULT_LIMITS) -> Parsed:
    """Parse and check the header of a compressed file, which may be cut short behind it.

    What only files of another kind need is not imported.

    Raises:
        FormatError, ChecksumError: no compressed file, or a damaged header; UnsupportedError: it needs another version
        or model; LimitError: over ``limits``.
    """
    _, flags = HeaderReader.start(data)
    if flags & SOUND and flags & STORED and flags & JPEG:
        from ardm_compress.container.jpeg import parse_jpeg

        return parse_jpeg(data, limits)
    if flags & SOUND and flags & STORED:
        from ardm_compress.container.stored import parse_stored

        return parse_stored(data)
    if flags & SOUND:
        from ardm_compress.container.sound import parse_sound

        return parse_sound(data, limits)
    from ardm_compress.container.picture import PICTURE, TILED, parse_picture

    if flags & ~TILED == PICTURE:
        return parse_picture(data, limits)
    from ardm_compress.container.image import parse_image

    return parse_image(data, flags, limits)
