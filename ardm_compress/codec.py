"""The coding loops: model, order and schedule on one side, ANS stacks on the other. Imports torch.

One loop serves encoding and decoding: for every step, the positions it codes are gathered with their windows of the
ranks before it, the network gives their mixtures, and a stack takes or gives their digits. docs/format.md sections 4
and 5 are normative.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from torch import Tensor

from ardm_compress.ardm.order import level_shape
from ardm_compress.ardm.upscaling import Upscaling
from ardm_compress.container import PLAIN, Description
from ardm_compress.entropy import SymbolDecoder, SymbolEncoder
from ardm_compress.exact.mixture import FREQUENCY_BITS, boundaries, cumulative, frequencies

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ardm_compress.ardm.order import Order
    from ardm_compress.exact.model import Model
    from ardm_compress.exact.network import Channels
    from ardm_compress.network.features import Features

BLOCK = 1 << 14  # positions whose digits are interleaved; part of the format
BATCH = 1 << 10  # positions evaluated at once; any number gives the same integers
BRANCHING = 16  # children per digit; part of the format
UNREACHED = 1 << 30  # rank of positions outside the tile

Progress = Callable[[], None]


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
    """Samples and ranks of a level with a margin as wide as the window's reach, flattened."""

    level: int
    samples: Tensor  # (padded positions, channels) uint8
    ranks: Tensor  # (padded positions,) int32
    pitch: NDArray[np.int64]  # flat distance of neighbours along each axis, (axes,)
    margin: int

    def flat(self, positions: NDArray[np.int64]) -> Tensor:
        """Flat indices (n,) of positions (n, axes)."""
        return torch.from_numpy((positions + self.margin) @ self.pitch)


class Tile:
    """The samples of a tile, all (encoding) or those decoded so far, and the windows read from them."""

    def __init__(self, model: Model, samples: NDArray[np.uint8], description: Description = PLAIN) -> None:
        """Args: samples (rows, columns, the model's channels), written to while decoding; mirrored already."""
        self.model, self.samples = model, samples
        self._picture = model.network.described(description.style, description.latents)
        self.shape = samples.shape[:-1]
        self._ranks = model.order.rank_map(self.shape).astype(np.int32)
        self._padded: PaddedLevel | None = None

    def padded(self, level: int) -> PaddedLevel:
        """The level's padded copy; it holds what coarser groups have decoded, because it is made after them."""
        if self._padded is None or self._padded.level != level:
            margin = self.model.config.radius
            every = (slice(None, None, 1 << level),) * len(self.shape)
            widths = [(margin, margin)] * len(self.shape)
            ranks = np.pad(self._ranks[every], widths, constant_values=UNREACHED)
            samples = np.pad(self.samples[every], [*widths, (0, 0)]).reshape(-1, self.samples.shape[-1])
            pitch = np.array([np.prod(ranks.shape[i + 1 :], dtype=np.int64) for i in range(ranks.ndim)])
            flat_ranks = torch.from_numpy(ranks.ravel())
            self._padded = PaddedLevel(level, torch.from_numpy(samples), flat_ranks, pitch, margin)
        return self._padded

    def features(self, group: Group, positions: NDArray[np.int64]) -> Features:
        """What is known around positions of a group before its step."""
        model, padded = self.model, self.padded(group.level)
        offsets = torch.from_numpy(model.config.offsets @ padded.pitch)
        index = padded.flat(positions).unsqueeze(1) + offsets
        flat = index.flatten()
        values = padded.samples.index_select(0, flat).view(*index.shape, -1).to(model.network.device)
        known = (padded.ranks.index_select(0, flat) < group.first).view(index.shape).to(model.network.device)
        return model.features(values, known)

    def channels(self, group: Group, positions: NDArray[np.int64]) -> tuple[Channels, Tensor]:
        """Evaluate the network at positions of a group, given the ranks before its step; references as well."""
        network, parts = self.model.network, []
        for start in range(0, len(positions), BATCH):
            features = self.features(group, positions[start : start + BATCH])
            hidden = network.hidden(features, group.level, self._picture)
            parts.append((hidden, features.reference, features.scale))
        state, reference, scale = (torch.cat(part) for part in zip(*parts, strict=True))
        return network.start(state, scale), reference

    def read(self, group: Group, positions: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Samples (n, channels) at positions of a group."""
        samples: NDArray[np.uint8] = self.samples[tuple((positions << group.level).T)]
        return samples

    def write(self, group: Group, positions: NDArray[np.int64], samples: NDArray[np.uint8]) -> None:
        """Set samples (n, 1 or channels) at positions of a group."""
        self.samples[tuple((positions << group.level).T)] = samples
        padded = self.padded(group.level)
        padded.samples[padded.flat(positions)] = torch.from_numpy(samples)


class Digits(Protocol):
    """The digits of a block, channel by channel and stage by stage."""

    def take(self, rows: NDArray[np.float32]) -> NDArray[np.int32]:
        """The next digit of every position (n,), given its frequencies (n, children)."""


class KnownDigits:
    """Digits of known samples, collected with their frequencies and pushed last first."""

    def __init__(self, samples: NDArray[np.uint8], upscaling: Upscaling) -> None:
        """Args: samples (n, channels)."""
        by_stage = upscaling.digits(samples.T).astype(np.int32)  # (stages, channels, n)
        self._left = iter(by_stage.swapaxes(0, 1).reshape(-1, len(samples)))
        self._taken: list[tuple[NDArray[np.int32], NDArray[np.float32]]] = []

    def take(self, rows: NDArray[np.float32]) -> NDArray[np.int32]:
        """See ``Digits``."""
        self._taken.append((next(self._left), rows))
        return self._taken[-1][0]

    def push_to(self, encoder: SymbolEncoder) -> None:
        """Push what was taken, last first."""
        for digits, rows in reversed(self._taken):
            encoder.push(digits, rows)


class PoppedDigits:
    """Digits popped from a stack."""

    def __init__(self, decoder: SymbolDecoder) -> None:
        self._decoder = decoder

    def take(self, rows: NDArray[np.float32]) -> NDArray[np.int32]:
        """See ``Digits``."""
        return self._decoder.pop(rows)


def _upscaling(model: Model) -> Upscaling:
    return Upscaling(1 << model.config.bit_depth, BRANCHING)


def _code_block(
    model: Model, mixtures: Channels, references: Tensor, channels: int, digits: Digits
) -> NDArray[np.uint8]:
    """Code the first ``channels`` channels of n positions with ``references`` (n, channels); returns their samples."""
    network, upscaling, count = model.network, _upscaling(model), len(references)
    samples = np.zeros((count, channels), np.uint8)
    for channel in range(channels):
        parameters = mixtures.parameters(references[:, channel])
        value = np.zeros(count, np.int64)
        for stage in range(1, upscaling.stages() + 1):
            edges = torch.from_numpy(upscaling.edges(stage, value[:1] if stage == 1 else value))
            boundary = boundaries(edges.to(network.device), upscaling.values)
            cdf = cumulative(parameters, boundary, network.nodes)
            value = value * upscaling.children(stage) + digits.take(frequencies(cdf).cpu().numpy())
        samples[:, channel] = value
        mixtures.observe(torch.from_numpy(value).to(network.device))
    return samples


def _root(channels: int, upscaling: Upscaling, digits: Digits) -> NDArray[np.uint8]:
    """Code the one position above the coarsest level, every value equally likely."""
    sample = np.zeros((1, channels), np.uint8)
    for channel in range(channels):
        value = np.zeros(1, np.int64)
        for stage in range(1, upscaling.stages() + 1):
            children = upscaling.children(stage)
            rows = np.full((1, children), (1 << FREQUENCY_BITS) // children - 1, np.float32)
            value = value * children + digits.take(rows)
        sample[:, channel] = value
    return sample


def _section(level: int, sections: int) -> int:
    """Section 0 holds the coarse levels together, the last one level 0."""
    return max(0, sections - 1 - level)


def replicated(model: Model, samples: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Gray samples once for each of the model's channels."""
    return np.broadcast_to(samples, (*samples.shape[:-1], model.config.channels))


def encode_tile(
    model: Model,
    samples: NDArray[np.uint8],
    steps: Sequence[tuple[int, int]],
    sections: int,
    progress: Progress,
    description: Description = PLAIN,
) -> list[bytes]:
    """Entropy-code a tile.

    Args:
        model: to code with.
        samples: (rows, columns, 1 or the model's channels).
        steps: first and stop rank of every step, which together are all ranks of the tile.
        sections: number of sections to cut the stream into.
        progress: called after every step.
        description: of the picture, for the network.

    Returns:
        The payload of every section.
    """
    channels = samples.shape[-1]
    upscaling = _upscaling(model)
    samples = mirrored(samples, description.mirror)
    tile = Tile(model, replicated(model, samples), description)
    encoders = [SymbolEncoder() for _ in range(sections)]
    for first, stop in reversed(steps):
        for group in reversed(groups(model.order, tile.shape, first, stop)):
            for positions in reversed(group.blocks()):
                digits = KnownDigits(tile.read(group, positions)[:, :channels], upscaling)
                _code_block(model, *tile.channels(group, positions), channels, digits)
                digits.push_to(encoders[_section(group.level, sections)])
        progress()
    if model.order.dyadic:
        digits = KnownDigits(samples[(slice(1),) * len(tile.shape)].reshape(1, channels), upscaling)
        _root(channels, upscaling, digits)
        digits.push_to(encoders[0])
    return [encoder.to_bytes() for encoder in encoders]


def mirrored(samples: NDArray[np.uint8], mirror: int) -> NDArray[np.uint8]:
    """Samples (rows, columns, channels) upside down if bit 0 of ``mirror`` is set, left to right if bit 1 is."""
    return samples[:: -1 if mirror & 1 else 1, :: -1 if mirror & 2 else 1]


def decode_tile(
    model: Model,
    shape: Sequence[int],
    channels: int,
    steps: Sequence[tuple[int, int]],
    payloads: Sequence[bytes],
    progress: Progress,
    description: Description = PLAIN,
) -> NDArray[np.uint8]:
    """Inverse of ``encode_tile``; ``shape`` (rows, columns).

    Raises:
        FormatError: a payload holds more or other than its samples, as far as that shows.
    """
    decoders = [SymbolDecoder(payload) for payload in payloads]
    upscaling = _upscaling(model)
    tile = Tile(model, np.zeros((*shape, model.config.channels), np.uint8), description)
    if model.order.dyadic:
        tile.samples[(slice(1),) * len(shape)] = _root(channels, upscaling, PoppedDigits(decoders[0]))
    for first, stop in steps:
        for group in groups(model.order, shape, first, stop):
            digits = PoppedDigits(decoders[_section(group.level, len(decoders))])
            for positions in group.blocks():
                decoded = _code_block(model, *tile.channels(group, positions), channels, digits)
                tile.write(group, positions, decoded)
        progress()
    for decoder in decoders:
        decoder.finish()
    return mirrored(tile.samples[..., :channels], description.mirror)
