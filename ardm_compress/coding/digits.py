"""The digits of a block of positions, and who knows them: the encoder, or stacks. NumPy only.

docs/format.md sections 4 and 8 are normative.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ardm_compress.ardm.upscaling import Upscaling
from ardm_compress.coding.ans import SymbolDecoder, SymbolEncoders
from ardm_compress.inference.mixture import FREQUENCY_BITS, Children

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ardm_compress.coding.tile import Evaluated
    from ardm_compress.inference.model import Model

BRANCHING = 16  # children per digit; part of the format


class Digits(Protocol):
    """The digits of a block, channel by channel and stage by stage."""

    def take(self, rows: NDArray[np.float32]) -> NDArray[np.int32]:
        """The next digit of every position (n,), given its frequencies (n, children)."""


class KnownDigits:
    """Digits of known samples, collected with their frequencies and pushed last first."""

    def __init__(self, samples: NDArray[np.uint8], model: Model) -> None:
        """Args: samples (n, channels)."""
        by_stage = _upscaling(model).digits(samples.T).astype(np.int32)  # (stages, channels, n)
        self._left = iter(by_stage.swapaxes(0, 1).reshape(-1, len(samples)))
        self._taken: list[tuple[NDArray[np.int32], NDArray[np.float32]]] = []

    def take(self, rows: NDArray[np.float32]) -> NDArray[np.int32]:
        """See ``Digits``."""
        self._taken.append((next(self._left), rows))
        return self._taken[-1][0]

    def push_to(self, encoders: SymbolEncoders) -> None:
        """Push what was taken, last first."""
        for digits, rows in reversed(self._taken):
            encoders.push(digits, rows)


class PoppedDigits:
    """Digits popped from stacks, from each equally many in a row."""

    def __init__(self, decoders: Sequence[SymbolDecoder]) -> None:
        self._decoders = decoders

    def take(self, rows: NDArray[np.float32]) -> NDArray[np.int32]:
        """See ``Digits``."""
        each = rows.reshape(len(self._decoders), -1, rows.shape[1])
        return np.concatenate([decoder.pop(own) for decoder, own in zip(self._decoders, each, strict=True)])


def _upscaling(model: Model) -> Upscaling:
    return Upscaling(1 << model.config.bit_depth, BRANCHING)


def code_block(model: Model, block: Evaluated, channels: int, digits: Digits) -> NDArray[np.uint8]:
    """Code the first ``channels`` channels of the n positions of a block; returns their samples (n, channels)."""
    network, upscaling, mixtures, count = model.network, _upscaling(model), block.channels(), len(block.reference)
    samples = np.zeros((count, channels), np.uint8)
    for channel in range(channels):
        parameters = mixtures.parameters(block.reference[:, channel])
        value = np.zeros(count, np.int64)
        for stage in range(1, upscaling.stages() + 1):
            width, children = upscaling.width(stage), upscaling.children(stage)
            first = (value[:1] if stage == 1 else value) * (width * children)
            rows = network.frequencies(parameters, Children(first, width, children, upscaling.values))
            value = value * children + digits.take(rows)
        samples[:, channel] = value
        mixtures.observe(value)
    return samples


def code_root(model: Model, tiles: int, channels: int, digits: Digits) -> NDArray[np.uint8]:
    """Code each tile's one position above the coarsest level, all values equally likely; returns (tiles, channels)."""
    upscaling = _upscaling(model)
    samples = np.zeros((tiles, channels), np.uint8)
    for channel in range(channels):
        value = np.zeros(tiles, np.int64)
        for stage in range(1, upscaling.stages() + 1):
            children = upscaling.children(stage)
            rows = np.full((tiles, children), (1 << FREQUENCY_BITS) // children - 1, np.float32)
            value = value * children + digits.take(rows)
        samples[:, channel] = value
    return samples
