"""Batches of positions, by as many threads as torch may use. Imports torch.

Torch divides each operation among its threads, which is little work for each of them; whole batches are more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, "ardm-compress", initializer=partial(torch.set_num_threads, 1))


def mapped(work: Callable[[Item, Item], Result], first: Sequence[Item], second: Sequence[Item]) -> list[Result]:
    """What ``work`` makes of the items of both, in their order."""
    threads = torch.get_num_threads()
    if threads == 1 or len(first) == 1:
        return list(map(work, first, second))
    return list(_pool(threads).map(work, first, second))
