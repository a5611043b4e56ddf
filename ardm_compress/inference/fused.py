"""The exact network, fast: layers packed for an instruction, and compiled functions that take whole batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from ardm_compress.computing import mapped
from ardm_compress.inference import config as grid
from ardm_compress.inference import kernels
from ardm_compress.inference.config import CLIP, INPUT_STEP, NORM_FLOOR, SAMPLE_BITS, NetworkConfig
from ardm_compress.inference.features import ONE, FeatureMaker, Features
from ardm_compress.inference.instructions import KERNELS, QUAD, RELU, SHAPES, SMOOTH_RELU, Kernel
from ardm_compress.inference.network import Channels, Children, ExactNetwork, Layer, Parameters

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

WIDTH: Final = 64  # outputs are padded to a multiple of it, which the tiles of every instruction divide
LINE: Final = 64  # bytes


class Packed(NamedTuple):
    """A layer as ``instructions.multiply`` takes it; of inputs and outputs that pad it, all is 0."""

    weights: NDArray[np.int8]  # (panels, quads, outputs of a panel * QUAD)
    start: NDArray[np.int32]  # (outputs,)
    multiplier: NDArray[np.float32]  # (outputs,)


def padded(width: int) -> int:
    """Round up to a multiple of WIDTH."""
    return -(-width // WIDTH) * WIDTH


def pack(layer: Layer, kernel: Kernel, *, vectors: int | None = None) -> Packed:
    """Arrange a layer for an instruction; ``vectors`` of outputs are a panel, by default as many as fit registers."""
    shape = SHAPES[kernel]
    panel = shape.lanes * (vectors or shape.vectors)
    outputs, inputs = layer.weight.shape
    rows, columns = -(-outputs // panel) * panel if vectors else padded(outputs), -(-inputs // QUAD) * QUAD
    weight = np.zeros((rows, columns), np.int8)
    weight[:outputs, :inputs] = layer.weight
    start, multiplier = np.zeros(rows, np.int32), np.zeros(rows, np.float32)
    start[:outputs] = layer.bias - (CLIP + 1) * layer.weight.sum(1, dtype=np.int32)
    multiplier[:outputs] = layer.multiplier
    panels = weight.reshape(rows // panel, panel, columns // QUAD, QUAD).swapaxes(1, 2)
    return Packed(aligned(panels.reshape(*panels.shape[:2], -1)), start, multiplier)


def stacked(layers: list[Packed]) -> Packed:
    """Layers of one shape, one after another along a new first axis."""
    weights, start, multiplier = (np.stack(parts) for parts in zip(*layers, strict=True))
    return Packed(aligned(weights), start, multiplier)


def aligned(array: NDArray[np.int8]) -> NDArray[np.int8]:
    """Copy an array to where a cache line starts."""
    room = np.empty(array.size + LINE, np.int8)
    found = room[-room.ctypes.data % LINE :][: array.size].reshape(array.shape)
    found[:] = array
    return found


class Product:
    """A layer's sums, (n, outputs) and more, of bytes (n, inputs)."""

    def __init__(self, kernel: Kernel, layer: Layer) -> None:
        self.layer, self._packed = layer, pack(layer, kernel)
        self._run = kernels.product(KERNELS.index(kernel), SHAPES[kernel].vectors)

    def inputs(self, count: int) -> NDArray[np.uint8]:
        """Room for the inputs of ``count`` positions and those that may fill a tile: all of them 0."""
        return np.full((count + kernels.TILE_ROWS, 4 * self._packed.weights.shape[1]), kernels.ZERO, np.uint8)

    def sums(self, x: NDArray[np.uint8]) -> NDArray[np.int32]:
        """Return the sums, bias included."""
        sums = np.empty((len(x), len(self._packed.start)), np.int32)
        self._run(x, len(x) - kernels.TILE_ROWS, self._packed, sums)
        return sums


PART: Final = 1 << 11  # positions of which a thread computes mixtures or frequencies


def exact_network(config: NetworkConfig, tensors: Mapping[str, NDArray[Any]], kernel: Kernel) -> ExactNetwork:
    """Make the network for a kernel."""
    if kernel is Kernel.REFERENCE:
        return ExactNetwork(config, tensors)
    return FusedNetwork(config, tensors, kernel)


def exact_features(config: NetworkConfig, kernel: Kernel) -> FeatureMaker:
    """Make what computes the network's inputs."""
    return (FeatureMaker if kernel is Kernel.REFERENCE else FusedFeatures)(config)


class FusedFeatures(FeatureMaker):
    """The same integers as its base; those of ``gather`` in one pass."""

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
        kernels.gather(
            samples, ranks, at, first, offsets, config.weights, middle, least, self.level_unit, float(config.gain),
            self.thresholds, *found,
        )  # fmt: skip
        return found


def _parts(count: int) -> list[slice]:
    """Positions in runs of at most PART."""
    return [slice(start, min(start + PART, count)) for start in range(0, count, PART)]


class FusedNetwork(ExactNetwork):
    """The same integers as its base, by the instructions of a kernel."""

    def __init__(self, config: NetworkConfig, tensors: Mapping[str, NDArray[Any]], kernel: Kernel) -> None:
        super().__init__(config, tensors)
        self.kernel = kernel
        self.shape = SHAPES[kernel]
        self.first = pack(self.input, kernel)
        self.expand = stacked([pack(expand, kernel) for expand, _ in self.blocks])
        self.contract = stacked([pack(contract, kernel) for _, contract in self.blocks])
        self.packed_heads = [(pack(inner, kernel), pack(outer, kernel, vectors=1)) for inner, outer in self.heads]
        self.activation = SMOOTH_RELU if config.smooth else RELU
        self.cdf = self.nodes.astype(np.uint32), np.append(np.diff(self.nodes), 0).astype(np.uint32)
        self.number = KERNELS.index(kernel)
        self.norm = float(config.hidden * NORM_FLOOR), float(config.hidden * INPUT_STEP**2) * config.normalise

    def hidden(
        self, features: Features, level: int | NDArray[np.int64], conditioning: NDArray[np.float32]
    ) -> NDArray[np.int8]:
        """See the base."""
        state = np.empty((len(features.inputs), self.config.hidden), np.int8)
        run = kernels.hidden(self.number, self.activation, self.shape.vectors)
        run(
            features.inputs, features.bucket, self.levels_of(level), np.atleast_2d(conditioning), self.bucket,
            self.level, self.first, self.expand, self.contract, *self.norm, state,
        )  # fmt: skip
        return state

    def levels_of(self, level: int | NDArray[np.int64]) -> NDArray[np.int64]:
        """Rows (n or 1,) of the level embedding."""
        rows: NDArray[np.int64] = np.minimum(np.atleast_1d(level), self.config.levels - 1)
        return rows

    def start(self, state: NDArray[np.int8], scale: NDArray[np.float32]) -> FusedChannels:
        """See the base."""
        return FusedChannels(self, state, scale)

    def cumulative(self, parameters: Parameters, boundary: NDArray[np.float32]) -> NDArray[np.int32]:
        """See the base."""
        cdf = np.empty((len(parameters.means), boundary.shape[1]), np.int32)
        kernels.cumulate(*parameters, boundary, self.nodes, cdf)
        return cdf

    def frequencies(self, parameters: Parameters, children: Children) -> NDArray[np.float32]:
        """See the base."""
        weights, means, inverse = parameters
        first, step, number, cells, origin, width = children
        widths = width if isinstance(width, np.ndarray) else np.full(1, width)
        rows = np.empty((len(means), number), np.float32)

        def part(at: slice) -> None:
            kernels.frequencies(
                weights[at], means[at], inverse[at], *self.cdf, first[at] if len(first) > 1 else first,
                widths[at] if len(widths) > 1 else widths, step, cells, origin, rows[at],
            )  # fmt: skip

        mapped(part, _parts(len(rows)))
        return rows


class FusedChannels(Channels):
    """The same as its base."""

    network: FusedNetwork

    def __init__(self, network: FusedNetwork, state: NDArray[np.int8], scale: NDArray[np.float32]) -> None:
        """See the base."""
        super().__init__(network, state, scale)
        count, channels, width = len(state), network.config.channels, state.shape[1]
        stride = -(-(width + 2 * channels) // QUAD) * QUAD
        self.x = np.empty((count + kernels.TILE_ROWS, stride), np.uint8)  # the state and coded channels, as bytes
        np.bitwise_xor(state.view(np.uint8), np.uint8(CLIP + 1), out=self.x[:count, :width])
        self.x[:, width:] = self.x[count:] = 0
        self.innovations = np.zeros((count, channels))  # sample units times 2**VALUE_BITS
        self._channel = 0
        self._expected = np.empty(count)
        self._reference = self._scale = np.empty(0, np.float32)

    def parameters(self, reference: NDArray[np.float32]) -> Parameters:
        """See the base."""
        network, channel, k, count = self.network, self._channel, self.network.config.mixture, len(self.innovations)
        weights, means, inverse = np.empty((count, k), np.int32), *np.empty((2, count, k), np.float32)
        self._reference, self._scale = map(np.ascontiguousarray, (reference, self.scales[:, channel]))
        run = kernels.head(network.number, network.activation, network.shape.vectors)

        def part(at: slice) -> None:
            run(
                self.x, at.start, at.stop, *network.packed_heads[channel], 3 * k + channel, self._reference,
                self._scale, self.innovations, channel, network.tables, weights, means, inverse, self._expected,
            )  # fmt: skip

        mapped(part, _parts(count))
        return Parameters(weights, means, inverse)

    def observe(self, samples: NDArray[np.integer]) -> None:
        """See the base."""
        config, channel = self.network.config, self._channel
        innovation_gain = config.innovation_gain >> grid.VALUE_BITS - SAMPLE_BITS
        at = config.hidden + 2 * channel
        kernels.observe(
            samples.astype(np.int64), self._reference, self._scale, self._expected, float(config.gain),
            float(innovation_gain), self.x[:, at : at + 2], self.innovations[:, channel],
        )  # fmt: skip
        self._channel += 1
