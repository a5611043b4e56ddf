"""Quantised coefficients of the pictures of a file, as the coding loop takes them. NumPy and Numba only.

Pictures (a photograph, its thumbnail ...) are coded in lockstep, component by component. A rank is a component, a class
of blocks and a coefficient's number, or how many of a block's coefficients are not zero. docs/format.md is normative.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from ardm_compress.ardm import Upscaling
from ardm_compress.coding.ans import Cells
from ardm_compress.coding.coefficients.features import (
    COUNT,
    INPUTS,
    KINDS,
    ROLES,
    SCALE_ONE,
    Plane,
    advance,
    features,
    finish,
)  # fmt: skip
from ardm_compress.coding.loop import BATCH_POSITIONS
from ardm_compress.computing import compiled, mapped
from ardm_compress.errors import FormatError
from ardm_compress.inference.config import MEAN_LIMIT, VALUE_BITS
from ardm_compress.inference.features import Features
from ardm_compress.inference.network import Parameters

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ardm_compress.ardm.schedule import Steps
    from ardm_compress.coding.loop import Symbols
    from ardm_compress.inference.network import ExactNetwork

    Values = NDArray[np.int64]

ROOT_LEVEL: Final = 12  # in place of the level of the block that comes first, which has none
CELLS: Final = [Cells(Upscaling(16**digits, 16), 16**digits // 2) for digits in (1, 2, 3)]  # around a mixture's mean
CELLS_FROM: Final = np.array([2, 24]) * SCALE_ONE  # local scales from which on values take another digit
_SIZE_BITS: Final = 5  # of the size of what lies beyond the cells
_LARGEST: Final = 1 << 15  # coefficient
_LAST: Final = 63  # number of a coefficient


@dataclass(frozen=True, slots=True)
class Rank:
    """What is coded at once."""

    component: int
    lattice: int  # level of the class
    kind: int  # of features.KINDS; KINDS itself for the block that comes first
    number: int  # of the coefficient in zigzag order, or COUNT
    level: int = 0  # of the coding loop, which could cut streams by it


class Part(NamedTuple):
    """Blocks of a picture, of a rank."""

    planes: Sequence[Plane]  # of the picture's components
    by: Values  # rows
    bx: Values  # columns


class CoefficientTiles:
    """The pictures of a file: one tile."""

    count = 1

    def __init__(
        self, network: ExactNetwork, edge_pull: NDArray[np.integer], pictures: Sequence[Sequence[Plane]], *, known: bool
    ) -> None:
        """Make a tile of pictures.

        Args:
            network: of coefficients.
            edge_pull: the model file's table of that name.
            pictures: planes of the components of each.
            known: whether the planes are all there, or else to be filled.
        """
        self._network, self._pictures, self._known = network, pictures, known
        self._pull: NDArray[np.int64] = edge_pull.astype(np.int64)
        self._conditioning = network.conditioning(0, ())
        self.ranks = [
            Rank(component, lattice, kind, number)
            for component in range(max(map(len, pictures)))
            for lattice, kind in _classes([planes[component] for planes in pictures if component < len(planes)])
            for number in range(COUNT, 64)
        ]

    @property
    def steps(self) -> Steps:
        """One for each rank."""
        return [(rank, rank + 1) for rank in range(len(self.ranks))]

    def begin(self, symbols: Symbols) -> None:
        """See ``loop.Tiles``: nothing precedes the ranks."""

    def blocks(self, first: int, stop: int) -> list[Rank]:
        """See ``loop.Tiles``."""
        return self.ranks[first:stop]

    def code(self, block: Rank, symbols: Symbols) -> None:
        """See ``loop.Tiles``.

        Raises:
            FormatError: the stream's values are impossible.
        """
        parts = [
            Part(planes, *_wanted(planes[block.component], block))
            for planes in self._pictures
            if block.component < len(planes)
        ]
        parts = [part for part in parts if len(part.by)]
        if parts:
            values = _code_values(self._network, *self._evaluated(block, parts), symbols)
            if not self._known:
                self._write(block, parts, values)
        if not self._known and block.number == _LAST:
            for planes in self._pictures:
                if block.component < len(planes):
                    _finish(planes[block.component], block)

    def _evaluated(self, rank: Rank, parts: Sequence[Part]) -> tuple[Parameters, Values, Values, Values]:
        """Evaluate the network for blocks.

        Returns:
            mixtures about their centres; the centres (n,); the local scales (n,); values (n,), as far as known.
        """
        ends = np.cumsum([0, *(len(part.by) for part in parts)]).tolist()
        total, components = ends[-1], self._network.config.mixture
        weights, means = np.empty((total, components), np.int32), np.empty((total, components), np.float32)
        inverse, (centre, scale, known) = np.empty_like(means), np.empty((3, total), np.int64)

        def evaluate(part: Part, batch: slice, own: slice) -> None:
            seen, row = self._seen(rank, part.planes, part.by[batch], part.bx[batch])
            state = self._network.hidden(seen, row, self._conditioning)
            mixtures = self._network.start(state, seen.scale).parameters(seen.reference[:, 0])
            weights[own], means[own], inverse[own] = mixtures
            scale[own] = seen.scale[:, 0]
            known[own] = _values(part.planes[rank.component], part.by[batch], part.bx[batch], rank.number)
            centre_mixtures(weights[own], means[own], centre[own])

        batches = [
            (part, slice(at, at + BATCH_POSITIONS), slice(start + at, min(start + at + BATCH_POSITIONS, stop)))
            for part, start, stop in zip(parts, ends, ends[1:], strict=False)
            for at in range(0, stop - start, BATCH_POSITIONS)
        ]
        mapped(evaluate, *zip(*batches, strict=True))
        return Parameters(weights, means, inverse), centre, scale, known

    def _seen(self, rank: Rank, planes: Sequence[Plane], by: Values, bx: Values) -> tuple[Features, Values]:
        """Give what the network sees of blocks, and their rows of the level embedding."""
        count, role = len(by), rank.component % ROLES
        inputs = np.empty((count, INPUTS), np.int8)
        bucket, row, reference, scale = np.empty((4, count), np.int64)
        own, luma, other = (planes[i].arrays for i in (rank.component, 0, min(1, len(planes) - 1)))
        numbers, levels, kinds = (np.full(count, value) for value in (rank.number, rank.lattice, rank.kind))
        features(
            own, luma, other, role, by, bx, numbers, levels, kinds, self._pull, inputs, bucket, row, reference, scale
        )  # fmt: skip
        return Features(inputs, bucket, reference[:, None].astype(np.float32), scale[:, None].astype(np.float32)), row

    def _write(self, rank: Rank, parts: Sequence[Part], values: Values) -> None:
        low, high = (0, 63) if rank.number == COUNT else (-_LARGEST, _LARGEST - 1)
        if values.min() < low or values.max() > high:
            raise FormatError("a coefficient is out of range: the file is damaged", section="payload")
        at = 0
        for planes, by, bx in parts:
            plane, own = planes[rank.component], values[at : at + len(by)]
            if rank.number == COUNT:
                plane.counts[by, bx] = own
            else:
                plane.values[by, bx, rank.number] = own
                advance(plane.arrays, by, bx, rank.number)
            at += len(by)


def _classes(planes: Sequence[Plane]) -> list[tuple[int, int]]:
    """List levels and kinds of the classes of blocks of any of the planes, in coding order."""
    most = max(max(plane.counts.shape) for plane in planes)
    levels = range((most - 1).bit_length() - 1, -1, -1)
    return [(ROOT_LEVEL, KINDS), *((level, kind) for level in levels for kind in range(KINDS))]


def _lattice(plane: Plane, rank: Rank) -> tuple[range, range]:
    """Give the rows and columns of a class's blocks."""
    if rank.kind == KINDS:
        return range(1), range(1)
    (rows, columns), reach = plane.counts.shape, 1 << rank.lattice
    by = range(0 if rank.kind == 1 else reach, rows, 2 * reach)
    return by, range(0 if rank.kind == 2 else reach, columns, 2 * reach)


def _wanted(plane: Plane, rank: Rank) -> tuple[Values, Values]:
    """List rows and columns, in raster order, of a class's blocks whose coefficient is not known to be zero."""
    by, bx = _lattice(plane, rank)
    if not (by and bx):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    if rank.number <= 0:
        return np.repeat(np.array(by), len(bx)), np.tile(np.array(bx), len(by))
    rows, columns = (slice(each.start, each.stop, each.step) for each in (by, bx))
    y, x = np.nonzero(plane.counts[rows, columns] > plane.sums[rows, columns, rank.number])
    return by.start + by.step * y, bx.start + bx.step * x


def _values(plane: Plane, by: Values, bx: Values, number: int) -> NDArray[np.integer]:
    return plane.counts[by, bx] if number == COUNT else plane.values[by, bx, number]


def _finish(plane: Plane, rank: Rank) -> None:
    """Derive what later ranks see of a class of blocks that was decoded."""
    by, bx = _wanted(plane, replace(rank, number=0))
    finish(plane.arrays, by, bx)
    if (plane.sums[by, bx, 64] != plane.counts[by, bx]).any():
        raise FormatError("coefficients do not fit their counts: the file is damaged", section="payload")


@compiled
def centre_mixtures(weights: Any, means: Any, centre: Any) -> None:
    """Round the means of mixtures (n, components) to integers, ``centre`` (n,), and let these be their origins."""
    for i in range(len(centre)):
        total, moment = 0, 0
        for j in range(weights.shape[1]):
            total += np.int64(weights[i, j])
            moment += np.int64(weights[i, j]) * np.int64(means[i, j])
        centre[i] = (2 * moment // (total << VALUE_BITS)) + 1 >> 1
        for j in range(weights.shape[1]):
            moved = np.int64(means[i, j]) - (centre[i] << VALUE_BITS)
            means[i, j] = min(max(moved, -MEAN_LIMIT), MEAN_LIMIT)


def _code_values(
    network: ExactNetwork, mixtures: Parameters, centre: Values, scale: Values, known: Values, symbols: Symbols
) -> Values:  # fmt: skip
    """Code integers (n,): those near the means of their mixtures by one to three digits, others by some bits more."""
    values, digits = np.empty(len(known), np.int64), np.searchsorted(CELLS_FROM, scale, side="right")
    for more, cells in enumerate(CELLS):
        index = np.flatnonzero(digits == more)
        if not len(index):
            continue
        last = cells.upscaling.values - 1
        target = known[index] - centre[index] + cells.origin
        own = Parameters(
            mixtures.weights.take(index, 0), mixtures.means.take(index, 0), mixtures.inverse_scales.take(index, 0)
        )
        found = symbols.cells(network, own, cells, target.clip(0, last))
        ends = np.flatnonzero((found == 0) | (found == last))
        if len(ends):
            below = found[ends] == 0
            beyond = _code_beyond(symbols, np.where(below, -target[ends], target[ends] - last))
            found[ends] += np.where(below, -beyond, beyond)
        values[index] = found + centre[index] - cells.origin
    return values


def _code_beyond(symbols: Symbols, known: Values) -> Values:
    """Code numbers from 0, each by the size of it plus 1 and then the bits below its first."""
    sizes: Values = np.frexp((known + 1).astype(np.float64))[1].astype(np.int64) - 1
    sizes = symbols.uniform(_SIZE_BITS, _SIZE_BITS, sizes)
    found: Values = np.int64(1) << sizes
    some = np.flatnonzero(sizes)
    if len(some):
        if sizes.max() > 24:
            raise FormatError("a coefficient is out of range: the file is damaged", section="payload")
        found[some] += symbols.bits(sizes[some], known[some] + 1 - found[some])
    return found - 1
