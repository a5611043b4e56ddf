"""Batches of positions by threads, of which torch's operations take one each. Imports torch."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import Any, TypeVar

import torch

from ardm_compress.parallel import threads

Result = TypeVar("Result")

if threads():
    torch.set_num_threads(1)


@cache
def _pool(count: int, _process: int) -> ThreadPoolExecutor:
    """Of a process: a forked one inherits the object, but not its threads."""
    return ThreadPoolExecutor(count, "ardm-compress", initializer=partial(torch.set_num_threads, 1))


def mapped(work: Callable[..., Result], first: Sequence[Any], *others: Sequence[Any]) -> list[Result]:
    """What ``work`` makes of the batches, in their order."""
    count = threads() or torch.get_num_threads()
    if count == 1 or len(first) == 1:
        return list(map(work, first, *others))
    return list(_pool(count, os.getpid()).map(work, first, *others))
