"""Who works on tiles: this process or others, in order, with progress; or this one, on those of one shape together."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import Final, TypeVar

from ardm_compress.errors import ArdmError
from ardm_compress.tasks.processes import ordered
from ardm_compress.tasks.progress import Counter, Tick, ignored

Task = TypeVar("Task")
Result = TypeVar("Result")

POSITIONS: Final = 1 << 16  # of all tiles that are coded together, about


def in_order(
    work: Callable[[Task, Tick], Result], tasks: Iterable[Task], jobs: int, counter: Counter
) -> Iterator[Result]:
    """Yield what ``work`` makes of each tile's task, in order; by ``jobs`` processes if that is more than one.

    ``work`` is given what to call after each network call, of which those that other processes make are counted once
    their tile is done.
    """
    here = jobs <= 1
    for result in ordered(work, ((task, counter.one if here else ignored) for task in tasks), jobs):
        yield result
        counter.tile()


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
