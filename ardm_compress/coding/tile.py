"""The samples of tiles while they are coded, and the windows that the network sees. NumPy only.

Tiles of one shape are coded in lockstep: their positions go through the network together, those of a tile in a row.

docs/format.md sections 4 and 6 are normative.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ardm_compress.ardm.order import COARSER, level_shape
from ardm_compress.container.image import Description
from ardm_compress.inference.threads import mapped

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ardm_compress.ardm.order import Order
    from ardm_compress.inference.features import Features
    from ardm_compress.inference.model import Model
    from ardm_compress.inference.network import Channels, ExactNetwork

BLOCK = 1 << 14  # positions whose digits are interleaved; part of the format
BATCH = 1 << 10  # positions evaluated at once: few for the cache, many for threads; any number gives the same
UNREACHED = 1 << 30  # rank of positions outside the tile


@dataclass(frozen=True, slots=True)
class Group:
    """What one step codes on one level."""

    first: int  # first rank of the step: what is known lies before it
    level: int
    positions: NDArray[np.int64]  # (n, axes), the level's coordinates, by rank and then in raster order

    def blocks(self) -> list[NDArray[np.int64]]:
        """The positions in runs of at most BLOCK."""
        return [self.positions[i : i + BLOCK] for i in range(0, len(self.positions), BLOCK)]


def groups(order: Order, shape: Sequence[int], first: int, stop: int) -> list[Group]:
    """The groups of the step that codes ranks first..stop-1, coarse level first; empty ones left out."""
    levels = order.levels(shape)
    by_level: dict[int, list[NDArray[np.int64]]] = {}
    for rank in range(first, stop):
        lattice = order.lattice(rank, levels)
        sizes = level_shape(shape, lattice.level)
        axes = [np.arange(s, n, lattice.period) for s, n in zip(lattice.start, sizes, strict=True)]
        positions = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, len(axes))
        if len(positions):
            by_level.setdefault(lattice.level, []).append(positions)
    return [Group(first, level, np.concatenate(parts)) for level, parts in by_level.items()]


@dataclass(frozen=True, slots=True)
class PaddedLevel:
    """Samples and ranks of a level with a margin as wide as the window's reach, flattened, tile after tile."""

    level: int
    samples: NDArray[np.uint8]  # (tiles * padded positions, channels)
    ranks: NDArray[np.int32]  # (tiles * padded positions,)
    starts: NDArray[np.int64]  # where each tile starts, (tiles, 1)
    pitch: NDArray[np.int64]  # flat distance of neighbours along each axis, (axes,)
    margin: int

    def flat(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """Flat indices (tiles * n,) of positions (n, axes) of every tile."""
        flat: NDArray[np.int64] = ((positions + self.margin) @ self.pitch + self.starts).ravel()
        return flat


class Evaluated(NamedTuple):
    """What the network makes of n positions of all tiles together."""

    network: ExactNetwork
    state: NDArray[np.int8]  # (n, hidden)
    reference: NDArray[np.float32]  # (n, the model's channels)
    scale: NDArray[np.float32]  # the same

    def channels(self) -> Channels:
        """Their channels, of which none is coded yet."""
        return self.network.start(self.state, self.scale)


class Tiles:
    """The samples of tiles of one shape, all (encoding) or those decoded so far, and the windows read from them."""

    def __init__(
        self, model: Model, samples: NDArray[np.uint8], descriptions: Sequence[Description],
        known: NDArray[np.bool_] | None = None,
    ) -> None:  # fmt: skip
        """Samples are (tiles, rows, columns, the model's channels), written to while decoding, and mirrored already.

        Those at positions ``known`` (rows, columns) are there from the beginning.
        """
        self.model, self.samples = model, samples
        self._pictures = np.stack([model.network.conditioning(each.style, each.latents) for each in descriptions])
        self.shape = samples.shape[1:-1]
        self._ranks = model.order.rank_map(self.shape).astype(np.int32)
        self._known = known
        if known is not None:
            self._ranks[known] = COARSER
        self._padded: PaddedLevel | None = None

    def __len__(self) -> int:
        return len(self.samples)

    def padded(self, level: int) -> PaddedLevel:
        """The level's padded copy; it holds what coarser groups have decoded, because it is made after them."""
        if self._padded is None or self._padded.level != level:
            margin = self.model.config.radius
            every = slice(None), *(slice(None, None, 1 << level) for _ in self.shape)
            widths = [(margin, margin)] * len(self.shape)
            ranks = np.pad(self._ranks[every[1:]], widths, constant_values=UNREACHED)
            samples = np.pad(self.samples[every], [(0, 0), *widths, (0, 0)])
            pitch = np.array([np.prod(ranks.shape[i + 1 :], dtype=np.int64) for i in range(ranks.ndim)])
            self._padded = PaddedLevel(
                level, samples.reshape(-1, samples.shape[-1]), np.tile(ranks.ravel(), len(self)),
                np.arange(len(self))[:, None] * ranks.size, pitch, margin,
            )  # fmt: skip
        return self._padded

    def features(self, group: Group, positions: NDArray[np.int64]) -> Features:
        """What is known around positions (n, axes) of a group, of every tile, before its step."""
        return self._windows(group, self.padded(group.level).flat(positions))

    def _windows(self, group: Group, flat: NDArray[np.int64]) -> Features:
        """What is known around flat indices."""
        padded = self.padded(group.level)
        offsets = self.model.config.offsets @ padded.pitch
        return self.model.features.gather(padded.samples, padded.ranks, flat, group.first, offsets)

    def evaluate(self, group: Group, positions: NDArray[np.int64]) -> Evaluated:
        """What the network makes of positions (n, axes) of a group, of every tile, given the ranks before its step."""
        network, flat = self.model.network, self.padded(group.level).flat(positions)
        pictures = np.repeat(np.arange(len(self)), len(positions))

        def part(start: int) -> tuple[NDArray[np.int8], NDArray[np.float32], NDArray[np.float32]]:
            batch = slice(start, start + BATCH)
            features = self._windows(group, flat[batch])
            hidden = network.hidden(features, group.level, self._pictures[pictures[batch]])
            return hidden, features.reference, features.scale

        state, reference, scale = zip(*mapped(part, range(0, len(flat), BATCH)), strict=True)
        return Evaluated(network, np.concatenate(state), np.concatenate(reference), np.concatenate(scale))

    def _at(self, group: Group, positions: NDArray[np.int64]) -> tuple[slice | NDArray[np.int64], ...]:
        """Where positions (n, axes) of a group are among the samples."""
        return slice(None), *(positions << group.level).T

    def missing(self, group: Group, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """Those of the positions (n, axes) of a group that are not known from the beginning."""
        return positions if self._known is None else positions[~self._known[tuple((positions << group.level).T)]]

    def read(self, group: Group, positions: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Samples (tiles * n, channels) at positions (n, axes) of a group."""
        samples: NDArray[np.uint8] = self.samples[self._at(group, positions)]
        return samples.reshape(-1, samples.shape[-1])

    def write(self, group: Group, positions: NDArray[np.int64], samples: NDArray[np.uint8]) -> None:
        """Set samples (tiles * n, 1 or channels) at positions (n, axes) of a group."""
        each = samples.reshape(len(self), len(positions), -1)
        self.samples[self._at(group, positions)] = each
        padded = self.padded(group.level)
        padded.samples[padded.flat(positions)] = samples


def replicated(model: Model, samples: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Gray samples once for each of the model's channels."""
    return np.broadcast_to(samples, (*samples.shape[:-1], model.config.channels))


def mirrored(samples: NDArray[np.uint8], mirror: int) -> NDArray[np.uint8]:
    """Samples (..., rows, columns, channels) upside down if bit 0 of ``mirror`` is set, left to right if bit 1 is."""
    return samples[..., :: -1 if mirror & 1 else 1, :: -1 if mirror & 2 else 1, :]
