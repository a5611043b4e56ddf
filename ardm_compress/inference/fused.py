"""The exact network, fast: integer products, and kernels for what lies between them. Imports Numba."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from ardm_compress.inference import kernels
from ardm_compress.inference import tables as grid
from ardm_compress.inference.config import INPUT_STEP, NORM_FLOOR, SAMPLE_BITS, NetworkConfig
from ardm_compress.inference.features import ONE, FeatureMaker, Features
from ardm_compress.inference.mixture import Children, Parameters
from ardm_compress.inference.network import Channels, ExactNetwork, Rescaled
from ardm_compress.inference.products import Path
from ardm_compress.inference.threads import mapped

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Sums: TypeAlias = NDArray[np.int32] | NDArray[np.float32]

PART = 1 << 11  # positions of which a thread computes mixtures or frequencies


def exact_network(config: NetworkConfig, tensors: Mapping[str, NDArray[Any]], path: Path) -> ExactNetwork:
    """Make the network; FLOAT64 is the reference, by NumPy's operations alone."""
    return (ExactNetwork if path is Path.FLOAT64 else FusedNetwork)(config, tensors, path)


def exact_features(config: NetworkConfig, path: Path) -> FeatureMaker:
    """Make what computes the network's inputs; FLOAT64 is the reference."""
    return (FeatureMaker if path is Path.FLOAT64 else FusedFeatures)(config)


class FusedFeatures(FeatureMaker):
    """The same integers as its base; those of ``gather`` in one pass, inputs of 8 bits."""

    def gather(
        self,
        samples: NDArray[np.integer],
        ranks: NDArray[np.int32],
        at: NDArray[np.int64],
        first: int,
        offsets: NDArray[np.int64],
    ) -> Features:
        """See the base."""
        config, count = self.config, len(at)
        middle, least = float(ONE << config.bit_depth - 1), float(ONE << config.bit_depth - 3)
        found = Features(
            np.empty((count, config.inputs), np.int8), np.empty(count, np.int64),
            np.empty((count, config.channels), np.float32), np.empty((count, 1), np.float32),
        )  # fmt: skip
        kernels.gathered(
            samples, ranks, at, first, offsets, config.weights, middle, least, self.level_unit, float(config.gain),
            self.thresholds, *found,
        )  # fmt: skip
        return found


class Layer(NamedTuple):
    """A layer's product, and what its sums are rescaled by."""

    rescaled: Rescaled
    bias: NDArray[np.float32]
    multiplier: NDArray[np.float32]

    def inputs(self, count: int) -> NDArray[Any]:
        """Zeros for so many positions, and for what the product wants besides."""
        return self.rescaled.linear.inputs(count)

    def sums(self, x: NDArray[Any]) -> Sums:
        """Without the bias; (n, outputs) or larger."""
        return self.rescaled.linear.sums(x)


def _parts(count: int) -> list[slice]:
    """Positions in runs of at most PART."""
    return [slice(start, start + PART) for start in range(0, count, PART)]


def _layer(rescaled: Rescaled) -> Layer:
    return Layer(rescaled, rescaled.linear.bias, rescaled.multiplier)


class FusedNetwork(ExactNetwork):
    """The same integers as its base, several times faster."""

    def __init__(self, config: NetworkConfig, tensors: Mapping[str, NDArray[Any]], path: Path) -> None:
        super().__init__(config, tensors, path)
        self.first = _layer(self._input)
        self.pairs = [(_layer(expand), _layer(contract)) for expand, contract in self._blocks]
        self.head_layers = [(_layer(inner), _layer(outer)) for inner, outer in self._heads]
        self.bend = kernels.bent if config.smooth else kernels.rectified
        self.tables = self._weights, self._inverse

    def hidden(
        self, features: Features, level: int | NDArray[np.int64], conditioning: NDArray[np.float32]
    ) -> NDArray[np.int8]:
        """See the base."""
        stream = self.begin(features, level, conditioning)
        for expand, contract in self.pairs:
            self.advance(expand, contract, self.inner_sums(expand, stream), stream)
        state = np.empty(stream.shape, np.int8)
        self.activate(stream, state)
        return state

    def begin(
        self, features: Features, level: int | NDArray[np.int64], conditioning: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """The residual stream before all blocks, (n, hidden)."""
        count, extra = len(features.inputs), self._embedding(features, level, conditioning)
        x = self.first.inputs(count)
        x[:count, : features.inputs.shape[1]] = features.inputs
        stream = np.empty(extra.shape, np.float32)
        kernels.begin(self.first.sums(x), self.first.bias, self.first.multiplier, extra, stream)
        return stream

    def inner_sums(self, expand: Layer, stream: NDArray[np.float32]) -> Sums:
        """Of a block's first layer."""
        state = expand.inputs(len(stream))
        self.activate(stream, state)
        return expand.sums(state)

    def advance(self, expand: Layer, contract: Layer, sums: Sums, stream: NDArray[np.float32]) -> None:
        """Add what a block changes to the stream, given the sums of its first layer."""
        inner = contract.inputs(len(stream))
        self.bend(sums, expand.bias, expand.multiplier, inner[: len(stream)])
        kernels.advance(contract.sums(inner), contract.bias, contract.multiplier, stream)

    def activate(self, stream: NDArray[np.float32], out: NDArray[np.int8] | NDArray[np.float32]) -> None:
        """Write the activations (n, hidden) of a stream."""
        if self.config.normalise:
            width = stream.shape[1]
            kernels.normalised(stream, float(width * NORM_FLOOR), float(width * INPUT_STEP**2), out)
        else:
            kernels.clamped(stream, out)

    def start(self, state: NDArray[np.int8], scale: NDArray[np.float32]) -> FusedChannels:
        """See the base."""
        return FusedChannels(self, state, scale)

    def cumulative(self, parameters: Parameters, boundary: NDArray[np.float32]) -> NDArray[np.int32]:
        """See the base."""
        cdf = np.empty((len(parameters.means), boundary.shape[1]), np.int32)
        kernels.cumulated(*parameters, boundary, self.nodes, cdf)
        return cdf

    def frequencies(self, parameters: Parameters, children: Children) -> NDArray[np.float32]:
        """See the base."""
        weights, means, inverse = parameters
        first, step, number, cells, origin, width = children
        widths = width if isinstance(width, np.ndarray) else np.full(1, width)
        rows = np.empty((len(means), number), np.float32)

        def part(at: slice) -> None:
            kernels.shared(
                weights[at], means[at], inverse[at], self.nodes, first[at] if len(first) > 1 else first,
                widths[at] if len(widths) > 1 else widths, step, cells, origin, rows[at],
            )  # fmt: skip

        mapped(part, _parts(len(rows)))
        return rows


class FusedChannels(Channels):
    """The same as its base."""

    _network: FusedNetwork
    sums: list[tuple[Sums, Sums]]  # of the last channel's inner and outer layer, for parts of the positions

    def __init__(self, network: FusedNetwork, state: NDArray[np.int8], scale: NDArray[np.float32]) -> None:
        """See the base."""
        super().__init__(network, state, scale)
        count, channels = len(state), network.config.channels
        self._state, self._channel = state, 0
        self._seen = np.empty((count, 2 * channels), np.float32)  # of coded channels, as inputs
        self.innovations = np.zeros((count, channels))  # sample units times 2**VALUE_BITS
        self._found = np.empty(count)
        self._scale = self._centre = np.empty(0, np.float32)

    def parameters(self, reference: NDArray[np.float32]) -> Parameters:
        """See the base."""
        channel, k, count = self._channel, self._network.config.mixture, len(self._state)
        weights, means, inverse = np.empty((count, k), np.int32), *np.empty((2, count, k), np.float32)
        self._centre, self._scale = map(np.ascontiguousarray, (reference, self._scales[:, channel]))

        def part(at: slice) -> tuple[Sums, Sums]:
            sums = self._sums(channel, at)
            _, outer = self._network.head_layers[channel]
            kernels.mixtures(
                sums[1], outer.bias, outer.multiplier, self._centre[at], self._scale[at],
                self.innovations[at, :channel], self._network.tables, weights[at], means[at], inverse[at],
                self._found[at],
            )  # fmt: skip
            return sums

        self.sums = mapped(part, _parts(count))
        return Parameters(weights, means, inverse)

    def _sums(self, channel: int, at: slice) -> tuple[Sums, Sums]:
        """Of a head's inner and outer layer, for some of the positions."""
        state, seen = self._state[at], self._seen[at, : 2 * channel]
        inner, outer = self._network.head_layers[channel]
        x, bent = inner.inputs(len(state)), outer.inputs(len(state))
        x[: len(state), : state.shape[1]] = state
        x[: len(state), state.shape[1] : state.shape[1] + 2 * channel] = seen
        sums = inner.sums(x)
        self._network.bend(sums, inner.bias, inner.multiplier, bent[: len(state)])
        return sums, outer.sums(bent)

    def observe(self, samples: NDArray[np.integer]) -> None:
        """See the base."""
        config, channel = self._network.config, self._channel
        innovation_gain = config.innovation_gain >> grid.VALUE_BITS - SAMPLE_BITS
        kernels.observed(
            samples.astype(np.int64), self._centre, self._scale, self._found, float(config.gain),
            float(innovation_gain),
            self._seen[:, 2 * channel : 2 * channel + 2], self.innovations[:, channel],
        )  # fmt: skip
        self._channel += 1
