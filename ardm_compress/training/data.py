"""Random training positions from a folder of images: windows, masks and targets. Imports torch, NumPy, Pillow."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ardm_compress.ardm import Order
from ardm_compress.errors import UnsupportedError
from ardm_compress.training.features import FeatureMaker, Features
from ardm_compress.training.styles import Pixels, developed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ardm_compress.inference.config import NetworkConfig


JPEG_SUFFIXES = {".jpg", ".jpeg"}
IMAGE_SUFFIXES = {".png", ".webp", ".bmp", ".ppm", ".tif", ".tiff"} | JPEG_SUFFIXES
IMAGE_MODES = {"1", "L", "LA", "P", "RGB", "RGBA"}  # those whose conversion to RGB keeps 8-bit samples
HOLD_OUT = 37  # one file in this many is never trained on


def held_out(folder: Path, suffixes: set[str] = IMAGE_SUFFIXES) -> tuple[list[Path], list[Path]]:
    """Divide the files below a folder with these suffixes into those to train on and those held out.

    Raises:
        UnsupportedError: fewer than two.
    """
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in suffixes)
    if len(files) < 2:
        raise UnsupportedError(f"{folder} has {len(files)} files ({', '.join(sorted(suffixes))}); 2 are needed")
    return [p for i, p in enumerate(files) if i % HOLD_OUT], files[::HOLD_OUT]


@contextmanager
def _opened(file: Path) -> Iterator[Image.Image]:
    """Open an image; raises UnsupportedError if it cannot be read as 8-bit samples.

    JPEG files are opened at half their size, which has hardly any of what their compression left.
    """
    try:
        with Image.open(file) as image:
            if file.suffix.lower() in JPEG_SUFFIXES:
                image.draft(image.mode, (-(-image.width // 2), -(-image.height // 2)))
            if image.mode not in IMAGE_MODES:
                raise UnsupportedError(f"{file} has Pillow mode {image.mode}; networks are trained on 8-bit images")
            yield image
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise UnsupportedError(f"{file} cannot be read: {error}") from error


@dataclass(frozen=True)
class Batch:
    """n positions with what is known around them."""

    values: Tensor  # (n, window, channels) uint8
    known: Tensor  # (n, window) bool
    level: Tensor  # (n,) int64
    style: Tensor  # (n,) int64
    picture: Tensor  # (n,) int64, whose latents the network is told; 0 for none
    target: Tensor  # (n, channels) float32

    def to(self, device: torch.device) -> Batch:
        """Copy the batch to another device."""
        tensors = self.values, self.known, self.level, self.style, self.picture, self.target
        return Batch(*(tensor.to(device) for tensor in tensors))


class Example(NamedTuple):
    """n positions as a network takes them."""

    features: Features
    level: Tensor  # (n,) int64
    style: Tensor  # (n,) int64
    picture: Tensor  # (n,) int64, whose latents the network is told; 0 for none
    target: Tensor  # (n, channels) float32
    share: Tensor  # (n, channels) weights of the channels in the loss, of sum 1


class Positions(Protocol):
    """Where training examples come from."""

    pictures: int  # whose latents are learned

    def seed(self, *key: int) -> None:
        """Start the stream of random numbers that ``key`` names."""

    def example(self, n: int, device: torch.device) -> Example:
        """Draw a training batch of n positions."""


class ImageFolder:
    """Images as one flat array of samples; every file is decoded once, and cropped if all would take too much memory.

    Attributes:
        samples: (pixels, 3) uint8.
        first: (images,) pixel at which each image starts.
        shapes: (images, 2) rows and columns.
        style: (images,) see ``ardm_compress.training.styles``.
        picture: (images,) numbered from 1; an image and its transpose are one picture.
        pitches: (images, 2) distance in ``samples`` between neighbours along each axis.
    """

    def __init__(self, files: list[Path], *, varied: bool = False, memory: int = 1 << 30, seed: int = 0) -> None:
        """Args: ``varied`` adds half sizes, transposes, noise and coarse colour; ``memory`` in bytes."""
        rng = np.random.default_rng(seed)
        side = min(1.0, math.sqrt(memory / max(1, _bytes_of(files) * (1.25 if varied else 1))))
        crops = [crop for file in files for crop in _crops(file, side, varied, rng)]
        images = [pixels for pixels, _ in crops]
        style = np.array([style for _, style in crops])
        shapes = np.array([image.shape[:2] for image in images], np.int64)
        pitches = np.stack([shapes[:, 1], np.ones(len(shapes), np.int64)], 1)
        sizes = shapes.prod(1)
        first = np.cumsum(sizes) - sizes
        self.samples = np.concatenate([image.reshape(-1, 3) for image in images])
        self.first = np.tile(first, 2) if varied else first
        self.style = np.tile(style, 2) if varied else style
        self.picture = np.arange(len(self.style)) % len(images) + 1
        self.pictures = len(images)
        self.shapes = np.concatenate([shapes, shapes[:, ::-1]]) if varied else shapes
        self.pitches = np.concatenate([pitches, pitches[:, ::-1]]) if varied else pitches
        self.probability = self.shapes.prod(1) / self.shapes.prod(1).sum()


def _bytes_of(files: list[Path]) -> int:
    """Count the samples of all images, by their headers."""
    total = 0
    for file in files:
        with _opened(file) as image:
            total += 3 * image.width * image.height
    return total


def _crops(file: Path, side: float, varied: bool, rng: np.random.Generator) -> list[Pixels]:
    """Crop an image at random to that share of its sides; if asked, add another at half its size; with styles."""
    with _opened(file) as image:
        width, height = max(1, int(side * image.width)), max(1, int(side * image.height))
        left = int(rng.integers(0, image.width - width + 1))
        top = int(rng.integers(0, image.height - height + 1))
        crop = image.convert("RGB").crop((left, top, left + width, top + height))
    if not varied:
        return [(np.asarray(crop), 0)]
    sizes = [crop, crop.reduce(2)] if min(crop.size) > 1 else [crop]
    return [developed(c, rng) for c in sizes]


@dataclass(frozen=True)
class Sampling:
    """How training positions are drawn."""

    level_decay: float = 0.3  # share of positions of each level relative to the next finer one
    random_masks: float = 0.04  # share of batches' positions under uniform random masks (the paper's objective)
    early_start: float = 0.12  # share whose step started earlier in the same level
    coarse_start: float = 0.03  # share whose step started on a coarser level
    varied: bool = True  # mirrored, transposed and half-size images as well
    gray: float = 0.02  # share whose channels are all the second one, so that the model codes gray images too
    described: float = 0.85  # share for which the network is told the picture's latents


class Sampler:
    """Draws batches of positions under the order's masks and under random ones."""

    def __init__(self, data: ImageFolder, config: NetworkConfig, order: Order, sampling: Sampling) -> None:
        self.data, self.config, self.order, self.sampling = data, config, order, sampling
        self.pictures = data.pictures
        self.seed(0)
        self.starts = np.array([order.lattice(r, 1).start for r in range(order.ranks_per_level)])
        shares = sampling.level_decay ** np.arange(config.levels)
        self.level_shares = shares / shares.sum()
        ranks = np.arange(order.ranks_per_level)
        around = np.repeat(self.starts, len(ranks), 0)[:, None] + config.offsets
        same = order.known_before(around, np.zeros(len(around), np.int64), np.tile(ranks, len(ranks)))
        self.same_level = same.reshape(len(ranks), len(ranks), -1)  # (rank, start, window)

    def seed(self, *key: int) -> None:
        """Start the stream of random numbers that ``key`` names."""
        self.rng = np.random.default_rng(key)

    def draw(self, n: int) -> Batch:
        """Draw a training batch of n positions."""
        level = self.rng.choice(self.config.levels, n, p=self.level_shares)
        rank = self.rng.integers(0, self.order.ranks_per_level, n)
        image, position = self.place(level, rank)
        return self.batch(image, level, position, self._known(position, rank))

    def example(self, n: int, device: torch.device) -> Example:
        """Draw a training batch of n positions with its features."""
        batch = self.draw(n).to(device)
        features = FeatureMaker(self.config, device)(batch.values, batch.known)
        share = torch.full_like(batch.target, 1 / batch.target.shape[1])
        return Example(features, batch.level, batch.style, batch.picture, batch.target, share)

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
        """Gather the samples at and around positions; of ``known`` (n, window), what lies in the image stays."""
        shape = self.data.shapes[image]
        sizes = -(-shape >> level[:, None])
        around = [position[:, axis, None] + offsets for axis, offsets in enumerate(self.config.offsets.T)]
        inside = np.logical_and.reduce([(a >= 0) & (a < sizes[:, i, None]) for i, a in enumerate(around)])
        values = self._values(image, level, position, inside)
        gray = self.rng.random(len(image)) < self.sampling.gray
        values[gray] = values[gray][..., 1:2]
        described = ~gray & (self.rng.random(len(image)) < self.sampling.described)
        return Batch(
            torch.from_numpy(values[:, :-1]),
            torch.from_numpy(known & inside),
            torch.from_numpy(level),
            torch.from_numpy(self.data.style[image] % self.config.styles),
            torch.from_numpy(np.where(described, self.data.picture[image], 0)),
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
        known[coarse] = self.order.known_before(position[coarse, None] + self.config.offsets, up, start[coarse])
        random = kind > 1 - sampling.random_masks
        share = rng.random((int(random.sum()), 1))  # the paper's objective (section 2), seen through a window
        known[random] = rng.random((len(share), known.shape[1])) < share
        return known

    def _values(
        self, image: NDArray[np.int64], level: NDArray[np.int64], position: NDArray[np.int64], inside: NDArray[np.bool_]
    ) -> NDArray[np.uint8]:
        """Gather samples (n, window + 1, channels) around and, last, at positions of randomly mirrored images."""
        data = self.data
        mirrored = self.rng.random((len(image), 2)) < 0.5 * self.sampling.varied
        full = position << level[:, None]
        full = np.where(mirrored, data.shapes[image] - 1 - full, full)
        centre = data.first[image] + (full * data.pitches[image]).sum(1)
        pitch = data.pitches[image] * np.where(mirrored, -1, 1) << level[:, None]
        index = centre[:, None] + np.where(inside, pitch @ self.config.offsets.T, 0)
        return data.samples.take(np.concatenate([index, centre[:, None]], 1), 0)
