"""Masks: which neighbours of a position are known when it is coded. NumPy only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ardm_compress.ardm.order import COARSER

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ardm_compress.ardm.order import Order


def random_masks(rng: np.random.Generator, n: int, window: int) -> NDArray[np.bool_]:
    """Masks of the order-agnostic objective: uniformly many known neighbours, at uniformly random places.

    Returns:
        (n, window).

    Source: Hoogeboom et al. 2022, section 2 (a uniform step t of a uniform order), seen through a window.
    """
    share = rng.random((n, 1))
    return rng.random((n, window)) < share


def known_before(
    order: Order, around: NDArray[np.int64], up: NDArray[np.int64], start: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Which neighbours a dyadic order has coded before a rank, the tile's border aside.

    Args:
        order: the order.
        around: (n, window, axes), in the coordinates of each position's level.
        up: (n,) levels from there to the coarser level that the step starts on.
        start: (n,) rank on that level at which the step starts.

    Returns:
        (n, window).
    """
    lattice = around >> up[:, None, None]
    on_lattice = ((lattice << up[:, None, None]) == around).all(2)
    cell = order.cell[tuple(np.moveaxis(lattice % order.period, 2, 0))]
    return np.asarray(on_lattice & ((cell == COARSER) | (cell < start[:, None])))
