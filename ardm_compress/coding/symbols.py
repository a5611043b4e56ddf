"""Where the symbols of tiles go to, or come from: known samples, stacks, chance, or what the model expects.

A value is coded as a few digits, coarse to fine, each with its frequencies from one mixture over the values.
docs/format.md sections 4, 8 and 9 are normative.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from ardm_compress.coding.ans import Intervals, bit_intervals
from ardm_compress.coding.digits import find_intervals
from ardm_compress.coding.stacks import Cells, popped_stacks
from ardm_compress.errors import FormatError
from ardm_compress.inference.tables import VALUE_BITS
from ardm_compress.inference.threads import by_batches

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ardm_compress.coding.stacks import PushedStacks
    from ardm_compress.inference.mixture import Parameters
    from ardm_compress.inference.network import ExactNetwork

    Values = NDArray[np.int64]

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
