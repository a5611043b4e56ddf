"""Who works on tiles: this process or others, in order, with progress; or this one, on those of one shape together."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import Final, Protocol, TypeVar

from ardm_compress.errors import ArdmError
from ardm_compress.tasks.processes import ordered
from ardm_compress.tasks.progress import Counter, Tick, ignored

Task = TypeVar("Task")
Result = TypeVar("Result")
Outcome = TypeVar("Outcome", covariant=True)

POSITIONS: Final = 1 << 16  # of all tiles that are coded together, about


class TileTask(Protocol[Outcome]):
    """Work on one tile, which can be pickled for another process."""

    def run(self, tick: Tick, /) -> Outcome:
        """Do the work; ``tick`` is called after each network call, if there are any."""


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
