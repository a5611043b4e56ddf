"""Stretches in which every channel keeps its value: the file names them instead of coding their samples. NumPy only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Stretch(NamedTuple):
    """Samples start..stop-1 of a tile, all of which are alike."""

    start: int
    stop: int
    values: tuple[int, ...]  # of every channel


def in_stretches(stretches: Sequence[Stretch], length: int) -> NDArray[np.bool_]:
    """Tell which samples of a tile stretches cover, (length,)."""
    covered = np.zeros(length, np.bool_)
    for stretch in stretches:
        covered[stretch.start : stretch.stop] = True
    return covered


def quiet_frames(stretches: Sequence[Stretch], length: int, frame: int) -> NDArray[np.bool_]:
    """Tell which frames of a tile they cover whole."""
    covered = np.pad(in_stretches(stretches, length), (0, -length % frame), constant_values=True)
    quiet: NDArray[np.bool_] = np.all(covered.reshape(-1, frame), axis=1)
    return quiet
