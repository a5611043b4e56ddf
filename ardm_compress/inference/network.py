"""The network in exact integers: features -> hidden state -> integer mixture parameters. Imports torch.

Every tensor holds integers. What is not an integer product is one IEEE multiplication or division followed by one
rounding, or an exact float64 floor of a quotient. docs/format.md section 7 is normative.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ardm_compress.errors import ModelError
from ardm_compress.inference import mixture
from ardm_compress.inference import tables as grid
from ardm_compress.inference.config import CLIP, INPUT_STEP, NORM_FLOOR, SAMPLE_BITS, STREAM_BITS, NetworkConfig
from ardm_compress.inference.features import Features, quantise_deviation
from ardm_compress.inference.mixture import Children, Parameters
from ardm_compress.inference.products import EXACT_FLOAT32, EXACT_FLOAT64, IntegerLinear, Path, largest_sums

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray


class Rescaled:
    """Integer linear layer, its sums multiplied by a float32 per output and rounded once."""

    def __init__(self, tensors: Mapping[str, Tensor], name: str, path: Path, device: torch.device | str) -> None:
        self.linear = IntegerLinear(tensors[f"{name}.weight"], tensors[f"{name}.bias"], path, device)
        self.multiplier = tensors[f"{name}.multiplier"].to(device)

    def __call__(self, x: Tensor, extra: Tensor | None = None) -> Tensor:
        """Returns round((linear(x) + extra) * multiplier)."""
        total = self.linear(x)
        if extra is not None:
            total += extra
        return total.mul_(self.multiplier).round_()


def _check_stream(config: NetworkConfig, tensors: Mapping[str, Tensor]) -> None:
    """Raise ModelError unless the input sums and the residual stream stay exact in float32, whatever the samples."""
    sums = largest_sums(tensors["input.weight"], tensors["input.bias"])
    sums = sums + sum(tensors[name].to(torch.int64).abs().amax(0) for name in ("level", "bucket", "style"))
    sums = sums + (CLIP * tensors["latent"].to(torch.int64).abs().sum(0) + INPUT_STEP) // INPUT_STEP
    stream = sums * tensors["input.multiplier"].abs().to(torch.float64) + 1
    for i in range(config.blocks):
        name = f"blocks.{i}.contract"
        bound = largest_sums(tensors[f"{name}.weight"], tensors[f"{name}.bias"])
        stream = stream + bound * tensors[f"{name}.multiplier"].abs().to(torch.float64) + 1
    squares = float(stream.max()) ** 2 * len(stream) if config.normalise else 0
    if max(int(sums.max()), float(stream.max())) >= EXACT_FLOAT32 or squares >= EXACT_FLOAT64:
        raise ModelError("the model's residual stream is too large for exact sums")


class ExactNetwork:
    """Integer twin of ``ardm_compress.training.model.Network``."""

    def __init__(self, config: NetworkConfig, tensors: Mapping[str, Tensor], path: Path, device: torch.device) -> None:
        self.config, self.path, self.device = config, path, device
        _check_stream(config, tensors)

        def layer(name: str) -> Rescaled:
            return Rescaled(tensors, name, path, device)

        self._input = layer("input")
        self._level = tensors["level"].to(device, torch.float32)
        self._style = tensors["style"].to(device, torch.float32)
        self._latent = tensors["latent"].to(torch.int64)
        self._bucket = tensors["bucket"].to(device, torch.float32)
        self._blocks = [(layer(f"blocks.{i}.expand"), layer(f"blocks.{i}.contract")) for i in range(config.blocks)]
        self._heads = [(layer(f"heads.{c}.inner"), layer(f"heads.{c}.outer")) for c in range(config.channels)]
        self._weights = tensors["tables.mixture_weights"].to(device)
        self._inverse = tensors["tables.inverse_scales"].to(device)
        self.nodes = tensors["tables.logistic_nodes"].to(device)

    def described(self, style: int, latents: Sequence[int]) -> Tensor:
        """What a picture's style and latents, of which the last may be missing, add to the input sums: (hidden,)."""
        sums = torch.tensor(latents, dtype=torch.int64) @ self._latent[: len(latents)]
        row = torch.div(sums + INPUT_STEP // 2, INPUT_STEP, rounding_mode="floor")
        return self._style[style] + row.to(self.device, torch.float32)

    def hidden(self, features: Features, level: int | Tensor, picture: Tensor) -> Tensor:
        """Hidden state (n, hidden) of positions, integers within +-CLIP; level and picture are of all, or of each."""
        stream = self._input(features.inputs, self._embedding(features, level, picture))
        for expand, contract in self._blocks:
            stream += contract(self._bend(expand(self._state(stream))))
        return self._state(stream)

    def _embedding(self, features: Features, level: int | Tensor, picture: Tensor) -> Tensor:
        """What is added to the input sums: (n, hidden)."""
        row = torch.as_tensor(level).clamp(max=self.config.levels - 1)
        return self._bucket.index_select(0, features.bucket).add_(self._level[row] + picture)

    def _state(self, stream: Tensor) -> Tensor:
        """Residual stream (STREAM_BITS fraction bits) -> activations."""
        if not self.config.normalise:
            return (stream * (INPUT_STEP / (1 << STREAM_BITS))).round_().clamp_(-CLIP, CLIP)
        width, exact = stream.shape[1], stream.to(torch.float64)
        squares = torch.linalg.vecdot(exact, exact).add_(width * NORM_FLOOR).unsqueeze(1)
        factor = torch.sqrt(torch.full_like(squares, width * INPUT_STEP**2) / squares).to(torch.float32)
        return (stream * factor).round_().clamp_(-CLIP, CLIP)

    def _bend(self, x: Tensor) -> Tensor:
        """Nonlinearity of hidden layers, in place; every product is exact."""
        if not self.config.smooth:
            return x.clamp_(0, CLIP)
        factor = x.clamp_(max=CLIP).add(INPUT_STEP).clamp_(0, 2 * INPUT_STEP)
        return x.mul_(factor).mul_(1 / (2 * INPUT_STEP)).round_()

    def start(self, state: Tensor, scale: Tensor) -> Channels:
        """Begin coding the channels of n positions, given their hidden states and local scales."""
        return Channels(self, state, scale)

    def outputs(self, channel: int, inputs: Tensor) -> Tensor:
        """Raw integer outputs of a channel's head, (n, 3 * mixture + channel)."""
        inner, outer = self._heads[channel]
        return outer(self._bend(inner(inputs)))

    def lookup(self, logits: Tensor, log2_scales: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
        """Integer mixture weights and inverse scales."""
        below = (logits.amax(1, keepdim=True) - logits).clamp_(0, len(self._weights) - 1).to(torch.int64)
        index = log2_scales.clamp(-grid.OCTAVE_LIMIT, grid.OCTAVE_LIMIT - 1).to(torch.int64) + grid.OCTAVE_LIMIT
        return self._weights[below], self._inverse[index] / scale

    def cumulative(self, parameters: Parameters, boundary: Tensor) -> Tensor:
        """See ``mixture.cumulative``."""
        return mixture.cumulative(parameters, boundary, self.nodes)

    def frequencies(self, parameters: Parameters, children: Children) -> NDArray[np.float32]:
        """Frequencies (n, children) of n mixtures; see ``mixture.frequencies``."""
        cdf = self.cumulative(parameters, children.boundaries())
        rows: NDArray[np.float32] = mixture.frequencies(cdf).cpu().numpy()
        return rows


class Channels:
    """The channels of n positions, in turn: ``parameters`` of a channel, then ``observe`` its samples."""

    def __init__(self, network: ExactNetwork, state: Tensor, scale: Tensor) -> None:
        """Args: state (n, hidden); scale (n, channels), or (n, 1) for all."""
        self._network, self._scales = network, scale.expand(-1, network.config.channels)
        self._inputs = [state]
        self._innovations: list[Tensor] = []  # (n,) float64, sample units times 2**VALUE_BITS
        self._expected = self._reference = torch.empty(0)

    def parameters(self, reference: Tensor) -> Parameters:
        """Mixtures of the next channel, whose references (n,) are given."""
        channel, k = len(self._innovations), self._network.config.mixture
        self._reference, scale = reference, self._scales[:, channel : channel + 1]
        out = self._network.outputs(channel, torch.cat(self._inputs, 1))
        weights, inverse = self._network.lookup(out[:, :k], out[:, 2 * k : 3 * k], scale)
        offsets = out[:, k : 2 * k].clamp(-grid.OFFSET_LIMIT, grid.OFFSET_LIMIT).to(torch.float64)
        coupling = out[:, 3 * k :].clamp(-grid.COUPLING_LIMIT, grid.COUPLING_LIMIT).to(torch.float64)
        centre = reference.to(torch.float64) * (1 << grid.VALUE_BITS - SAMPLE_BITS)
        if self._innovations:
            pull = (coupling * torch.stack(self._innovations, 1)).sum(1)
            centre += torch.floor(pull / (1 << grid.COUPLING_BITS) + 0.5)
        shift = SAMPLE_BITS + grid.OFFSET_BITS - grid.VALUE_BITS
        means = centre.unsqueeze(1) + torch.floor(offsets * scale / (1 << shift) + 0.5)
        total = weights.sum(1)
        self._expected = torch.floor((weights * means).sum(1) / total)
        return Parameters(weights, means.clamp_(-grid.MEAN_LIMIT, grid.MEAN_LIMIT).to(torch.float32), inverse)

    def observe(self, samples: Tensor) -> None:
        """Tell the samples (n,) of the channel whose parameters were given last."""
        channel, config = len(self._innovations), self._network.config
        samples = samples.to(torch.float32)
        innovation = samples.to(torch.float64) * (1 << grid.VALUE_BITS) - self._expected
        self._innovations.append(innovation)
        deviation = samples * (1 << SAMPLE_BITS) - self._reference
        scale = self._scales[:, channel]
        gain = config.innovation_gain >> grid.VALUE_BITS - SAMPLE_BITS
        self._inputs.append(quantise_deviation(deviation, config.gain, scale).unsqueeze(1))
        self._inputs.append(quantise_deviation(innovation.to(torch.float32), gain, scale).unsqueeze(1))
