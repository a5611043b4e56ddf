"""The coding loops: model, order and schedule on one side, streams on the other. NumPy only.

For every step, the positions it codes are gathered with their windows of the ranks before it, the network gives their
mixtures, and a stack takes or gives their digits. docs/format.md sections 4 and 5 are normative.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from ardm_compress.ardm.plans import Steps
from ardm_compress.coding.ans import SymbolEncoders
from ardm_compress.coding.digits import KnownDigits, code_block, code_root
from ardm_compress.coding.sources import Coded, Source
from ardm_compress.coding.tile import Tiles, groups, mirrored, replicated
from ardm_compress.container.image import PLAIN, Description

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ardm_compress.inference.model import Model

Progress: TypeAlias = Callable[[], None]


def _section(level: int, sections: int) -> int:
    """Section 0 holds the coarse levels together, the last one level 0."""
    return max(0, sections - 1 - level)


def encode_tiles(
    model: Model,
    samples: NDArray[np.uint8],
    steps: Steps,
    sections: int,
    progress: Progress,
    descriptions: Sequence[Description],
) -> list[list[bytes]]:
    """Entropy-code tiles of one shape in lockstep; the payloads are those of each tile by itself.

    Args:
        model: to code with.
        samples: (tiles, rows, columns, 1 or the model's channels).
        steps: first and stop rank of every step, which together are all ranks of a tile.
        sections: number of sections to cut each stream into.
        progress: called after every step.
        descriptions: of the tiles, for the network.

    Returns:
        The payload of every section, for every tile.
    """
    channels = samples.shape[-1]
    turned = [mirrored(own, each.mirror) for own, each in zip(samples, descriptions, strict=True)]
    tiles = Tiles(model, replicated(model, np.stack(turned)), descriptions)
    encoders = [SymbolEncoders(len(tiles)) for _ in range(sections)]
    for first, stop in reversed(steps):
        for group in reversed(groups(model.order, tiles.shape, first, stop)):
            for positions in reversed(group.blocks()):
                digits = KnownDigits(tiles.read(group, positions)[:, :channels], model)
                code_block(model, tiles.evaluate(group, positions), channels, digits)
                digits.push_to(encoders[_section(group.level, sections)])
        progress()
    if model.order.dyadic:
        digits = KnownDigits(tiles.samples[_root(tiles)][:, :channels], model)
        code_root(model, len(tiles), channels, digits)
        digits.push_to(encoders[0])
    return [list(payloads) for payloads in zip(*(each.to_bytes() for each in encoders), strict=True)]


def encode_tile(
    model: Model,
    samples: NDArray[np.uint8],
    steps: Steps,
    sections: int,
    progress: Progress,
    description: Description = PLAIN,
) -> list[bytes]:
    """As ``encode_tiles``, of one tile (rows, columns, channels): the payload of every section."""
    return encode_tiles(model, samples[None], steps, sections, progress, [description])[0]


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


def draw_tiles(
    model: Model,
    shape: Sequence[int],
    channels: int,
    steps: Steps,
    sources: Sequence[Source],
    progress: Progress,
    descriptions: Sequence[Description],
    *,
    level: int = 0,
) -> list[NDArray[np.uint8]]:
    """The samples of tiles of one shape, step by step, from wherever those of each section come.

    Args:
        model: to code with.
        shape: (rows, columns).
        channels: 1 or the model's.
        steps: as for ``encode_tiles``.
        sources: of every section, for all tiles; those of sections finer than ``level`` are not asked.
        progress: called after every step.
        descriptions: of the tiles, for the network.
        level: the finest to draw.

    Returns:
        Of every tile (rows, columns, channels) of the level: every 2**level-th row and column as it is coded.
    """
    tiles = Tiles(model, np.zeros((len(descriptions), *shape, model.config.channels), np.uint8), descriptions)
    if model.order.dyadic:
        tiles.samples[_root(tiles)] = sources[0].root(model, channels)
    draw(tiles, channels, steps, sources, progress, level=level)
    every = slice(None), *(slice(None, None, 1 << level) for _ in shape)
    drawn = tiles.samples[every][..., :channels]
    return [mirrored(own, each.mirror) for own, each in zip(drawn, descriptions, strict=True)]


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
    """As ``draw_tiles``, of one tile: its samples (rows, columns, channels)."""
    return draw_tiles(model, shape, channels, steps, sources, progress, [description], level=level)[0]


def draw(
    tiles: Tiles, channels: int, steps: Steps, sources: Sequence[Source], progress: Progress, *, level: int = 0
) -> None:
    """Write the samples of tiles that are missing, step by step; arguments as of ``draw_tiles``."""
    model = tiles.model
    for first, stop in steps:
        for group in groups(model.order, tiles.shape, first, stop):
            if group.level < level:
                continue
            source = sources[_section(group.level, len(sources))]
            for positions in group.blocks():
                missing = tiles.missing(group, positions)
                if len(missing):
                    tiles.write(group, missing, source.block(model, tiles.evaluate(group, missing), channels))
        progress()


def _root(tiles: Tiles) -> tuple[slice | int, ...]:
    """The position that precedes all ranks, in every tile."""
    return (slice(None), *(0 for _ in tiles.shape))
