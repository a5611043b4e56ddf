"""Integer mixtures -> integer frequencies of the children of an interval. Imports torch.

docs/format.md section 8 is normative.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ardm_compress.inference import tables as grid

FREQUENCY_BITS = 24  # the coder's; every frequency is at least 1 of 2**24
SPARE_BITS = 3  # dropped from the CDF so that its product with 2**24 is exact in float64


class Parameters(NamedTuple):
    """Integer mixtures of one channel at n positions."""

    weights: Tensor  # (n, mixture) int32, 0..WEIGHT_TOP
    means: Tensor  # (n, mixture) float32, sample units times 2**VALUE_BITS
    inverse_scales: Tensor  # (n, mixture) float32, from a deviation in those units to t in fixed point


def boundaries(edges: Tensor, cells: int, *, origin: int = 0, width: Tensor | int = 1) -> Tensor:
    """Where intervals of values begin: half a value below their least, the first and last at infinity.

    Args:
        edges: (n or 1, m) int64, in cells 0..``cells``.
        cells: how many there are; the first reaches down, and the last up, to infinity.
        origin: the cell whose least value is 0.
        width: of a cell, in values; (n, 1) if they differ.

    Returns:
        (n or 1, m) float32, in values times 2**VALUE_BITS.
    """
    boundary = ((edges - origin) * width << grid.VALUE_BITS).sub_(1 << grid.VALUE_BITS - 1).to(torch.float32)
    return boundary.masked_fill_(edges == 0, -torch.inf).masked_fill_(edges == cells, torch.inf)


class Children(NamedTuple):
    """Intervals in a row, among which a digit chooses; cells are numbered from 0."""

    first: Tensor  # (n or 1,) int64, cell where the first of them begins
    step: int  # cells of each
    number: int
    cells: int  # how many there are: the first reaches down, and the last up, to infinity
    origin: int = 0  # the cell whose least value is 0
    width: Tensor | int = 1  # of a cell, in values; (n,) if they differ

    def boundaries(self) -> Tensor:
        """Where they begin, and the last ends: (n or 1, number + 1), as ``boundaries`` gives it."""
        edges = self.first.unsqueeze(1) + torch.arange(self.number + 1, device=self.first.device) * self.step
        width = self.width.unsqueeze(1) if isinstance(self.width, Tensor) else self.width
        return boundaries(edges, self.cells, origin=self.origin, width=width)


def cumulative(parameters: Parameters, boundary: Tensor, nodes: Tensor) -> Tensor:
    """CDF of the mixtures at boundaries.

    Args:
        parameters: of n positions.
        boundary: (n or 1, m), see ``boundaries``.
        nodes: the table of the logistic's CDF.

    Returns:
        (n, m) int32, not decreasing along m.
    """
    weights, means, inverses = (each.unsqueeze(2) for each in parameters)
    t = (boundary.unsqueeze(1) - means).mul_(inverses).round_().clamp_(-grid.T_LIMIT, grid.T_LIMIT - 1)
    fixed = t.to(torch.int32).add_(grid.T_LIMIT)
    node = fixed >> grid.STEP_BITS
    fraction, flat = fixed.bitwise_and_((1 << grid.STEP_BITS) - 1), node.flatten()
    rise = nodes.diff().index_select(0, flat).view_as(node).mul_(fraction).bitwise_right_shift_(grid.STEP_BITS)
    rise += nodes.index_select(0, flat).view_as(node)
    return rise.mul_(weights).sum(1, dtype=torch.int32) >> SPARE_BITS


def frequencies(cdf: Tensor) -> Tensor:
    """Frequencies of the m intervals between m + 1 boundaries, each less the 1 that the coder adds.

    Args:
        cdf: (n, m + 1) int32, not decreasing.

    Returns:
        (n, m) float32, integers of sum 2**24 - m; uniform where the mixture has no mass.
    """
    m = cdf.shape[1] - 1
    mass = (cdf - cdf[:, :1]).to(torch.float64)
    empty = mass[:, -1:] == 0
    mass = torch.where(empty, torch.arange(m + 1, dtype=torch.float64, device=cdf.device), mass)
    left = torch.floor(mass * ((1 << FREQUENCY_BITS) - m) / mass[:, -1:])
    return left.diff(dim=1).to(torch.float32)
