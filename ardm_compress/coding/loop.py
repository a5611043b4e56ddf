"""The coding loop: tiles on one side, streams on the other, step by step; for images and for sound.

A stream is a stack: what is pushed last is popped first. So the encoder goes backwards, from the last step to the
first, and what precedes all steps comes last. docs/format.md sections 4 and 5 are normative.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from ardm_compress.coding.stacks import pushed_stacks
from ardm_compress.coding.symbols import Collected, Symbols

if TYPE_CHECKING:
    from ardm_compress.ardm.plans import Steps
    from ardm_compress.coding.tile import B, Tiles

Progress: TypeAlias = Callable[[], None]


def encode(tiles: Tiles[B], steps: Steps, sections: int, progress: Progress) -> list[list[bytes]]:
    """Entropy-code known tiles in lockstep; the payloads are those of each tile by itself.

    Args:
        tiles: whose samples are known.
        steps: first and stop rank of every step, which together are all ranks of a tile.
        sections: number of sections to cut each tile's stream into.
        progress: called after every step.

    Returns:
        The payload of every section, for every tile.
    """
    stacks = [pushed_stacks(tiles.count) for _ in range(sections)]

    def push(code: Callable[[Symbols], None], section: int) -> None:
        symbols = Collected()
        code(symbols)
        symbols.push_to(stacks[section])

    for step in reversed(steps):
        for block in reversed(tiles.blocks(*step)):
            push(partial(tiles.code, block), section_of(block.level, sections))
        progress()
    push(tiles.begin, 0)
    return [list(payloads) for payloads in zip(*(each.to_bytes() for each in stacks), strict=True)]


def decode(
    tiles: Tiles[B], steps: Steps, sources: Sequence[Symbols], progress: Progress, *, level: int = 0
) -> None:  # fmt: skip
    """Fill empty tiles, step by step, from wherever the symbols come: streams, chance, or what the model expects.

    Args:
        tiles: to fill.
        steps: as for ``encode``.
        sources: of every section, for all tiles; those of sections finer than ``level`` are not asked.
        progress: called after every step.
        level: the finest to fill.
    """
    tiles.begin(sources[0])
    for step in steps:
        for block in tiles.blocks(*step):
            if block.level >= level:
                tiles.code(block, sources[section_of(block.level, len(sources))])
        progress()


def section_of(level: int, sections: int) -> int:
    """Return the section that holds a level: the first one the coarse levels together, the last one level 0."""
    return max(0, sections - 1 - level)
