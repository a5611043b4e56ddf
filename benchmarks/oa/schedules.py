"""The paper's baselines for schedules: steps of equal size, and the costs of an order whose ranks are exchangeable."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ardm_compress.ardm.schedule import Schedule


def even_schedule(ranks: int, budget: int) -> Schedule:
    """Return steps of equally many ranks, or as near as can be: sizes differ by at most one.

    Raises:
        ValueError: budget outside 1..ranks.

    Source: the baseline of Hoogeboom et al. 2022, section 3.1.
    """
    if not 1 <= budget <= ranks:
        raise ValueError(f"budget must be in 1..{ranks}, got {budget}")
    return Schedule(tuple(step * ranks // budget for step in range(budget)), ranks)


def exchangeable_cost(loss: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the cost table of an order whose ranks are exchangeable: only how many are known counts.

    Args:
        loss: (n,) expected bits of one rank when t are known: the paper's L_t, in bits, with its sign turned. If it
            does not increase, a bigger budget never costs more.

    Returns:
        (n, n) upper triangular; entry [t, k] is (k - t + 1) * loss[t] bits.

    Raises:
        ValueError: loss is not a non-empty vector.

    Source: Hoogeboom et al. 2022, section 3.1.
    """
    if loss.ndim != 1 or not loss.size:
        raise ValueError(f"loss must be a non-empty vector, got shape {loss.shape}")
    first, last = np.indices((loss.size, loss.size))
    return np.where(first <= last, (last - first + 1) * loss[:, None], 0.0)
