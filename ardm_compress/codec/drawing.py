"""Images out of the model itself: sampled from nothing, or into the holes of an image.

A decoder that reads random bits draws from the model, because every code word is as probable as what it stands for. So
both are the decoder, and exact: a seed gives the same image on every machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from ardm_compress.ardm.schedule import PlanRow, plan_budgets
from ardm_compress.ardm.tiles import PLAIN, tile_side
from ardm_compress.codec.images import check_for_model
from ardm_compress.coding import loop
from ardm_compress.coding.image import ImageTiles, decode_tiles
from ardm_compress.coding.loop import draw
from ardm_compress.coding.models import model_of
from ardm_compress.errors import LimitError, UnsupportedError
from ardm_compress.inference import find_model
from ardm_compress.methods.model import given_budget, planned_steps
from ardm_compress.options import DEFAULT_ENCODING, DEFAULT_LIMITS
from ardm_compress.tasks import Counter, Progress

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ardm_compress.ardm.schedule import Steps

MARGIN: Final = 64  # pixels around holes by which they are filled


def sample(
    shape: tuple[int, int],
    *,
    seed: int = 0,
    budget: int | None = None,
    model: str = "photo",
    progress: Progress | None = None,
) -> NDArray[np.uint8]:
    """Draw an image from the model, in parallel steps.

    Args:
        shape: (rows, columns); at most as many pixels as a tile may have.
        seed: of the random bits.
        budget: network calls, at least 1; with few, pixels of a step do not know of each other.
        model: name of a model of images.
        progress: called with the network calls done and their total.

    Returns:
        (rows, columns, the model's channels).

    Raises:
        LimitError: too many pixels; UnsupportedError: no such model.

    Source: Hoogeboom et al. 2022, algorithm 1, with the schedules of section 3.1.
    """
    coder, steps = model_of(find_model(model), 2), _steps(model, shape, budget)
    count = Counter(progress, len(steps))
    source = draw(int(np.prod(shape)) * coder.config.channels, seed)
    (samples,) = decode_tiles(coder, shape, coder.config.channels, steps, [source], count.one, [PLAIN])
    return samples


def inpaint(
    samples: NDArray[np.uint8],
    holes: NDArray[np.bool_],
    *,
    seed: int = 0,
    budget: int | None = None,
    model: str = "photo",
    progress: Progress | None = None,
) -> NDArray[np.uint8]:
    """Draw what could be in the holes of an image, given all around them.

    Args:
        samples: (rows, columns, 1 or 3), 8 bits; those in holes do not matter.
        holes: (rows, columns), true where pixels are to be drawn.
        seed: as for ``sample``.
        budget: as for ``sample``.
        model: as for ``sample``.
        progress: as for ``sample``.

    Returns:
        The samples, those outside holes unchanged.

    Raises:
        UnsupportedError: other shapes or no such model; LimitError: holes over more pixels than a tile may have.
    """
    check_for_model(samples)
    if holes.shape != samples.shape[:2]:
        raise UnsupportedError(f"the mask has shape {holes.shape}, the image {samples.shape[:2]}")
    painted: NDArray[np.uint8] = samples.copy()
    if not holes.any():
        return painted
    box = _around(holes)
    part, known = painted[box], ~holes[box]
    coder, shape = model_of(find_model(model), 2), (part.shape[0], part.shape[1])
    steps, channels = _steps(model, shape, budget), part.shape[2]
    drawn = np.where(known[..., None], part, 0)
    if not known[0, 0]:
        drawn[0, 0], known[0, 0] = _nearest(part, known), True
    count = Counter(progress, len(steps))
    tiles = ImageTiles(coder, drawn[None], [PLAIN], known=known)
    loop.decode(tiles, steps, [draw(int((~known).sum()) * channels, seed)], count.one)
    painted[box] = tiles.samples[0, ..., :channels]
    return painted


def plan(model: str, shape: tuple[int, int]) -> list[PlanRow]:
    """Tell what every budget from 1 to the maximum is expected to give for an image of ``shape`` (rows, columns)."""
    coder, most = model_of(find_model(model), 2), DEFAULT_ENCODING.tile
    tile, config = (tile_side(shape[0], most), tile_side(shape[1], most)), coder.config
    return plan_budgets(coder.order, coder.costs, tile, channels=config.channels, bit_depth=config.bit_depth)


def _steps(model: str, shape: tuple[int, int], budget: int | None) -> Steps:
    if min(shape) < 1 or shape[0] * shape[1] > DEFAULT_LIMITS.tile_pixels:
        raise LimitError(f"1 to {DEFAULT_LIMITS.tile_pixels} pixels can be drawn at once, not {shape[1]} x {shape[0]}")
    return planned_steps(model_of(find_model(model), 2), shape, given_budget(budget))


def _around(holes: NDArray[np.bool_]) -> tuple[slice, slice]:
    """Find the rows and columns of holes, and add MARGIN."""
    spans = []
    for axis in (1, 0):
        found = np.flatnonzero(holes.any(axis))
        spans.append(slice(max(0, int(found[0]) - MARGIN), int(found[-1]) + 1 + MARGIN))
    return spans[0], spans[1]


def _nearest(samples: NDArray[np.uint8], known: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return the known pixel nearest to the first one, which no network call predicts; else the middle value."""
    rows, columns = np.nonzero(known)
    if not len(rows):
        return np.full(samples.shape[2], 128, np.uint8)
    at = int(np.argmin(rows**2 + columns**2))
    found: NDArray[np.uint8] = samples[rows[at], columns[at]]
    return found
