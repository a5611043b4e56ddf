"""From a model's measured costs to the cost table of a tile of any shape. NumPy only.

A model file holds, for each level (coarser ones share the last), the expected bits of a position of rank j when the
step that codes it started at another rank of the same level (``same``), or 1, 2, ... levels further up (``coarser``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ardm_compress.ardm.order import Order

UNIT_BITS = 12  # costs are integers, of which 2**UNIT_BITS are a bit
ALWAYS_LOST = 256  # a rank loses one in so many bits, and what is measured, if it is not the first of its step


def conditional_costs(
    order: Order, shape: Sequence[int], costs: Mapping[str, NDArray[np.float32]]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return what each rank of a tile is expected to cost, given that those before another are known.

    docs/format.md section 5.6 is normative.

    Args:
        order: the order the costs were measured for, n ranks per level.
        shape: of the tile.
        costs: ``same`` (levels, n, n): [l, t, j] for start t <= j; ``coarser`` (levels, d, n, n): [l, d, t, j] for a
            start at rank t of level l + 1 + d; bits.

    Returns:
        (m, m) upper triangular, integers in units of 2**-UNIT_BITS bits, which sums in any order leave exact, and the
        m ranks that are not empty, which it is indexed by.
    """
    sizes = order.sizes(shape)
    ranks = np.flatnonzero(sizes)
    levels = order.levels(shape)
    n = order.ranks_per_level
    level, within = levels - 1 - ranks // n, ranks % n
    start, rank = np.indices((len(ranks), len(ranks)))
    same, coarser = costs["same"], costs["coarser"]
    row = np.minimum(level[rank], len(same) - 1)
    depth = np.clip(level[start] - level[rank] - 1, 0, coarser.shape[1] - 1)
    bits: NDArray[np.float32] = np.where(
        level[start] == level[rank],
        same[row, within[start], within[rank]],
        coarser[row, depth, within[start], within[rank]],
    )
    return whole_units(bits) * sizes[ranks], ranks


def whole_units(bits: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Measured bits [start, rank], (m, m), of which those below the diagonal are not read, as integer costs."""
    start, rank = np.indices(bits.shape)
    # Knowing more cannot cost more; where it seems to, the measurement was noisy.
    falling = np.minimum.accumulate(np.where(start <= rank, bits.astype(np.float64), np.inf), axis=0)
    units = np.floor(np.where(start <= rank, falling, 0.0) * (1 << UNIT_BITS) + 0.5)
    # Where the measurement finds no loss at all, noise would choose among steps.
    found: NDArray[np.float64] = units + np.floor(units / ALWAYS_LOST) * (start < rank)
    return found
