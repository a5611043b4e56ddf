"""TIFF and BigTIFF files of integers of up to 16 bits, packed without loss or not.

The largest image of a file is coded, with the pages that are like it; all else in the file is head and tail. So raw
files, whose first image is small, are coded by their raw samples. Samples of 8 or 16 bits that lie unpacked in one
piece are taken as they lie, all others by ``ardm_compress.formats.strips``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from ardm_compress.errors import FormatError, UnsupportedError
from ardm_compress.formats import raster
from ardm_compress.formats.contents import IN_STRIPS, MADE_ANEW, SHOWN
from ardm_compress.formats.raster import BIG_ENDIAN, Layout, read_samples, stripped
from ardm_compress.formats.tags import ORIENTATION, Directory, read_directories

if TYPE_CHECKING:
    from ardm_compress.files import Data
    from ardm_compress.formats.contents import ImageWrapper, Picture
    from ardm_compress.options import Limits

__all__ = ["check", "parts", "read", "shows_samples", "stripped"]

WIDTH, LENGTH, BITS, PACKING, STRIPS, CHANNELS, STRIP_BYTES, PLANES = 256, 257, 258, 259, 273, 277, 279, 284
TILES, TILE_BYTES, SAMPLE_FORMAT = 324, 325, 339
PHOTOMETRIC, EXTRA = 262, 338
GRAY, RGB = 1, 2  # photometric interpretations: from black, from red, green and blue
ALPHA: Final = 2  # extra samples: transparency that colour was not multiplied by
NOT_PACKED: Final = 1
UNSIGNED: Final = 1
IMAGEJ_PAGES: Final = re.compile(rb"ImageJ=[^\0]*\nimages=(\d{1,9})\n")
DESCRIBED_IN: Final = 1 << 16  # bytes at the beginning of a file


def read(data: Data, limits: Limits) -> Picture:
    """Take a file apart; see ``read_samples`` and ``strips.read_pages``."""
    file = data[:]
    directories = list(read_directories(file))
    found = _read(file, directories, limits)
    form = found.wrapper.form | (SHOWN if _is_shown(directories[0], found) else 0)
    return replace(found, wrapper=replace(found.wrapper, form=form))


def _is_shown(tags: Directory, picture: Picture) -> bool:
    """Whether the samples are those of the first page alone, gray or colour from black to full scale, and upright."""
    rows, columns, channels = picture.samples.shape
    light, extra = tags.get(PHOTOMETRIC, ()), tags.get(EXTRA, ())
    return (
        tags.get(LENGTH) == (rows,)
        and tags.get(WIDTH) == (columns,)
        and picture.wrapper.depth >= 8
        and light == ((GRAY,) if channels < 3 else (RGB,))
        and extra == ((ALPHA,) if channels in (2, 4) else ())
        and tags.get(ORIENTATION, (1,)) == (1,)
    )


def _read(file: bytes, directories: list[Directory], limits: Limits) -> Picture:
    for directory in directories:
        _check_inside(directory, len(file))
    layouts = [layout for each in directories if (layout := _layout(each, file[:2] == b"MM"))]
    layout = max(_joined(layouts), key=_size, default=None)
    if layout and len(layouts) == 1:
        layout = _with_pages(layout, file)
    if layout is None or len(directories) > 1:
        from ardm_compress.formats.strips import read_pages

        if found := read_pages(file, directories, limits, _size(layout) if layout else 0):
            return found
    if layout is None:
        raise UnsupportedError("a TIFF file without integers of up to 16 bits, packed without loss")
    return read_samples(file, layout, limits)


def parts(media: Picture) -> Iterator[bytes]:
    """Make the file again, byte for byte unless it was made anew."""
    if not media.wrapper.form & IN_STRIPS:
        return raster.parts(media)
    from ardm_compress.formats.strips import pages_parts

    return pages_parts(media)


def check(wrapper: ImageWrapper) -> None:
    """Raise FormatError unless there are such files."""
    if not wrapper.form & IN_STRIPS:
        raster.check(replace(wrapper, form=wrapper.form & ~SHOWN))
    elif wrapper.form & ~(IN_STRIPS | MADE_ANEW | SHOWN | BIG_ENDIAN) or (wrapper.depth < 8 and wrapper.channels > 1):
        raise FormatError("no TIFF file is like that", section="header")


def shows_samples(wrapper: ImageWrapper) -> bool:
    """Whether nothing but the samples says how they look."""
    return bool(wrapper.form & SHOWN)


def _check_inside(directory: Directory, size: int) -> None:
    """Raise FormatError unless all samples of an image are inside the file."""
    for places, sizes in ((STRIPS, STRIP_BYTES), (TILES, TILE_BYTES)):
        pairs = zip(directory.get(places, ()), directory.get(sizes, ()), strict=False)
        if any(start + length > size for start, length in pairs):
            raise FormatError("a TIFF file ends before its last pixel")


def _layout(tags: Directory, big_endian: bool) -> Layout | None:
    """Where an image's samples are; None if they cannot be coded."""
    bits, formats = set(tags.get(BITS, (1,))), set(tags.get(SAMPLE_FORMAT, (UNSIGNED,)))
    plain = tags.get(PACKING, (NOT_PACKED,)) == (NOT_PACKED,) and tags.get(PLANES, (1,)) == (1,) and TILES not in tags
    offsets, sizes = tags.get(STRIPS, ()), tags.get(STRIP_BYTES, ())
    if not (plain and formats == {UNSIGNED} and bits in ({8}, {16}) and sizes and len(sizes) == len(offsets)):
        return None
    (rows, *_), (columns, *_), (channels, *_) = tags.get(LENGTH, (0,)), tags.get(WIDTH, (0,)), tags.get(CHANNELS, (1,))
    depth = bits.pop()
    in_one_piece = all(a + size == b for a, size, b in zip(offsets, sizes, offsets[1:], strict=False))
    if not in_one_piece or sum(sizes) != rows * columns * channels * depth // 8:
        return None
    return Layout(offsets[0], rows, columns, channels, depth, BIG_ENDIAN if big_endian else 0)


def _size(layout: Layout) -> int:
    """Bytes of the samples."""
    return layout.rows * layout.columns * layout.channels * layout.depth // 8


def _with_pages(layout: Layout, file: bytes) -> Layout:
    """Add the pages that an ImageJ stack has behind the only one that its tags describe."""
    found = IMAGEJ_PAGES.search(file[:DESCRIBED_IN])
    pages = int(found[1]) if found else 1
    return layout._replace(rows=layout.rows * pages) if layout.start + pages * _size(layout) <= len(file) else layout


def _joined(layouts: list[Layout]) -> list[Layout]:
    """Join the layouts of pages that are alike and follow one another."""
    found = layouts[:1]
    for layout in layouts[1:]:
        last = found[-1]
        if layout.start == last.start + _size(last) and layout[2:] == last[2:]:
            found[-1] = last._replace(rows=last.rows + layout.rows)
        else:
            found.append(layout)
    return found
