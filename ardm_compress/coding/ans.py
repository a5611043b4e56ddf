"""Symbols <-> ANS words (docs/format.md section 9). NumPy and constriction only; no torch.

Frequencies come as float32 integers of sum 2**24 - m over m symbols. constriction's ``perfect=False`` quantiser then
multiplies by exactly 1.0 and adds 1 to each, so its 24-bit model is the integers it was given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import constriction
import numpy as np

from ardm_compress.errors import FormatError

if TYPE_CHECKING:
    from numpy.typing import NDArray

AT_ONCE: Final = 1 << 12  # symbols of a stack that are pushed together

_MODEL: Final[Any] = constriction.stream.model.Categorical(perfect=False)
_UNIFORM: Final[Any] = constriction.stream.model.Uniform()


class SymbolEncoder:
    """A stack of symbols: push the last one first."""

    def __init__(self) -> None:
        self._coder = constriction.stream.stack.AnsCoder()

    def push(self, symbols: NDArray[np.int32], frequencies: NDArray[np.float32]) -> None:
        """Push n symbols so that they pop in their order; frequencies (n, m)."""
        self._coder.encode_reverse(symbols, _MODEL, frequencies)

    def push_bits(self, values: NDArray[np.int32], bits: NDArray[np.int32]) -> None:
        """Push values (n,) of 1 to 24 bits (n,) each, all of them equally likely, so that they pop in their order."""
        self._coder.encode_reverse(values, _UNIFORM, np.int32(1) << bits)

    def to_bytes(self) -> bytes:
        """The stack as little-endian 32-bit words, without the zero bytes at the end of the last one."""
        return bytes(self._coder.get_compressed().astype("<u4").tobytes()).rstrip(b"\0")


class SymbolEncoders:
    """Stacks onto which equally many symbols are pushed each, in few calls of the coder: one costs as much as many."""

    def __init__(self, count: int) -> None:
        self._encoders = [SymbolEncoder() for _ in range(count)]
        self._symbols: list[NDArray[np.int32]] = []  # (count, n), not pushed yet, the last first
        self._frequencies: list[NDArray[np.float32]] = []  # (count, n, m), the same
        self._held = 0  # symbols of a stack among them

    def push(self, symbols: NDArray[np.int32], frequencies: NDArray[np.float32]) -> None:
        """Push symbols (count * n,), those of a stack in a row; frequencies (count * n, m)."""
        if self._frequencies and self._frequencies[-1].shape[2] != frequencies.shape[1]:
            self._flush()
        self._symbols.append(symbols.reshape(len(self._encoders), -1))
        self._frequencies.append(frequencies.reshape(*self._symbols[-1].shape, -1))
        self._held += self._symbols[-1].shape[1]
        if self._held >= AT_ONCE:
            self._flush()

    def _flush(self) -> None:
        if self._symbols:
            symbols = np.concatenate(self._symbols[::-1], 1)
            frequencies = np.concatenate(self._frequencies[::-1], 1)
            for encoder, own, rows in zip(self._encoders, symbols, frequencies, strict=True):
                encoder.push(own, rows)
        self._symbols, self._frequencies, self._held = [], [], 0

    def to_bytes(self) -> list[bytes]:
        """Each stack, as of ``SymbolEncoder``."""
        self._flush()
        return [encoder.to_bytes() for encoder in self._encoders]


class SymbolDecoder:
    """Pops what a ``SymbolEncoder`` pushed."""

    def __init__(self, payload: bytes) -> None:
        if payload.endswith(b"\0"):
            raise FormatError("a payload ends in a zero byte, which no encoder writes", section="payload")
        padded = payload + bytes(-len(payload) % 4)
        self._coder = constriction.stream.stack.AnsCoder(np.frombuffer(padded, "<u4").astype(np.uint32))

    @property
    def words(self) -> int:
        """32-bit words that have not been read, the first of the payload."""
        position: int = self._coder.pos()[0]
        return position

    def pop(self, frequencies: NDArray[np.float32]) -> NDArray[np.int32]:
        """Pop n symbols; frequencies (n, m)."""
        symbols: NDArray[np.int32] = self._coder.decode(_MODEL, frequencies)
        return symbols

    def pop_bits(self, bits: NDArray[np.int32]) -> NDArray[np.int32]:
        """Pop what ``push_bits`` pushed."""
        values: NDArray[np.int32] = self._coder.decode(_UNIFORM, np.int32(1) << bits)
        return values

    @property
    def finished(self) -> bool:
        """Whether everything was popped."""
        empty: bool = self._coder.is_empty()
        return empty

    def finish(self) -> None:
        """Raise FormatError unless everything was popped."""
        if not self.finished:
            raise FormatError("a payload holds more than its samples: the file is damaged", section="payload")
