"""Choose what a file tells the network about its tiles: their style, mirror and latents. NumPy only.

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
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from ardm_compress.ardm.tiles import COSITED, LATENT_LIMIT, PLAIN, Conditioning
from ardm_compress.coding.image import ImageTiles, turned
from ardm_compress.coding.loop import BATCH_POSITIONS
from ardm_compress.computing import by_batches, mapped
from ardm_compress.inference.config import INPUT_STEP
from ardm_compress.inference.features import Features
from ardm_compress.inference.network import boundaries

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ardm_compress.inference.gradient import PictureGradient
    from ardm_compress.inference.network import Model, Parameters

SAMPLED_LEVELS: Final = 3  # the finest, from which positions are sampled
RANK_STRIDE: Final = 3  # of so many ranks one is sampled; odd: ranks beside and below known positions take turns
TINY_TILE_POSITIONS: Final = 1 << 11  # of a tile below which all ranks are sampled
RANK_POSITIONS: Final = 128  # sampled of a rank: few of many ranks, which lie differently in coarse colour
LARGE_RANK_POSITIONS: Final = 64  # the same of large tiles
LARGE_TILE_POSITIONS: Final = 1 << 13
SMALLEST_TILE_POSITIONS: Final = 64  # of a tile worth conditioning on
FIT_SHARES: Final = (8, 4, 2, 1, 1)  # each step of the fit uses one of so many positions: the way there may be rough
FIT_POSITIONS: Final = 64  # fewest of a step
PRIOR_NATS: Final = 4.0  # at a latent of 1
STYLE_FIT_STEPS: Final = 2  # after which styles are compared
STYLE_SAMPLE_POSITIONS: Final = 512  # that they are compared by
EXACT_TILE_POSITIONS: Final = 1 << 14  # of a tile whose styles are compared by all of the sample, and
EXACT_STYLE_FIT_STEPS: Final = 3  # after so many steps
UNIT_BITS: Final = 10  # 2**UNIT_BITS units are a bit
SMALLEST_SHARE: Final = 2.0**-24  # that the coder gives every value
GOLDEN_RATIO: Final = (math.sqrt(5) - 1) / 2


class Choice(NamedTuple):
    """A conditioning of one of the sampled tiles, which is mirrored already."""

    tile: int  # its number
    style: int
    latents: tuple[int, ...] = ()


@dataclass(frozen=True)
class SampledPositions:
    """Some positions of tiles of one shape, the same n of each, those of a tile in a row."""

    model: Model
    features: Features  # (tiles * n, ...)
    target: NDArray[np.uint8]  # (tiles * n, the model's channels)
    level: NDArray[np.int64]  # (n,)
    weight: NDArray[np.float64]  # (n,), the number of positions for which each stands
    channels: int  # coded

    def of_tile(self, tile: int) -> SampledPositions:
        """Return those of one tile."""
        own = slice(tile * len(self.level), (tile + 1) * len(self.level))
        return replace(self, features=self.features.rows(own), target=self.target[own])

    def part(self, most: int) -> SampledPositions:
        """Return at most so many of the positions, which stand for all."""
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
        """Return what the positions, times their weights, take given each choice, in bits times 2**UNIT_BITS."""
        network, count = self.model.network, len(self.level)
        pictures = np.stack([network.conditioning(each.style, each.latents) for each in choices])
        first = np.array([each.tile for each in choices]) * count
        places = np.arange(len(choices) * count)

        def part(batch: slice) -> NDArray[np.int64]:
            choice, at = np.divmod(places[batch], count)
            rows = first[choice] + at
            features = self.features.rows(rows)
            hidden = network.hidden(features, self.level[at], pictures[choice])
            return self._units(hidden, features, self.target[rows])

        units = by_batches(part, len(places), BATCH_POSITIONS)
        weight = np.rint(self.weight * (1 << UNIT_BITS)).astype(np.int64)
        total: list[int] = ((np.concatenate(units).reshape(-1, count) * weight).sum(1) >> UNIT_BITS).tolist()
        return total

    def _units(self, hidden: NDArray[np.int8], features: Features, target: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Return what positions with such hidden states take, (n,)."""
        network, values = self.model.network, 1 << self.model.config.bit_depth
        total = np.zeros(len(hidden), np.int64)

        def code(channel: int, mixtures: Parameters) -> NDArray[np.int64]:
            nonlocal total
            value = target[:, channel].astype(np.int64)
            edges = np.stack([value, value + 1, np.zeros_like(value), np.full_like(value, values)], 1)
            cdf = network.cumulative(mixtures, boundaries(edges, values)).astype(np.float64)
            total += _units_of((cdf[:, 1] - cdf[:, 0]) / (cdf[:, 3] - cdf[:, 2]))
            return value

        network.start(hidden, features.scale).code(self.channels, features.reference_of, code)
        return total


def _units_of(share: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return -log2 of shares of 1, by IEEE operations that every machine and any batch round alike."""
    mantissa, exponent = np.frexp(np.maximum(share, SMALLEST_SHARE))
    index = (mantissa * (2 << UNIT_BITS)).astype(np.int64) - (1 << UNIT_BITS)
    units: NDArray[np.int64] = UNITS[index] - (exponent.astype(np.int64) << UNIT_BITS)
    return units


# Of mantissas of 0.5 to 1, each the middle of 2**UNIT_BITS intervals, and of 1 itself.
UNITS = np.array(
    [round(-math.log2((i + 0.5) / (2 << UNIT_BITS)) * (1 << UNIT_BITS)) for i in range(1 << UNIT_BITS, 2 << UNIT_BITS)]
)


def sample_positions(model: Model, samples: NDArray[np.uint8]) -> SampledPositions:
    """Sample positions of tiles (tiles, rows, columns, channels)."""
    tiles, order = ImageTiles(model, samples, [PLAIN] * len(samples)), model.order
    ranks, each = order.ranks(tiles.shape), order.ranks_per_level
    every = 1 if prod(tiles.shape) < TINY_TILE_POSITIONS else RANK_STRIDE
    most = RANK_POSITIONS if prod(tiles.shape) < LARGE_TILE_POSITIONS else LARGE_RANK_POSITIONS
    features, targets, levels, weights = [], [], [], []
    for rank in range(max(0, ranks - SAMPLED_LEVELS * each) + every // 2, ranks, every):
        for block in tiles.blocks(rank, rank + 1):
            part = replace(block, positions=block.positions[_spread(len(block.positions), most)])
            features.append(tiles.features(part))
            targets.append(tiles.read(part))
            levels.append(np.full(len(part.positions), min(block.level, model.config.levels - 1)))
            share = len(block.positions) / len(part.positions)
            weights.append(np.full(len(part.positions), share * every, np.float32))

    def joined(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
        by_tile = [part.reshape(tiles.count, -1, *part.shape[1:]) for part in parts]
        return np.concatenate(by_tile, 1).reshape(-1, *parts[0].shape[1:])

    inputs = Features(*(joined(parts) for parts in zip(*features, strict=True)))
    weight = np.concatenate(weights).astype(np.float64)
    return SampledPositions(model, inputs, joined(targets), np.concatenate(levels), weight, samples.shape[-1])


def _spread(count: int, most: int) -> NDArray[np.int64]:
    """Pick at most so many numbers below ``count`` by the golden ratio, as an even stride would repeat columns."""
    shares = np.arange(min(most, count)) * GOLDEN_RATIO % 1
    return (shares * count).astype(np.int64)


def candidate_styles(model: Model) -> list[tuple[int, int]]:
    """Return the styles and mirrors to try.

    Mirroring moves colour at half resolution onto even positions, where training had it; other styles are the same.
    """
    plain = [(style, 0) for style in range(model.config.styles)]
    return plain + [(COSITED, mirror) for mirror in (1, 2, 3) if model.config.styles > COSITED]


def choose_styles(model: Model, samples: NDArray[np.uint8]) -> list[tuple[int, int]]:
    """Choose the style and mirror that code each tile in the fewest bits, the byte that names them included.

    They are 0, 0 if the tiles (tiles, rows, columns, channels) are tiny.
    """
    if prod(samples.shape[1:3]) < SMALLEST_TILE_POSITIONS:
        return [(0, 0)] * len(samples)
    tried, byte = candidate_styles(model), 8 << UNIT_BITS
    mirrors = sorted({mirror for _, mirror in tried})
    sample = sample_positions(model, np.concatenate([turned(samples, mirror) for mirror in mirrors]))
    choices = [Choice(mirrors.index(mirror) * len(samples) + i, style)
               for i in range(len(samples)) for style, mirror in tried]  # fmt: skip
    exact = prod(samples.shape[1:3]) >= EXACT_TILE_POSITIONS
    fitted = _fit(sample, choices, FIT_SHARES[: EXACT_STYLE_FIT_STEPS if exact else STYLE_FIT_STEPS])
    units = (sample if exact else sample.part(STYLE_SAMPLE_POSITIONS)).units(fitted)
    found = []
    for start in range(0, len(units), len(tried)):
        own = units[start : start + len(tried)]
        found.append(min(zip(own, tried, strict=True), key=lambda each: each[0] + byte * any(each[1]))[1])
    return found


def _fit(sample: SampledPositions, choices: Sequence[Choice], shares: Sequence[int]) -> Sequence[Choice]:
    """Return the choices with latents that code their tiles in fewer bits, by one step of the fit for each share."""
    if not sample.model.config.latents:
        return choices
    from ardm_compress.inference.gradient import picture_gradient  # compiles

    gradient = picture_gradient(sample.model)  # made here once, not by every thread
    return mapped(partial(_fit_latents, sample, gradient, shares), choices)


def _fit_latents(
    sample: SampledPositions, gradient_of: PictureGradient, shares: Sequence[int], choice: Choice
) -> Choice:
    """Fit the latents of a choice by natural gradient steps.

    Source: Amari 1998, with the empirical Fisher information of the positions.
    """
    fitted = np.zeros(sample.model.config.latents)
    own, fixed = sample.of_tile(choice.tile), 2 * PRIOR_NATS * np.eye(len(fitted))
    for share in shares:
        part = own.part(max(FIT_POSITIONS, len(own.level) // share))
        picture = sample.model.network.conditioning(choice.style, _rounded(fitted))
        gradient = gradient_of(part.features, part.level, picture, part.target, part.channels)
        fisher = np.einsum("ni,n,nj->ij", gradient, part.weight, gradient) + fixed
        slope = np.einsum("n,ni->i", part.weight, gradient) + 2 * PRIOR_NATS * fitted
        fitted = fitted - np.linalg.solve(fisher, slope)
    return choice._replace(latents=tuple(np.trim_zeros(_rounded(fitted), "b")))


def _rounded(latents: NDArray[np.float64]) -> list[int]:
    """Return latents as a file gives them."""
    found: list[int] = np.rint(latents * INPUT_STEP).clip(-LATENT_LIMIT, LATENT_LIMIT).astype(np.int64).tolist()
    return found


def choose_conditionings(
    model: Model, samples: NDArray[np.uint8], styles: Sequence[tuple[int, int]]
) -> list[Conditioning]:
    """Choose the conditionings, of those styles and mirrors, with which tiles of one shape are expected to be smallest.

    They have no latents where these would save less than they take.
    """
    plain = [Conditioning(style, mirror) for style, mirror in styles]
    if not model.config.latents or prod(samples.shape[1:3]) < SMALLEST_TILE_POSITIONS:
        return plain
    mirrored = [turned(own, mirror) for own, (_, mirror) in zip(samples, styles, strict=True)]
    sample = sample_positions(model, np.stack(mirrored))
    without = [Choice(tile, style) for tile, (style, _) in enumerate(styles)]
    fitted = _fit(sample, without, FIT_SHARES)
    units = zip(sample.units(without), sample.units(fitted), strict=True)
    return [
        each._replace(latents=choice.latents) if before - after > 8 * (1 + len(choice.latents)) << UNIT_BITS else each
        for each, choice, (before, after) in zip(plain, fitted, units, strict=True)
    ]
