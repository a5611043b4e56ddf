"""Stretches in which every channel keeps its value: the file names them instead of coding their samples. NumPy only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHORTEST: Final = 1024  # samples worth naming


class Stretch(NamedTuple):
    """Samples start..stop-1 of a tile, all of which are alike."""

    start: int
    stop: int
    values: tuple[int, ...]  # of every channel


def find_stretches(samples: NDArray[np.int64]) -> tuple[Stretch, ...]:
    """All of at least SHORTEST samples in a tile (n, channels)."""
    changes = np.flatnonzero((samples[1:] != samples[:-1]).any(1)) + 1
    edges = np.concatenate([[0], changes, [len(samples)]])
    starts, stops = edges[:-1], edges[1:]
    return tuple(
        Stretch(start, stop, tuple(samples[start].tolist()))
        for start, stop in zip(starts.tolist(), stops.tolist(), strict=True)
        if stop - start >= SHORTEST
    )


def in_stretches(stretches: Sequence[Stretch], length: int) -> NDArray[np.bool_]:
    """Which samples of a tile they cover, (length,)."""
    covered = np.zeros(length, np.bool_)
    for stretch in stretches:
        covered[stretch.start : stretch.stop] = True
    return covered


def quiet_frames(stretches: Sequence[Stretch], length: int, frame: int) -> NDArray[np.bool_]:
    """Which frames of a tile they cover whole."""
    covered = np.pad(in_stretches(stretches, length), (0, -length % frame), constant_values=True)
    quiet: NDArray[np.bool_] = np.all(covered.reshape(-1, frame), axis=1)
    return quiet
