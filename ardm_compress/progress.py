"""Telling a caller how many network calls are done. Standard library only."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

Progress: TypeAlias = Callable[[int, int], None]  # network calls done, and their total


def ignored() -> None:
    """Stands for progress that nobody asks for."""


class Counter:
    """Counts network calls over all tiles and streams."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress, self._done, self._total, self._inside = progress, 0, total, True

    def inside(self, jobs: int) -> Callable[[], None]:
        """Return what to call after each network call of a tile; it counts none that other processes make."""
        self._inside = jobs == 1
        return self.one if self._inside else ignored

    def tile(self, tiles: int) -> None:
        """One of so many tiles is done; its calls, if another process has made them."""
        for _ in range(0 if self._inside else self._total // tiles):
            self.one()

    def one(self) -> None:
        """One more call is done."""
        self._done += 1
        if self._progress:
            self._progress(self._done, self._total)
