"""Integer mixtures -> integer frequencies of the children of an interval. NumPy only.

docs/format.md section 8 is normative. This is the reference, which ``kernels`` computes faster.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ardm_compress.inference import tables as grid

if TYPE_CHECKING:
    from numpy.typing import NDArray

FREQUENCY_BITS = 24  # the coder's; every frequency is at least 1 of 2**24
SPARE_BITS = 3  # dropped from the CDF so that its product with 2**24 is exact in float64


class Parameters(NamedTuple):
    """Integer mixtures of one channel at n positions."""

    weights: NDArray[np.int32]  # (n, mixture), 0..WEIGHT_TOP
    means: NDArray[np.float32]  # (n, mixture), sample units times 2**VALUE_BITS
    inverse_scales: NDArray[np.float32]  # (n, mixture), from a deviation in those units to t in fixed point


def boundaries(
    edges: NDArray[np.int64], cells: int, *, origin: int = 0, width: NDArray[np.int64] | int = 1
) -> NDArray[np.float32]:
    """Where intervals of values begin: half a value below their least, the first and last at infinity.

    Args:
        edges: (n or 1, m), in cells 0..``cells``.
        cells: how many there are; the first reaches down, and the last up, to infinity.
        origin: the cell whose least value is 0.
        width: of a cell, in values; (n, 1) if they differ.

    Returns:
        (n or 1, m), in values times 2**VALUE_BITS.
    """
    boundary = (((edges - origin) * width << grid.VALUE_BITS) - (1 << grid.VALUE_BITS - 1)).astype(np.float32)
    edges = np.broadcast_to(edges, boundary.shape)
    boundary[edges == 0] = -np.inf
    boundary[edges == cells] = np.inf
    return boundary


class Children(NamedTuple):
    """Intervals in a row, among which a digit chooses; cells are numbered from 0."""

    first: NDArray[np.int64]  # (n or 1,), cell where the first of them begins
    step: int  # cells of each
    number: int
    cells: int  # how many there are: the first reaches down, and the last up, to infinity
    origin: int = 0  # the cell whose least value is 0
    width: NDArray[np.int64] | int = 1  # of a cell, in values; (n,) if they differ

    def boundaries(self) -> NDArray[np.float32]:
        """Where they begin, and the last ends: (n or 1, number + 1), as ``boundaries`` gives it."""
        edges = self.first[:, None] + np.arange(self.number + 1) * self.step
        width = self.width[:, None] if isinstance(self.width, np.ndarray) else self.width
        return boundaries(edges, self.cells, origin=self.origin, width=width)


def cumulative(parameters: Parameters, boundary: NDArray[np.float32], nodes: NDArray[np.int32]) -> NDArray[np.int32]:
    """CDF of the mixtures at boundaries.

    Args:
        parameters: of n positions.
        boundary: (n or 1, m), see ``boundaries``.
        nodes: the table of the logistic's CDF.

    Returns:
        (n, m), not decreasing along m.
    """
    weights, means, inverses = (each[..., None] for each in parameters)
    t = np.rint((boundary[:, None] - means) * inverses).clip(-grid.T_LIMIT, grid.T_LIMIT - 1)
    fixed = t.astype(np.int32) + grid.T_LIMIT
    node = fixed >> grid.STEP_BITS
    rise = np.diff(nodes)[node] * (fixed & (1 << grid.STEP_BITS) - 1) >> grid.STEP_BITS
    total: NDArray[np.int32] = ((nodes[node] + rise) * weights).sum(1, dtype=np.int32) >> SPARE_BITS
    return total


def frequencies(cdf: NDArray[np.int32]) -> NDArray[np.float32]:
    """Frequencies of the m intervals between m + 1 boundaries, each less the 1 that the coder adds.

    Args:
        cdf: (n, m + 1), not decreasing.

    Returns:
        (n, m), integers of sum 2**24 - m; uniform where the mixture has no mass.
    """
    m = cdf.shape[1] - 1
    mass = (cdf - cdf[:, :1]).astype(np.float64)
    mass = np.where(mass[:, -1:] == 0, np.arange(m + 1.0), mass)
    left = np.floor(mass * ((1 << FREQUENCY_BITS) - m) / mass[:, -1:])
    found: NDArray[np.float32] = np.diff(left, axis=1).astype(np.float32)
    return found
