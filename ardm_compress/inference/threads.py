"""Batches of positions, or tiles, by threads: compiled functions run beside one another. Standard library only."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, Final, TypeVar

Result = TypeVar("Result")

THREADS: Final = "OMP_NUM_THREADS"  # in the environment

_here = threading.local()  # whether this thread is one of a pool
_used = 0  # processors that this process was let code by; 0 if nothing was said


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def use_processors(count: int) -> None:
    """Let this process code by so many threads, unless the environment says otherwise."""
    global _used
    _used = count


def threads() -> int:
    """How many threads this process codes by: what the environment says, or was said, or all processors."""
    told = os.environ.get(THREADS, "")
    return max(1, int(told)) if told.isdecimal() else _used or processors()


def _begin() -> None:
    _here.pooled = True


@cache
def _pool(count: int, _process: int) -> ThreadPoolExecutor:
    """Make the threads of a process: a forked one inherits the object, but not its threads."""
    return ThreadPoolExecutor(count, "ardm-compress", initializer=_begin)


def mapped(work: Callable[..., Result], first: Sequence[Any], *others: Sequence[Any]) -> list[Result]:
    """Work on batches in threads, return results in order; in this thread alone if it is one of several."""
    count = 1 if getattr(_here, "pooled", False) else threads()
    if count == 1 or len(first) == 1:
        return list(map(work, first, *others))
    return list(_pool(count, os.getpid()).map(work, first, *others))


def by_batches(part: Callable[[slice], Result], positions: int, batch: int) -> list[Result]:
    """Return what ``part`` makes of each batch of so many positions, computed by all threads that there are."""
    return mapped(part, [slice(start, start + batch) for start in range(0, positions, batch)])
