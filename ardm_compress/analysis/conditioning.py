"""Choosing what a file tells the network about its tiles: their style, mirror and latents. NumPy only.

Only the encoder does this: the file holds the choice, and any choice decodes. Choices are compared in exact integers,
so that they depend neither on the machine nor on the tiles beside; latents are fitted tile by tile by integer products
and float64, whose rounding differs too little between machines to change them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ardm_compress.coding.tile import BATCH, Tiles, groups, mirrored, replicated
from ardm_compress.container.image import LARGEST_LATENT, PLAIN, Description
from ardm_compress.inference.config import INPUT_STEP
from ardm_compress.inference.features import Features
from ardm_compress.inference.mixture import boundaries
from ardm_compress.inference.threads import mapped
from ardm_compress.training.styles import COSITED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ardm_compress.inference.gradient import PictureGradient
    from ardm_compress.inference.model import Model

LEVELS = 3  # the finest, from which positions are sampled
EVERY = 3  # of so many ranks one is sampled; odd, because ranks beside and below known positions take turns
FEW = 1 << 11  # positions of a tile below which all ranks are
SAMPLED, SAMPLED_OF_LARGER = 128, 64  # positions of a rank: few of many ranks, which lie differently in coarse colour
LARGER = 1 << 13  # positions of a tile from which it is the latter
SMALLEST = 64  # positions of a tile worth describing
STEPS = (8, 4, 2, 1, 1)  # of the fit: each by one of so many positions, as the way there need not be exact
LEAST = 64  # positions of a step
PRIOR = 4.0  # nats at a latent of 1
GOLDEN_RATIO = (math.sqrt(5) - 1) / 2
LARGE = 1 << 14  # positions of a tile of which styles are compared more closely
TRIED, TRIED_OF_LARGE = 2, 3  # steps of the fit after which they are
COMPARED = 512  # positions that they are compared by in smaller ones, in large ones all of the sample
UNIT_BITS = 10  # 2**UNIT_BITS units are a bit
LEAST_SHARE = 2.0**-24  # that the coder gives every value


class Choice(NamedTuple):
    """What could be told of a tile of a sample."""

    tile: int  # its number
    style: int
    latents: tuple[int, ...] = ()


@dataclass(frozen=True)
class Sample:
    """Some positions of tiles of one shape, the same n of each, those of a tile in a row."""

    model: Model
    features: Features  # (tiles * n, ...)
    target: NDArray[np.uint8]  # (tiles * n, the model's channels)
    level: NDArray[np.int64]  # (n,)
    weight: NDArray[np.float64]  # (n,), the number of positions for which each stands
    channels: int  # coded

    def of_tile(self, tile: int) -> Sample:
        """That of one tile."""
        own = slice(tile * len(self.level), (tile + 1) * len(self.level))
        return replace(self, features=self.features.rows(own), target=self.target[own])

    def part(self, most: int) -> Sample:
        """At most so many of the positions, which stand for all."""
        count = len(self.level)
        if count <= most:
            return self
        at = _spread(count, most)
        rows = (np.arange(len(self.target) // count)[:, None] * count + at).ravel()
        weight = self.weight[at] * (float(self.weight.sum()) / float(self.weight[at].sum()))
        return replace(
            self, features=self.features.rows(rows), target=self.target[rows], level=self.level[at], weight=weight
        )

    def units(self, choices: Sequence[Choice]) -> list[int]:
        """What the positions, times their weights, take given each of the choices: 2**UNIT_BITS units are a bit."""
        network, count = self.model.network, len(self.level)
        pictures = np.stack([network.conditioning(each.style, each.latents) for each in choices])
        first = np.array([each.tile for each in choices]) * count
        units = []
        for start in range(0, len(choices) * count, BATCH):
            batch = np.arange(start, min(start + BATCH, len(choices) * count))
            choice, at = batch // count, batch % count
            rows = first[choice] + at
            features = self.features.rows(rows)
            hidden = network.hidden(features, self.level[at], pictures[choice])
            units.append(self._units(hidden, features, self.target[rows]))
        weight = np.rint(self.weight * (1 << UNIT_BITS)).astype(np.int64)
        total: list[int] = ((np.concatenate(units).reshape(-1, count) * weight).sum(1) >> UNIT_BITS).tolist()
        return total

    def _units(self, hidden: NDArray[np.int8], features: Features, target: NDArray[np.uint8]) -> NDArray[np.int64]:
        """What positions with such hidden states take."""
        network, values = self.model.network, 1 << self.model.config.bit_depth
        mixtures, total = network.start(hidden, features.scale), np.zeros(len(hidden), np.int64)
        for channel in range(self.channels):
            value = target[:, channel].astype(np.int64)
            edges = np.stack([value, value + 1, np.zeros_like(value), np.full_like(value, values)], 1)
            parameters = mixtures.parameters(features.reference[:, channel])
            cdf = network.cumulative(parameters, boundaries(edges, values)).astype(np.float64)
            total += _units_of((cdf[:, 1] - cdf[:, 0]) / (cdf[:, 3] - cdf[:, 2]))
            mixtures.observe(value)
        return total


def _units_of(share: NDArray[np.float64]) -> NDArray[np.int64]:
    """-log2 of shares of 1, by IEEE operations that every machine and any batch round alike."""
    mantissa, exponent = np.frexp(np.maximum(share, LEAST_SHARE))
    index = (mantissa * (2 << UNIT_BITS)).astype(np.int64) - (1 << UNIT_BITS)
    units: NDArray[np.int64] = UNITS[index] - (exponent.astype(np.int64) << UNIT_BITS)
    return units


# Of mantissas of 0.5 to 1, each the middle of 2**UNIT_BITS intervals, and of 1 itself.
UNITS = np.array(
    [round(-math.log2((i + 0.5) / (2 << UNIT_BITS)) * (1 << UNIT_BITS)) for i in range(1 << UNIT_BITS, 2 << UNIT_BITS)]
)


def take_sample(model: Model, samples: NDArray[np.uint8]) -> Sample:
    """Sample positions of tiles (tiles, rows, columns, channels)."""
    tiles, order = Tiles(model, replicated(model, samples), [PLAIN] * len(samples)), model.order
    ranks, each = order.ranks(tiles.shape), order.ranks_per_level
    every = 1 if prod(tiles.shape) < FEW else EVERY
    sampled = SAMPLED if prod(tiles.shape) < LARGER else SAMPLED_OF_LARGER
    features, targets, levels, weights = [], [], [], []
    for rank in range(max(0, ranks - LEVELS * each) + every // 2, ranks, every):
        for group in groups(order, tiles.shape, rank, rank + 1):
            positions = group.positions[_spread(len(group.positions), sampled)]
            features.append(tiles.features(group, positions))
            targets.append(tiles.read(group, positions))
            levels.append(np.full(len(positions), min(group.level, model.config.levels - 1)))
            weights.append(np.full(len(positions), len(group.positions) / len(positions) * every, np.float32))

    def joined(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
        by_tile = [part.reshape(len(tiles), -1, *part.shape[1:]) for part in parts]
        return np.concatenate(by_tile, 1).reshape(-1, *parts[0].shape[1:])

    inputs = Features(*(joined(parts) for parts in zip(*features, strict=True)))
    weight = np.concatenate(weights).astype(np.float64)
    return Sample(model, inputs, joined(targets), np.concatenate(levels), weight, samples.shape[-1])


def _spread(count: int, most: int) -> NDArray[np.int64]:
    """At most so many of numbers below ``count``, by multiples of the golden ratio: an even stride repeats columns."""
    shares = np.arange(min(most, count)) * GOLDEN_RATIO % 1
    return (shares * count).astype(np.int64)


def candidates(model: Model) -> list[tuple[int, int]]:
    """Styles and mirrors to try.

    Mirroring moves colour at half resolution onto even positions, where training had it; other styles are the same.
    """
    plain = [(style, 0) for style in range(model.config.styles)]
    return plain + [(COSITED, mirror) for mirror in (1, 2, 3) if model.config.styles > COSITED]


def choose_styles(model: Model, samples: NDArray[np.uint8]) -> list[tuple[int, int]]:
    """The style and mirror that code each tile (tiles, rows, columns, channels) in the fewest bits with the extra byte.

    They are 0, 0 if the tiles are tiny.
    """
    if prod(samples.shape[1:3]) < SMALLEST:
        return [(0, 0)] * len(samples)
    tried, byte = candidates(model), 8 << UNIT_BITS
    mirrors = sorted({mirror for _, mirror in tried})
    sample = take_sample(model, np.concatenate([mirrored(samples, mirror) for mirror in mirrors]))
    choices = [Choice(mirrors.index(mirror) * len(samples) + i, style)
               for i in range(len(samples)) for style, mirror in tried]  # fmt: skip
    large = prod(samples.shape[1:3]) >= LARGE
    described = _all_described(sample, choices, STEPS[: TRIED_OF_LARGE if large else TRIED])
    units = (sample if large else sample.part(COMPARED)).units(described)
    found = []
    for start in range(0, len(units), len(tried)):
        own = units[start : start + len(tried)]
        found.append(min(zip(own, tried, strict=True), key=lambda each: each[0] + byte * any(each[1]))[1])
    return found


def _all_described(sample: Sample, choices: Sequence[Choice], steps: Sequence[int]) -> Sequence[Choice]:
    """Choices with latents that code their tiles in fewer bits."""
    if not sample.model.config.latents:
        return choices
    gradient = sample.model.picture_gradient  # made here once, not by every thread
    return mapped(partial(_described, sample, gradient, steps), choices)


def _described(sample: Sample, gradient_of: PictureGradient, steps: Sequence[int], choice: Choice) -> Choice:
    """By natural gradient steps.

    Source: Amari 1998, with the empirical Fisher information of the positions.
    """
    fitted = np.zeros(sample.model.config.latents)
    own, fixed = sample.of_tile(choice.tile), 2 * PRIOR * np.eye(len(fitted))
    for share in steps:
        part = own.part(max(LEAST, len(own.level) // share))
        picture = sample.model.network.conditioning(choice.style, _rounded(fitted))
        gradient = gradient_of(part.features, part.level, picture, part.target, part.channels)
        fisher = np.einsum("ni,n,nj->ij", gradient, part.weight, gradient) + fixed
        slope = np.einsum("n,ni->i", part.weight, gradient) + 2 * PRIOR * fitted
        fitted = fitted - np.linalg.solve(fisher, slope)
    return choice._replace(latents=tuple(np.trim_zeros(_rounded(fitted), "b")))


def _rounded(latents: NDArray[np.float64]) -> list[int]:
    """As a file gives them."""
    found: list[int] = np.rint(latents * INPUT_STEP).clip(-LARGEST_LATENT, LARGEST_LATENT).astype(np.int64).tolist()
    return found


def describe_tiles(model: Model, samples: NDArray[np.uint8], styles: Sequence[tuple[int, int]]) -> list[Description]:
    """The descriptions, of those styles and mirrors, with which tiles of one shape are expected to be smallest.

    They have no latents where these would save less than they take.
    """
    plain = [Description(style, mirror) for style, mirror in styles]
    if not model.config.latents or prod(samples.shape[1:3]) < SMALLEST:
        return plain
    turned = [mirrored(own, mirror) for own, (_, mirror) in zip(samples, styles, strict=True)]
    sample = take_sample(model, np.stack(turned))
    without = [Choice(tile, style) for tile, (style, _) in enumerate(styles)]
    fitted = _all_described(sample, without, STEPS)
    units = zip(sample.units(without), sample.units(fitted), strict=True)
    return [
        each._replace(latents=choice.latents) if before - after > 8 * (1 + len(choice.latents)) << UNIT_BITS else each
        for each, choice, (before, after) in zip(plain, fitted, units, strict=True)
    ]
