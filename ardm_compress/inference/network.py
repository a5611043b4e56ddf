"""The network in exact integers, from features to the frequencies of digits: the reference. NumPy only.

Every array holds integers. Inputs of layers lie within +-127 and weights within +-63, so pairs of products fit 16 bits
even where the inputs are bytes (see ``instructions``). With the bounds checked here every partial sum is an integer
below 2**24, which float32 holds exactly. What is not an integer product is one IEEE multiplication or division followed
by one rounding, or an exact float64 floor of a quotient. docs/format.md sections 7 and 8 are normative; ``kernels``
computes the same faster.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from ardm_compress.errors import ModelError
from ardm_compress.inference import config as grid
from ardm_compress.inference.config import (
    CLIP,
    INPUT_STEP,
    NORM_FLOOR,
    SAMPLE_BITS,
    STREAM_BITS,
    WEIGHT_CLIP,
    NetworkConfig,
)
from ardm_compress.inference.features import Features, quantise_deviation
from ardm_compress.inference.instructions import Kernel

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from ardm_compress.ardm import Order
    from ardm_compress.inference.features import FeatureMaker

EXACT_FLOAT32: Final = 1 << 24
EXACT_FLOAT64: Final = 1 << 53
LARGEST_OUTPUT: Final = 1 << 30  # of a rescaled sum, so that it can be rounded to 32 bits


def largest_sums(weight: NDArray[np.int8], bias: NDArray[np.int32]) -> NDArray[np.int64]:
    """Bound (outputs,) on the magnitude of a layer's sums."""
    found: NDArray[np.int64] = CLIP * np.abs(weight.astype(np.int64)).sum(1) + np.abs(bias.astype(np.int64))
    return found


class Layer:
    """x -> round((x @ weight.T + bias) * multiplier), for integers; the reference."""

    def __init__(
        self, weight: NDArray[np.int8], bias: NDArray[np.int32], multiplier: NDArray[np.float32] | None = None
    ) -> None:
        """Args: weight (outputs, inputs); bias (outputs,); multiplier (outputs,), all 1 by default.

        Raises:
            ModelError: sums might not be exact.
        """
        self.weight, self.bias = weight, bias
        self.multiplier = np.ones(len(bias), np.float32) if multiplier is None else multiplier
        if int(np.abs(weight.astype(np.int64)).max()) > WEIGHT_CLIP:
            raise ModelError("the model's weights are too large for exact products")
        largest = largest_sums(weight, bias)
        if int(largest.max()) >= EXACT_FLOAT32 or float((largest * np.abs(self.multiplier)).max()) >= LARGEST_OUTPUT:
            raise ModelError("the model's weights are too large for exact sums")

    def sums(self, x: NDArray[Any]) -> NDArray[np.float32]:
        """X (n, inputs) within +-CLIP -> x @ weight.T + bias (n, outputs)."""
        total: NDArray[np.float64] = x.astype(np.float64) @ self.weight.T.astype(np.float64)
        return total.astype(np.float32) + self.bias.astype(np.float32)

    def __call__(self, x: NDArray[Any], extra: NDArray[np.float32] | float = 0) -> NDArray[np.float32]:
        """Return round((sums(x) + extra) * multiplier)."""
        found: NDArray[np.float32] = np.rint((self.sums(x) + np.float32(extra)) * self.multiplier)
        return found


def layer_of(tensors: Mapping[str, NDArray[Any]], name: str) -> Layer:
    """Make the layer of a model file that has a name."""
    return Layer(*(tensors[f"{name}.{part}"] for part in ("weight", "bias", "multiplier")))


class Parameters(NamedTuple):
    """Integer mixtures of one channel at n positions."""

    weights: NDArray[np.int32]  # (n, mixture), 0..WEIGHT_TOP
    means: NDArray[np.float32]  # (n, mixture), sample units times 2**VALUE_BITS
    inverse_scales: NDArray[np.float32]  # (n, mixture), from a deviation in those units to t in fixed point


def boundaries(
    edges: NDArray[np.int64], cells: int, *, origin: int = 0, width: NDArray[np.int64] | int = 1
) -> NDArray[np.float32]:
    """Where intervals of values begin: half a value below their least, the first and last at infinity.

    Args:
        edges: (n or 1, m), in cells 0..``cells``.
        cells: how many there are; the first reaches down, and the last up, to infinity.
        origin: the cell whose least value is 0.
        width: of a cell, in values; (n, 1) if they differ.

    Returns:
        (n or 1, m), in values times 2**VALUE_BITS.
    """
    boundary = (((edges - origin) * width << grid.VALUE_BITS) - (1 << grid.VALUE_BITS - 1)).astype(np.float32)
    edges = np.broadcast_to(edges, boundary.shape)
    boundary[edges == 0] = -np.inf
    boundary[edges == cells] = np.inf
    return boundary


class Children(NamedTuple):
    """Intervals in a row, among which a digit chooses; cells are numbered from 0."""

    first: NDArray[np.int64]  # (n or 1,), cell where the first of them begins
    step: int  # cells of each
    number: int
    cells: int  # how many there are: the first reaches down, and the last up, to infinity
    origin: int = 0  # the cell whose least value is 0
    width: NDArray[np.int64] | int = 1  # of a cell, in values; (n,) if they differ

    def boundaries(self) -> NDArray[np.float32]:
        """Where they begin, and the last ends: (n or 1, number + 1), as ``boundaries`` gives it."""
        edges = self.first[:, None] + np.arange(self.number + 1) * self.step
        width = self.width[:, None] if isinstance(self.width, np.ndarray) else self.width
        return boundaries(edges, self.cells, origin=self.origin, width=width)


def cumulative(parameters: Parameters, boundary: NDArray[np.float32], nodes: NDArray[np.int32]) -> NDArray[np.int32]:
    """CDF of the mixtures at boundaries.

    Args:
        parameters: of n positions.
        boundary: (n or 1, m), see ``boundaries``.
        nodes: the table of the logistic's CDF.

    Returns:
        (n, m), not decreasing along m.
    """
    weights, means, inverses = (each[..., None] for each in parameters)
    t = np.rint((boundary[:, None] - means) * inverses).clip(-grid.T_LIMIT, grid.T_LIMIT - 1)
    fixed = t.astype(np.int32) + grid.T_LIMIT
    node = fixed >> grid.STEP_BITS
    rise = np.diff(nodes)[node] * (fixed & (1 << grid.STEP_BITS) - 1) >> grid.STEP_BITS
    total: NDArray[np.int32] = ((nodes[node] + rise) * weights).sum(1, dtype=np.int32) >> grid.SPARE_BITS
    return total


def frequencies(cdf: NDArray[np.int32]) -> NDArray[np.float32]:
    """Frequencies of the m intervals between m + 1 boundaries, each less the 1 that the coder adds.

    Args:
        cdf: (n, m + 1), not decreasing.

    Returns:
        (n, m), integers of sum 2**24 - m; uniform where the mixture has no mass.
    """
    m = cdf.shape[1] - 1
    mass = (cdf - cdf[:, :1]).astype(np.float64)
    mass = np.where(mass[:, -1:] == 0, np.arange(m + 1.0), mass)
    left = np.floor(mass * ((1 << grid.FREQUENCY_BITS) - m) / mass[:, -1:])
    found: NDArray[np.float32] = np.diff(left, axis=1).astype(np.float32)
    return found


def _check_stream(config: NetworkConfig, tensors: Mapping[str, NDArray[Any]]) -> None:
    """Raise ModelError unless the input sums and the residual stream stay exact in float32, whatever the samples."""
    sums = largest_sums(tensors["input.weight"], tensors["input.bias"])
    sums = sums + sum(np.abs(tensors[name].astype(np.int64)).max(0) for name in ("level", "bucket", "style"))
    sums = sums + (CLIP * np.abs(tensors["latent"].astype(np.int64)).sum(0) + INPUT_STEP) // INPUT_STEP
    stream = sums * np.abs(tensors["input.multiplier"]).astype(np.float64) + 1
    for i in range(config.blocks):
        name = f"blocks.{i}.contract"
        bound = largest_sums(tensors[f"{name}.weight"], tensors[f"{name}.bias"])
        stream = stream + bound * np.abs(tensors[f"{name}.multiplier"]).astype(np.float64) + 1
    squares = float(stream.max()) ** 2 * len(stream) if config.normalise else 0
    if max(int(sums.max()), float(stream.max())) >= EXACT_FLOAT32 or squares >= EXACT_FLOAT64:
        raise ModelError("the model's residual stream is too large for exact sums")


class ExactNetwork:
    """Integer twin of ``ardm_compress.training.model.Network``."""

    kernel = Kernel.REFERENCE

    def __init__(self, config: NetworkConfig, tensors: Mapping[str, NDArray[Any]]) -> None:
        self.config = config
        _check_stream(config, tensors)
        self.input = layer_of(tensors, "input")
        self.level = tensors["level"].astype(np.float32)
        self.style = tensors["style"].astype(np.float32)
        self.latent = tensors["latent"].astype(np.int64)
        self.bucket = tensors["bucket"].astype(np.float32)
        self.blocks = [
            (layer_of(tensors, f"blocks.{i}.expand"), layer_of(tensors, f"blocks.{i}.contract"))
            for i in range(config.blocks)
        ]
        self.heads = [
            (layer_of(tensors, f"heads.{c}.inner"), layer_of(tensors, f"heads.{c}.outer"))
            for c in range(config.channels)
        ]
        self.tables: tuple[NDArray[np.int32], NDArray[np.float32]] = (
            tensors["tables.mixture_weights"], tensors["tables.inverse_scales"],
        )  # fmt: skip
        self.nodes: NDArray[np.int32] = tensors["tables.logistic_nodes"]

    def conditioning(self, style: int, latents: Sequence[int]) -> NDArray[np.float32]:
        """Return what style and latents, of which the last may be missing, add to the input sums: (hidden,)."""
        sums = np.array(latents, np.int64) @ self.latent[: len(latents)]
        row: NDArray[np.float32] = self.style[style] + ((sums + INPUT_STEP // 2) // INPUT_STEP).astype(np.float32)
        return row

    def hidden(
        self, features: Features, level: int | NDArray[np.int64], conditioning: NDArray[np.float32]
    ) -> NDArray[np.int8]:
        """Hidden state (n, hidden) of positions, integers within +-CLIP.

        Args:
            features: of n positions.
            level: of all, or of each (n,).
            conditioning: of all (hidden,), or of each (n, hidden).
        """
        stream = self.input(features.inputs, self._embedding(features, level, conditioning))
        for expand, contract in self.blocks:
            stream += contract(self._smooth_relu(expand(self._activations(stream))))
        return self._activations(stream).astype(np.int8)

    def _embedding(
        self, features: Features, level: int | NDArray[np.int64], conditioning: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Return what is added to the input sums: (n, hidden)."""
        row = self.level[np.minimum(level, self.config.levels - 1)] + conditioning
        found: NDArray[np.float32] = self.bucket[features.bucket] + row
        return found

    def _activations(self, stream: NDArray[np.float32]) -> NDArray[np.float32]:
        """Residual stream (STREAM_BITS fraction bits) -> activations."""
        factor: NDArray[np.float32] | float = INPUT_STEP / (1 << STREAM_BITS)
        if self.config.normalise:
            width, exact = stream.shape[1], stream.astype(np.int64)
            squares = (exact * exact).sum(1, keepdims=True) + float(width * NORM_FLOOR)
            factor = np.sqrt(width * INPUT_STEP**2 / squares).astype(np.float32)
        found: NDArray[np.float32] = np.rint(stream * np.float32(factor)).clip(-CLIP, CLIP)
        return found

    def _smooth_relu(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Nonlinearity of hidden layers; every product is exact."""
        if not self.config.smooth:
            return x.clip(0, CLIP)
        x = np.minimum(x, CLIP)
        factor = (x + INPUT_STEP).clip(0, 2 * INPUT_STEP)
        found: NDArray[np.float32] = np.rint(x * factor * np.float32(1 / (2 * INPUT_STEP)))
        return found

    def start(self, state: NDArray[np.int8], scale: NDArray[np.float32]) -> Channels:
        """Begin coding the channels of n positions.

        Args:
            state: (n, hidden), see ``hidden``.
            scale: local scales (n, channels), or (n, 1) for all.
        """
        return Channels(self, state, scale)

    def outputs(self, channel: int, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Raw integer outputs of a channel's head, (n, 3 * mixture + channel)."""
        inner, outer = self.heads[channel]
        return outer(self._smooth_relu(inner(inputs)))

    def lookup(
        self, logits: NDArray[np.float32], log2_scales: NDArray[np.float32], scale: NDArray[np.float32]
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Integer mixture weights and inverse scales."""
        weights, inverse = self.tables
        below = (logits.max(1, keepdims=True) - logits).clip(0, len(weights) - 1).astype(np.int64)
        octaves = log2_scales.clip(-grid.OCTAVE_LIMIT, grid.OCTAVE_LIMIT - 1).astype(np.int64)
        return weights[below], inverse[octaves + grid.OCTAVE_LIMIT] / scale

    def cumulative(self, parameters: Parameters, boundary: NDArray[np.float32]) -> NDArray[np.int32]:
        """See ``cumulative``."""
        return cumulative(parameters, boundary, self.nodes)

    def frequencies(self, parameters: Parameters, children: Children) -> NDArray[np.float32]:
        """Frequencies (n, children) of n mixtures; see ``frequencies``."""
        return frequencies(self.cumulative(parameters, children.boundaries()))


class Channels:
    """The channels of n positions, in turn: ``parameters`` of a channel, then ``observe`` its samples."""

    def __init__(self, network: ExactNetwork, state: NDArray[np.int8], scale: NDArray[np.float32]) -> None:
        """Args: as of ``ExactNetwork.start``."""
        self.network = network
        self.scales = np.broadcast_to(scale, (len(state), network.config.channels))
        self._inputs: list[NDArray[Any]] = [state]
        self._innovations: list[NDArray[np.float64]] = []  # (n,), sample units times 2**VALUE_BITS
        self._expected = np.empty(0)
        self._reference = np.empty(0, np.float32)

    def code(
        self, channels: int, reference: Callable[[int], NDArray[np.float32]],
        code: Callable[[int, Parameters], NDArray[np.integer]],
    ) -> None:  # fmt: skip
        """Code channels in turn, each given those before it: the one loop over channels that there is.

        Args:
            channels: the first so many are coded.
            reference: gives the references (n,) of a channel, when those before it are coded.
            code: gives the samples (n,) of a channel, by its mixtures.
        """
        for channel in range(channels):
            self.observe(code(channel, self.parameters(reference(channel))))

    def parameters(self, reference: NDArray[np.float32]) -> Parameters:
        """Mixtures of the next channel, whose references (n,) are given."""
        channel, k = len(self._innovations), self.network.config.mixture
        self._reference, scale = reference, self.scales[:, channel : channel + 1]
        out = self.network.outputs(channel, np.concatenate(self._inputs, 1))
        weights, inverse = self.network.lookup(out[:, :k], out[:, 2 * k : 3 * k], scale)
        offsets = out[:, k : 2 * k].clip(-grid.OFFSET_LIMIT, grid.OFFSET_LIMIT).astype(np.float64)
        coupling = out[:, 3 * k :].clip(-grid.COUPLING_LIMIT, grid.COUPLING_LIMIT).astype(np.float64)
        centre = reference.astype(np.float64) * (1 << grid.VALUE_BITS - SAMPLE_BITS)
        if self._innovations:
            pull = (coupling * np.stack(self._innovations, 1)).sum(1)
            centre += np.floor(pull / (1 << grid.COUPLING_BITS) + 0.5)
        shift = SAMPLE_BITS + grid.OFFSET_BITS - grid.VALUE_BITS
        means = centre[:, None] + np.floor(offsets * scale / (1 << shift) + 0.5)
        self._expected = np.floor((weights * means).sum(1) / weights.sum(1))
        return Parameters(weights, means.clip(-grid.MEAN_LIMIT, grid.MEAN_LIMIT).astype(np.float32), inverse)

    def observe(self, samples: NDArray[np.integer]) -> None:
        """Tell the samples (n,) of the channel whose parameters were given last."""
        channel, config = len(self._innovations), self.network.config
        values = samples.astype(np.float32)
        innovation = values.astype(np.float64) * (1 << grid.VALUE_BITS) - self._expected
        self._innovations.append(innovation)
        deviation = values * np.float32(1 << SAMPLE_BITS) - self._reference
        scale = self.scales[:, channel]
        gain = config.innovation_gain >> grid.VALUE_BITS - SAMPLE_BITS
        for each, factor in ((deviation, config.gain), (innovation.astype(np.float32), gain)):
            self._inputs.append(quantise_deviation(each, factor, scale)[:, None])


@dataclass(frozen=True, eq=False)
class Model:
    """A model ready to code: it has passed its self-test on this machine."""

    model_id: bytes
    config: NetworkConfig
    network: ExactNetwork
    features: FeatureMaker
    order: Order
    costs: Mapping[str, NDArray[np.float32]]  # see ``ardm.schedule``
    tensors: Mapping[str, NDArray[Any]]  # of the model file
