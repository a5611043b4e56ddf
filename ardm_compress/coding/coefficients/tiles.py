"""Quantised coefficients of the pictures of a file, as the coding loop takes them. NumPy only.

Pictures (a photograph, its thumbnail ...) are coded in lockstep, component by component. A rank is a component, a class
of blocks and a coefficient's number, or how many of a block's coefficients are not zero. docs/format.md is normative.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from ardm_compress.ardm.upscaling import Upscaling
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
from ardm_compress.coding.stacks import Cells
from ardm_compress.coding.tile import BATCH_POSITIONS
from ardm_compress.errors import FormatError
from ardm_compress.inference.features import Features
from ardm_compress.inference.mixture import Parameters
from ardm_compress.inference.tables import MEAN_LIMIT, VALUE_BITS
from ardm_compress.inference.threads import by_batches

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ardm_compress.ardm.plans import Steps
    from ardm_compress.coding.symbols import Symbols
    from ardm_compress.inference.network import ExactNetwork

    Values = NDArray[np.int64]

MOST_COMPONENTS: Final = 4
ROOT_LEVEL: Final = 12  # in place of the level of the block that comes first, which has none
CELLS: Final = [Cells(Upscaling(16**digits, 16), 16**digits // 2) for digits in (1, 2, 3)]  # around a mixture's mean
CELLS_FROM: Final = np.array([2, 24]) * SCALE_ONE  # local scales from which on values take another digit
_SIZE_BITS: Final = 5  # of the size of what lies beyond the cells
_LARGEST: Final = 1 << 15  # coefficient


@dataclass(frozen=True, slots=True)
class Rank:
    """What is coded at once."""

    component: int
    lattice: int  # level of the class
    kind: int  # of features.KINDS; KINDS itself for the block that comes first
    number: int  # of the coefficient in zigzag order, or COUNT
    level: int = 0  # of the coding loop, which could cut streams by it


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
        """See ``coding.tile.Tiles``: nothing precedes the ranks."""

    def blocks(self, first: int, stop: int) -> list[Rank]:
        """See ``coding.tile.Tiles``."""
        return self.ranks[first:stop]

    def code(self, block: Rank, symbols: Symbols) -> None:
        """See ``coding.tile.Tiles``.

        Raises:
            FormatError: the stream's values are impossible.
        """
        parts = [
            (planes, *_blocks(planes[block.component], block))
            for planes in self._pictures
            if block.component < len(planes)
        ]
        wanted = [
            (planes, *_wanted(planes[block.component], by, bx, block.number)) for planes, by, bx in parts if len(by)
        ]
        wanted = [part for part in wanted if len(part[1])]
        if wanted:
            found, local = self._seen(block, wanted)
            mixtures = self._mixtures(*found)
            number = block.number
            known = np.concatenate([_values(planes[block.component], by, bx, number) for planes, by, bx in wanted])
            values = _code_values(self._network, mixtures, local, symbols, known)
            if not self._known:
                self._write(block, wanted, values)
        if not self._known:
            for planes, by, bx in parts:
                _advance(planes[block.component], by, bx, block.number)

    def _seen(
        self, rank: Rank, wanted: Sequence[tuple[Sequence[Plane], Values, Values]]
    ) -> tuple[tuple[Features, Values], Values]:
        """Give what the network sees of blocks, their rows of the level embedding, and local scales."""
        total = sum(len(by) for _, by, _ in wanted)
        inputs = np.empty((total, INPUTS), np.int8)
        bucket, row, reference, scale = (np.empty(total, np.int64) for _ in range(4))
        at = 0
        for planes, by, bx in wanted:
            own = slice(at, at + len(by))
            self._fill(rank, planes, by, bx, inputs[own], bucket[own], row[own], reference[own], scale[own])
            at += len(by)
        seen = Features(inputs, bucket, reference[:, None].astype(np.float32), scale[:, None].astype(np.float32))
        return (seen, row), scale

    def _fill(
        self, rank: Rank, planes: Sequence[Plane], by: Values, bx: Values, inputs: NDArray[np.int8], bucket: Values,
        row: Values, reference: Values, scale: Values,
    ) -> None:  # fmt: skip
        role = rank.component % ROLES
        own, luma, other = (planes[i].arrays for i in (rank.component, 0, min(1, len(planes) - 1)))

        def part(batch: slice) -> None:
            count = len(by[batch])
            numbers, levels, kinds = (np.full(count, value) for value in (rank.number, rank.lattice, rank.kind))
            features(
                own, luma, other, role, by[batch], bx[batch], numbers, levels, kinds, self._pull,
                inputs[batch], bucket[batch], row[batch], reference[batch], scale[batch],
            )  # fmt: skip

        by_batches(part, len(by), BATCH_POSITIONS)

    def _mixtures(self, seen: Features, row: Values) -> Parameters:
        """Evaluate the network for blocks."""
        network = self._network

        def part(batch: slice) -> Parameters:
            own = seen.rows(batch)
            state = network.hidden(own, row[batch], self._conditioning)
            return network.start(state, own.scale).parameters(own.reference[:, 0])

        parts = by_batches(part, len(row), BATCH_POSITIONS)
        return Parameters(*(np.concatenate(each) for each in zip(*parts, strict=True)))

    def _write(self, rank: Rank, wanted: Sequence[tuple[Sequence[Plane], Values, Values]], values: Values) -> None:
        low, high = (0, 63) if rank.number == COUNT else (-_LARGEST, _LARGEST - 1)
        if values.min() < low or values.max() > high:
            raise FormatError("a coefficient is out of range: the file is damaged", section="payload")
        at = 0
        for planes, by, bx in wanted:
            plane, own = planes[rank.component], values[at : at + len(by)]
            if rank.number == COUNT:
                plane.counts[by, bx] = own
            else:
                plane.values[by, bx, rank.number] = own
            at += len(by)


def _classes(planes: Sequence[Plane]) -> list[tuple[int, int]]:
    """List levels and kinds of the classes of blocks of any of the planes, in coding order."""
    most = max(max(plane.counts.shape) for plane in planes)
    levels = range((most - 1).bit_length() - 1, -1, -1)
    return [(ROOT_LEVEL, KINDS), *((level, kind) for level in levels for kind in range(KINDS))]


def _blocks(plane: Plane, rank: Rank) -> tuple[Values, Values]:
    """List rows and columns of a class's blocks in raster order."""
    if rank.kind == KINDS:
        return np.zeros(1, np.int64), np.zeros(1, np.int64)
    reach = 1 << rank.lattice
    rows, columns = plane.counts.shape
    by = np.arange(0 if rank.kind == 1 else reach, rows, 2 * reach)
    bx = np.arange(0 if rank.kind == 2 else reach, columns, 2 * reach)
    return np.repeat(by, len(bx)), np.tile(bx, len(by))


def _wanted(plane: Plane, by: Values, bx: Values, number: int) -> tuple[Values, Values]:
    """Pick those of the blocks whose coefficient is not known to be zero."""
    if number <= 0:
        return by, bx
    left = plane.counts[by, bx] > plane.sums[by, bx, number]
    return by[left], bx[left]


def _values(plane: Plane, by: Values, bx: Values, number: int) -> Values:
    found = plane.counts[by, bx] if number == COUNT else plane.values[by, bx, number]
    return found.astype(np.int64)


def _advance(plane: Plane, by: Values, bx: Values, number: int) -> None:
    """Derive what later ranks see of a rank of blocks that was decoded."""
    if number >= 0:
        advance(plane.arrays, by, bx, number)
    if number == 63:
        finish(plane.arrays, by, bx)
        if (plane.sums[by, bx, 64] != plane.counts[by, bx]).any():
            raise FormatError("coefficients do not fit their counts: the file is damaged", section="payload")


def _code_values(
    network: ExactNetwork, mixtures: Parameters, scale: Values, symbols: Symbols, known: Values
) -> Values:  # fmt: skip
    """Code integers (n,): those near the means of their mixtures by one to three digits, others by some bits more."""
    weights, means = mixtures.weights.astype(np.int64), mixtures.means.astype(np.int64)
    centre = (2 * (weights * means).sum(1) // (weights.sum(1) << VALUE_BITS)) + 1 >> 1
    moved = (means - (centre[:, None] << VALUE_BITS)).clip(-MEAN_LIMIT, MEAN_LIMIT).astype(np.float32)
    values = np.zeros(len(known), np.int64)
    digits = np.searchsorted(CELLS_FROM, scale, side="right")
    for more, cells in enumerate(CELLS):
        index = np.flatnonzero(digits == more)
        if not len(index):
            continue
        own = Parameters(mixtures.weights[index], moved[index], mixtures.inverse_scales[index])
        last = cells.upscaling.values - 1
        target = known[index] - centre[index] + cells.origin
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
