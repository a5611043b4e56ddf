"""Symbols <-> ANS words (docs/format.md section 9). NumPy and constriction only.

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

SYMBOLS_AT_ONCE: Final = 1 << 12  # of a stack, pushed together

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
        """Return the stack as little-endian 32-bit words, without the zero bytes at the end of the last one."""
        return bytes(self._coder.get_compressed().astype("<u4").tobytes()).rstrip(b"\0")


class SymbolEncoders:
    """Stacks onto which equally many symbols are pushed each, in few calls of the coder: one costs as much as many."""

    def __init__(self, count: int) -> None:
        self._encoders = [SymbolEncoder() for _ in range(count)]
        self._symbols: list[NDArray[np.int64]] = []  # (count, n), not pushed yet, the last first
        self._models: list[NDArray[Any]] = []  # (count, n) or (count, n, m), the same
        self._held = 0  # symbols of a stack among them

    def push(self, symbols: NDArray[np.int64], model: NDArray[Any]) -> None:
        """Push symbols (count * n,), those of a stack in a row.

        Args:
            symbols: to push.
            model: their frequencies (count * n, m), or how many bits each has (count * n,), if all are equally likely.
        """
        if self._models and self._models[-1].shape[2:] != model.shape[1:]:
            self._flush()
        self._symbols.append(symbols.reshape(len(self._encoders), -1))
        self._models.append(model.reshape(*self._symbols[-1].shape, *model.shape[1:]))
        self._held += self._symbols[-1].shape[1]
        if self._held >= SYMBOLS_AT_ONCE:
            self._flush()

    def _flush(self) -> None:
        if self._symbols:
            symbols = np.concatenate(self._symbols[::-1], 1).astype(np.int32)
            models = np.concatenate(self._models[::-1], 1)
            for encoder, own, rows in zip(self._encoders, symbols, models, strict=True):
                if rows.ndim == 1:
                    encoder.push_bits(own, rows.astype(np.int32))
                else:
                    encoder.push(own, rows)
        self._symbols, self._models, self._held = [], [], 0

    def to_bytes(self) -> list[bytes]:
        """Return each stack, see ``SymbolEncoder.to_bytes``."""
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
        """Count the 32-bit words that have not been read, the first of the payload."""
        position: int = self._coder.pos()[0]
        return position

    def pop(self, frequencies: NDArray[np.float32]) -> NDArray[np.int32]:
        """Pop n symbols; frequencies (n, m)."""
        symbols: NDArray[np.int32] = self._coder.decode(_MODEL, frequencies)
        return symbols

    def pop_bits(self, bits: NDArray[np.integer[Any]]) -> NDArray[np.int32]:
        """Pop what ``push_bits`` pushed."""
        values: NDArray[np.int32] = self._coder.decode(_UNIFORM, np.int32(1) << bits.astype(np.int32))
        return values

    @property
    def finished(self) -> bool:
        """Tell whether everything was popped."""
        empty: bool = self._coder.is_empty()
        return empty

    def finish(self) -> None:
        """Raise FormatError unless everything was popped."""
        if not self.finished:
            raise FormatError("a payload holds more than its samples: the file is damaged", section="payload")
