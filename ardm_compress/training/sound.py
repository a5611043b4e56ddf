"""Random training positions from a folder of sound files, coded in random orders and settings. Imports torch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from ardm_compress.ardm import make_order
from ardm_compress.coding.sound.analysis import SETTINGS, derive_wave
from ardm_compress.coding.sound.features import WaveFeatures
from ardm_compress.coding.sound.transform import SIDE_MIDDLE, apply_transform
from ardm_compress.coding.sound.wave import CENTRE_BITS, Cluster, Wave
from ardm_compress.errors import UnsupportedError
from ardm_compress.files import opened
from ardm_compress.formats.catalogue import read_sound
from ardm_compress.inference.config import SAMPLE_BITS
from ardm_compress.training.data import Example
from ardm_compress.training.features import Features

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ardm_compress.inference.config import NetworkConfig

SEGMENT: Final = 1 << 16  # frames that are coded together
SHORTEST: Final = 1 << 10  # frames worth coding
PERIOD_BITS: Final = range(4, 11)  # of the causal orders drawn
SPREAD_SHARE: Final = 0.15  # of segments in the spread order
MONO_SHARE: Final = 0.12  # of stereo segments of which one channel is taken
BYTES: Final = 32  # of a position besides its inputs


class SoundPositions:
    """Positions held in memory with their inputs; ``draw`` picks some at random.

    A position's target is the remainder of each channel, the samples less their predictions; its references are 0.
    """

    def __init__(self, files: list[Path], config: NetworkConfig, *, memory: int, seed: int = 0) -> None:
        """Args: ``memory`` in bytes; of larger folders that share of the positions is taken."""
        self.config, rng = config, np.random.default_rng((seed, 1))
        sounds = [_samples(file) for file in files]
        most = memory // (config.inputs + BYTES)
        share = min(1.0, most / max(1, sum(map(len, sounds))))
        rows = [row for sound in sounds for segment in _segments(sound) for row in self._coded(segment, share, rng)]
        if not rows:
            raise UnsupportedError(f"the sound files have no {SHORTEST} samples in a row")
        names = ("inputs", "bucket", "level", "style", "scale", "target")
        self.arrays = {name: np.concatenate(parts) for name, parts in zip(names, zip(*rows, strict=True), strict=True)}
        self.pictures = 0
        self.seed(0)

    def seed(self, *key: int) -> None:
        """Start the stream of random numbers that ``key`` names."""
        self.rng = np.random.default_rng(key)

    def example(self, n: int, device: torch.device) -> Example:
        """Draw a training batch of n positions."""
        chosen = self.rng.integers(0, len(self.arrays["bucket"]), n)
        drawn = {name: torch.from_numpy(array[chosen]).to(device) for name, array in self.arrays.items()}
        scale, target, style = drawn["scale"], drawn["target"], drawn["style"].long()
        features = Features(drawn["inputs"].float(), drawn["bucket"].long(), torch.zeros_like(target), scale)
        coded = (torch.arange(self.config.channels, device=device) <= style.unsqueeze(1)).float()
        share = coded / coded.sum(1, keepdim=True)
        return Example(features, drawn["level"].long(), style, torch.zeros_like(style), target, share)

    def _coded(
        self, samples: NDArray[np.int64], share: float, rng: np.random.Generator
    ) -> Iterator[tuple[NDArray[np.generic], ...]]:
        """Yield a share of a segment's positions, cluster by cluster."""
        samples = _varied(samples, rng)
        spread = rng.random() < SPREAD_SHARE
        name, period = ("spread", 8) if spread else ("causal", 1 << int(rng.choice(PERIOD_BITS)))
        order = make_order(name, axes=1, period=period)
        steps = [(rank, rank + 1) for rank in range(order.ranks((len(samples),)))]
        wave = derive_wave(samples, order, steps, SETTINGS[rng.integers(1, len(SETTINGS))])
        features = WaveFeatures(self.config)
        for step in steps:
            for cluster in wave.clusters(*step):
                kept = cluster.positions[rng.random(len(cluster.positions)) < share]
                if len(kept):
                    yield self._rows(wave, Cluster(cluster.level, kept, cluster.up, cluster.start), features)

    def _rows(self, wave: Wave, cluster: Cluster, features: WaveFeatures) -> tuple[NDArray[np.generic], ...]:
        inputs, bucket, scale = features(wave, cluster)
        count, channels = len(bucket), wave.samples.shape[1]
        target = np.zeros((count, self.config.channels), np.float32)
        for channel in range(channels):
            centre = wave.refine(cluster, channel)
            samples = wave.samples[cluster.times, channel] << CENTRE_BITS
            target[:, channel] = (samples - centre) / (1 << SAMPLE_BITS)
        level = np.full(count, min(cluster.level, self.config.levels - 1), np.uint8)
        style = np.full(count, channels - 1, np.uint8)
        return inputs, bucket.astype(np.uint8), level, style, scale.astype(np.float32), target


def _samples(file: Path) -> NDArray[np.int32]:
    with opened(file) as data:
        return read_sound(data).samples[:]


def _segments(samples: NDArray[np.int32]) -> list[NDArray[np.int64]]:
    parts = [samples[start : start + SEGMENT].astype(np.int64) for start in range(0, len(samples), SEGMENT)]
    return [part for part in parts if len(part) >= SHORTEST and part.any()]


def _varied(samples: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """One or two channels of a segment, in a random order and transform."""
    channels = rng.permutation(samples.shape[1])[:2]
    if len(channels) == 1 or rng.random() < MONO_SHARE:
        return np.ascontiguousarray(samples[:, channels[:1]])
    return apply_transform(np.ascontiguousarray(samples[:, channels]), int(rng.integers(0, SIDE_MIDDLE + 1)))
