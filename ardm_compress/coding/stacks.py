"""Stacks of a tile's symbols, one for each tile in lockstep: by constriction where it is installed, or compiled here.

Both make the same bytes, docs/format.md section 9; tests judge one by the other.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

import numpy as np

from ardm_compress.coding.ans import Intervals, check_payload, pop_bits, push, read_stacks
from ardm_compress.coding.digits import pop_cells
from ardm_compress.inference.mixture import FREQUENCY_BITS, Children

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ardm_compress.ardm.upscaling import Upscaling
    from ardm_compress.inference.mixture import Parameters
    from ardm_compress.inference.network import ExactNetwork

    Values = NDArray[np.int64]

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
