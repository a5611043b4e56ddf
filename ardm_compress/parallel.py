"""Work on the parts of a file in several processes. Standard library and loky only.

loky's processes need no ``if __name__ == "__main__"`` in the caller's script, and one that dies is an error, not a
wait for ever. They stay for the next call.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import starmap
from typing import Any, Final, TypeVar

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
    from loky import get_reusable_executor

    executor, running = get_reusable_executor(max_workers=jobs, env=ONE_THREAD), deque[Any]()
    try:
        for task in tasks:
            running.append(executor.submit(work, *task))
            if len(running) > jobs:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()
    except BaseException:
        executor.shutdown(kill_workers=True)  # nobody waits for tiles of a file that failed or was interrupted
        raise
