"""The ANS stacks: symbols, as intervals of 0 .. 2**24 - 1, <-> 32-bit words; digits of values <-> intervals.

There is a stack for each tile in lockstep: by constriction where it is installed, or compiled here. Both make the same
bytes, docs/format.md section 9; tests judge one by the other. A value lies in one of equally wide cells; each digit
says in which part of the cells left, from all of them to one (section 8).

Source: Duda 2013 (asymmetric numeral systems, rANS).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

import numpy as np

from ardm_compress.computing import compiled, inlined
from ardm_compress.errors import FormatError
from ardm_compress.inference.config import FREQUENCY_BITS
from ardm_compress.inference.kernels import cdf_at, share_left
from ardm_compress.inference.network import Children

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ardm_compress.ardm import Upscaling
    from ardm_compress.inference.network import ExactNetwork, Parameters

    Values = NDArray[np.int64]

_BITS: Final = np.uint64(FREQUENCY_BITS)
_MASK: Final = np.uint64((1 << FREQUENCY_BITS) - 1)
_WORD_BITS: Final = np.uint64(32)
_WORD: Final = np.uint64((1 << 32) - 1)
_TOP: Final = np.uint64(64 - FREQUENCY_BITS)


class Intervals(NamedTuple):
    """What symbols are to a stack: where their intervals begin, and how many of 2**24 numbers each has."""

    lefts: NDArray[np.uint32]  # (n,)
    sizes: NDArray[np.uint32]  # (n,), at least 1


def bit_intervals(values: NDArray[np.int64], counts: NDArray[np.int64]) -> Intervals:
    """Return the intervals of numbers (n,) of 1 to 24 bits each (n,), all equally likely."""
    sizes = np.uint32(1) << (FREQUENCY_BITS - counts).astype(np.uint32)
    return Intervals(values.astype(np.uint32) * sizes, sizes)


class Stack(NamedTuple):
    """A stack that is popped from: its words, and the number that is worked on with how many words are below it."""

    words: NDArray[np.uint32]  # (n,), or (stacks, n) of several
    state: NDArray[np.uint64]  # (2,), or (stacks, 2)


def check_payload(payload: bytes) -> None:
    """Raise FormatError if no encoder writes such a payload."""
    if payload.endswith(b"\0"):
        raise FormatError("a payload ends in a zero byte, which no encoder writes", section="payload")


def read_stacks(payloads: Sequence[bytes]) -> Stack:
    """Return stacks of payloads that ``check_payload`` has seen."""
    words = np.zeros((len(payloads), max(-(-len(payload) // 4) for payload in payloads)), np.uint32)
    state = np.zeros((len(payloads), 2), np.uint64)
    for row, payload in enumerate(payloads):
        own = np.frombuffer(payload + bytes(-len(payload) % 4), "<u4")
        words[row, : len(own)] = own
        below = max(0, len(own) - 2)
        state[row] = int.from_bytes(own[below:].tobytes(), "little"), below
    return Stack(words, state)


@inlined
def peek(stack: Any) -> Any:
    """Return the number of 0 .. 2**24 - 1 that the next symbol's interval holds, int64."""
    return np.int64(stack.state[0] & _MASK)


@inlined
def pop(stack: Any, left: int, size: int) -> None:
    """Take the symbol off whose interval that is."""
    state = stack.state
    number = (state[0] >> _BITS) * np.uint64(size) + ((state[0] & _MASK) - np.uint64(left))
    if number <= _WORD and state[1] > np.uint64(0):
        state[1] -= np.uint64(1)
        number = (number << _WORD_BITS) | np.uint64(stack.words[state[1]])
    state[0] = number


@compiled
def pop_bits(words: Any, states: Any, counts: Any, values: Any) -> None:
    """Pop numbers (stacks, n) of 1 to 24 bits each (stacks, n), all equally likely, into ``values``."""
    for row in range(values.shape[0]):
        stack = Stack(words[row], states[row])
        for i in range(values.shape[1]):
            shift = FREQUENCY_BITS - counts[row, i]
            values[row, i] = peek(stack) >> shift
            pop(stack, values[row, i] << shift, 1 << shift)


@compiled
def push(lefts: Any, sizes: Any, states: Any, words: Any, written: Any) -> None:
    """Push (stacks, n) symbols; words (stacks, n) and how many there are (stacks,) are written to."""
    for row in range(lefts.shape[0]):
        number, count = states[row], 0
        for i in range(lefts.shape[1] - 1, -1, -1):
            left, size = np.uint64(lefts[row, i]), np.uint64(sizes[row, i])
            if (number >> _TOP) >= size:
                words[row, count] = np.uint32(number & _WORD)
                count += 1
                number >>= _WORD_BITS
            quotient = number // size
            number = (quotient << _BITS) + left + (number - quotient * size)
        states[row], written[row] = number, count


@compiled
def find_intervals(
    weights: Any, means: Any, inverse: Any, nodes: Any, known: Any, splits: Any, cells: int, origin: int, width: Any,
    lefts: Any, sizes: Any,
) -> None:  # fmt: skip
    """Find the intervals of the digits of known cells.

    Args:
        weights: of the mixtures (n, components), as of ``network.Parameters``.
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


VARIABLE: Final = "ARDM_COMPRESS_ANS"  # environment variable: constriction or compiled
SYMBOLS_AT_ONCE: Final = 1 << 12  # of a stack, pushed together by constriction


class Cells(NamedTuple):
    """Intervals of equal width in a row, which share out a mixture's values; the ends reach to infinity."""

    upscaling: Upscaling  # how many there are, and the digits by which they are coded
    origin: int = 0  # the cell whose least value is 0
    width: Values | int = 1  # of a cell, in values; (n,) if it differs

    def arrays(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the splits (digits, 2) of the upscaling and the width (n or 1,), as compiled functions take them."""
        return np.array(self.upscaling.splits), np.atleast_1d(np.asarray(self.width, np.int64))


class PushedStacks(Protocol):
    """Stacks onto which equally many symbols are pushed each."""

    def push(self, intervals: Intervals) -> None:
        """Push symbols, those of a stack in a row, so that the first one pops first."""

    def to_bytes(self) -> list[bytes]:
        """Return each stack as little-endian words, without the zero bytes at the end of the last one."""


class PoppedStacks(Protocol):
    """Stacks from which equally many symbols are popped each, those of a stack in a row."""

    def cells(self, network: ExactNetwork, mixtures: Parameters, cells: Cells) -> Values:
        """Pop the cells (n,) of values, given their mixtures."""

    def bits(self, counts: Values) -> Values:
        """Pop numbers (n,) of 1 to 24 bits each, all equally likely."""

    def words_left(self) -> list[int]:
        """Count the words of each stack that have not been read, which are the first of its payload."""

    def are_empty(self) -> list[bool]:
        """Tell of which stacks everything was popped."""


def pushed_stacks(count: int) -> PushedStacks:
    """Make empty stacks."""
    return CompiledPushed(count) if _is_compiled() else ConstrictionPushed(count)


def popped_stacks(payloads: Sequence[bytes]) -> PoppedStacks:
    """Make stacks of what ``PushedStacks.to_bytes`` gave.

    Raises:
        FormatError: no encoder writes such a payload.
    """
    for payload in payloads:
        check_payload(payload)
    return CompiledPopped(payloads) if _is_compiled() else ConstrictionPopped(payloads)


def _is_compiled() -> bool:
    wanted = os.environ.get(VARIABLE) or ("constriction" if find_spec("constriction") else "compiled")
    return wanted == "compiled"


class CompiledPushed(PushedStacks):
    """By ``coding.ans``."""

    def __init__(self, count: int) -> None:
        self._states = np.zeros(count, np.uint64)
        self._words: list[list[NDArray[np.uint32]]] = [[] for _ in range(count)]

    def push(self, intervals: Intervals) -> None:
        """See ``PushedStacks``."""
        lefts, sizes = (each.reshape(len(self._words), -1) for each in intervals)
        words, written = np.empty(lefts.shape, np.uint32), np.empty(len(lefts), np.int64)
        push(lefts, sizes, self._states, words, written)
        for own, row, count in zip(self._words, words, written.tolist(), strict=True):
            if count:
                own.append(row[:count].copy())

    def to_bytes(self) -> list[bytes]:
        """See ``PushedStacks``."""
        return [
            (b"".join(part.astype("<u4").tobytes() for part in own) + end.tobytes()).rstrip(b"\0")
            for own, end in zip(self._words, self._states.astype("<u8"), strict=True)
        ]


class CompiledPopped(PoppedStacks):
    """By ``coding.ans``; cells are found by bisection, so that their frequencies need not be computed."""

    def __init__(self, payloads: Sequence[bytes]) -> None:
        self._stacks = read_stacks(payloads)

    def cells(self, network: ExactNetwork, mixtures: Parameters, cells: Cells) -> Values:
        """See ``PoppedStacks``."""
        splits, width = cells.arrays()
        found = np.empty(len(mixtures.means), np.int64)
        pop_cells(*self._stacks, *mixtures, network.nodes, splits, cells.upscaling.values, cells.origin, width, found)
        return found

    def bits(self, counts: Values) -> Values:
        """See ``PoppedStacks``."""
        found = np.empty((len(self._stacks.words), len(counts) // len(self._stacks.words)), np.int64)
        pop_bits(*self._stacks, counts.reshape(found.shape), found)
        return found.ravel()

    def words_left(self) -> list[int]:
        """See ``PoppedStacks``."""
        left: list[int] = self._stacks.state[:, 1].tolist()
        return left

    def are_empty(self) -> list[bool]:
        """See ``PoppedStacks``."""
        empty: list[bool] = (self._stacks.state == 0).all(1).tolist()
        return empty


class ConstrictionPushed(PushedStacks):
    """By constriction: an interval is one of three, of a model of its own. It leaves two numbers at least."""

    def __init__(self, count: int) -> None:
        self._coders = [_stack().AnsCoder() for _ in range(count)]
        self._held: list[tuple[NDArray[np.uint32], NDArray[np.uint32]]] = []  # (count, n), the last first
        self._symbols = 0  # of a stack among them

    def push(self, intervals: Intervals) -> None:
        """See ``PushedStacks``; few calls, since one costs as much as many symbols."""
        self._held.append(
            (intervals.lefts.reshape(len(self._coders), -1), intervals.sizes.reshape(len(self._coders), -1))
        )
        self._symbols += self._held[-1][0].shape[1]
        if self._symbols >= SYMBOLS_AT_ONCE:
            self._flush()

    def _flush(self) -> None:
        if self._symbols:
            lefts, sizes = (np.concatenate(parts, 1) for parts in zip(*self._held[::-1], strict=True))
            for coder, left, size in zip(self._coders, lefts.astype(np.int64), sizes.astype(np.int64), strict=True):
                above = (1 << FREQUENCY_BITS) - left - size
                symbols = np.where(left == 0, 0, np.where(above == 0, 2, 1)).astype(np.int32)
                rows = np.stack([left, size, above], 1) - 1  # to each of which the coder adds 1
                rows[left == 0] = np.stack([size - 1, np.zeros_like(size), above - 2], 1)[left == 0]
                rows[above == 0] = np.stack([left - 2, np.zeros_like(size), size - 1], 1)[above == 0]
                coder.encode_reverse(symbols, _categorical(), rows.astype(np.float32))
        self._held, self._symbols = [], 0

    def to_bytes(self) -> list[bytes]:
        """See ``PushedStacks``."""
        self._flush()
        return [coder.get_compressed().astype("<u4").tobytes().rstrip(b"\0") for coder in self._coders]


class ConstrictionPopped(PoppedStacks):
    """By constriction, from the frequencies of all of a digit's children."""

    def __init__(self, payloads: Sequence[bytes]) -> None:
        padded = (payload + bytes(-len(payload) % 4) for payload in payloads)
        self._coders = [_stack().AnsCoder(np.frombuffer(each, "<u4").astype(np.uint32)) for each in padded]

    def cells(self, network: ExactNetwork, mixtures: Parameters, cells: Cells) -> Values:
        """See ``PoppedStacks``."""
        upscaling, found = cells.upscaling, np.zeros(len(mixtures.means), np.int64)
        for step, children in upscaling.splits:
            intervals = Children(found, step, children, upscaling.values, cells.origin, cells.width)
            rows = network.frequencies(mixtures, intervals).reshape(len(self._coders), -1, children)
            found += step * self._pop(_categorical(), rows)
        return found

    def bits(self, counts: Values) -> Values:
        """See ``PoppedStacks``."""
        sizes = (1 << counts).astype(np.int32).reshape(len(self._coders), -1)
        return self._pop(_uniform(), sizes)

    def _pop(self, model: Any, rows: NDArray[Any]) -> Values:
        popped = [coder.decode(model, own) for coder, own in zip(self._coders, rows, strict=True)]
        return np.concatenate(popped).astype(np.int64)

    def words_left(self) -> list[int]:
        """See ``PoppedStacks``."""
        return [coder.pos()[0] for coder in self._coders]

    def are_empty(self) -> list[bool]:
        """See ``PoppedStacks``."""
        return [coder.is_empty() for coder in self._coders]


def _stack() -> Any:
    import constriction  # here, because it need not be installed

    return constriction.stream.stack


def _categorical() -> Any:
    """Return the model of float32 integers of sum 2**24 - m over m symbols, to each of which it adds exactly 1."""
    import constriction  # here, because it need not be installed

    return constriction.stream.model.Categorical(perfect=False)


def _uniform() -> Any:
    import constriction  # here, because it need not be installed

    return constriction.stream.model.Uniform()
