"""Orders, schedules and upscaling, in NumPy; here, in which order positions are coded, and the digits of values.

An order is a permutation of the positions of a ``period``-sided cell, repeated over the tile, so the positions of
one rank form a lattice. A dyadic order does this once per level: level l is the lattice of positions whose
coordinates are all multiples of 2**l, and the positions that are also on level l + 1 are known before it starts.
docs/format.md section 5 is normative.

Upscaling does the same to a value: it is coded as a few digits, coarse to fine, from one distribution over the values.
Stage s = 1..S codes which child interval of its parent interval a value lies in. Stage 0 has one interval, all values;
at stage S an interval is a value. Intervals of a stage have equal width and are numbered from 0.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

COARSER: Final = -1  # rank, within a cell, of a position that a coarser level has already coded
SOUND_SPREAD_PERIOD: Final = 8  # positions; of files of sound in the spread order


@dataclass(frozen=True, slots=True)
class Lattice:
    """The positions of one rank at one level, in that level's coordinates."""

    level: int
    start: tuple[int, ...]  # first position along each axis
    period: int  # distance between neighbours along every axis


@dataclass(frozen=True, eq=False)
class Order:
    """A generation order over the positions of a tile.

    Attributes:
        name: as on the command line.
        cell: rank of each position of the cell, shape ``(period,) * axes``; ``COARSER`` in dyadic orders where every
            coordinate is even.
        dyadic: whether the order goes from coarse levels to fine ones.

    Source: Hoogeboom et al. 2022, section 2 (the permutation sigma), made periodic.
    """

    name: str
    cell: NDArray[np.int64]
    dyadic: bool

    @property
    def axes(self) -> int:
        """1 or 2."""
        return self.cell.ndim

    @property
    def period(self) -> int:
        """Side of the cell."""
        return int(self.cell.shape[0])

    @cached_property
    def ranks_per_level(self) -> int:
        """Ranks of the cell."""
        return int(self.cell.max()) + 1

    @cached_property
    def _starts(self) -> list[tuple[int, ...]]:
        starts: list[tuple[int, ...]] = [()] * self.ranks_per_level
        for position in np.ndindex(self.cell.shape):
            if self.cell[position] != COARSER:
                starts[self.cell[position]] = position
        return starts

    def levels(self, shape: Sequence[int]) -> int:
        """Count the levels of a tile of ``shape``: until one position is left, or 1 if the order is not dyadic."""
        return (max(shape) - 1).bit_length() if self.dyadic else 1

    def ranks(self, shape: Sequence[int]) -> int:
        """Count the ranks of a tile of ``shape``, empty ones included."""
        return self.levels(shape) * self.ranks_per_level

    def lattice(self, rank: int, levels: int) -> Lattice:
        """Where the positions of ``rank`` are; ranks count from the coarsest level to level 0."""
        coarse_to_fine, within = divmod(rank, self.ranks_per_level)
        return Lattice(levels - 1 - coarse_to_fine, self._starts[within], self.period)

    def sizes(self, shape: Sequence[int]) -> NDArray[np.int64]:
        """Count the positions of every rank in a tile of ``shape``; returns ``(ranks(shape),)``."""
        levels = self.levels(shape)
        return np.array([lattice_size(self.lattice(r, levels), shape) for r in range(self.ranks(shape))], np.int64)

    def known_before(
        self, around: NDArray[np.int64], up: NDArray[np.int64], start: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        """Tell which neighbours of positions are coded before a step starts, the tile's border aside.

        Args:
            around: (n, window, axes), in the coordinates of each position's level.
            up: (n,) levels from there to the coarser level that the step starts on.
            start: (n,) rank on that level at which the step starts.

        Returns:
            (n, window).
        """
        lattice = around >> up[:, None, None]
        on_lattice = ((lattice << up[:, None, None]) == around).all(2)
        cell = self.cell[tuple(np.moveaxis(lattice % self.period, 2, 0))]
        return np.asarray(on_lattice & ((cell == COARSER) | (cell < start[:, None])))

    def rank_map(self, shape: Sequence[int]) -> NDArray[np.int64]:
        """Rank of every position, shape ``shape``; ``COARSER`` for the one position above the coarsest level."""
        levels = self.levels(shape)
        ranks = np.full(shape, COARSER, np.int64)
        for level in reversed(range(levels)):
            view = ranks[(slice(None, None, 1 << level),) * self.axes]
            repeats = [-(-n // self.period) for n in view.shape]
            cell = np.tile(self.cell, repeats)[tuple(slice(n) for n in view.shape)]
            first = (levels - 1 - level) * self.ranks_per_level
            view[...] = np.where(cell == COARSER, view, cell + first)
        return ranks


def level_shape(shape: Sequence[int], level: int) -> tuple[int, ...]:
    """Shape of the lattice of positions whose coordinates are multiples of ``2**level``."""
    return tuple(-(-n >> level) for n in shape)


def lattice_shape(lattice: Lattice, shape: Sequence[int]) -> tuple[int, ...]:
    """Count the lattice's positions along each axis of a tile of ``shape``."""
    sizes = level_shape(shape, lattice.level)
    return tuple(max(0, -(-(n - s) // lattice.period)) for n, s in zip(sizes, lattice.start, strict=True))


def lattice_size(lattice: Lattice, shape: Sequence[int]) -> int:
    """Count the lattice's positions in a tile of ``shape``."""
    return int(np.prod(lattice_shape(lattice, shape)))


def make_order(name: str, *, axes: int, period: int = 8, seed: int = 0) -> Order:
    """Build an order by name: ``spread``, ``random``, ``raster`` (of sound ``causal``) or ``block``.

    Args:
        name: ``spread`` keeps what a step codes far apart, level by level; ``random`` is the paper's uniform
            permutation; ``raster`` goes row by row; ``block`` follows the Z-order curve, so that steps are contiguous.
        axes: 1 or 2.
        period: side of the cell; a power of two.
        seed: of the ``random`` order.

    Raises:
        ValueError: unknown name, or period not a power of two of at least 2.
    """
    if axes not in (1, 2):
        raise ValueError(f"axes must be 1 or 2, got {axes}")
    if period < 2 or period & (period - 1):
        raise ValueError(f"period must be a power of two of at least 2, got {period}")
    shape = (period,) * axes
    if name == "spread":
        return Order(name, _spread_cell(axes, period), dyadic=True)
    if name == "random":
        return Order(name, _shuffled(period**axes, seed).reshape(shape), dyadic=False)
    if name in ("raster", "causal"):
        return Order(name, np.arange(period**axes).reshape(shape), dyadic=False)
    if name == "block":
        return Order(name, _interleave(np.indices(shape), period.bit_length() - 1), dyadic=False)
    raise ValueError(f"unknown order {name!r}; choose spread, random, raster or block")


def make_sound_order(period_bits: int) -> Order:
    """Build the order that the header of a file of sound names: causal, or spread if ``period_bits`` is 0."""
    if period_bits:
        return make_order("causal", axes=1, period=1 << period_bits)
    return make_order("spread", axes=1, period=SOUND_SPREAD_PERIOD)


def _shuffled(n: int, seed: int) -> NDArray[np.int64]:
    """Shuffle 0..n-1 in a way that no library version changes: sort by SHAKE-256 of the seed."""
    keys = np.frombuffer(hashlib.shake_256(b"ardm order %d" % seed).digest(8 * n), "<u8")
    return np.argsort(keys, kind="stable")


def _interleave(index: NDArray[np.int64], bits: int) -> NDArray[np.int64]:
    """Z-order code of each index, shape ``index.shape[1:]``: bit b of axis a goes to bit b * axes + (axes - 1 - a)."""
    axes = index.shape[0]
    code = np.zeros(index.shape[1:], np.int64)
    for bit in range(bits):
        for axis in range(axes):
            code |= (index[axis] >> bit & 1) << (bit * axes + axes - 1 - axis)
    return code


def _bayer(axes: int, side: int) -> NDArray[np.int64]:
    """Ordered-dither ranks of a cell (Bayer 1973): consecutive ranks are as far apart as the cell allows."""
    bits = side.bit_length() - 1
    index = np.indices((side,) * axes)
    diagonal = index.copy()
    diagonal[1:] ^= index[0]
    code = _interleave(diagonal, bits)
    reverse = np.zeros_like(code)
    for bit in range(bits * axes):
        reverse |= (code >> bit & 1) << (bits * axes - 1 - bit)
    return reverse


def _spread_cell(axes: int, period: int) -> NDArray[np.int64]:
    """Parity classes with more odd coordinates first; classes of equal count interleaved; Bayer order inside."""
    half = period // 2
    bayer = _bayer(axes, half)
    key = np.full((period,) * axes, COARSER, np.int64)
    for parity in np.ndindex((2,) * axes):
        if any(parity):
            turn = axes - sum(parity)  # fewer even coordinates first
            number = int("".join(map(str, parity)), 2)
            shifted = np.roll(bayer, half // 2 * (number == 1), axis=0) if axes > 1 else bayer
            key[tuple(slice(odd, None, 2) for odd in parity)] = (turn * bayer.size + shifted) * (1 << axes) + number
    coded = key != COARSER
    ranks = np.full(key.shape, COARSER, np.int64)
    ranks[coded] = np.argsort(np.argsort(key[coded]))
    return ranks


@dataclass(frozen=True)
class Upscaling:
    """Digits of ``branching`` children each; ``branching >= values`` is one stage, the plain OA-ARDM.

    If the bits of a value are no multiple of a digit's, the first stage has fewer children, so that the widths (hence
    the table look-ups) of the later stages do not depend on the bit depth: 2**5 values by 16 are 2, then 16 children.

    Raises:
        ValueError: values or branching is no power of two of at least 2.

    Source: Hoogeboom et al. 2022, sections 3.2 and 4, with the distribution parametrised by that of the finest values.
    """

    values: int  # size of the alphabet, a power of two: 2**8 for 8-bit samples
    branching: int  # most children of an interval, a power of two: 2 codes bit by bit

    def __post_init__(self) -> None:
        for name, number in (("values", self.values), ("branching", self.branching)):
            if number < 2 or number & (number - 1):
                raise ValueError(f"{name} must be a power of two of at least 2, got {number}")

    def stages(self) -> int:
        """Count the stages, which are the digits of a value."""
        return -(-(self.values.bit_length() - 1) // (self.branching.bit_length() - 1))

    def width(self, stage: int) -> int:
        """Values in an interval of ``stage``, 0..S: ``values`` at stage 0, 1 at stage S.

        Raises:
            ValueError: stage outside 0..S.
        """
        _check_stage(stage, 0, self.stages())
        return self.branching ** (self.stages() - stage) if stage else self.values

    def children(self, stage: int) -> int:
        """Digits that ``stage``, 1..S, chooses from.

        Raises:
            ValueError: stage outside 1..S.
        """
        _check_stage(stage, 1, self.stages())
        return self.width(stage - 1) // self.width(stage)

    @cached_property
    def splits(self) -> tuple[tuple[int, int], ...]:
        """Width and children of every stage that has a digit, coarsest first."""
        return tuple((self.width(stage), self.children(stage)) for stage in range(1, self.stages() + 1))


def _check_stage(stage: int, lowest: int, highest: int) -> None:
    if not lowest <= stage <= highest:
        raise ValueError(f"stage must be in {lowest}..{highest}, got {stage}")
