"""Who works on tiles: this process or others, in order, with progress; or this one, on those of one shape together."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from itertools import starmap
from typing import Any, Final, Protocol, TypeAlias, TypeVar

from ardm_compress.errors import ArdmError

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


Task = TypeVar("Task")
Result = TypeVar("Result")
Outcome = TypeVar("Outcome", covariant=True)

POSITIONS: Final = 1 << 16  # of all tiles that are coded together, about


class TileTask(Protocol[Outcome]):
    """Work on one tile, which can be pickled for another process."""

    def run(self, tick: Tick, /) -> Outcome:
        """Do the work; ``tick`` is called after each network call, if there are any."""


def ordered(work: Callable[..., Result], tasks: Iterable[tuple[Any, ...]], jobs: int) -> Iterator[Result]:
    """Work on each task's arguments, yield results in their order; in ``jobs`` processes if these are several."""
    if jobs <= 1:
        return starmap(work, tasks)
    from ardm_compress.tasks.processes import in_processes

    return in_processes(work, tasks, jobs)


def in_order(tasks: Iterable[TileTask[Result]], jobs: int, counter: Counter) -> Iterator[Result]:
    """Yield the results of tasks in order; ``jobs`` processes do them if that is more than one.

    Network calls that other processes make are counted once their tile is done.
    """
    here = jobs <= 1
    for result in ordered(_run, ((task, counter.one if here else ignored) for task in tasks), jobs):
        yield result
        counter.tile()


def _run(task: TileTask[Result], tick: Tick) -> Result:
    return task.run(tick)


def together(
    work: Callable[[Sequence[Task]], Sequence[Result]],
    tasks: Sequence[Task],
    key: Callable[[Task], Hashable],
    positions: Callable[[Task], int],
) -> list[Result | ArdmError]:
    """Return what ``work`` makes of tasks, in order; those of one key at once, as many as have about POSITIONS.

    Where a batch fails, each of its tasks is worked on alone, so that an error is of the task that causes it.
    """
    found: dict[int, Result | ArdmError] = {}
    for numbers in _batches([key(task) for task in tasks], [positions(task) for task in tasks]):
        found.update(zip(numbers, _results(work, [tasks[number] for number in numbers]), strict=True))
    return [found[number] for number in range(len(tasks))]


def _batches(keys: Sequence[Hashable], positions: Sequence[int]) -> Iterator[list[int]]:
    """Numbers of tasks that have one key."""
    alike: dict[Hashable, list[int]] = {}
    for number, key in enumerate(keys):
        alike.setdefault(key, []).append(number)
    for numbers in alike.values():
        most = max(2, POSITIONS // positions[numbers[0]])
        yield from (numbers[start : start + most] for start in range(0, len(numbers), most))


def _results(work: Callable[[Sequence[Task]], Sequence[Result]], batch: Sequence[Task]) -> Sequence[Result | ArdmError]:
    try:
        return work(batch)
    except ArdmError as error:
        return [error] if len(batch) == 1 else [_results(work, [task])[0] for task in batch]
