"""Presets -1 to -9: what they stand for. Standard library only; docs/cli.md shows the same table."""

from __future__ import annotations

from typing import Final, NamedTuple

from ardm_compress.inference.registry import AUTO


class Preset(NamedTuple):
    """Network calls of a tile, and which model; None is the usual one of the kind."""

    image: int
    sound: int
    model: str | None = None


DEFAULT: Final = 7
PRESETS: Final = {
    1: Preset(8, 8),
    2: Preset(12, 16),
    3: Preset(16, 32),
    4: Preset(24, 64),
    5: Preset(32, 128),
    6: Preset(64, 256),
    7: Preset(96, 512),
    8: Preset(192, 1024),
    9: Preset(1 << 20, 2048, AUTO),  # of images all ranks, which are some hundred
}
