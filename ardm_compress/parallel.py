"""Work on the parts of a file in several processes. Errors, standard library and loky only.

loky's processes need no ``if __name__ == "__main__"`` in the caller's script, and one that dies is an error, not a
wait for ever.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor
from itertools import starmap
from typing import Any, Final, TypeVar

from ardm_compress.errors import LimitError

Result = TypeVar("Result")

ONE_THREAD: Final = {"OMP_NUM_THREADS": "1"}  # each process is one of as many as there are cores


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def ordered(work: Callable[..., Result], tasks: Iterable[tuple[Any, ...]], jobs: int) -> Iterator[Result]:
    """What ``work`` makes of each task's arguments, in their order; by ``jobs`` processes if that is more than one.

    No more than ``jobs`` + 1 tasks are taken before the first result is, so memory does not depend on how many
    there are.
    """
    if jobs <= 1:
        yield from starmap(work, tasks)
        return
    from loky import ProcessPoolExecutor

    executor, running = ProcessPoolExecutor(max_workers=jobs, env=ONE_THREAD), deque[Any]()
    try:
        for task in tasks:
            running.append(executor.submit(work, *task))
            if len(running) > jobs:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()
    except BrokenExecutor as error:
        message = "a process that coded a tile has died, probably for lack of memory; --jobs 1 (jobs=1) needs the least"
        raise LimitError(message) from error
    finally:
        executor.shutdown(kill_workers=bool(running))  # nobody waits for tiles of a file that failed
