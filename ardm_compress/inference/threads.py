"""Batches of positions, or tiles, by threads, of which torch's operations take one each. Imports torch."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, TypeVar

import torch

from ardm_compress.tasks.processes import threads

Result = TypeVar("Result")

_here = threading.local()  # whether this thread is one of a pool

if threads():
    torch.set_num_threads(1)


def _begin() -> None:
    torch.set_num_threads(1)
    torch.get_num_threads()  # a thread takes what was set last, by any, when it first asks
    _here.pooled = True


@cache
def _pool(count: int, _process: int) -> ThreadPoolExecutor:
    """Of a process: a forked one inherits the object, but not its threads."""
    before, all_there = torch.get_num_threads(), threading.Barrier(count)
    pool = ThreadPoolExecutor(count, "ardm-compress", initializer=_begin)
    list(pool.map(lambda _: all_there.wait(), range(count)))
    torch.set_num_threads(before)  # what a thread is told becomes that of all threads to come
    return pool


def mapped(work: Callable[..., Result], first: Sequence[Any], *others: Sequence[Any]) -> list[Result]:
    """What ``work`` makes of the batches, in their order; by this thread alone if it is one of several."""
    count = 1 if getattr(_here, "pooled", False) else threads() or torch.get_num_threads()
    if count == 1 or len(first) == 1:
        return list(map(work, first, *others))
    return list(_pool(count, os.getpid()).map(work, first, *others))
