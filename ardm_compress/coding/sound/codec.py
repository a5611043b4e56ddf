"""The coding loop of sound: ``wave`` predicts, the network gives mixtures of what remains, an ANS stack codes it.

docs/format.md section 13 is normative. NumPy only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from ardm_compress.coding.ans import SymbolDecoder, SymbolEncoder
from ardm_compress.coding.loop import Progress
from ardm_compress.coding.sound.features import ONE, WaveFeatures
from ardm_compress.coding.sound.wave import CENTRE_BITS, Cluster, Wave
from ardm_compress.coding.tile import BATCH, BLOCK
from ardm_compress.inference.features import Features
from ardm_compress.inference.mixture import Children
from ardm_compress.inference.threads import mapped

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ardm_compress.inference.model import Model
    from ardm_compress.inference.network import Channels

CELLS: Final = 256  # of a remainder around its prediction; the outermost two hold all that is further away
CHILDREN: Final = 16  # of each of a cell's two digits
MOST_FINE: Final = 20  # bits of a cell
FINE: Final = 3  # a local scale is 8 to 16 cells
ESCAPE_BITS: Final = 16  # of each half of a remainder in the outermost cells


class Symbols(Protocol):
    """Takes symbols to a stack, or from one."""

    def digits(self, known: NDArray[np.int64], rows: NDArray[np.float32]) -> NDArray[np.int64]:
        """Digits (n,) with frequencies (n, children); ``known`` (n,) matters when encoding only."""

    def bits(self, known: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
        """Numbers (n,) of so many bits each, all equally likely."""


class Collected:
    """Known symbols, to be pushed last first."""

    def __init__(self) -> None:
        self._taken: list[tuple[bool, NDArray[np.int32], NDArray[np.float32] | NDArray[np.int32]]] = []

    def digits(self, known: NDArray[np.int64], rows: NDArray[np.float32]) -> NDArray[np.int64]:
        """See ``Symbols``."""
        self._taken.append((True, known.astype(np.int32), rows))
        return known

    def bits(self, known: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
        """See ``Symbols``."""
        self._taken.append((False, known.astype(np.int32), counts.astype(np.int32)))
        return known

    def push_to(self, encoder: SymbolEncoder) -> None:
        """Push what was taken, last first."""
        for modelled, values, rows in reversed(self._taken):
            (encoder.push if modelled else encoder.push_bits)(values, rows)  # type: ignore[arg-type]


class Popped:
    """Symbols popped from a stack."""

    def __init__(self, decoder: SymbolDecoder) -> None:
        self._decoder = decoder

    def digits(self, known: NDArray[np.int64], rows: NDArray[np.float32]) -> NDArray[np.int64]:  # noqa: ARG002
        """See ``Symbols``."""
        return self._decoder.pop(rows).astype(np.int64)

    def bits(self, known: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:  # noqa: ARG002
        """See ``Symbols``."""
        return self._decoder.pop_bits(counts.astype(np.int32)).astype(np.int64)


def _blocks(wave: Wave, first: int, stop: int) -> Iterator[Cluster]:
    """What a step codes, in runs of at most BLOCK positions."""
    for cluster in wave.clusters(first, stop):
        for start in range(0, len(cluster.positions), BLOCK):
            yield replace(cluster, positions=cluster.positions[start : start + BLOCK])


def _evaluate(model: Model, wave: Wave, cluster: Cluster) -> tuple[Channels, NDArray[np.int64]]:
    """The network at a cluster, and its local scales (n, channels)."""
    network, features = model.network, WaveFeatures(model.config)
    conditioning = network.conditioning(wave.samples.shape[1] - 1, ())

    def evaluated(start: int) -> tuple[NDArray[np.int8], NDArray[np.int64]]:
        part = replace(cluster, positions=cluster.positions[start : start + BATCH])
        inputs, bucket, scale = features(wave, part)
        local = scale.astype(np.float32)
        return network.hidden(Features(inputs, bucket, local, local), part.level, conditioning), scale

    states, scales = zip(*mapped(evaluated, range(0, len(cluster.positions), BATCH)), strict=True)
    scale = np.concatenate(scales)
    return network.start(np.concatenate(states), scale.astype(np.float32)), scale


def _code_remainder(
    model: Model, mixtures: Channels, fraction: NDArray[np.int64], scale: NDArray[np.int64], symbols: Symbols,
    known: NDArray[np.int64],
) -> NDArray[np.int64]:  # fmt: skip
    """Code what samples (n,) differ from the integers below their predictions by.

    Args:
        model: whose network gave the mixtures.
        mixtures: of the positions; it is told the remainders.
        fraction: (n,) of the predictions, 0..2**CENTRE_BITS - 1.
        scale: (n,) local scales times ONE.
        symbols: taker or giver.
        known: (n,) remainders, when encoding.
    """
    network = model.network
    parameters = mixtures.parameters(fraction.astype(np.float32))
    octave = np.frexp((scale // ONE).astype(np.float64))[1]  # bits of the scale
    low = np.clip(octave - 1 - FINE, 0, MOST_FINE)  # bits of a cell
    width = 1 << low
    cell = np.clip((known >> low) + CELLS // 2, 0, CELLS - 1)
    found = np.zeros(len(scale), np.int64)
    for step in (CHILDREN, 1):
        first = found * (CHILDREN * step)
        rows = network.frequencies(parameters, Children(first, step, CHILDREN, CELLS, CELLS // 2, width))
        found = found * CHILDREN + symbols.digits(cell // step % CHILDREN, rows)
    value: NDArray[np.int64] = (found - CELLS // 2) << low
    outside = (found == 0) | (found == CELLS - 1)
    fine = np.flatnonzero(~outside & (low > 0))
    value[fine] += symbols.bits(known[fine] & (1 << low[fine]) - 1, low[fine])
    far = np.flatnonzero(outside)
    value[far] = _code_whole(known[far], symbols)
    mixtures.observe(value)
    return value


def code_cluster(model: Model, wave: Wave, cluster: Cluster, symbols: Symbols) -> None:
    """Code a cluster's samples, channel by channel; their innovations become known."""
    mixtures, scale = _evaluate(model, wave, cluster)
    for channel in range(wave.samples.shape[1]):
        centre = wave.refine(cluster, channel)
        whole, fraction = centre >> CENTRE_BITS, centre & (1 << CENTRE_BITS) - 1
        known = wave.samples[cluster.times, channel] - whole
        value = _code_remainder(model, mixtures, fraction, scale[:, channel], symbols, known)
        wave.samples[cluster.times, channel] = whole + value
        wave.observe(cluster, channel, centre)


def _code_whole(values: NDArray[np.int64], symbols: Symbols) -> NDArray[np.int64]:
    """Code numbers (n,) of at most 2 * ESCAPE_BITS bits, all equally likely."""
    shifted, counts = values + (1 << 2 * ESCAPE_BITS - 1), np.full(len(values), ESCAPE_BITS)
    high = symbols.bits(shifted >> ESCAPE_BITS, counts)
    low = symbols.bits(shifted & (1 << ESCAPE_BITS) - 1, counts)
    return (high << ESCAPE_BITS) + low - (1 << 2 * ESCAPE_BITS - 1)


def _code_root(wave: Wave, symbols: Symbols) -> None:
    """Code the one position above the coarsest level, if the order has levels; it may be in a stretch."""
    if wave.order.dyadic:
        wave.samples[0] = _code_whole(wave.samples[0], symbols)


def encode_samples(
    model: Model, wave: Wave, steps: Sequence[tuple[int, int]], encoder: SymbolEncoder, progress: Progress
) -> None:
    """Push a tile's samples, all of whose predictions and innovations ``wave`` holds already."""
    for step in reversed(steps):
        for cluster in reversed(list(_blocks(wave, *step))):
            symbols = Collected()
            code_cluster(model, wave, cluster, symbols)
            symbols.push_to(encoder)
        progress()
    root = Collected()
    _code_root(wave, root)
    root.push_to(encoder)


def decode_samples(
    model: Model, wave: Wave, steps: Sequence[tuple[int, int]], decoder: SymbolDecoder, progress: Progress
) -> None:
    """Pop a tile's samples into ``wave``."""
    symbols = Popped(decoder)
    _code_root(wave, symbols)
    for step in steps:
        for cluster in _blocks(wave, *step):
            wave.predict(cluster)
            code_cluster(model, wave, cluster, symbols)
        progress()
