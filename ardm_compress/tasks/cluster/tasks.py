"""Tasks, as they are done by the workers of a cluster; those of lost workers are done again. Imports distributed.

Not with ``Client.get_executor()``: its tasks may go to any worker, and only those that passed the self-test get any.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from itertools import islice
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Final, Generic, NamedTuple, TypeVar

from ardm_compress.errors import LimitError

if TYPE_CHECKING:
    from distributed import Future

    from ardm_compress.tasks.cluster.workers import Workers

Task = TypeVar("Task")
Result = TypeVar("Result")

LOOK: Final = 2.0  # seconds between looks at which workers there are
FETCH: Final = 10.0  # seconds for the result of a task that is done
AHEAD: Final = 2  # tasks under way for each thread: the next one is there when one is done
LOSSES: Final = 3  # workers that a task may take along, as in Dask's own setting ``allowed-failures``
DIED: Final = "workers have died of it, probably for lack of memory"


class Done(NamedTuple, Generic[Task, Result]):
    """A task that is done."""

    task: Task
    result: Result | LimitError
    again: bool  # whether a worker had begun it before, and was lost


class _Running(NamedTuple, Generic[Task]):
    number: int
    tries: int  # how often it was submitted
    task: Task
    future: Future[Any]
    allowed: frozenset[str]  # workers that may do it


def completed(workers: Workers, work: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Done[Task, Result]]:
    """Tasks and what ``work`` makes of them, as they are done.

    Args:
        workers: from ``connected``.
        work: can be pickled; may be called twice for a task if a worker is lost.
        tasks: of which no more are taken than some for each thread of the workers.

    Yields:
        Every task once. The result of one that several workers did not survive, or had not enough memory for, is an
        error; other errors that ``work`` raises are raised.

    Raises:
        As ``Workers.look``.
    """
    run = _Run[Task, Result](workers, work)
    try:
        yield from run.completed(enumerate(tasks))
    finally:
        run.close()


class _Run(Generic[Task, Result]):
    def __init__(self, workers: Workers, work: Callable[[Task], Result]) -> None:
        self._workers, self._work, self._topic = workers, work, f"ardm-compress-{secrets.token_hex(8)}"
        self._running, self._ended = dict[str, _Running[Task]](), SimpleQueue[str]()  # by key; keys
        self._begun = Counter[int]()  # how often, by number; told by the workers before they tell of a result
        workers.client.subscribe_topic(self._topic, lambda event: self._begun.update([event[1]]))

    def completed(self, tasks: Iterator[tuple[int, Task]]) -> Iterator[Done[Task, Result]]:
        while True:
            self._workers.look(after=LOOK)
            yield from self._moved()
            for number, task in islice(tasks, max(0, AHEAD * self._workers.threads - len(self._running))):
                self._submit(number, 1, task)
            if not self._running and self._workers.threads:
                return
            with suppress(Empty):
                if running := self._running.pop(self._ended.get(timeout=LOOK), None):
                    yield from self._done(running)

    def close(self) -> None:
        """Give up what is under way; of what is begun, whole files may still appear."""
        client = self._workers.client
        client.unsubscribe_topic(self._topic)
        if self._running:
            client.cancel([running.future for running in self._running.values()])

    def _submit(self, number: int, tries: int, task: Task) -> None:
        allowed, key = self._workers.addresses, f"{self._topic}-{number}-{tries}"
        work = partial(_announced, self._topic, number, self._work)
        future = self._workers.client.submit(work, task, key=key, pure=False, workers=list(allowed))
        self._await(_Running(number, tries, task, future, allowed))

    def _await(self, running: _Running[Task]) -> None:
        self._running[running.future.key] = running
        running.future.add_done_callback(lambda future: self._ended.put(future.key))

    def _moved(self) -> Iterator[Done[Task, Result]]:
        """Give what may be done only by workers that are all gone to others."""
        there = self._workers.addresses
        for key in [key for key, running in self._running.items() if there and not running.allowed & there]:
            running = self._running.pop(key)
            self._workers.client.cancel([running.future])
            yield from self._survived(running)

    def _survived(self, running: _Running[Task]) -> Iterator[Done[Task, Result]]:
        """Submit again what was under way on workers that were lost, unless it is what has killed them."""
        if max(self._begun[running.number], running.tries) > LOSSES:
            yield Done(running.task, LimitError(DIED), True)
        else:
            self._submit(running.number, running.tries + 1, running.task)

    def _done(self, running: _Running[Task]) -> Iterator[Done[Task, Result]]:
        from distributed import KilledWorker
        from distributed import TimeoutError as TooLong

        try:
            result = _result(running.future)
        except KilledWorker:  # or one that was to begin it when another task had killed it
            yield from self._survived(running)
        except TooLong:  # its worker was lost before the result was fetched
            self._await(running)
        else:
            yield Done(running.task, result, self._begun.pop(running.number, 0) > 1)


def _result(future: Future[Any]) -> Any:
    if future.cancelled():
        raise OSError("the scheduler has gone, or has cancelled the work")
    error = future.exception(timeout=FETCH)
    if isinstance(error, MemoryError):
        return LimitError("not enough memory on the worker")
    if error is not None:
        raise error
    return future.result(timeout=FETCH)


def _announced(topic: str, number: int, work: Callable[[Task], Result], task: Task) -> Result:
    """Tell the client that the work is begun, and do it, on a worker."""
    from distributed import get_worker

    get_worker().log_event(topic, number)
    return work(task)
