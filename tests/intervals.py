"""The paper's view of upscaling: where the intervals of its stages begin, and its matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ardm_compress.ardm import Upscaling


def digits_of(upscaling: Upscaling, x: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """Child index of every value, any shape, at every stage, coarsest first: (S,) + x.shape."""
    return np.stack([x.astype(np.int64) // width % children for width, children in upscaling.splits])


def value_of(upscaling: Upscaling, digits: NDArray[np.int64]) -> NDArray[np.int64]:
    """The values (...) of digits (S, ...), built up as a decoder does."""
    value = np.zeros_like(digits[0])
    for (_, children), digit in zip(upscaling.splits, digits, strict=True):
        value = value * children + digit
    return value


def intervals(upscaling: Upscaling, stage: int) -> int:
    """Number of intervals of ``stage``, 0..S: 1 at stage 0, one for each value at stage S."""
    return upscaling.values // upscaling.width(stage)


def transition(upscaling: Upscaling, stage: int) -> NDArray[np.float64]:
    """The paper's P^(s), ``x^(s-1) = P^(s) x^(s)`` for one-hot columns.

    Returns:
        (intervals of stage - 1, intervals of stage): entry [p, c] is 1 where p is the parent of c. The paper keeps
        every stage's vectors as long as the finest; the unused rows and columns are left out here.
    """
    children = upscaling.children(stage)
    return np.repeat(np.eye(intervals(upscaling, stage - 1)), children, axis=1)


def cumulative(upscaling: Upscaling, stage: int) -> NDArray[np.float64]:
    r"""The paper's \bar{P}, from finest values to ``stage``, 0..S: ``P^(stage+1) ... P^(S)``, the identity at S.

    Returns:
        (intervals, values): entry [i, x] is 1 where x lies in interval i.
    """
    return np.repeat(np.eye(intervals(upscaling, stage)), upscaling.width(stage), axis=1)


def distribution(
    upscaling: Upscaling, stage: int, parent_onehot: NDArray[np.float64], finest_probabilities: NDArray[np.float64]
) -> NDArray[np.float64]:
    r"""The paper's theta^(s), proportional to ``P^(s)T x^(s-1) * \bar{P} f``: f restricted to the parent.

    Args:
        upscaling: of the values.
        stage: 1..S.
        parent_onehot: (..., intervals of stage - 1), the x^(s-1).
        finest_probabilities: (..., values), the network's f; need not be normalised.

    Returns:
        (..., intervals of stage), summing to 1 along the last axis and 0 outside the parent's children.

    Raises:
        ValueError: f gives a parent no probability.
    """
    inside = parent_onehot @ transition(upscaling, stage)
    theta = inside * (finest_probabilities @ cumulative(upscaling, stage).T)
    total = theta.sum(axis=-1, keepdims=True)
    if not (total > 0).all():
        raise ValueError("a parent interval has no probability")
    return np.asarray(theta / total, np.float64)


def edges(upscaling: Upscaling, stage: int, parent: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """Boundaries (n, children + 1) of the children of intervals (n,) of the stage before, in finest values."""
    offsets = np.arange(upscaling.children(stage) + 1, dtype=np.int64) * upscaling.width(stage)
    return parent.astype(np.int64)[:, None] * upscaling.width(stage - 1) + offsets
