"""The digits of values <-> intervals of stacks, by the CDF of each value's mixture. Numba, NumPy.

A value lies in one of equally wide cells; each digit says in which part of the cells left, from all of them to one.
docs/format.md section 8 is normative.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ardm_compress.coding.ans import Stack, peek, pop
from ardm_compress.compiling import compiled
from ardm_compress.inference.kernels import cdf_at, share_left


@compiled
def find_intervals(
    weights: Any, means: Any, inverse: Any, nodes: Any, known: Any, splits: Any, cells: int, origin: int, width: Any,
    lefts: Any, sizes: Any,
) -> None:  # fmt: skip
    """Find the intervals of the digits of known cells.

    Args:
        weights: of the mixtures (n, components), as of ``mixture.Parameters``.
        means: the same.
        inverse: the same.
        nodes: table of the logistic's CDF.
        known: (n,) int64, the cells.
        splits: (digits, 2) int64, cells of each child of a digit and how many children there are, coarse to fine.
        cells: how many there are.
        origin: the cell whose least value is 0.
        width: (n or 1,) int64, of a cell, in values.
        lefts: (digits, n) uint32, written to.
        sizes: (digits, n) uint32, written to.
    """
    for i in range(len(known)):
        wide, first = width[i if len(width) > 1 else 0], 0
        low = cdf_at(weights, means, inverse, i, nodes, 0, cells, origin, wide)
        high = cdf_at(weights, means, inverse, i, nodes, cells, cells, origin, wide)
        for stage in range(len(splits)):
            step, children = splits[stage, 0], splits[stage, 1]
            digit = (known[i] - first) // step
            first += digit * step
            below, above = low, high
            if digit > 0:
                below = cdf_at(weights, means, inverse, i, nodes, first, cells, origin, wide)
            if digit < children - 1:
                above = cdf_at(weights, means, inverse, i, nodes, first + step, cells, origin, wide)
            left = share_left(low, below, high, digit, children)
            lefts[stage, i] = left
            sizes[stage, i] = share_left(low, above, high, digit + 1, children) - left
            low, high = below, above


@compiled
def pop_cells(
    words: Any, states: Any, weights: Any, means: Any, inverse: Any, nodes: Any, splits: Any, cells: int, origin: int,
    width: Any, found: Any,
) -> None:  # fmt: skip
    """Pop the digits of cells from stacks: of each, those of its positions digit by digit.

    Args:
        words: of the stacks, see ``ans.Stack``.
        states: the same.
        weights: as for ``find_intervals``, the positions of a stack in a row, equally many of each.
        means: the same.
        inverse: the same.
        nodes: the same.
        splits: the same.
        cells: the same.
        origin: the same.
        width: the same.
        found: (n,) int64, the cells, written to.
    """
    each = len(found) // len(words)
    low, high = np.empty(each, np.int64), np.empty(each, np.int64)
    for row in range(len(words)):
        stack = Stack(words[row], states[row])
        for stage in range(len(splits)):
            step, children = splits[stage, 0], splits[stage, 1]
            for at in range(each):
                i = row * each + at
                wide = width[i if len(width) > 1 else 0]
                if stage == 0:
                    found[i] = 0
                    low[at] = cdf_at(weights, means, inverse, i, nodes, 0, cells, origin, wide)
                    high[at] = cdf_at(weights, means, inverse, i, nodes, cells, cells, origin, wide)
                number, below, above = peek(stack), low[at], high[at]
                digit, beyond, left, right = 0, children, 0, share_left(low[at], high[at], high[at], children, children)
                while beyond - digit > 1:
                    middle = digit + beyond >> 1
                    edge = found[i] + middle * step
                    there = cdf_at(weights, means, inverse, i, nodes, edge, cells, origin, wide)
                    reached = share_left(low[at], there, high[at], middle, children)
                    if reached <= number:
                        digit, left, below = middle, reached, there
                    else:
                        beyond, right, above = middle, reached, there
                pop(stack, left, right - left)
                found[i] += digit * step
                low[at], high[at] = below, above
