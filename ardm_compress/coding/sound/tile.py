"""A tile of one or two channels of sound: ``wave`` predicts, the network gives mixtures of what remains.

docs/format.md section 13 is normative. NumPy only.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from ardm_compress.ardm import Upscaling
from ardm_compress.coding import loop
from ardm_compress.coding.ans import Cells
from ardm_compress.coding.loop import BATCH_POSITIONS, BLOCK_POSITIONS, Popped
from ardm_compress.coding.sound.features import ONE, WaveFeatures
from ardm_compress.coding.sound.side import code_analysis
from ardm_compress.coding.sound.transform import PLAIN, TRANSFORMS, undo_transform
from ardm_compress.coding.sound.wave import CENTRE_BITS, Cluster, Wave
from ardm_compress.computing import by_batches
from ardm_compress.errors import FormatError
from ardm_compress.inference.features import Features

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ardm_compress.ardm import Order
    from ardm_compress.ardm.schedule import Steps
    from ardm_compress.coding.loop import Progress, Symbols
    from ardm_compress.inference.network import Model, Parameters

TRANSFORM_BITS: Final = 2
CELLS: Final = Upscaling(256, 16)  # of a remainder around its prediction; the outermost two hold all further away
ORIGIN: Final = CELLS.values // 2  # the cell of remainders from 0
CELL_BITS_LIMIT: Final = 20  # of a remainder within its cell
SCALE_CELL_BITS: Final = 3  # a local scale is 8 to 16 cells
WHOLE_BITS: Final = 32  # of a sample, or of a remainder in the outermost cells
WHOLE_DIGIT_BITS: Final = 16
WHOLE_BIAS: Final = 1 << WHOLE_BITS - 1


class SoundTile:
    """One tile of sound, as ``loop.Tiles``: all samples (encoding), or those decoded so far."""

    count = 1
    wave: Wave  # as soon as its analysis is known

    def __init__(
        self, model: Model, shape: tuple[int, int], order: Order, *, transform: int = PLAIN,
        observed: Wave | None = None, batch: int = BATCH_POSITIONS,
    ) -> None:  # fmt: skip
        """Make a tile.

        Args:
            model: of sound.
            shape: (samples, channels).
            order: in which samples are coded.
            transform: of the channels, if the samples are known.
            observed: the transformed samples with all their predictions and innovations, if they are known.
            batch: positions evaluated at once.
        """
        self.model, self.transform, self._batch = model, transform, batch
        self._shape, self._order, self._observed = shape, order, observed
        self._features = WaveFeatures(model.config)
        if observed:
            self.wave = observed

    def begin(self, symbols: Symbols) -> None:
        """Code the transform, the analysis and, if the order has levels, the position above the coarsest one.

        Raises:
            FormatError: the file has a transform or an analysis that is not defined.
        """
        (self.transform,) = symbols.bits(np.array([TRANSFORM_BITS]), np.array([self.transform])).tolist()
        if self.transform not in TRANSFORMS[self._shape[1]]:
            raise FormatError("a tile has a transform that version 1 does not define", section="payload")
        known = self._observed.analysis if self._observed else None
        analysis = code_analysis(symbols, self.model.network, known, *self._shape)
        if not self._observed:
            self.wave = Wave(np.zeros(self._shape, np.int64), self._order, analysis)
        if self._order.dyadic:
            self.wave.samples[0] = _code_whole(symbols, self.wave.samples[0])  # it may be in a stretch

    def blocks(self, first: int, stop: int) -> list[Cluster]:
        """See ``loop.Tiles``."""
        return [
            replace(cluster, positions=cluster.positions[start : start + BLOCK_POSITIONS])
            for cluster in self.wave.clusters(first, stop)
            for start in range(0, len(cluster.positions), BLOCK_POSITIONS)
        ]

    def code(self, block: Cluster, symbols: Symbols) -> None:
        """See ``loop.Tiles``; the innovations of its samples become known."""
        wave, times, channels = self.wave, block.times, self._shape[1]
        if not self._observed:
            wave.predict(block)
        hidden, scales = self._evaluate(block)
        centres = np.empty((channels, len(times)), np.int64)

        def reference(channel: int) -> NDArray[np.float32]:
            centres[channel] = wave.refine(block, channel)
            fraction: NDArray[np.float32] = (centres[channel] & (1 << CENTRE_BITS) - 1).astype(np.float32)
            return fraction

        def code(channel: int, mixtures: Parameters) -> NDArray[np.int64]:
            whole = centres[channel] >> CENTRE_BITS
            known = wave.samples[times, channel] - whole
            found = self._code_remainders(symbols, mixtures, scales[:, channel], known)
            wave.samples[times, channel] = whole + found
            wave.observe(block, channel, centres[channel])
            return found

        self.model.network.start(hidden, scales.astype(np.float32)).code(channels, reference, code)

    def _evaluate(self, block: Cluster) -> tuple[NDArray[np.int8], NDArray[np.int64]]:
        """Return the network's hidden states at a block, and its local scales (n, channels) times ONE."""
        network = self.model.network
        conditioning = network.conditioning(self._shape[1] - 1, ())

        def part(rows: slice) -> tuple[NDArray[np.int8], NDArray[np.int64]]:
            inputs, bucket, scales = self._features(self.wave, replace(block, positions=block.positions[rows]))
            local = scales.astype(np.float32)
            return network.hidden(Features(inputs, bucket, local, local), block.level, conditioning), scales

        hidden, scales = zip(*by_batches(part, len(block.positions), self._batch), strict=True)
        return np.concatenate(hidden), np.concatenate(scales)

    def _code_remainders(
        self, symbols: Symbols, mixtures: Parameters, scale: NDArray[np.int64], known: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Code what samples (n,) differ by from the integers below their predictions.

        Args:
            symbols: takes or gives them.
            mixtures: of the remainders.
            scale: (n,) local scales times ONE.
            known: (n,) remainders, when encoding.
        """
        scale_bits = np.frexp((scale // ONE).astype(np.float64))[1].astype(np.int64)
        low = (scale_bits - 1 - SCALE_CELL_BITS).clip(0, CELL_BITS_LIMIT)  # bits within a cell
        cell = ((known >> low) + ORIGIN).clip(0, CELLS.values - 1)
        found = symbols.cells(self.model.network, mixtures, Cells(CELLS, ORIGIN, 1 << low), cell)
        value: NDArray[np.int64] = (found - ORIGIN) << low
        outside = (found == 0) | (found == CELLS.values - 1)
        fine = np.flatnonzero(~outside & (low > 0))
        value[fine] += symbols.bits(low[fine], known[fine] & (1 << low[fine]) - 1)
        far = np.flatnonzero(outside)
        value[far] = _code_whole(symbols, known[far])
        return value


def decode_tile(
    model: Model, shape: tuple[int, int], order: Order, steps: Steps, payload: bytes, progress: Progress
) -> NDArray[np.int64]:
    """Decode the samples (n, channels) of a tile of sound.

    Args:
        model: of sound.
        shape: (n, channels).
        order: in which they are coded.
        steps: as for ``loop.decode``.
        payload: the tile's stream.
        progress: as for ``loop.decode``.

    Raises:
        FormatError: the payload holds more or other than its samples, as far as that shows.
    """
    tile, symbols = SoundTile(model, shape, order), Popped(payload)
    loop.decode(tile, steps, [symbols], progress)
    symbols.finish()
    return undo_transform(tile.wave.samples, tile.transform)


def _code_whole(symbols: Symbols, known: NDArray[np.int64]) -> NDArray[np.int64]:
    """Code numbers of at most WHOLE_BITS bits, all equally likely."""
    return symbols.uniform(WHOLE_BITS, WHOLE_DIGIT_BITS, known + WHOLE_BIAS) - WHOLE_BIAS
