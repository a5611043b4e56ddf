"""Tiles of images: their samples while they are coded, the windows that the network sees, and its channels.

docs/format.md sections 4 and 6 are normative. NumPy only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from ardm_compress.ardm import COARSER, Upscaling, level_shape
from ardm_compress.coding import loop
from ardm_compress.coding.ans import Cells
from ardm_compress.coding.loop import BATCH_POSITIONS, BLOCK_POSITIONS
from ardm_compress.computing import by_batches
from ardm_compress.inference.features import Features

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ardm_compress.ardm import Order
    from ardm_compress.ardm.schedule import Steps
    from ardm_compress.ardm.tiles import Conditioning
    from ardm_compress.coding.loop import Progress, Symbols
    from ardm_compress.inference.network import Model, Parameters

DIGIT_BITS: Final = 4  # of a sample; part of the format
OUTSIDE: Final = 1 << 30  # rank of positions outside the tile


@dataclass(frozen=True, slots=True)
class ImageBlock:
    """Positions that one step codes on one level."""

    first: int  # first rank of the step: what is known lies before it
    level: int
    positions: NDArray[np.int64]  # (n, axes), the level's coordinates, by rank and then in raster order


def step_blocks(
    order: Order, shape: Sequence[int], first: int, stop: int, size: int = BLOCK_POSITIONS
) -> list[ImageBlock]:
    """Return what the step that codes ranks ``first``..``stop`` - 1 codes, coarse levels first; no block is empty."""
    levels = order.levels(shape)
    by_level: dict[int, list[NDArray[np.int64]]] = {}
    for rank in range(first, stop):
        lattice = order.lattice(rank, levels)
        sizes = level_shape(shape, lattice.level)
        axes = [np.arange(s, n, lattice.period) for s, n in zip(lattice.start, sizes, strict=True)]
        grid = np.empty((*map(len, axes), len(axes)), np.int64)
        for axis, coordinates in enumerate(np.ix_(*axes)):
            grid[..., axis] = coordinates
        if grid.size:
            by_level.setdefault(lattice.level, []).append(grid.reshape(-1, len(axes)))
    joined = {level: np.concatenate(parts) for level, parts in by_level.items()}
    return [
        ImageBlock(first, level, positions[start : start + size])
        for level, positions in joined.items()
        for start in range(0, len(positions), size)
    ]


@dataclass(frozen=True, slots=True)
class PaddedLevel:
    """Samples and ranks of a level with a margin as wide as the window's reach, flattened, tile after tile."""

    level: int
    samples: NDArray[np.uint8]  # (tiles * padded positions, channels)
    ranks: NDArray[np.int32]  # (tiles * padded positions,)
    starts: NDArray[np.int64]  # where each tile starts, (tiles, 1)
    pitch: NDArray[np.int64]  # flat distance of neighbours along each axis, (axes,)
    offsets: NDArray[np.int64]  # flat distance of the window's neighbours, (window,)
    margin: int

    def flat(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return flat indices (tiles * n,) of positions (n, axes) of every tile."""
        indices: NDArray[np.int64] = ((positions + self.margin) @ self.pitch + self.starts).ravel()
        return indices


class ImageTiles:
    """Tiles of images, as ``loop.Tiles``: all samples (encoding), or those decoded so far."""

    def __init__(
        self, model: Model, samples: NDArray[np.uint8], conditionings: Sequence[Conditioning], *,
        known: NDArray[np.bool_] | None = None, block: int = BLOCK_POSITIONS, batch: int = BATCH_POSITIONS,
    ) -> None:  # fmt: skip
        """Make tiles of samples, which are written to as they are coded.

        Args:
            model: to code with.
            samples: (tiles, rows, columns, 1 or the model's channels), mirrored already.
            conditionings: of every tile.
            known: (rows, columns), positions whose samples are there from the beginning and are not coded.
            block: positions whose symbols are interleaved; the format's for files.
            batch: positions evaluated at once.
        """
        self.model, self.shape, self.coded_channels = model, samples.shape[1:-1], samples.shape[-1]
        self.samples = np.array(np.broadcast_to(samples, (*samples.shape[:-1], model.config.channels)))
        self._conditioning = np.stack([model.network.conditioning(each.style, each.latents) for each in conditionings])
        self._ranks = model.order.rank_map(self.shape).astype(np.int32)
        self._known, self._block, self._batch = known, block, batch
        if known is not None:
            self._ranks[known] = COARSER
        self._padded: PaddedLevel | None = None

    @property
    def count(self) -> int:
        """See ``loop.Tiles``."""
        return len(self.samples)

    def begin(self, symbols: Symbols) -> None:
        """Code the one position above the coarsest level, if the order has levels."""
        if self.model.order.dyadic and (self._known is None or not self._known[0, 0]):
            for channel in range(self.coded_channels):
                known = self.samples[:, 0, 0, channel].astype(np.int64)
                self.samples[:, 0, 0, channel] = symbols.uniform(self.model.config.bit_depth, DIGIT_BITS, known)
            self._share_gray(self.samples[:, 0, 0])

    def blocks(self, first: int, stop: int) -> list[ImageBlock]:
        """See ``loop.Tiles``: blocks without the positions that are known from the beginning."""
        blocks = step_blocks(self.model.order, self.shape, first, stop, self._block)
        if self._known is None:
            return blocks
        missing = [block.positions[~self._known[tuple((block.positions << block.level).T)]] for block in blocks]
        return [
            ImageBlock(first, block.level, positions)
            for block, positions in zip(blocks, missing, strict=True)
            if len(positions)
        ]

    def code(self, block: ImageBlock, symbols: Symbols) -> None:
        """See ``loop.Tiles``."""
        network = self.model.network
        known, hidden, reference, scale = self.read(block), *self._evaluate(block)
        cells = Cells(Upscaling(1 << self.model.config.bit_depth, 1 << DIGIT_BITS))
        samples = np.empty_like(known)

        def code(channel: int, mixtures: Parameters) -> NDArray[np.int64]:
            found = symbols.cells(network, mixtures, cells, known[:, channel].astype(np.int64))
            samples[:, channel] = found
            return found

        network.start(hidden, scale).code(self.coded_channels, lambda channel: reference[:, channel], code)
        self._share_gray(samples)
        self._write(block, samples)

    def features(self, block: ImageBlock) -> Features:
        """Return what is known around a block's positions, of every tile, before its step."""
        return self._windows(block, self._level(block.level).flat(block.positions))

    def read(self, block: ImageBlock) -> NDArray[np.uint8]:
        """Return a block's samples (tiles * n, channels)."""
        samples: NDArray[np.uint8] = self.samples[self._places(block)]
        return samples.reshape(-1, samples.shape[-1])

    def _write(self, block: ImageBlock, samples: NDArray[np.uint8]) -> None:
        """Set a block's samples (tiles * n, channels)."""
        self.samples[self._places(block)] = samples.reshape(self.count, len(block.positions), -1)
        level = self._level(block.level)
        level.samples[level.flat(block.positions)] = samples

    def _share_gray(self, samples: NDArray[np.uint8]) -> None:
        """Let all channels (n, channels) be what the coded one is, if only one is coded."""
        if self.coded_channels == 1:
            samples[:] = samples[:, :1]

    def _places(self, block: ImageBlock) -> tuple[slice | NDArray[np.int64], ...]:
        """Return where a block's positions are among the samples."""
        return slice(None), *(block.positions << block.level).T

    def _evaluate(self, block: ImageBlock) -> tuple[NDArray[np.int8], NDArray[np.float32], NDArray[np.float32]]:
        """Return the network's hidden states at a block's positions, of every tile, and their references and scales."""
        network, flat = self.model.network, self._level(block.level).flat(block.positions)
        tile = np.repeat(np.arange(self.count), len(block.positions))

        def part(rows: slice) -> tuple[NDArray[np.int8], NDArray[np.float32], NDArray[np.float32]]:
            features = self._windows(block, flat[rows])
            conditioning = self._conditioning[tile[rows]] if self.count > 1 else self._conditioning[0]
            return network.hidden(features, block.level, conditioning), features.reference, features.scale

        hidden, reference, scale = zip(*by_batches(part, len(flat), self._batch), strict=True)
        return np.concatenate(hidden), np.concatenate(reference), np.concatenate(scale)

    def _windows(self, block: ImageBlock, flat: NDArray[np.int64]) -> Features:
        """Return what is known around flat indices on a block's level."""
        padded = self._level(block.level)
        return self.model.features.gather(padded.samples, padded.ranks, flat, block.first, padded.offsets)

    def _level(self, level: int) -> PaddedLevel:
        """Return the level's padded copy; it holds what coarser blocks have decoded, because it is made after them."""
        if self._padded is None or self._padded.level != level:
            margin = self.model.config.radius
            every = slice(None), *(slice(None, None, 1 << level) for _ in self.shape)
            widths = [(margin, margin)] * len(self.shape)
            ranks = np.pad(self._ranks[every[1:]], widths, constant_values=OUTSIDE)
            samples = np.pad(self.samples[every], [(0, 0), *widths, (0, 0)])
            pitch = np.array([np.prod(ranks.shape[i + 1 :], dtype=np.int64) for i in range(ranks.ndim)])
            starts = np.arange(self.count)[:, None] * ranks.size
            flat_samples, flat_ranks = samples.reshape(-1, samples.shape[-1]), np.tile(ranks.ravel(), self.count)
            offsets = self.model.config.offsets @ pitch
            self._padded = PaddedLevel(level, flat_samples, flat_ranks, starts, pitch, offsets, margin)
        return self._padded


def encode_tiles(
    model: Model, samples: NDArray[np.uint8], steps: Steps, sections: int, progress: Progress,
    conditionings: Sequence[Conditioning], *, block: int = BLOCK_POSITIONS, batch: int = BATCH_POSITIONS,
) -> list[list[bytes]]:  # fmt: skip
    """Entropy-code tiles of one shape in lockstep: see ``loop.encode``.

    Args:
        model: to code with.
        samples: (tiles, rows, columns, 1 or the model's channels).
        steps: as for ``loop.encode``.
        sections: the same.
        progress: the same.
        conditionings: of every tile.
        block: as for ``ImageTiles``.
        batch: the same.

    Returns:
        The payload of every section, for every tile.
    """
    mirrored = np.stack([turned(own, each.mirror) for own, each in zip(samples, conditionings, strict=True)])
    tiles = ImageTiles(model, mirrored, conditionings, block=block, batch=batch)
    return loop.encode(tiles, steps, sections, progress)


def decode_tiles(
    model: Model, shape: Sequence[int], channels: int, steps: Steps, sources: Sequence[Symbols], progress: Progress,
    conditionings: Sequence[Conditioning], *, level: int = 0, block: int = BLOCK_POSITIONS,
    batch: int = BATCH_POSITIONS,
) -> list[NDArray[np.uint8]]:  # fmt: skip
    """Decode tiles of one shape in lockstep, or draw them: see ``loop.decode``.

    Args:
        model: to code with.
        shape: (rows, columns).
        channels: 1 or the model's.
        steps: as for ``loop.decode``.
        sources: the same.
        progress: the same.
        conditionings: of every tile.
        level: the finest to decode.
        block: as for ``ImageTiles``.
        batch: the same.

    Returns:
        Of every tile (rows, columns, channels) of the level: every 2**level-th row and column as it is coded.
    """
    empty = np.zeros((len(conditionings), *shape, channels), np.uint8)
    tiles = ImageTiles(model, empty, conditionings, block=block, batch=batch)
    loop.decode(tiles, steps, sources, progress, level=level)
    every = slice(None), *(slice(None, None, 1 << level) for _ in shape)
    found = tiles.samples[every][..., :channels]
    return [turned(own, each.mirror) for own, each in zip(found, conditionings, strict=True)]


def turned(samples: NDArray[np.uint8], mirror: int) -> NDArray[np.uint8]:
    """Return samples (..., rows, columns, channels) upside down by bit 0 of ``mirror``, left to right by bit 1."""
    return samples[..., :: -1 if mirror & 1 else 1, :: -1 if mirror & 2 else 1, :]
