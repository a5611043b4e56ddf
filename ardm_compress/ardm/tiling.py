"""How images are cut into tiles, and which previews there are. Standard library only."""

from __future__ import annotations

from math import ceil
from typing import Final

from ardm_compress.errors import UnsupportedError

TILE: Final = 896  # largest side of a tile; a small region of 100 megapixels meets 4 of 144 at most
SECTIONS: Final = 5  # of a tile that the model codes: levels 0 to 3, and the coarser ones together
COARSEST: Final = SECTIONS - 1  # level of previews; the first section is enough for it


def tile_side(side: int, most: int) -> int:
    """An image's side cut evenly into tiles of at most ``most``, a multiple of 16 unless there is one."""
    count = ceil(side / most)
    return side if count == 1 else ceil(side / count / 16) * 16


def check_level(level: int) -> None:
    """Raise UnsupportedError unless there are previews of a level; 0 is the image itself."""
    if not 0 <= level <= COARSEST:
        raise UnsupportedError(f"there are previews of levels 1 to {COARSEST}")
