"""Work on files, or on the parts of one, in several processes. Errors, standard library and loky only.

loky's processes need no ``if __name__ == "__main__"`` in the caller's script, and one that dies is an error, not a
wait for ever.
"""

from __future__ import annotations

import os
import signal
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, wait
from contextlib import contextmanager, suppress
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Final, NoReturn, TypeVar

from ardm_compress.computing import THREADS
from ardm_compress.errors import LimitError

Result = TypeVar("Result")
Task = TypeVar("Task")

DIED: Final = "a process has died, probably for lack of memory; --jobs 1 (jobs=1) needs the least"
LAST_WORDS: Final = 10.0  # seconds that processes have to remove what is half written

PROCESS_BYTES: Final = 512 << 20  # that a process takes, about
MEMORY: Final = "/proc/meminfo"
CGROUP: Final = "/sys/fs/cgroup"
ONE_THREAD: Final = {THREADS: "1"}  # each process is one of as many as there are cores


@contextmanager
def terminable() -> Iterator[None]:
    """SIGTERM and SIGHUP, too, let what is half written be removed."""

    def stop(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    try:
        before = [(number, signal.signal(number, stop)) for number in numbers]
    except ValueError:  # not in the main thread, which alone is told of signals
        yield
        return
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)


def affordable() -> int:
    """How many processes the free memory is enough for, of the machine and of its container; at least one."""
    free: list[int] = []
    with suppress(OSError, ValueError, StopIteration):
        line = next(line for line in Path(MEMORY).read_text("ascii").splitlines() if line.startswith("MemAvailable:"))
        free.append(int(line.split()[1]) << 10)
    with suppress(OSError, ValueError):  # there is none, or "max"
        free.append(int(Path(CGROUP, "memory.max").read_text()) - int(Path(CGROUP, "memory.current").read_text()))
    return max(1, min(free) // PROCESS_BYTES) if free else 1 << 16


def completed(
    work: Callable[[Task], Result], tasks: Iterable[Task], jobs: int
) -> Iterator[tuple[Task, Result | LimitError]]:
    """Tasks and what ``work`` makes of them, as they are done, by so many processes that load what they need once.

    The result of those that were under way when a process died is an error: any of them may have been the cause, and
    any may be done. On an interruption the processes may remove what is half written.
    """
    waiting = iter(tasks)
    while under_way := (yield from _pool(work, waiting, jobs)):
        yield from ((task, LimitError(DIED)) for task in under_way)


def _pool(
    work: Callable[[Task], Result], tasks: Iterator[Task], jobs: int
) -> Generator[tuple[Task, Result], None, list[Task]]:
    """Do the same until a process dies; return the tasks that were under way then."""
    from loky import ProcessPoolExecutor

    executor, running = ProcessPoolExecutor(max_workers=jobs, env=ONE_THREAD), dict[Any, Task]()
    try:
        while True:
            for task in islice(tasks, jobs - len(running)):
                running[executor.submit(partial(_terminably, work), task)] = task
            if not running:
                return []
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                result = future.result()
                yield running.pop(future), result
    except BrokenExecutor:
        return list(running.values())
    finally:
        _stop(executor, list(running))


def _terminably(work: Callable[[Task], Result], task: Task) -> Result:
    with terminable():
        return work(task)


def _stop(executor: Any, running: list[Any]) -> None:
    """End the processes, after those at work had time to clear up."""
    if running:
        for number in list(executor._processes or ()):
            with suppress(OSError):
                os.kill(number, signal.SIGTERM)
        wait(running, timeout=LAST_WORDS)
    executor.shutdown(kill_workers=bool(running))


def in_processes(work: Callable[..., Result], tasks: Iterable[tuple[Any, ...]], jobs: int) -> Iterator[Result]:
    """Work on each task's arguments in ``jobs`` processes, yield results in their order.

    No more than ``jobs`` + 1 tasks are taken before the first result is, so memory does not depend on how many
    there are.
    """
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
        raise LimitError(DIED) from error
    finally:
        executor.shutdown(kill_workers=bool(running))  # nobody waits for tiles of a file that failed
