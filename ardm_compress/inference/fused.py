"""The exact network on a CPU: integer products, and kernels for what lies between them. Imports torch and Numba."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np
import torch
from torch import Tensor

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


def exact_network(
    config: NetworkConfig, tensors: Mapping[str, Tensor], path: Path, device: torch.device
) -> ExactNetwork:
    """The network on a device; FLOAT64 is the reference, by torch's operations alone, as on a GPU."""
    return (FusedNetwork if _is_fused(path, device) else ExactNetwork)(config, tensors, path, device)


def exact_features(config: NetworkConfig, path: Path, device: torch.device) -> FeatureMaker:
    """What makes the network's inputs there."""
    return (FusedFeatures if _is_fused(path, device) else FeatureMaker)(config, device)


def _is_fused(path: Path, device: torch.device) -> bool:
    return device.type == "cpu" and path is not Path.FLOAT64


class FusedFeatures(FeatureMaker):
    """The same integers as its base; those of ``gather`` in one pass, inputs of 8 bits."""

    def gather(self, samples: Tensor, ranks: Tensor, at: Tensor, first: int, offsets: Tensor) -> Features:
        """See the base."""
        config, count = self.config, len(at)
        middle, least = float(ONE << config.bit_depth - 1), float(ONE << config.bit_depth - 3)
        found = Features(
            torch.empty(count, config.inputs, dtype=torch.int8), torch.empty(count, dtype=torch.int64),
            torch.empty(count, config.channels), torch.empty(count, 1),
        )  # fmt: skip
        kernels.gathered(
            samples.numpy(), ranks.numpy(), at.numpy(), first, offsets.numpy(), config.weights, middle, least,
            self.level_unit, float(config.gain), self._thresholds.numpy(), *(each.numpy() for each in found),
        )  # fmt: skip
        return found


class Layer(NamedTuple):
    """A layer's product, and what its sums are rescaled by."""

    rescaled: Rescaled
    bias: NDArray[np.float32]
    multiplier: NDArray[np.float32]

    def inputs(self, count: int) -> Tensor:
        """Zeros for so many positions, and for what the product wants besides."""
        return self.rescaled.linear.inputs(count)

    def sums(self, x: Tensor) -> Sums:
        """Without the bias; (n, outputs) or larger."""
        found: Sums = self.rescaled.linear.sums(x).numpy()
        return found


def _parts(count: int) -> list[slice]:
    """Positions in runs of at most PART."""
    return [slice(start, start + PART) for start in range(0, count, PART)]


def _layer(rescaled: Rescaled) -> Layer:
    return Layer(rescaled, rescaled.linear.bias.to(torch.float32).numpy(), rescaled.multiplier.numpy())


class FusedNetwork(ExactNetwork):
    """The same integers as its base, several times faster."""

    def __init__(self, config: NetworkConfig, tensors: Mapping[str, Tensor], path: Path, device: torch.device) -> None:
        super().__init__(config, tensors, path, device)
        self.first = _layer(self._input)
        self.pairs = [(_layer(expand), _layer(contract)) for expand, contract in self._blocks]
        self.head_layers = [(_layer(inner), _layer(outer)) for inner, outer in self._heads]
        self.bend = kernels.bent if config.smooth else kernels.rectified
        self.tables = self._weights.numpy(), self._inverse.numpy()

    def hidden(self, features: Features, level: int | Tensor, picture: Tensor) -> Tensor:
        """See the base."""
        stream = self.begin(features, level, picture)
        for expand, contract in self.pairs:
            self.advance(expand, contract, self.inner_sums(expand, stream), stream)
        self.activate(stream, stream)
        return torch.from_numpy(stream)

    def begin(self, features: Features, level: int | Tensor, picture: Tensor) -> NDArray[np.float32]:
        """The residual stream before all blocks, (n, hidden)."""
        count, extra = len(features.inputs), self._embedding(features, level, picture).numpy()
        x = self.first.inputs(count)
        x[:count, : features.inputs.shape[1]] = features.inputs
        stream = np.empty(extra.shape, np.float32)
        kernels.begin(self.first.sums(x), self.first.bias, self.first.multiplier, extra, stream)
        return stream

    def inner_sums(self, expand: Layer, stream: NDArray[np.float32]) -> Sums:
        """Of a block's first layer."""
        state = expand.inputs(len(stream))
        self.activate(stream, state.numpy())
        return expand.sums(state)

    def advance(self, expand: Layer, contract: Layer, sums: Sums, stream: NDArray[np.float32]) -> None:
        """Add what a block changes to the stream, given the sums of its first layer."""
        inner = contract.inputs(len(stream))
        self.bend(sums, expand.bias, expand.multiplier, inner.numpy()[: len(stream)])
        kernels.advance(contract.sums(inner), contract.bias, contract.multiplier, stream)

    def activate(self, stream: NDArray[np.float32], out: NDArray[np.int8] | NDArray[np.float32]) -> None:
        """Write the activations (n, hidden) of a stream."""
        if self.config.normalise:
            width = stream.shape[1]
            kernels.normalised(stream, float(width * NORM_FLOOR), float(width * INPUT_STEP**2), out)
        else:
            kernels.clamped(stream, out)

    def start(self, state: Tensor, scale: Tensor) -> FusedChannels:
        """See the base."""
        return FusedChannels(self, state, scale)

    def cumulative(self, parameters: Parameters, boundary: Tensor) -> Tensor:
        """See the base."""
        cdf = torch.empty(len(parameters.means), boundary.shape[1], dtype=torch.int32)
        kernels.cumulated(*(each.numpy() for each in (*parameters, boundary, self.nodes, cdf)))
        return cdf

    def frequencies(self, parameters: Parameters, children: Children) -> NDArray[np.float32]:
        """See the base."""
        weights, means, inverse = (each.numpy() for each in parameters)
        first, step, number, cells, origin, width = children
        widths = width.numpy() if isinstance(width, Tensor) else np.full(1, width)
        rows = np.empty((len(means), number), np.float32)
        firsts = first.numpy()

        def part(at: slice) -> None:
            kernels.shared(
                weights[at], means[at], inverse[at], self.nodes.numpy(), firsts[at] if len(firsts) > 1 else firsts,
                widths[at] if len(widths) > 1 else widths, step, cells, origin, rows[at],
            )  # fmt: skip

        mapped(part, _parts(len(rows)))
        return rows


class FusedChannels(Channels):
    """The same as its base."""

    _network: FusedNetwork
    sums: list[tuple[Sums, Sums]]  # of the last channel's inner and outer layer, for parts of the positions

    def __init__(self, network: FusedNetwork, state: Tensor, scale: Tensor) -> None:
        """See the base."""
        super().__init__(network, state, scale)
        count, channels = len(state), network.config.channels
        self._state, self._channel = state, 0
        self._seen = np.empty((count, 2 * channels), np.float32)  # of coded channels, as inputs
        self.innovations = np.zeros((count, channels))  # sample units times 2**VALUE_BITS
        self._found = np.empty(count)
        self._scale = self._centre = np.empty(0, np.float32)

    def parameters(self, reference: Tensor) -> Parameters:
        """See the base."""
        channel, k, count = self._channel, self._network.config.mixture, len(self._state)
        weights, means, inverse = np.empty((count, k), np.int32), *np.empty((2, count, k), np.float32)
        self._centre, self._scale = (each.contiguous().numpy() for each in (reference, self._scales[:, channel]))

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
        return Parameters(*(torch.from_numpy(each) for each in (weights, means, inverse)))

    def _sums(self, channel: int, at: slice) -> tuple[Sums, Sums]:
        """Of a head's inner and outer layer, for some of the positions."""
        state, seen = self._state[at], torch.from_numpy(self._seen[at, : 2 * channel])
        inner, outer = self._network.head_layers[channel]
        x, bent = inner.inputs(len(state)), outer.inputs(len(state))
        x[: len(state), : state.shape[1]] = state
        x[: len(state), state.shape[1] : state.shape[1] + 2 * channel] = seen
        sums = inner.sums(x)
        self._network.bend(sums, inner.bias, inner.multiplier, bent.numpy()[: len(state)])
        return sums, outer.sums(bent)

    def observe(self, samples: Tensor) -> None:
        """See the base."""
        config, channel = self._network.config, self._channel
        innovation_gain = config.innovation_gain >> grid.VALUE_BITS - SAMPLE_BITS
        kernels.observed(
            samples.numpy(), self._centre, self._scale, self._found, float(config.gain), float(innovation_gain),
            self._seen[:, 2 * channel : 2 * channel + 2], self.innovations[:, channel],
        )  # fmt: skip
        self._channel += 1
