"""Files of the OA-ARDM: a byte for the schedule, then one stack of ANS symbols of 256 values. Imports torch.

In floats, so a file decodes where it was encoded, by the same process: to count its bytes, not to keep it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ardm_compress.ardm import make_order
from ardm_compress.ardm.schedule import Schedule
from ardm_compress.training.model import Mixture
from oa.data import SIDE
from oa.network import CHANNELS, DIMENSIONS, DimensionNetwork
from oa.rows import SymbolDecoder, SymbolEncoder

VALUES = 256
TOTAL = float((1 << 24) - VALUES)  # of the frequencies; the coder adds one to each


def dimension_order(name: str, seed: int = 0) -> NDArray[np.int64]:
    """List the dimensions as they are coded; ``random`` is a uniform permutation, the paper's."""
    if name == "random":
        return np.random.default_rng(seed).permutation(DIMENSIONS)
    if name == "raster":
        return np.arange(DIMENSIONS)
    if name == "block":
        ranks = make_order("block", axes=2, period=SIDE).rank_map((SIDE, SIDE))
        return np.argsort(ranks[..., None] * CHANNELS + np.arange(CHANNELS), axis=None)
    ranks = make_order("spread", axes=2).rank_map((SIDE, SIDE))  # all positions of a rank in one channel, then the next
    return np.argsort(ranks[..., None] * CHANNELS + np.arange(CHANNELS), axis=None, kind="stable")


def probabilities(mixture: Mixture) -> Tensor:
    """Of all values of a sample, (n, 256) float64; the first and the last stand for all beyond them as well."""
    edges = torch.arange(VALUES - 1, dtype=torch.float64) + 0.5
    inverse = torch.exp2(-mixture.log2_scales.double())
    inside = torch.sigmoid((edges - mixture.means.double().unsqueeze(2)) * inverse.unsqueeze(2))
    inside = (mixture.logits.double().softmax(1).unsqueeze(2) * inside).sum(1)
    ends = torch.zeros(len(inside), 1), torch.ones(len(inside), 1)
    return torch.diff(inside, prepend=ends[0], append=ends[1]).clamp_min(0)


def frequencies(mixture: Mixture) -> NDArray[np.float32]:
    """Integers (n, 256) of sum TOTAL; what rounding leaves goes to the likeliest value."""
    rows = torch.floor(probabilities(mixture) * TOTAL)
    rows.scatter_add_(1, rows.argmax(1, keepdim=True), TOTAL - rows.sum(1, keepdim=True))
    return rows.numpy().astype(np.float32)


@torch.no_grad()
def _mixture(network: DimensionNetwork, pictures: Tensor, order: NDArray[np.int64], step: tuple[int, int]) -> Mixture:
    """Mixtures of the dimensions of a step of all pictures (b, 32, 32, 3), given those before it."""
    known = torch.zeros(DIMENSIONS, dtype=torch.bool)
    known[torch.from_numpy(order[: step[0]])] = True
    coded = torch.from_numpy(order[slice(*step)]).expand(len(pictures), -1)
    return network(pictures, known.view(1, SIDE, SIDE, CHANNELS).expand_as(pictures), coded)


class Coder:
    """Encodes and decodes single pictures."""

    def __init__(self, network: DimensionNetwork, order: NDArray[np.int64], schedules: Sequence[Schedule]) -> None:
        """Args: ``order``, see ``dimension_order``; ``schedules``, of which a file names one by its number."""
        self.network, self.order, self.schedules = network, order, schedules

    def encode(self, picture: NDArray[np.uint8], number: int) -> bytes:
        """Encode a picture (32, 32, 3) with a schedule."""
        tensor, samples, coded = torch.from_numpy(picture).unsqueeze(0), picture.ravel(), SymbolEncoder()
        rows = [
            (samples[self.order[slice(*step)]], frequencies(_mixture(self.network, tensor, self.order, step)))
            for step in self.schedules[number]
        ]
        for symbols, frequency in reversed(rows):
            coded.push(symbols.astype(np.int32), frequency)
        return bytes([number]) + coded.to_bytes()

    def decode(self, data: bytes) -> NDArray[np.uint8]:
        """Inverse of ``encode``."""
        picture, coded = np.zeros((1, SIDE, SIDE, CHANNELS), np.uint8), SymbolDecoder(data[1:])
        for step in self.schedules[data[0]]:
            mixture = _mixture(self.network, torch.from_numpy(picture), self.order, step)
            picture.reshape(-1)[self.order[slice(*step)]] = coded.pop(frequencies(mixture))
        coded.finish()
        return picture[0]


def sample(
    network: DimensionNetwork, count: int, order: NDArray[np.int64], schedule: Schedule, seed: int
) -> NDArray[np.uint8]:
    """Pictures drawn from the model, (count, 32, 32, 3)."""
    pictures, generator = torch.zeros(count, SIDE, SIDE, CHANNELS, dtype=torch.uint8), torch.Generator()
    generator.manual_seed(seed)
    for step in schedule:
        chances = probabilities(_mixture(network, pictures, order, step))
        values = torch.multinomial(chances, 1, generator=generator).view(count, -1)
        pictures.view(count, -1)[:, torch.from_numpy(order[slice(*step)])] = values.to(torch.uint8)
    return pictures.numpy()
