"""Where the samples of tiles come from: streams, the beginning of one, or the model alone. NumPy only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from ardm_compress.coding.ans import SymbolDecoder
from ardm_compress.coding.digits import PoppedDigits, code_block, code_root
from ardm_compress.inference.tables import VALUE_BITS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ardm_compress.coding.tile import Evaluated
    from ardm_compress.inference.model import Model


class Source(Protocol):
    """Gives samples of the first channels, position by position."""

    def root(self, model: Model, channels: int) -> NDArray[np.uint8]:
        """Each tile's one position of which the network says nothing, (tiles, channels)."""

    def block(self, model: Model, block: Evaluated, channels: int) -> NDArray[np.uint8]:
        """The n positions of a block of all tiles, (n, channels)."""


class Coded:
    """The samples that streams hold, one of each tile."""

    def __init__(self, *payloads: bytes) -> None:
        self.decoders = [SymbolDecoder(payload) for payload in payloads]
        self._digits = PoppedDigits(self.decoders)

    def root(self, model: Model, channels: int) -> NDArray[np.uint8]:
        """See ``Source``."""
        return code_root(model, len(self.decoders), channels, self._digits)

    def block(self, model: Model, block: Evaluated, channels: int) -> NDArray[np.uint8]:
        """See ``Source``."""
        return code_block(model, block, channels, self._digits)

    def finish(self) -> None:
        """Raise FormatError unless every digit was taken."""
        for decoder in self.decoders:
            decoder.finish()


class Expected:
    """What the model expects on the average, each channel given those before it."""

    exact = False  # whether all samples so far were those that were coded

    def root(self, model: Model, channels: int) -> NDArray[np.uint8]:
        """The middle value, of one tile or all."""
        self.exact = False
        return np.full((1, channels), 1 << model.config.bit_depth - 1, np.uint8)

    def block(self, model: Model, block: Evaluated, channels: int) -> NDArray[np.uint8]:
        """See ``Source``; exact integers, so the same on every machine."""
        self.exact = False
        mixtures, top = block.channels(), (1 << model.config.bit_depth) - 1
        samples = np.zeros((len(block.state), channels), np.uint8)
        for channel in range(channels):
            weights, means, _ = mixtures.parameters(block.reference[:, channel])
            total = (weights * means.astype(np.int64)).sum(1)
            value = (2 * total // (weights.sum(1, dtype=np.int64) << VALUE_BITS) + 1 >> 1).clip(0, top)
            samples[:, channel] = value
            mixtures.observe(value)
        return samples


class Partial(Expected):
    """The samples of the beginning of a stream, then what the model expects."""

    exact = True

    def __init__(self, payload: bytes, missing: int) -> None:
        """Args: payload, of which the last ``missing`` bytes to be read have not arrived and are 0."""
        self._coded = Coded(payload)
        self._least = -(-missing // 4)  # words that remain as long as none of the missing was read

    def root(self, model: Model, channels: int) -> NDArray[np.uint8]:
        """See ``Source``."""
        sample = self._coded.root(model, channels) if self._arrived() else None
        return sample if sample is not None and self._arrived() else super().root(model, channels)

    def block(self, model: Model, block: Evaluated, channels: int) -> NDArray[np.uint8]:
        """See ``Source``."""
        samples = self._coded.block(model, block, channels) if self._arrived() else None
        return samples if samples is not None and self._arrived() else super().block(model, block, channels)

    def _arrived(self) -> bool:
        return self.exact and self._coded.decoders[0].words >= self._least
