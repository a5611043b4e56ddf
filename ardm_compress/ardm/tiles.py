"""Tiles of images: where they lie, regions and previews, and what the encoder tells the network about each."""

from __future__ import annotations

from math import ceil
from typing import Any, Final, NamedTuple, TypeAlias

from ardm_compress.errors import UnsupportedError

Region: TypeAlias = tuple[int, int, int, int]  # left, top, width, height

SECTIONS: Final = 5  # of a tile that the model codes: levels 0 to 3, and the coarser ones together
COARSEST: Final = SECTIONS - 1  # level of previews; the first section is enough for it


def tile_side(side: int, most: int) -> int:
    """Cut an image's side evenly into tiles of at most ``most``, a multiple of 16 unless there is one."""
    count = ceil(side / most)
    return side if count == 1 else ceil(side / count / 16) * 16


def check_level(level: int) -> None:
    """Raise UnsupportedError unless there are previews of a level; 0 is the image itself."""
    if not 0 <= level <= COARSEST:
        raise UnsupportedError(f"there are previews of levels 1 to {COARSEST}")


def tile_box(shape: tuple[int, int], tile: tuple[int, int], index: int) -> tuple[slice, slice]:
    """Return the rows and columns of a tile of an image whose tiles are numbered in raster order."""
    y, x = divmod(index, ceil(shape[1] / tile[1]))
    return _span(y, tile[0], shape[0]), _span(x, tile[1], shape[1])


def scaled(shape: tuple[int, int], tile: tuple[int, int], level: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the shapes of an image's and its tiles' previews: every 2**level-th row and column of each tile."""
    small = -(-tile[0] >> level), -(-tile[1] >> level)
    last = (shape[0] - 1) % tile[0] + 1, (shape[1] - 1) % tile[1] + 1
    rows, columns = (ceil(n / t) - 1 for n, t in zip(shape, tile, strict=True))
    return (rows * small[0] + -(-last[0] >> level), columns * small[1] + -(-last[1] >> level)), small


def region_box(region: Region | None, shape: tuple[int, int]) -> tuple[slice, slice]:
    """Return the rows and columns of a region; all of them if there is none.

    Raises:
        UnsupportedError: it is not inside the image.
    """
    if region is None:
        return slice(0, shape[0]), slice(0, shape[1])
    left, top, width, height = region
    if min(left, top) < 0 or min(width, height) < 1 or top + height > shape[0] or left + width > shape[1]:
        raise UnsupportedError(f"the region is not inside the image, which has {shape[1]} x {shape[0]} pixels")
    return slice(top, top + height), slice(left, left + width)


def shared(box: tuple[slice, slice], other: tuple[slice, slice]) -> tuple[slice, slice] | None:
    """Return the rows and columns that two boxes share, if any."""
    spans = tuple(slice(max(a.start, b.start), min(a.stop, b.stop)) for a, b in zip(box, other, strict=True))
    return (spans[0], spans[1]) if all(span.start < span.stop for span in spans) else None


def box_shape(box: tuple[slice, slice]) -> tuple[int, int]:
    """Count the rows and columns of a box."""
    return box[0].stop - box[0].start, box[1].stop - box[1].start


def paste(tile: Any, box: tuple[slice, slice], samples: Any, wanted: tuple[slice, slice]) -> None:
    """Copy what a tile (rows, columns, ...) that is at ``box`` shares with ``samples``, which are at ``wanted``."""
    both = shared(box, wanted)
    if both:
        source, target = (
            tuple(slice(a.start - b.start, a.stop - b.start) for a, b in zip(both, outer, strict=True))
            for outer in (box, wanted)
        )
        samples[target] = tile[source]


def _span(index: int, size: int, limit: int) -> slice:
    return slice(index * size, min((index + 1) * size, limit))


LATENT_LIMIT: Final = 127  # magnitude of a latent

# Styles that the models of images know: colour at full resolution; coarse colour between, on and repeated over even
# positions.
FULL_COLOUR, CENTRED, COSITED, REPEATED = range(4)


class Conditioning(NamedTuple):
    """Style, mirror and latents of a tile of an image; any values decode, and good ones make the file smaller."""

    style: int = 0  # row of the model's style embedding, 0..31
    mirror: int = 0  # the tile is coded upside down (bit 0), left to right (bit 1)
    latents: tuple[int, ...] = ()  # within +-LATENT_LIMIT, the last not 0; those not given are 0


PLAIN: Final = Conditioning()
