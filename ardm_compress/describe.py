"""Choosing what a file tells the network about its tiles: their style, mirror and latents. Imports torch.

Only the encoder does this: the file holds the choice, and any choice decodes. It is made in float64, whose rounding
differs too little between machines to change it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ardm_compress.container import LARGEST_LATENT, Description
from ardm_compress.network.config import INPUT_STEP
from ardm_compress.network.features import Features
from ardm_compress.network.model import mixture_bits
from ardm_compress.network.styles import COSITED
from ardm_compress.tile import Tile, groups, mirrored, replicated

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ardm_compress.exact.model import Model

LEVELS = 3  # the finest, from which positions are sampled
EVERY = 9  # of so many ranks one is sampled; odd, because ranks beside and below known positions take turns
EVERY_OF_SMALL = {1 << 11: 1, 1 << 13: 3}  # the same for tiles of fewer positions than the key
SAMPLED = 128  # positions of each of these ranks
SMALLEST = 64  # positions of a tile worth describing
STEPS = 4  # of the fit
PRIOR = 4.0  # nats at a latent of 1
GOLDEN_RATIO = (math.sqrt(5) - 1) / 2


@dataclass(frozen=True)
class Sample:
    """Some positions of a picture, each with the number of positions for which it stands."""

    model: Model
    features: Features
    level: Tensor  # (n,)
    target: Tensor  # (n, the model's channels) float64
    weight: Tensor  # (n,) float64
    channels: int  # coded

    def bits(self, style: int, latents: Tensor) -> Tensor:
        """Expected bits (n,) of the positions, given latents (n, latents), times their weights."""
        mixtures = self.model.float_network(
            self.features, self.level, torch.full_like(self.level, style), latents, self.target
        )
        top = self.model.config.top
        bits = [mixture_bits(m, self.target[:, c], top) for c, m in enumerate(mixtures[: self.channels])]
        return torch.stack(bits).sum(0) * self.weight

    @torch.no_grad()
    def total(self, style: int, latents: Tensor) -> float:
        """Expected bits of the picture's finest levels, given latents (latents,)."""
        return float(self.bits(style, latents.expand(len(self.level), -1)).sum())


def take_sample(model: Model, samples: NDArray[np.uint8]) -> Sample:
    """Sample positions of a tile (rows, columns, channels)."""
    tile, order = Tile(model, replicated(model, samples)), model.order
    ranks, each = order.ranks(tile.shape), order.ranks_per_level
    every = next((every for size, every in EVERY_OF_SMALL.items() if prod(tile.shape) < size), EVERY)
    features, levels, targets, weights = [], [], [], []
    for rank in range(max(0, ranks - LEVELS * each) + every // 2, ranks, every):
        for group in groups(order, tile.shape, rank, rank + 1):
            positions = _spread(group.positions)
            features.append(tile.features(group, positions))
            targets.append(torch.from_numpy(tile.read(group, positions)))
            levels.append(torch.full((len(positions),), min(group.level, model.config.levels - 1)))
            weights.append(torch.full((len(positions),), len(group.positions) / len(positions) * every))
    inputs, bucket, reference, scale = (torch.cat(parts) for parts in zip(*features, strict=True))
    double = Features(inputs.double(), bucket, reference.double(), scale.double())
    target, weight = torch.cat(targets).double(), torch.cat(weights).double()
    return Sample(model, double, torch.cat(levels), target, weight, samples.shape[-1])


def _spread(positions: NDArray[np.int64]) -> NDArray[np.int64]:
    """At most SAMPLED of positions (n, axes), by multiples of the golden ratio: an even stride repeats columns."""
    shares = np.arange(min(SAMPLED, len(positions))) * GOLDEN_RATIO % 1
    return positions[(shares * len(positions)).astype(np.int64)]


def candidates(model: Model) -> list[tuple[int, int]]:
    """Styles and mirrors to try.

    Mirroring moves colour at half resolution onto even positions, where training had it; other styles are the same.
    """
    plain = [(style, 0) for style in range(model.config.styles)]
    return plain + [(COSITED, mirror) for mirror in (1, 2, 3) if model.config.styles > COSITED]


def fit_latents(sample: Sample, style: int) -> tuple[int, ...]:
    """Latents that code a sample in fewer bits, by natural gradient steps; none if they save less than they take.

    Source: Amari 1998, with the empirical Fisher information of the positions.
    """
    count = sample.model.config.latents
    fitted = torch.zeros(count, dtype=torch.float64)
    for _ in range(STEPS):
        each = fitted.repeat(len(sample.level), 1).requires_grad_()
        nats = sample.bits(style, each).sum() * math.log(2)
        (gradient,) = torch.autograd.grad(nats, each)
        fisher = (gradient / sample.weight.unsqueeze(1)).T @ gradient + 2 * PRIOR * torch.eye(count).double()
        fitted = fitted - torch.linalg.solve(fisher, gradient.sum(0) + 2 * PRIOR * fitted)
    rounded = (fitted * INPUT_STEP).round().clamp(-LARGEST_LATENT, LARGEST_LATENT)
    saved = sample.total(style, torch.zeros_like(fitted)) - sample.total(style, rounded / INPUT_STEP)
    latents = np.trim_zeros(rounded.to(torch.int64).tolist(), "b")
    return tuple(latents) if saved > 8 * (1 + len(latents)) else ()


def choose_style(model: Model, samples: NDArray[np.uint8]) -> tuple[int, int]:
    """The style and mirror that code a tile in the fewest bits with the file's extra byte; 0, 0 if it is tiny."""
    if prod(samples.shape[:2]) < SMALLEST:
        return 0, 0
    none, tried = torch.zeros(model.config.latents, dtype=torch.float64), candidates(model)
    sampled = {mirror: take_sample(model, mirrored(samples, mirror)) for mirror in {mirror for _, mirror in tried}}
    bits = {(style, mirror): sampled[mirror].total(style, none) + 8 * any((style, mirror)) for style, mirror in tried}
    return min(tried, key=lambda choice: bits[choice])


def describe_tile(model: Model, samples: NDArray[np.uint8], style: int, mirror: int) -> Description:
    """The description, of that style and mirror, with which a tile is expected to be smallest."""
    if not model.config.latents or prod(samples.shape[:2]) < SMALLEST:
        return Description(style, mirror)
    return Description(style, mirror, fit_latents(take_sample(model, mirrored(samples, mirror)), style))
