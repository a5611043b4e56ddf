"""ANS stacks of symbols that come with the frequencies of their whole alphabet; for experiments and tests."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ardm_compress.coding.ans import CompiledPushed, Intervals, Stack, check_payload, peek, pop, read_stacks
from ardm_compress.computing import compiled
from ardm_compress.errors import FormatError


class SymbolEncoder:
    """A stack of symbols: push the last one first."""

    def __init__(self) -> None:
        self._stack = CompiledPushed(1)

    def push(self, symbols: NDArray[np.int32], rows: NDArray[np.float32]) -> None:
        """Push n symbols so that they pop in their order; rows (n, m) of frequencies, each of which gets one more."""
        ends = (rows.astype(np.int64) + 1).cumsum(1)
        right = np.take_along_axis(ends, symbols[:, None].astype(np.int64), 1)[:, 0]
        sizes = np.take_along_axis(rows, symbols[:, None].astype(np.int64), 1)[:, 0].astype(np.int64) + 1
        self._stack.push(Intervals((right - sizes).astype(np.uint32), sizes.astype(np.uint32)))

    def to_bytes(self) -> bytes:
        """See ``PushedStacks.to_bytes``."""
        return self._stack.to_bytes()[0]


class SymbolDecoder:
    """Pops what a ``SymbolEncoder`` pushed."""

    def __init__(self, payload: bytes) -> None:
        check_payload(payload)
        self._stack = read_stacks([payload])

    def pop(self, rows: NDArray[np.float32]) -> NDArray[np.int64]:
        """Pop n symbols; rows (n, m)."""
        symbols = np.empty(len(rows), np.int64)
        _pop_rows(*self._stack, rows, symbols)
        return symbols

    def finish(self) -> None:
        """Raise FormatError unless everything was popped."""
        if self._stack.state.any():
            raise FormatError("a payload holds more than its samples", section="payload")


@compiled
def _pop_rows(words: Any, states: Any, rows: Any, symbols: Any) -> None:
    stack = Stack(words[0], states[0])
    for i in range(len(rows)):
        number, symbol, left = peek(stack), 0, 0
        size = np.int64(rows[i, 0]) + 1
        while left + size <= number:
            left += size
            symbol += 1
            size = np.int64(rows[i, symbol]) + 1
        pop(stack, left, size)
        symbols[i] = symbol
