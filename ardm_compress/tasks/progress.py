"""Telling a caller how many network calls are done. Standard library only."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

Progress: TypeAlias = Callable[[int, int], None]  # network calls done, and their total
Tick: TypeAlias = Callable[[], None]  # is called after each network call


def ignored() -> None:
    """Stands for progress that nobody asks for."""


class Counter:
    """Counts network calls, or what else there are equally many of, over all tiles."""

    def __init__(self, progress: Progress | None, tiles: int, calls: int = 1) -> None:
        self._progress, self._total, self._calls = progress, tiles * calls, calls
        self._done = self._tiles = 0

    def one(self) -> None:
        """Count one more call."""
        self._done += 1
        if self._progress:
            self._progress(self._done, self._total)

    def tile(self) -> None:
        """Count one more tile, with those of its calls that were not counted."""
        self._tiles += 1
        while self._done < self._tiles * self._calls:
            self.one()
