"""What the coding loop asks of tiles, whatever they are made of: images, sound."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

if TYPE_CHECKING:
    from ardm_compress.coding.symbols import Symbols

BLOCK_POSITIONS: Final = 1 << 14  # whose symbols are interleaved; part of the format
BATCH_POSITIONS: Final = 1 << 10  # evaluated at once: few for the cache, many for threads; any number gives the same


class Block(Protocol):
    """Positions that are coded together: some of those that a step codes on one level."""

    @property
    def level(self) -> int:
        """0 is the finest; it decides in which section of a stream the block stands."""


B = TypeVar("B", bound=Block)


class Tiles(Protocol[B]):
    """Tiles of one shape that are coded in lockstep, each to streams of its own.

    Whoever encodes makes them of known samples; whoever decodes makes them empty, and coding fills them.
    """

    @property
    def count(self) -> int:
        """How many tiles there are."""

    def begin(self, symbols: Symbols) -> None:
        """Code what precedes all steps: side information, and positions that have no rank."""

    def blocks(self, first: int, stop: int) -> Sequence[B]:
        """Return what the step that codes ranks ``first``..``stop`` - 1 codes, in coding order."""

    def code(self, block: B, symbols: Symbols) -> None:
        """Code a block of all tiles, of which those before it are known."""
