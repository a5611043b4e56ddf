"""The coding loop: tiles on one side, symbols on the other, step by step; for images and for sound.

A stream is a stack: what is pushed last is popped first. So the encoder goes backwards, from the last step to the
first, and what precedes all steps comes last. Symbols go to, or come from, known samples, stacks, chance, or what the
model expects. docs/format.md sections 4, 5, 8 and 9 are normative.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias, TypeVar

import numpy as np

from ardm_compress.coding.ans import Cells, Intervals, bit_intervals, find_intervals, popped_stacks, pushed_stacks
from ardm_compress.computing import by_batches
from ardm_compress.errors import FormatError
from ardm_compress.inference.config import VALUE_BITS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ardm_compress.coding.ans import PushedStacks
    from ardm_compress.inference.network import ExactNetwork, Parameters

    Values = NDArray[np.int64]
    from ardm_compress.ardm.schedule import Steps


BLOCK_POSITIONS: Final = 1 << 14  # whose symbols are interleaved; part of the format
BATCH_POSITIONS: Final = 1 << 10  # evaluated at once: few for the cache, many for threads; any number gives the same


class Block(Protocol):
    """Positions that are coded together: some of those that a step codes on one level."""

    @property
    def level(self) -> int:
        """0 is the finest; it decides in which section of a stream the block stands."""


B = TypeVar("B", bound=Block)


class Tiles(Protocol[B]):
    """Tiles of one shape that are coded in lockstep, each to streams of its own.

    Whoever encodes makes them of known samples; whoever decodes makes them empty, and coding fills them.
    """

    @property
    def count(self) -> int:
        """How many tiles there are."""

    def begin(self, symbols: Symbols) -> None:
        """Code what precedes all steps: side information, and positions that have no rank."""

    def blocks(self, first: int, stop: int) -> Sequence[B]:
        """Return what the step that codes ranks ``first``..``stop`` - 1 codes, in coding order."""

    def code(self, block: B, symbols: Symbols) -> None:
        """Code a block of all tiles, of which those before it are known."""


DIGIT_POSITIONS: Final = 1 << 11  # whose intervals a thread finds at once
DIGIT_BYTES: Final = 3  # of a stack that a digit takes at most
STATE_BYTES: Final = 16  # of a stack that no digit takes


class Symbols(Protocol):
    """Takes or gives the symbols of n positions; ``known`` is what they are, which only an encoder knows.

    Positions are those of all tiles that are coded in lockstep, equally many of each, those of a tile in a row.
    """

    def cells(self, network: ExactNetwork, mixtures: Parameters, cells: Cells, known: Values) -> Values:
        """Code which cell each position's value lies in, (n,), given their mixtures."""

    def uniform(self, bits: int, digit_bits: int, known: Values) -> Values:
        """Code numbers (n,) of so many bits, all equally likely, in digits of at most ``digit_bits``."""

    def bits(self, counts: Values, known: Values) -> Values:
        """Code numbers (n,) of 1 to 24 bits each (n,), all equally likely."""


class Collected(Symbols):
    """Known symbols, collected to be pushed last first."""

    def __init__(self) -> None:
        self.collected: list[Intervals] = []

    def cells(self, network: ExactNetwork, mixtures: Parameters, cells: Cells, known: Values) -> Values:
        """See ``Symbols``."""
        (weights, means, inverse), (splits, width) = mixtures, cells.arrays()
        lefts, sizes = np.empty((2, len(splits), len(known)), np.uint32)

        def part(rows: slice) -> None:
            find_intervals(
                weights[rows], means[rows], inverse[rows], network.nodes, known[rows], splits, cells.upscaling.values,
                cells.origin, width[rows] if len(width) > 1 else width, lefts[:, rows], sizes[:, rows],
            )  # fmt: skip

        by_batches(part, len(known), DIGIT_POSITIONS)
        self.collected.extend(map(Intervals, lefts, sizes))
        return known

    def uniform(self, bits: int, digit_bits: int, known: Values) -> Values:
        """See ``Symbols``."""
        return _by_digits(self, bits, digit_bits, known)

    def bits(self, counts: Values, known: Values) -> Values:
        """See ``Symbols``."""
        self.collected.append(bit_intervals(known, counts))
        return known

    def push_to(self, stacks: PushedStacks) -> None:
        """Push what was collected, last first."""
        for intervals in reversed(self.collected):
            stacks.push(intervals)


class Popped(Symbols):
    """Symbols popped from stacks, of each tile its own."""

    def __init__(self, *payloads: bytes) -> None:
        self.stacks = popped_stacks(payloads)

    def cells(self, network: ExactNetwork, mixtures: Parameters, cells: Cells, known: Values) -> Values:  # noqa: ARG002
        """See ``Symbols``."""
        return self.stacks.cells(network, mixtures, cells)

    def uniform(self, bits: int, digit_bits: int, known: Values) -> Values:
        """See ``Symbols``."""
        return _by_digits(self, bits, digit_bits, known)

    def bits(self, counts: Values, known: Values) -> Values:  # noqa: ARG002
        """See ``Symbols``."""
        return self.stacks.bits(counts)

    def finish(self) -> None:
        """Raise FormatError unless every symbol was popped."""
        if not all(self.stacks.are_empty()):
            raise FormatError("a payload holds more than its samples: the file is damaged", section="payload")


def _by_digits(symbols: Symbols, bits: int, digit_bits: int, known: Values) -> Values:
    """Code numbers (n,) of so many bits in digits of at most ``digit_bits``, the first one of what is left over."""
    found = np.zeros(len(known), np.int64)
    for shift in reversed(range(0, bits, digit_bits)):
        size = min(digit_bits, bits - shift)
        digits = symbols.bits(np.full(len(known), size), known >> shift & (1 << size) - 1)
        found = (found << size) + digits
    return found


class Expected(Symbols):
    """What the model expects on the average, in exact integers: the same on every machine."""

    def cells(self, network: ExactNetwork, mixtures: Parameters, cells: Cells, known: Values) -> Values:  # noqa: ARG002
        """See ``Symbols``: the cells of the mixtures' means."""
        weights, means = mixtures.weights.astype(np.int64), mixtures.means.astype(np.int64)
        mean = (2 * (weights * means).sum(1) // (weights.sum(1) << VALUE_BITS)) + 1 >> 1
        found: Values = (mean // cells.width + cells.origin).clip(0, cells.upscaling.values - 1)
        return found

    def uniform(self, bits: int, digit_bits: int, known: Values) -> Values:  # noqa: ARG002
        """See ``Symbols``: the middle."""
        return np.full(len(known), 1 << bits - 1)

    def bits(self, counts: Values, known: Values) -> Values:  # noqa: ARG002
        """See ``Symbols``: the middle."""
        middle: Values = np.int64(1) << counts - 1
        return middle


class Arrived(Symbols):
    """What the beginning of one tile's stream gives, and then what the model expects."""

    def __init__(self, payload: bytes, missing: int) -> None:
        """Args: payload, of which the last ``missing`` bytes to be read have not arrived and are 0."""
        self._popped, self._expected = Popped(payload), Expected()
        self._fewest_words = -(-missing // 4)  # that remain as long as none of the missing was read

    def cells(self, network: ExactNetwork, mixtures: Parameters, cells: Cells, known: Values) -> Values:
        """See ``Symbols``."""
        return self._given(lambda symbols: symbols.cells(network, mixtures, cells, known))

    def uniform(self, bits: int, digit_bits: int, known: Values) -> Values:
        """See ``Symbols``."""
        return self._given(lambda symbols: symbols.uniform(bits, digit_bits, known))

    def bits(self, counts: Values, known: Values) -> Values:
        """See ``Symbols``."""
        return self._given(lambda symbols: symbols.bits(counts, known))

    def _given(self, code: Callable[[Symbols], Values]) -> Values:
        found = code(self._popped) if self._is_whole() else None
        return found if found is not None and self._is_whole() else code(self._expected)

    def _is_whole(self) -> bool:
        return self._popped.stacks.words_left()[0] >= self._fewest_words


def draw(samples: int, seed: int) -> Popped:
    """Draw so many samples of one tile at random: random bits, decoded, are a sample of what the mixtures say.

    No library's generator, which versions change: a seed gives the same samples on every machine.
    """
    size = 2 * DIGIT_BYTES * samples + STATE_BYTES
    return Popped(hashlib.shake_256(b"ardm-compress sample %d" % seed).digest(size - 1) + b"\x80")


Progress: TypeAlias = Callable[[], None]


def encode(tiles: Tiles[B], steps: Steps, sections: int, progress: Progress) -> list[list[bytes]]:
    """Entropy-code known tiles in lockstep; the payloads are those of each tile by itself.

    Args:
        tiles: whose samples are known.
        steps: first and stop rank of every step, which together are all ranks of a tile.
        sections: number of sections to cut each tile's stream into.
        progress: called after every step.

    Returns:
        The payload of every section, for every tile.
    """
    stacks = [pushed_stacks(tiles.count) for _ in range(sections)]

    def push(code: Callable[[Symbols], None], section: int) -> None:
        symbols = Collected()
        code(symbols)
        symbols.push_to(stacks[section])

    for step in reversed(steps):
        for block in reversed(tiles.blocks(*step)):
            push(partial(tiles.code, block), section_of(block.level, sections))
        progress()
    push(tiles.begin, 0)
    return [list(payloads) for payloads in zip(*(each.to_bytes() for each in stacks), strict=True)]


def decode(
    tiles: Tiles[B], steps: Steps, sources: Sequence[Symbols], progress: Progress, *, level: int = 0
) -> None:  # fmt: skip
    """Fill empty tiles, step by step, from wherever the symbols come: streams, chance, or what the model expects.

    Args:
        tiles: to fill.
        steps: as for ``encode``.
        sources: of every section, for all tiles; those of sections finer than ``level`` are not asked.
        progress: called after every step.
        level: the finest to fill.
    """
    tiles.begin(sources[0])
    for step in steps:
        for block in tiles.blocks(*step):
            if block.level >= level:
                tiles.code(block, sources[section_of(block.level, len(sources))])
        progress()


def section_of(level: int, sections: int) -> int:
    """Return the section that holds a level: the first one the coarse levels together, the last one level 0."""
    return max(0, sections - 1 - level)
