"""The float network of an ARDM, for training; ``ardm_compress.inference`` computes the same function in integers.

A local window -> residual MLP -> per channel a head that also sees the position's channels already coded -> mixture
of discretised logistics. Every activation is a clamp onto the grid of 8-bit integers. Imports torch.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ardm_compress.inference.config import CLIP, INPUT_STEP, NORM_FLOOR, STREAM_BITS, WEIGHT_CLIP, NetworkConfig
from ardm_compress.inference.features import ONE
from ardm_compress.inference.gradient import LOG_FLOOR
from ardm_compress.training.features import Features, quantise_deviation

BIAS_CLIP = 1 << 22  # largest magnitude of an integer bias, so that sums stay below 2**24
NEAREST_GAIN = 3.0  # of the weights of the nearest neighbours
CODED_GAIN = 3.0  # of the weights of a position's channels already coded


class Mixture(NamedTuple):
    """Mixtures of logistics of n positions, in sample units."""

    logits: Tensor  # (n, mixture)
    means: Tensor  # (n, mixture)
    log2_scales: Tensor  # (n, mixture)


def round_through(x: Tensor) -> Tensor:
    """Round with the gradient of the identity (straight-through estimator, Bengio et al. 2013)."""
    return x + (torch.round(x) - x).detach()


def on_grid(x: Tensor) -> Tensor:
    """Activations rounded onto their grid."""
    return round_through(x * INPUT_STEP) / INPUT_STEP


class GridLinear(nn.Linear):
    """Linear layer whose weights can be rounded, a scale per output, onto integers within +-WEIGHT_CLIP.

    Muon moves a layer's weights by as much for every input. ``gains`` (inputs,) multiply them, so that inputs known to
    matter more are learned faster.
    """

    gains: Tensor
    rounding: bool = False
    halved: bool = False  # multiply in bfloat16, which holds rounded weights and activations exactly

    def __init__(self, inputs: int, outputs: int, gains: Tensor | None = None) -> None:
        super().__init__(inputs, outputs)
        self.register_buffer("gains", torch.ones(inputs) if gains is None else gains)

    def effective(self) -> Tensor:
        """Weights (outputs, inputs) times their gains."""
        return self.weight * self.gains

    def weight_step(self) -> Tensor:
        """Real value of one integer unit of each output's weights, shape (outputs, 1).

        It follows the largest weight, but is large enough for the bias: units that training has let die keep a bias
        while their weights decay to nothing.
        """
        largest = self.effective().detach().abs().amax(1, keepdim=True)
        for_bias = self.bias.detach().abs().unsqueeze(1) * (INPUT_STEP / BIAS_CLIP)
        return torch.maximum(largest / WEIGHT_CLIP, for_bias).clamp_min(1e-8)

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        weight = self.effective()
        if self.rounding:
            step = self.weight_step()
            weight = round_through(weight / step) * step
        if self.halved:
            return F.linear(x.bfloat16(), weight.bfloat16()).float() + self.bias
        return F.linear(x, weight, self.bias)


class Clamp(nn.Module):
    """Clamp to the range of 8-bit activations and, if asked, round onto their grid."""

    leak: Tensor  # share of the gradient outside the range: without it units die, and never come back
    rounding: bool = False

    def __init__(self, low: int) -> None:
        super().__init__()
        self.low = low / INPUT_STEP
        self.register_buffer("leak", torch.zeros(()), persistent=False)  # a tensor: compiled code holds for any

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        clamped = x.clamp(self.low, CLIP / INPUT_STEP)
        if self.training:
            beyond = x - clamped
            clamped = clamped + self.leak * (beyond - beyond.detach())
        return on_grid(clamped) if self.rounding else clamped


class Bend(nn.Module):
    """x * clamp(x + 1, 0, 2) / 2: a rectifier with a smooth knee, exact in integers (compare hard-swish)."""

    rounding: bool = False

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        if self.rounding:
            x = on_grid(x)
        x = (x * (x + 1).clamp(0, 2) * 0.5).clamp_max(CLIP / INPUT_STEP)
        return on_grid(x) if self.rounding else x


def bend(config: NetworkConfig) -> nn.Module:
    """Make the nonlinearity of hidden layers."""
    return Bend() if config.smooth else Clamp(0)


class State(nn.Module):
    """Residual stream -> activations: divided by its root mean square (Zhang and Sennrich 2019), then clamped."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.normalise = config.normalise
        self.signed = Clamp(-CLIP)

    def forward(self, h: Tensor) -> Tensor:  # noqa: D102
        if self.normalise:
            h = h * torch.rsqrt(h.square().mean(1, keepdim=True) + NORM_FLOOR / (1 << 2 * STREAM_BITS))
        clamped: Tensor = self.signed(h)
        return clamped


class Block(nn.Module):
    """Residual MLP block."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.expand = GridLinear(config.hidden, config.expand)
        self.contract = GridLinear(config.expand, config.hidden)
        self.state, self.bend = State(config), bend(config)

    def forward(self, h: Tensor) -> Tensor:  # noqa: D102
        change: Tensor = self.contract(self.bend(self.expand(self.state(h))))
        return h + change


class Head(nn.Module):
    """Mixture parameters of one channel, given the hidden state and the channels already coded."""

    def __init__(self, config: NetworkConfig, coded: int) -> None:
        super().__init__()
        self.config, self.coded = config, coded
        gains = torch.cat([torch.ones(config.hidden), torch.full((2 * coded,), CODED_GAIN)])
        self.inner = GridLinear(config.hidden + 2 * coded, config.head, gains)
        self.outer = GridLinear(config.head, 3 * config.mixture + coded)
        self.bend = bend(config)
        with torch.no_grad():
            self.outer.weight.mul_(0.3)
            self.outer.bias.zero_()
            self.outer.bias[2 * config.mixture : 3 * config.mixture] = torch.linspace(-3, 0.5, config.mixture)

    def forward(self, state: Tensor, coded: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Logits, offsets (in local scales), log2 scales (relative) and couplings (n, coded)."""
        k = self.config.mixture
        out = self.outer(self.bend(self.inner(torch.cat([state, coded], 1))))
        return out[:, :k], out[:, k : 2 * k], out[:, 2 * k : 3 * k].clamp(-8, 7.9), out[:, 3 * k :]


def input_gains(config: NetworkConfig) -> Tensor:
    """NEAREST_GAIN / d**axes for the samples and the mask of a neighbour at distance d, 1 for what sums up."""
    distance_sq = torch.from_numpy((config.offsets**2).sum(1)).to(torch.float32)
    near = NEAREST_GAIN / distance_sq ** (config.axes / 2)
    return torch.cat([near.repeat_interleave(config.channels), near, torch.ones(config.channels * config.summary)])


def hidden_layers(network: nn.Module) -> list[GridLinear]:
    """All but the heads' last."""
    return [m for name, m in network.named_modules() if isinstance(m, GridLinear) and "outer" not in name]


class Network(nn.Module):
    """p(position | any subset of known neighbours), a mixture per channel.

    Source: Hoogeboom et al. 2022, section 3; the channel heads are this project's.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.input = GridLinear(config.inputs, config.hidden, input_gains(config))
        self.level = nn.Embedding(config.levels, config.hidden)
        self.bucket = nn.Embedding(len(config.scale_thresholds) + 1, config.hidden)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.blocks))
        self.heads = nn.ModuleList(Head(config, c) for c in range(config.channels))
        self.state = State(config)
        for embedding in (self.level, self.bucket):
            nn.init.normal_(embedding.weight, std=0.05)
        self.style = nn.Embedding(config.styles, config.hidden)
        nn.init.zeros_(self.style.weight)
        self.latent = nn.Parameter(torch.empty(config.latents, config.hidden).normal_(std=0.05))
        self.rounding = False

    def set_rounding(self, rounding: bool) -> None:
        """Round weights and activations in the forward pass as the exported integers will be."""
        for module in self.modules():
            if isinstance(module, (GridLinear, Clamp, Bend, Network)):
                module.rounding = rounding

    def set_leak(self, leak: float) -> None:
        """Let a share of the gradient through clamps outside their range."""
        for module in self.modules():
            if isinstance(module, Clamp):
                module.leak.fill_(leak)

    def set_halved(self) -> None:
        """Multiply in bfloat16, but for the heads' last layers."""
        for module in hidden_layers(self):
            module.halved = True

    def described(self, latents: Tensor) -> Tensor:
        """Return what latents (n, latents) add to the residual stream (n, hidden)."""
        latents = latents.clamp(-CLIP / INPUT_STEP, CLIP / INPUT_STEP)
        return (on_grid(latents) if self.rounding else latents) @ self.latent

    def forward(
        self, features: Features, level: Tensor, style: Tensor, latents: Tensor, target: Tensor
    ) -> list[Mixture]:
        """Mixtures of every channel; channel c sees channels 0..c-1 of ``target`` (n, channels), integers in floats."""
        h = self.input(features.inputs / INPUT_STEP)
        h = h + self.level(level) + self.bucket(features.bucket) + self.style(style) + self.described(latents)
        for block in self.blocks:
            h = block(h)
        state = self.state(h)
        scales = (features.scale / ONE).expand(-1, self.config.channels)
        reference = features.reference / ONE
        mixtures: list[Mixture] = []
        seen: list[Tensor] = []  # (n, 1) deviation and innovation of each coded channel, on the input grid
        innovations = target.new_zeros(len(target), 0)
        for channel, head in enumerate(self.heads):
            scale = scales[:, channel : channel + 1]
            logits, offsets, log2_scales, coupling = head(state, torch.cat([state[:, :0], *seen], 1))
            centre = reference[:, channel : channel + 1] + (coupling * innovations).sum(1, keepdim=True)
            means = centre + scale * offsets
            mixtures.append(Mixture(logits, means, log2_scales + torch.log2(scale)))
            value = target[:, channel : channel + 1]
            expected = (logits.softmax(1) * means).sum(1, keepdim=True)
            innovations = torch.cat([innovations, value - expected], 1)
            deviation = value - reference[:, channel : channel + 1]
            with torch.no_grad():
                seen.append(quantise_deviation(deviation, self.config.gain, scale) / INPUT_STEP)
            grid = innovations[:, channel:] * (self.config.innovation_gain / scale)
            seen.append(round_through(grid).clamp(-CLIP, CLIP) / INPUT_STEP)
        return mixtures


def mixture_bits(mixture: Mixture, target: Tensor, top: float = math.inf) -> Tensor:
    """Bits (n,) of coding values ``target`` (n,), 1 apart, with discretised logistic mixtures (Salimans et al. 2017).

    The largest value, ``top``, and if there is one the least, 0, stand for all beyond them as well.
    """
    inverse = torch.exp2(-mixture.log2_scales)
    deviation = target.unsqueeze(1) - mixture.means
    above = (target < top).float().unsqueeze(1)  # 0 where the interval reaches to infinity
    below = ((target > 0) | math.isinf(top)).float().unsqueeze(1)
    log_mass = above * F.logsigmoid((deviation + 0.5) * inverse) + below * F.logsigmoid((0.5 - deviation) * inverse)
    log_mass = log_mass + above * below * torch.log(-torch.expm1(-inverse))
    log_p = torch.logsumexp(mixture.logits.log_softmax(1) + log_mass, 1)
    return -torch.logaddexp(log_p, log_p.new_tensor(LOG_FLOOR)) / math.log(2)
