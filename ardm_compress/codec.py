"""The coding loops: model, order and schedule on one side, streams on the other. Imports torch.

For every step, the positions it codes are gathered with their windows of the ranks before it, the network gives their
mixtures, and a stack takes or gives their digits. docs/format.md sections 4 and 5 are normative.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from ardm_compress.container import PLAIN, Description
from ardm_compress.digits import KnownDigits, code_block, code_root
from ardm_compress.entropy import SymbolEncoder
from ardm_compress.sources import Coded, Source
from ardm_compress.tile import Tile, groups, mirrored, replicated

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ardm_compress.exact.model import Model

Progress: TypeAlias = Callable[[], None]
Steps: TypeAlias = Sequence[tuple[int, int]]  # first and stop rank of every step


def _section(level: int, sections: int) -> int:
    """Section 0 holds the coarse levels together, the last one level 0."""
    return max(0, sections - 1 - level)


def encode_tile(
    model: Model,
    samples: NDArray[np.uint8],
    steps: Steps,
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
    samples = mirrored(samples, description.mirror)
    tile = Tile(model, replicated(model, samples), description)
    encoders = [SymbolEncoder() for _ in range(sections)]
    for first, stop in reversed(steps):
        for group in reversed(groups(model.order, tile.shape, first, stop)):
            for positions in reversed(group.blocks()):
                digits = KnownDigits(tile.read(group, positions)[:, :channels], model)
                code_block(model, tile.evaluate(group, positions), channels, digits)
                digits.push_to(encoders[_section(group.level, sections)])
        progress()
    if model.order.dyadic:
        digits = KnownDigits(samples[(slice(1),) * len(tile.shape)].reshape(1, channels), model)
        code_root(model, channels, digits)
        digits.push_to(encoders[0])
    return [encoder.to_bytes() for encoder in encoders]


def decode_tile(
    model: Model,
    shape: Sequence[int],
    channels: int,
    steps: Steps,
    payloads: Sequence[bytes],
    progress: Progress,
    description: Description = PLAIN,
) -> NDArray[np.uint8]:
    """Inverse of ``encode_tile``; ``shape`` (rows, columns).

    Raises:
        FormatError: a payload holds more or other than its samples, as far as that shows.
    """
    streams = [Coded(payload) for payload in payloads]
    samples = draw_tile(model, shape, channels, steps, streams, progress, description)
    for stream in streams:
        stream.finish()
    return samples


def draw_tile(
    model: Model,
    shape: Sequence[int],
    channels: int,
    steps: Steps,
    sources: Sequence[Source],
    progress: Progress,
    description: Description = PLAIN,
    *,
    level: int = 0,
) -> NDArray[np.uint8]:
    """The samples of a tile, step by step, from wherever those of each section come.

    Args:
        model: to code with.
        shape: (rows, columns).
        channels: 1 or the model's.
        steps: as for ``encode_tile``.
        sources: of every section; those of sections finer than ``level`` are not asked.
        progress: called after every step.
        description: of the picture, for the network.
        level: the finest to draw.

    Returns:
        (rows, columns, channels) of the level: every 2**level-th row and column of the tile as it is coded.
    """
    tile = Tile(model, np.zeros((*shape, model.config.channels), np.uint8), description)
    if model.order.dyadic:
        tile.samples[(slice(1),) * len(shape)] = sources[0].root(model, channels)
    draw(tile, channels, steps, sources, progress, level=level)
    every = (slice(None, None, 1 << level),) * len(shape)
    return mirrored(tile.samples[every][..., :channels], description.mirror)


def draw(
    tile: Tile, channels: int, steps: Steps, sources: Sequence[Source], progress: Progress, *, level: int = 0
) -> None:
    """Write the samples of a tile that are missing, step by step; arguments as of ``draw_tile``."""
    model = tile.model
    for first, stop in steps:
        for group in groups(model.order, tile.shape, first, stop):
            if group.level < level:
                continue
            source = sources[_section(group.level, len(sources))]
            for positions in group.blocks():
                missing = tile.missing(group, positions)
                if len(missing):
                    tile.write(group, missing, source.block(model, tile.evaluate(group, missing), channels))
        progress()
