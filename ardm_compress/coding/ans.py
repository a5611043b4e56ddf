"""The ANS stack: symbols, as intervals of 0 .. 2**24 - 1, <-> 32-bit words. Numba, NumPy.

docs/format.md section 9 is normative.

Source: Duda 2013 (asymmetric numeral systems, rANS).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from ardm_compress.compiling import compiled, inlined
from ardm_compress.errors import FormatError
from ardm_compress.inference.mixture import FREQUENCY_BITS

if TYPE_CHECKING:
    from numpy.typing import NDArray

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
