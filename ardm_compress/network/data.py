"""Random training positions from a folder of images: windows, masks and targets. Imports torch, NumPy, Pillow."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ardm_compress.ardm.masks import known_before, random_masks
from ardm_compress.ardm.order import Order

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ardm_compress.network.config import NetworkConfig


IMAGE_SUFFIXES = {".png", ".webp", ".bmp", ".ppm", ".tif", ".tiff"}
HOLD_OUT = 37  # one file in this many is never trained on


def held_out(folder: Path) -> tuple[list[Path], list[Path]]:
    """The images of a folder: those to train on, and those held out for measuring."""
    files = sorted(p for p in folder.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES)
    return [p for i, p in enumerate(files) if i % HOLD_OUT], files[::HOLD_OUT]


@dataclass(frozen=True)
class Batch:
    """n positions with what is known around them."""

    values: Tensor  # (n, window, channels) uint8
    known: Tensor  # (n, window) bool
    level: Tensor  # (n,) int64
    target: Tensor  # (n, channels) float32


class ImageFolder:
    """All images of a folder as one flat array of samples, decoded once."""

    def __init__(self, files: list[Path]) -> None:
        shapes, samples = [], []
        for file in files:
            with Image.open(file) as image:
                pixels = np.asarray(image.convert("RGB"))
            shapes.append(pixels.shape[:2])
            samples.append(pixels.reshape(-1, 3))
        self.samples = np.concatenate(samples)
        self.shapes = np.array(shapes, np.int64)
        sizes = self.shapes.prod(1)
        self.first = np.cumsum(sizes) - sizes
        self.probability = sizes / sizes.sum()


@dataclass(frozen=True)
class Sampling:
    """How training positions are drawn."""

    level_decay: float = 0.3  # share of positions of each level relative to the next finer one
    random_masks: float = 0.04  # share of batches' positions under uniform random masks (the paper's objective)
    early_start: float = 0.12  # share whose step started earlier in the same level
    coarse_start: float = 0.03  # share whose step started on a coarser level
    flips: bool = True  # mirror images at random along each axis
    gray: float = 0.02  # share whose channels are all the second one, so that the model codes gray images too


class Sampler:
    """Draws batches of positions under the order's masks and under random ones."""

    def __init__(self, data: ImageFolder, config: NetworkConfig, order: Order, sampling: Sampling, seed: int) -> None:
        self.data, self.config, self.order, self.sampling = data, config, order, sampling
        self.rng = np.random.default_rng(seed)
        self.starts = np.array([order.lattice(r, 1).start for r in range(order.ranks_per_level)])
        shares = sampling.level_decay ** np.arange(config.levels)
        self.level_shares = shares / shares.sum()
        ranks = np.arange(order.ranks_per_level)
        around = np.repeat(self.starts, len(ranks), 0)[:, None] + config.offsets
        same = known_before(order, around, np.zeros(len(around), np.int64), np.tile(ranks, len(ranks)))
        self.same_level = same.reshape(len(ranks), len(ranks), -1)  # (rank, start, window)

    def draw(self, n: int) -> Batch:
        """A training batch of n positions."""
        level = self.rng.choice(self.config.levels, n, p=self.level_shares)
        rank = self.rng.integers(0, self.order.ranks_per_level, n)
        image, position = self.place(level, rank)
        return self.batch(image, level, position, self._known(position, rank))

    def place(self, level: NDArray[np.int64], rank: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Random images (n,) and, in them, random positions (n, 2) of the given levels and ranks."""
        image = self.rng.choice(len(self.data.shapes), len(level), p=self.data.probability)
        sizes = -(-self.data.shapes[image] >> level[:, None])
        start = self.starts[rank]
        position = start + self.order.period * self.rng.integers(0, -(-sizes // self.order.period))
        return image, np.where(position < sizes, position, start % sizes)

    def batch(
        self, image: NDArray[np.int64], level: NDArray[np.int64], position: NDArray[np.int64], known: NDArray[np.bool_]
    ) -> Batch:
        """The samples at and around positions; ``known`` (n, window), to which the image's border is added."""
        shape = self.data.shapes[image]
        sizes = -(-shape >> level[:, None])
        around = [position[:, axis, None] + offsets for axis, offsets in enumerate(self.config.offsets.T)]
        inside = np.logical_and.reduce([(a >= 0) & (a < sizes[:, i, None]) for i, a in enumerate(around)])
        values = self._values(image, shape, level, position, inside)
        gray = self.rng.random(len(image)) < self.sampling.gray
        values[gray] = values[gray][..., 1:2]
        return Batch(
            torch.from_numpy(values[:, :-1]),
            torch.from_numpy(known & inside),
            torch.from_numpy(level),
            torch.from_numpy(values[:, -1].astype(np.float32)),
        )

    def _known(self, position: NDArray[np.int64], rank: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which neighbours (n, window) of positions of the given ranks are known when each position's step starts."""
        rng, sampling, n = self.rng, self.sampling, len(rank)
        kind = rng.random(n)
        start = rank.copy()
        coarse = kind < sampling.coarse_start
        early = ~coarse & (kind < sampling.coarse_start + sampling.early_start)
        start[early] = rng.integers(0, rank[early] + 1)
        start[coarse] = rng.integers(0, self.order.ranks_per_level, coarse.sum())
        up = rng.geometric(0.6, coarse.sum()).clip(max=4)
        known: NDArray[np.bool_] = self.same_level[rank, start]
        known[coarse] = known_before(self.order, position[coarse, None] + self.config.offsets, up, start[coarse])
        random = kind > 1 - sampling.random_masks
        known[random] = random_masks(rng, int(random.sum()), known.shape[1])
        return known

    def _values(
        self,
        image: NDArray[np.int64],
        shape: NDArray[np.int64],
        level: NDArray[np.int64],
        position: NDArray[np.int64],
        inside: NDArray[np.bool_],
    ) -> NDArray[np.uint8]:
        """Samples (n, window + 1, channels) around and, last, at positions of randomly flipped images."""
        flip = self.rng.random((len(image), 2)) < 0.5 * self.sampling.flips
        full = position << level[:, None]
        full = np.where(flip, shape - 1 - full, full)
        centre = self.data.first[image] + full[:, 0] * shape[:, 1] + full[:, 1]
        pitch = np.stack([shape[:, 1], np.ones_like(level)], 1) * np.where(flip, -1, 1) << level[:, None]
        index = centre[:, None] + np.where(inside, pitch @ self.config.offsets.T, 0)
        return self.data.samples.take(np.concatenate([index, centre[:, None]], 1), 0)
