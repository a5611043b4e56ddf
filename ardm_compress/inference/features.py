"""Known neighbours -> the network's integer inputs, in exact integers. NumPy only.

docs/format.md section 6 is normative. ``training.features`` does the same with torch, on the trainer's device.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ardm_compress.inference.config import CLIP, INPUT_STEP, SAMPLE_BITS, NetworkConfig

if TYPE_CHECKING:
    from numpy.typing import NDArray

ONE = 1 << SAMPLE_BITS


class Features(NamedTuple):
    """What is known about n positions; all of them hold integers."""

    inputs: NDArray[np.int8]  # (n, config.inputs), within +-CLIP
    bucket: NDArray[np.int64]  # (n,), row of the scale embedding
    reference: NDArray[np.float32]  # (n, channels), weighted mean of the known neighbours times ONE
    scale: NDArray[np.float32]  # (n, 1), or of sound (n, channels): weighted mean absolute deviation + 1, times ONE

    def reference_of(self, channel: int) -> NDArray[np.float32]:
        """Return the references (n,) of a channel."""
        return self.reference[:, channel]

    def rows(self, index: slice | NDArray[np.int64]) -> Features:
        """Select some of the positions."""
        return Features(self.inputs[index], self.bucket[index], self.reference[index], self.scale[index])


class FeatureMaker:
    """Turns windows into features; the reference, which ``fused`` computes faster."""

    def __init__(self, config: NetworkConfig) -> None:
        self.config = config
        self.level_unit = float(ONE << max(0, config.bit_depth - 8))  # of references, as inputs
        self.thresholds = config.scale_thresholds.astype(np.float32)

    def __call__(self, values: NDArray[np.integer], known: NDArray[np.bool_]) -> Features:
        """Compute the features.

        Args:
            values: (n, window, channels), integers; unknown ones are ignored.
            known: (n, window).
        """
        config = self.config
        mask = known[..., None]
        weights = known * config.weights
        samples = np.where(mask, values, 0).astype(np.int64)
        total = weights.sum(1)
        divisor, some = np.maximum(total, 1)[:, None], (total > 0)[:, None]
        sums = (weights[..., None] * samples).sum(1)
        means = np.where(some, (2 * ONE * sums + total[:, None]) // (2 * divisor), ONE << config.bit_depth - 1)
        deviation = np.where(mask, samples * ONE - means[:, None], 0)
        spread = (weights[..., None] * np.abs(deviation)).sum((1, 2))[:, None]
        scales = np.where(some, spread // (config.channels * divisor) + ONE, ONE << config.bit_depth - 3)
        reference, scale = means.astype(np.float32), scales.astype(np.float32)
        window = quantise_deviation(deviation.astype(np.float32), config.gain, scale[..., None])
        level = (np.rint(reference / np.float32(self.level_unit)) - 128).clip(-CLIP, CLIP)
        parts = [window.reshape(len(known), -1), known * INPUT_STEP, level]
        bucket = np.searchsorted(self.thresholds, scale[:, 0], side="right")
        return Features(np.concatenate(parts, 1).astype(np.int8), bucket, reference, scale)

    def gather(
        self,
        samples: NDArray[np.integer],
        ranks: NDArray[np.int32],
        at: NDArray[np.int64],
        first: int,
        offsets: NDArray[np.int64],
    ) -> Features:
        """Compute the features of positions from what is known around them among flattened samples.

        Args:
            samples: (positions, channels).
            ranks: (positions,); those below ``first`` are known.
            at: (n,), flat indices of the positions.
            first: see there.
            offsets: (window,), of their neighbours.
        """
        index = at[:, None] + offsets
        return self(samples[index], ranks[index] < first)


def quantise_deviation(deviation: NDArray[np.float32], gain: int, scale: NDArray[np.float32]) -> NDArray[np.float32]:
    """round(deviation * (gain / scale)) within +-CLIP: one IEEE division, multiplication and rounding each."""
    found: NDArray[np.float32] = np.rint(deviation * (np.float32(gain) / scale)).clip(-CLIP, CLIP)
    return found
