"""The network in exact integers: features -> hidden state -> integer mixture parameters. NumPy only.

Every array holds integers. What is not an integer product is one IEEE multiplication or division followed by one
rounding, or an exact float64 floor of a quotient. docs/format.md section 7 is normative.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ardm_compress.errors import ModelError
from ardm_compress.inference import mixture
from ardm_compress.inference import tables as grid
from ardm_compress.inference.config import CLIP, INPUT_STEP, NORM_FLOOR, SAMPLE_BITS, STREAM_BITS, NetworkConfig
from ardm_compress.inference.features import Features, quantise_deviation
from ardm_compress.inference.instructions import Kernel
from ardm_compress.inference.layers import EXACT_FLOAT32, EXACT_FLOAT64, largest_sums, layer_of
from ardm_compress.inference.mixture import Children, Parameters

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray


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
        """See ``mixture.cumulative``."""
        return mixture.cumulative(parameters, boundary, self.nodes)

    def frequencies(self, parameters: Parameters, children: Children) -> NDArray[np.float32]:
        """Frequencies (n, children) of n mixtures; see ``mixture.frequencies``."""
        return mixture.frequencies(self.cumulative(parameters, children.boundaries()))


class Channels:
    """The channels of n positions, in turn: ``parameters`` of a channel, then ``observe`` its samples."""

    def __init__(self, network: ExactNetwork, state: NDArray[np.int8], scale: NDArray[np.float32]) -> None:
        """Args: as of ``ExactNetwork.start``."""
        self.network = network
        self.scales = np.broadcast_to(scale, (len(state), network.config.channels))
        self._inputs = [state.astype(np.float32)]
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
