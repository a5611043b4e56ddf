"""Measure what a trained network pays for every rank at every start of its step: the model's cost table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from ardm_compress.training.data import Sampler
from ardm_compress.training.features import FeatureMaker
from ardm_compress.training.model import Network, mixture_bits

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEVELS = 5  # measured one by one; coarser levels share the last
DEPTH = 4  # how many levels further up a step may start
EVERY = 8  # ranks between the starts measured on coarser levels


@torch.no_grad()
def measure_costs(network: Network, sampler: Sampler, positions: int) -> dict[str, NDArray[np.float32]]:
    """Measure the expected bits of a position, all channels together.

    Args:
        network: as it will be exported, that is with rounding.
        sampler: over images that the network was not trained on, of the order to plan for, without
            flips and gray, so that every start sees the same samples.
        positions: per level and rank; every start is measured on the same ones.

    Returns:
        ``same`` (LEVELS, n, n) and ``coarser`` (LEVELS, DEPTH, n, n), float32, as ``ardm.schedule`` reads.
    """
    n = sampler.order.ranks_per_level
    same, coarser = np.zeros((LEVELS, n, n), np.float32), np.zeros((LEVELS, DEPTH, n, n), np.float32)
    for level in range(LEVELS):
        for rank in range(n):
            levels = np.full(positions, level)
            image, position = sampler.place(levels, np.full(positions, rank))
            measured = _Measured(network, sampler, image, levels, position)
            same[level, : rank + 1, rank] = measured.bits(0, range(rank + 1))
            for up in range(1, DEPTH + 1):
                coarser[level, up - 1, :, rank] = np.repeat(measured.bits(up, range(0, n, EVERY)), EVERY)
    return {"same": same, "coarser": coarser}


@dataclass(frozen=True)
class _Measured:
    """The positions on which the starts of one level and rank are compared."""

    network: Network
    sampler: Sampler
    image: NDArray[np.int64]
    level: NDArray[np.int64]
    position: NDArray[np.int64]

    def bits(self, up: int, starts: range) -> list[float]:
        """Mean bits of a position for every start, ``up`` levels further up."""
        config, repeats = self.network.config, len(starts)
        image, level = np.tile(self.image, repeats), np.tile(self.level, repeats)
        position = np.tile(self.position, (repeats, 1))
        start = np.repeat(np.array(starts), len(self.image))
        known = self.sampler.order.known_before(position[:, None] + config.offsets, np.full_like(start, up), start)
        batch = self.sampler.batch(image, level, position, known)
        features = FeatureMaker(config)(batch.values, batch.known)
        latents = torch.zeros(len(batch.target), config.latents)
        mixtures = self.network(features, batch.level, batch.style, latents, batch.target)
        targets = batch.target.unbind(1)
        bits = [mixture_bits(m, target, config.top) for m, target in zip(mixtures, targets, strict=True)]
        means: list[float] = torch.stack(bits).sum(0).view(repeats, -1).mean(1).tolist()
        return means
