"""Where the intervals of an upscaling begin."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ardm_compress.ardm.upscaling import Upscaling


def edges(upscaling: Upscaling, stage: int, parent: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """Boundaries (n, children + 1) of the children of intervals (n,) of the stage before, in finest values."""
    offsets = np.arange(upscaling.children(stage) + 1, dtype=np.int64) * upscaling.width(stage)
    return parent.astype(np.int64)[:, None] * upscaling.width(stage - 1) + offsets
