"""``inference.features`` with torch, on the trainer's device: the same integers, which tests compare. Imports torch."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ardm_compress.inference.config import CLIP, INPUT_STEP, NetworkConfig
from ardm_compress.inference.features import ONE


class Features(NamedTuple):
    """What is known about n positions; float32 tensors that hold integers."""

    inputs: Tensor  # (n, config.inputs), within +-CLIP
    bucket: Tensor  # (n,) int64, row of the scale embedding
    reference: Tensor  # (n, channels), weighted mean of the known neighbours times ONE
    scale: Tensor  # (n, 1), (weighted mean absolute deviation + 1) times ONE


class FeatureMaker:
    """Turns windows into features; holds the window's constants as tensors."""

    def __init__(self, config: NetworkConfig, device: torch.device | str = "cpu") -> None:
        self.config = config
        # Sums stay below 2**24 at 8 bits (checked by the configuration) and below 2**53 at 16.
        self._sum_type = torch.float32 if config.bit_depth <= 8 else torch.float64
        self._weights = torch.from_numpy(config.weights).to(device, self._sum_type)
        self.level_unit = float(ONE << max(0, config.bit_depth - 8))  # of references, as inputs
        self._thresholds = torch.from_numpy(config.scale_thresholds).to(device, torch.float32)

    def __call__(self, values: Tensor, known: Tensor) -> Features:
        """Compute the features.

        Args:
            values: (n, window, channels), integers; unknown ones are ignored.
            known: (n, window) bool.
        """
        config = self.config
        mask = known.to(torch.float32)
        weights = known.to(self._sum_type) * self._weights
        values = values.to(torch.float32) * mask.unsqueeze(2)
        total = weights.sum(1, keepdim=True).to(torch.float64)
        empty = total == 0
        total = torch.where(empty, 1.0, total)
        sums = torch.bmm(weights.unsqueeze(1), values.to(self._sum_type)).squeeze(1).to(torch.float64)
        reference = torch.floor((2 * ONE * sums + total) / (2 * total))
        reference = torch.where(empty, float(ONE << config.bit_depth - 1), reference).to(torch.float32)
        deviation = (values * ONE).sub_(reference.unsqueeze(1)).mul_(mask.unsqueeze(2))
        spread = torch.bmm(weights.unsqueeze(1), deviation.abs().to(self._sum_type)).sum(2).to(torch.float64)
        scale = torch.floor(spread / (config.channels * total)) + ONE
        scale = torch.where(empty, float(ONE << config.bit_depth - 3), scale).to(torch.float32)
        window = quantise_deviation(deviation, config.gain, scale.unsqueeze(2))
        level = torch.round(reference / self.level_unit).sub_(128).clamp_(-CLIP, CLIP)
        inputs = torch.cat([window.flatten(1), mask * INPUT_STEP, level], 1)
        bucket = torch.bucketize(scale.squeeze(1), self._thresholds, right=True)
        return Features(inputs, bucket, reference, scale)


def quantise_deviation(deviation: Tensor, gain: int, scale: Tensor) -> Tensor:
    """round(deviation * (gain / scale)) within +-CLIP: one IEEE division, multiplication and rounding each."""
    factor = torch.full_like(scale, gain) / scale  # of tensors: torch takes number / tensor as a reciprocal
    return torch.round(deviation * factor).clamp_(-CLIP, CLIP)
