"""A JPEG file <-> the pictures in it (thumbnails and what lies behind the end too), and its bytes without their scans.

Each picture is taken out of what those before it have left, and put back in the opposite order. Pictures begin further
and further back, so that where one begins stays the same however many follow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ardm_compress.errors import UnsupportedError
from ardm_compress.formats.jpeg.markers import MOST_BREAKS, USUAL, Hole, Picture, Room, ScanNotes
from ardm_compress.formats.jpeg.pictures import expand, strip
from ardm_compress.formats.jpeg.rest import Rest

if TYPE_CHECKING:
    from collections.abc import Sequence

BEGINNING: Final = b"\xff\xd8\xff"
MOST_TRIED: Final = 64  # beginnings of pictures, so that a file cannot take long


def take_apart(data: bytes) -> tuple[list[Picture], Rest]:
    """Take a file apart.

    Raises:
        UnsupportedError: it does not begin with a picture that can be taken out and put back bit for bit.
    """
    room = Room()
    first, bare = strip(data, 0, room)
    pictures, holes = [first], [Hole(0, len(data) - len(bare))]
    at, only = bare.find(BEGINNING, 1), bare
    for _ in range(MOST_TRIED):
        if at < 0:
            break
        try:
            picture, left = strip(bare, at, room)
        except UnsupportedError:
            pass
        else:
            pictures.append(picture)
            holes.append(Hole(at, len(bare) - len(left)))
            bare = left
        at = bare.find(BEGINNING, at + 1)
    rest = Rest(bare, tuple(holes), tuple(_worth_noting(picture.notes) for picture in pictures))
    if len(pictures) > 1 and not _comes_back(pictures, rest, data):
        return pictures[:1], Rest(only, tuple(holes[:1]), rest.notes[:1])
    return pictures, rest


def _worth_noting(notes: Sequence[ScanNotes]) -> tuple[ScanNotes, ...]:
    """Keep notes, unless there is nothing unusual about any scan."""
    unusual = any(note.padding.tolist() != USUAL.padding.tolist() or len(note.breaks) for note in notes)
    return tuple(notes) if unusual else ()


def _comes_back(pictures: list[Picture], rest: Rest, data: bytes) -> bool:
    """Tell whether pictures that lie in others can be found there without their data."""
    if sum(len(note.breaks) for notes in rest.notes for note in notes) > MOST_BREAKS:
        return False
    try:
        same = [picture.frame for picture in rest.describe()] == [picture.frame for picture in pictures]
        return same and put_together(pictures, rest) == data
    except UnsupportedError:
        return False


def put_together(pictures: Sequence[Picture], rest: Rest) -> bytes:
    """Inverse of ``take_apart``.

    Raises:
        UnsupportedError: coefficients and markers do not fit.
    """
    data = rest.bare
    for picture, hole, notes in reversed(list(zip(pictures, rest.holes, rest.notes, strict=True))):
        data = expand(data, hole.start, picture.coefficients, notes, hole.size)
    return data
