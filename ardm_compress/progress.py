"""Telling a caller how many network calls are done. Standard library only."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

Progress: TypeAlias = Callable[[int, int], None]  # network calls done, and their total


class Counter:
    """Counts network calls over all tiles and streams."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress, self._done, self._total = progress, 0, total

    def one(self) -> None:
        """One more call is done."""
        self._done += 1
        if self._progress:
            self._progress(self._done, self._total)
