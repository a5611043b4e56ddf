"""p(dimension | any subset of the dimensions of a 32x32 picture): one channel of one position at a time. Imports torch.

The paper's function f(m * x, m, t) with this project's local network: the window around the position, with a mask for
each dimension, so the position's other channels may be known or not; and sums over all that is known of the picture.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ardm_compress.inference.config import CLIP, INPUT_STEP, NetworkConfig
from ardm_compress.training.model import CODED_GAIN, NEAREST_GAIN, Block, GridLinear, Head, Mixture, State
from oa.data import SIDE

CHANNELS = 3
DIMENSIONS = SIDE * SIDE * CHANNELS
CONFIG = NetworkConfig(axes=2, channels=CHANNELS, bit_depth=8, radius_sq=20, blocks=4, normalise=True, smooth=True)
SUMMARY = 13  # inputs besides the window
CENTRE_WEIGHT = 2.0  # of the position's other channels in the local references; 1 is that of a direct neighbour
PRIOR = 0.02  # weight of what is known of the whole picture in local references and scales
LARGEST = CLIP / INPUT_STEP  # magnitude of an input
GAIN = CONFIG.gain / INPUT_STEP  # input per local scale of deviation


class DimensionNetwork(nn.Module):
    """Mixtures of discretised logistics of dimensions, numbered (row * 32 + column) * 3 + channel."""

    offsets: Tensor
    weights: Tensor
    thresholds: Tensor

    def __init__(self, config: NetworkConfig = CONFIG) -> None:
        super().__init__()
        self.config, self.margin = config, config.radius
        offsets = np.concatenate([config.offsets, np.zeros((1, 2), np.int64)])
        distance_sq = (offsets[:-1] ** 2).sum(1)
        near = torch.cat([torch.from_numpy(NEAREST_GAIN / distance_sq).float(), torch.tensor([CODED_GAIN])])
        gains = torch.cat([near.repeat_interleave(2 * CHANNELS), torch.ones(SUMMARY)])
        weights = np.append(config.weights / config.weights.max(), CENTRE_WEIGHT)
        self.register_buffer("offsets", torch.from_numpy(offsets @ [SIDE + 2 * self.margin, 1]), persistent=False)
        self.register_buffer("weights", torch.from_numpy(weights).float(), persistent=False)
        self.register_buffer("thresholds", torch.from_numpy(config.scale_thresholds / 16).float(), persistent=False)
        self.input = GridLinear(len(gains), config.hidden, gains)
        self.channel = nn.Embedding(CHANNELS, config.hidden)
        self.bucket = nn.Embedding(len(config.scale_thresholds) + 1, config.hidden)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.blocks))
        self.state, self.head = State(config), Head(config, 0)
        for embedding in (self.channel, self.bucket):
            nn.init.normal_(embedding.weight, std=0.05)

    def forward(self, pictures: Tensor, known: Tensor, dimensions: Tensor) -> Mixture:
        """Mixtures of some dimensions of every picture.

        Args:
            pictures: (b, 32, 32, 3), samples from 0 to 255; unknown ones are ignored.
            known: the same shape, bool.
            dimensions: (b, k) int64.

        Returns:
            Of b * k rows, picture by picture.
        """
        mask = known.float()
        values = pictures.float() * mask
        inputs, bucket, reference, scale = self._inputs(values, mask, dimensions)
        h = self.input(inputs) + self.channel(dimensions.flatten() % CHANNELS) + self.bucket(bucket)
        for block in self.blocks:
            h = block(h)
        logits, offsets, log2_scales, _ = self.head(self.state(h), h[:, :0])
        return Mixture(logits, reference + scale * offsets, log2_scales + torch.log2(scale))

    def _inputs(self, values: Tensor, mask: Tensor, dimensions: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Make inputs (n, inputs), buckets (n,), references and scales (n, 1); a dimension's own channel is first."""
        row, column = dimensions // (SIDE * CHANNELS), dimensions // CHANNELS % SIDE
        window = self._windows(values, mask, row, column, dimensions % CHANNELS)
        seen, there = window[:, :, :CHANNELS], window[:, :, CHANNELS:]  # (n, window, channels)
        mean, spread, count = _known(values, mask)
        turns = (dimensions.unsqueeze(2) + torch.arange(CHANNELS)) % CHANNELS
        mean = mean.unsqueeze(1).expand(-1, dimensions.shape[1], -1).gather(2, turns).flatten(0, 1)
        spread, count = (x.expand(-1, dimensions.shape[1]).reshape(-1, 1) for x in (spread, count))
        weights = there * self.weights.unsqueeze(1)
        sums, totals = (weights * seen).sum(1), weights.sum(1)  # (n, channels)
        pooled_mean = mean.mean(1, keepdim=True)
        pooled = (sums.sum(1, keepdim=True) + PRIOR * pooled_mean) / (totals.sum(1, keepdim=True) + PRIOR)
        reference = (sums + PRIOR * (pooled + mean - pooled_mean)) / (totals + PRIOR)
        deviation = (seen - reference.unsqueeze(1)) * there
        scale = (weights * deviation.abs()).sum((1, 2)).unsqueeze(1) + PRIOR * spread
        scale = scale / (totals.sum(1, keepdim=True) + PRIOR) + 1
        place = torch.stack([row.flatten(), column.flatten()], 1) * (2 / (SIDE - 1)) - 1
        summary = [
            (reference - 128) / INPUT_STEP,
            (reference[:, 1:] - reference[:, :1]) * (GAIN / scale),
            (mean - reference) * (GAIN / scale),
            torch.log2(spread + 1) / 2,
            4 * count / DIMENSIONS - 2,
            torch.log2(count + 1) / 4,
            place,
        ]
        near = torch.cat([deviation * (GAIN / scale).unsqueeze(2), there], 2).flatten(1)
        inputs = torch.cat([near, *summary], 1).clamp(-LARGEST, LARGEST)
        return inputs, torch.bucketize(scale.squeeze(1), self.thresholds, right=True), reference[:, :1], scale

    def _windows(self, values: Tensor, mask: Tensor, row: Tensor, column: Tensor, channel: Tensor) -> Tensor:
        """Values and masks (n, window, 2 * channels) around dimensions, nothing known outside the picture."""
        side, b = SIDE + 2 * self.margin, len(values)
        turned = [torch.cat([x.roll(-c, 3) for x in (values, mask)], 3) for c in range(CHANNELS)]
        padded = F.pad(torch.stack(turned), (0, 0, *[self.margin] * 4)).view(-1, 2 * CHANNELS)
        picture = channel * b + torch.arange(b).unsqueeze(1)
        centre = (picture * side + row + self.margin) * side + column + self.margin
        index = centre.view(-1, 1) + self.offsets
        return padded.index_select(0, index.flatten()).view(*index.shape, -1)


def _known(values: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Means (b, channels), mean absolute deviation and number (b, 1) of what is known; of nothing, 128, 40 and 0."""
    counts = mask.sum((1, 2))
    total = counts.sum(1, keepdim=True)
    pooled = (values.sum((1, 2, 3)).unsqueeze(1) + 128) / (total + 1)
    mean = (values.sum((1, 2)) + pooled) / (counts + 1)
    spread = ((values - mean[:, None, None]).abs() * mask).sum((1, 2, 3)).unsqueeze(1)
    return mean, (spread + 40) / (total + 1), total
