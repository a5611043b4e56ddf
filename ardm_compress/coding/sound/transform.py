"""Reversible changes of a pair of channels before it is coded. NumPy only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

PLAIN, SIDE_MIDDLE = 0, 1
TRANSFORMS: Final = {1: (PLAIN,), 2: (PLAIN, SIDE_MIDDLE)}  # by the number of channels


def apply_transform(samples: NDArray[np.int64], transform: int) -> NDArray[np.int64]:
    """Turn left and right (n, 2) into their difference, and their mean rounded down."""
    if transform == PLAIN:
        return samples
    side = samples[:, 0] - samples[:, 1]
    return np.stack([side, samples[:, 1] + (side >> 1)], 1)


def undo_transform(samples: NDArray[np.int64], transform: int) -> NDArray[np.int64]:
    """Invert ``apply_transform``."""
    if transform == PLAIN:
        return samples
    right = samples[:, 1] - (samples[:, 0] >> 1)
    return np.stack([right + samples[:, 0], right], 1)
